"""Publications that die at every call, and the order in which bytes reach the disk."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import mutants
from tests.faults.conftest import seldom
from tests.faults.harness import SERVER
from tests.faults.publisher import ROWS, TONIGHT, prepare, publish_and_die, story
from tests.faults.tiny import REPOSITORY

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("publication") / "project"
    prepare(root)
    shutil.copytree(root, root.with_name("kept"), symlinks=True)
    return root


def copies(built: Path) -> Iterator[Path]:
    """Yield fresh copies at one and the same path, which the plan names."""
    while True:
        shutil.rmtree(built)
        shutil.copytree(built.with_name("kept"), built, symlinks=True)
        yield built


def die(root: Path, at: int, mutant: str = "") -> int:
    """Return how a publication that should die at its n-th call ended: -9 if it did."""
    victim = SERVER.Process(target=publish_and_die, args=(root, at, mutant))
    victim.start()
    victim.join(120)
    return int(victim.exitcode or 0)


def broken_after(root: Path, at: int, mutant: str = "") -> str:
    """Return what is wrong after a death and after the run that follows it; empty if nothing."""
    for moment in ("after the kill", "after the next run"):
        if moment == "after the next run" and die(root, 0, mutant):
            return f"{at}: the next run fails"
        try:
            rows = story(root)
        except (AssertionError, LookupError, OSError, RuntimeError, ValueError) as error:
            return f"{at} {moment}: {error}"
    left = [path.name for path in (root / "data" / "warehouse").rglob(".*")]
    return "" if (rows, left) == (ROWS[TONIGHT], []) else f"{at}: {rows} rows, {left} left"


@pytest.mark.slow
def test_killed_at_every_call_the_next_run_publishes(
    built: Path, record_property: Callable[[str, int], None]
) -> None:
    kills, found = 0, []
    for at, root in enumerate(copies(built), start=1):
        if die(root, at) != -9:
            break
        kills += 1
        found.append(broken_after(root, at))
    record_property("kills", kills)
    assert [text for text in found if text] == []
    assert kills >= 25


def is_caught(built: Path, mutant: str) -> bool:
    """Return whether a broken publisher is seen at any of its calls."""
    for at, root in enumerate(copies(built), start=1):
        has_died = die(root, at, mutant) == -9
        if broken_after(root, at, mutant):
            return True
        if not has_died:
            break
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutant", seldom([m.__name__ for m in mutants.KILLABLE], but=["flip_early", "no_recovery"])
)
def test_broken_publishers_are_caught(built: Path, mutant: str) -> None:
    assert is_caught(built, mutant)


CALLS = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "symlink", "link",
         "mkdir", "unlink", "unlinkat", "rmdir")  # fmt: skip


def strace(
    root: Path, log: Path, *options: str, mutant: str = ""
) -> subprocess.CompletedProcess[str]:
    """Publish under strace; each line of the log is one call, with the paths it concerns."""
    start = (
        "import sys; from pathlib import Path\n"
        "from tests.faults import mutants, publisher\n"
        f"mutants.MUTANTS.get({mutant!r}, lambda: None)()\n"
        "publisher.publish(Path(sys.argv[1]))"
    )
    command = ["strace", "-f", "-y", "-qq", "-o", str(log), *options,
               sys.executable, "-B", "-c", start, str(root)]  # fmt: skip
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def disorder(root: Path, log: Path) -> list[str]:
    """Return what reaches the disk too late, or is written once readers are there."""
    warehouse = root / "data" / "warehouse"
    unsynced: dict[str, int] = {}
    problems = []
    is_flipped = False
    for number, line in enumerate(log.read_text(errors="replace").splitlines()):
        call = re.match(r"\d+ +(\w+)\((.*)", line)
        if not call:
            continue
        name, rest = call.groups()
        path = (re.search(r"<([^>]+)>", rest) or re.search(r'"([^"]+)"', rest) or [None, ""])[1]
        if not path.startswith(str(warehouse)):
            continue
        if name in {"write", "pwrite64", "ftruncate"}:
            unsynced[path] = number
            if is_flipped:
                problems.append(f"{path} is written after the flip")
        elif name in {"fsync", "fdatasync"}:
            unsynced.pop(path, None)
        elif name in {"link", "mkdir", "rename", "symlink"}:
            target = re.findall(r'"([^"]+)"', rest)[-1]
            if target == str(warehouse / "current"):
                # The new link's first name lies in the same folder; it needs no life of its own.
                late = [each for each in unsynced if each != str(warehouse)]
                problems += [f"{each} is not on disk as readers come" for each in late]
                is_flipped = True
            if name == "rename":
                unsynced = {each.replace(path, target, 1): when for each, when in unsynced.items()}
            unsynced[str(Path(target).parent)] = number
    problems += [f"{warehouse} is not on disk at the end"] if str(warehouse) in unsynced else []
    return problems if is_flipped else [*problems, "readers never came"]


@needs_strace
def test_everything_is_on_disk_before_readers_come(built: Path, tmp_path: Path) -> None:
    root = next(copies(built))
    log = tmp_path / "strace.log"
    done = strace(root, log, "-e", f"trace={','.join(CALLS)}")
    assert done.returncode == 0, done.stderr
    assert disorder(root, log) == []
    assert story(root) == ROWS[TONIGHT]


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("mutant", [m.__name__ for m in mutants.UNSYNCED])
def test_missing_fsyncs_are_caught(built: Path, tmp_path: Path, mutant: str) -> None:
    root = next(copies(built))
    log = tmp_path / "strace.log"
    assert strace(root, log, "-e", f"trace={','.join(CALLS)}", mutant=mutant).returncode == 0
    assert disorder(root, log)


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_every_single_syscall(
    built: Path, tmp_path: Path, call: str, record_property: Callable[[str, int], None]
) -> None:
    found = []
    for at, root in enumerate(copies(built), start=1):
        done = strace(root, tmp_path / "log", "-e", f"inject={call}:signal=SIGKILL:when={at}")
        if done.returncode == 0:
            break
        found.append(broken_after(root, at))
    record_property("kills", len(found))
    assert [text for text in found if text] == []


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_a_failing_fsync_publishes_nothing(built: Path, tmp_path: Path, call: str) -> None:
    failed = 0
    for at, root in enumerate(copies(built), start=1):
        done = strace(root, tmp_path / "log", "-e", f"inject={call}:error=EIO:when={at}")
        if done.returncode == 0:
            break
        failed += 1
        assert "Input/output error" in done.stderr or "fsync" in done.stderr.lower()
        assert story(root) in ROWS.values()
        assert broken_after(root, at) == ""
    assert failed or call == "fdatasync"
    assert story(built) == ROWS[TONIGHT]
