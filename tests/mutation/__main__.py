"""The mutation score: of small mistakes put into a module, how many its tests find.

    python -m tests.mutation                    all modules of ``tests/mutation/modules.py``
    python -m tests.mutation lock consent       some of them

Mutants are made in a copy of the tree, one after the other, each judged by the module's tests in a
process of its own: forked once all libraries are loaded, so that a mutant costs little more than
its tests. The working tree is never touched. Mutants that survive are printed as diffs; the exit
code is 1 if a module's score lies below 90 %.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import math
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.modules import MODULES, Module
from tests.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("cdp_pipeline", "tests", "sql", "reports", "expectations", "dags", "pyproject.toml")
LEAST = 0.9
"""Share of a module's mutants that its tests must kill."""

PATIENCE = 5.0
"""How many times as long as the tests of the module as it is those of a mutant may take."""


@dataclass(frozen=True)
class Score:
    """What became of a module's mutants.

    Attributes:
        name: The module.
        total: Its mutants, without equal ones.
        survivors: Those that its tests did not find.
        equal: Number of mutants that behave as the module does.
        path: File of the module.
    """

    name: str
    total: int
    survivors: tuple[Mutant, ...]
    equal: int
    path: str

    @property
    def share(self) -> float:
        """Share of mutants that were killed."""
        return 1 - len(self.survivors) / self.total

    def __str__(self) -> str:
        """A line of the table; the score is never rounded up."""
        killed = self.total - len(self.survivors)
        counts = f"{self.total:>8}{killed:>8}{len(self.survivors):>10}{self.equal:>7}"
        return f"{self.name:12}{counts}{math.floor(1000 * self.share) / 10:>8.1f} %"


def copy_tree(folder: Path) -> None:
    """Copy what tests need, bytecode included, which makes the first run faster."""
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)


def run_tests(
    folder: Path, tests: Sequence[str], loaded: Path | None = None, *, seconds: float = 600
) -> int:
    """Run tests in a copy of the tree, in a process of its own.

    Args:
        folder: The copy.
        tests: What pytest is told to run.
        loaded: File for the names of the libraries that the tests loaded.
        seconds: How long they may take: a mutant may wait for what never comes.

    Returns:
        Exit code of pytest; 128 and the signal's number if the process was stopped.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.alarm(math.ceil(seconds))
            code = _run_pytest(folder, tests, loaded)
        except BaseException:  # noqa: BLE001 - the child ends here, whatever happened
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        with contextlib.suppress(ProcessLookupError):  # of what it had started nothing goes on
            os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _run_pytest(folder: Path, tests: Sequence[str], loaded: Path | None) -> int:
    import pytest

    os.setsid()
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)
    sys.path[:] = [str(folder), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
    # a mutant's bytecode could be taken for the next one's; the rest is compiled once
    sys.dont_write_bytecode = loaded is None
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    with (folder / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        # the test that found the last mistake is likely to find the next one
        options = ["-x", "--failed-first", "-o", f"cache_dir={folder / 'cache'}",
                   "--basetemp", str(folder / "made"), "-m", "not slow",
                   "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
        code = pytest.main([*options, *tests])
    if loaded is not None:
        paths = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
        loaded.write_text(json.dumps(paths), encoding="utf-8")
    return int(code)


def load_libraries(folder: Path, loaded: Path, path: str) -> None:
    """Import what the tests of a module imported, but for our own code, before mutants fork."""
    paths = json.loads(loaded.read_text(encoding="utf-8"))
    dotted = path.removesuffix(".py").replace("/", ".")
    if paths.get(dotted) != str(folder / path):
        raise SystemExit(f"the tests of {path} do not load it from the copy")
    for name, file in paths.items():
        if file and "site-packages" in file and not name.startswith(("_", "tests")):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def measure(name: str, module: Module, folder: Path) -> Score:
    """Return the score of a module, mutated in a copy of the tree.

    Raises:
        SystemExit: Its tests fail as it is, do not load it, or an equal mutant is not there.
    """
    target, loaded = folder / module.path, folder / "loaded.json"
    source = target.read_text(encoding="utf-8")
    mutants = mutants_of(source, words=module.words)
    gone = set(module.equal) - {mutant.name for mutant in mutants}
    if gone:
        raise SystemExit(f"{module.path} has no such mutant: {sorted(gone)}")
    _run_as_it_is(folder, module, loaded)
    load_libraries(folder, loaded, module.path)
    for compiled in target.parent.glob(f"__pycache__/{target.stem}.*"):
        compiled.unlink()
    began = time.monotonic()
    _run_as_it_is(folder, module)  # and so does a mutant that changes nothing
    seconds = 10 + PATIENCE * (time.monotonic() - began)
    survivors = []
    judged = [mutant for mutant in mutants if mutant.name not in module.equal]
    for mutant in judged:
        target.write_text(mutant.after, encoding="utf-8")
        if run_tests(folder, module.tests, seconds=seconds) == 0:
            survivors.append(mutant)
    target.write_text(source, encoding="utf-8")
    return Score(name, len(judged), tuple(survivors), len(mutants) - len(judged), module.path)


def _run_as_it_is(folder: Path, module: Module, loaded: Path | None = None) -> None:
    code = run_tests(folder, module.tests, loaded)
    if code:
        output = (folder / "output.txt").read_text(encoding="utf-8")
        raise SystemExit(f"the tests of {module.path} fail as it is ({code}):\n{output}")


def main() -> int:
    """Print the table and the survivors; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help=", ".join(MODULES))
    asked = parser.parse_args().modules or list(MODULES)
    unknown = [name for name in asked if name not in MODULES]
    if unknown:
        parser.error(f"there is no module {unknown[0]}, only {', '.join(MODULES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory(prefix="cdp-mutation-") as made:
        folder = Path(made).resolve()
        copy_tree(folder)
        scores = [measure(name, MODULES[name], folder) for name in asked]
    for score in scores:
        for mutant in score.survivors:
            print(mutant.diff(score.path), end="\n\n")  # noqa: T201 - its purpose
    print("module       mutants  killed  survived  equal   score")  # noqa: T201 - its purpose
    print(*scores, sep="\n")  # noqa: T201 - its purpose
    return int(any(score.share < LEAST for score in scores))


if __name__ == "__main__":
    sys.exit(main())
