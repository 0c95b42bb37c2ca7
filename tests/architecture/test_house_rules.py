"""House rules that no linter knows."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = sorted((ROOT / "cdp_pipeline").rglob("*.py"))
ALLOWED = {
    "dags", "cdp_pipeline", "sql", "expectations", "reports", "tests", "data", "requirements",
    "benchmarks", "pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md",
}  # fmt: skip


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node, (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_fit_on_a_screen() -> None:
    too_long = [f"{p}:{n.lineno} {n.name} has {size}" for p, n, size in functions() if size > 50]
    assert too_long == []
    assert statistics.median(size for _, _, size in functions()) <= 12


def test_modules_hold_one_idea() -> None:
    sizes = {path: path.read_text(encoding="utf-8").count("\n") for path in PACKAGE}
    assert {str(path): size for path, size in sizes.items() if size > 400} == {}


def test_dag_files_are_thin() -> None:
    sizes = {
        p.name: p.read_text(encoding="utf-8").count("\n") for p in (ROOT / "dags").glob("*.py")
    }
    assert sizes
    assert {name: size for name, size in sizes.items() if size > 80} == {}


def test_no_junk_drawers() -> None:
    junk = re.compile(r"(^|/)(utils?|helpers?|misc|common)(\.py|/)")
    assert [str(p) for p in PACKAGE if junk.search(p.relative_to(ROOT).as_posix())] == []


def test_only_two_places_catch_everything() -> None:
    found = set()
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                if caught in {"", "Exception", "BaseException"}:
                    found.add(path.relative_to(ROOT / "cdp_pipeline").as_posix())
    assert found == {"cli/app.py", "orchestration/runner.py"}


def test_consent_is_decided_in_one_place() -> None:
    """Only the gate reads consent statements to decide; whoever sends must call it."""
    exporting = (ROOT / "cdp_pipeline" / "activation").rglob("*.py")
    texts = {path.name: path.read_text(encoding="utf-8") for path in exporting}
    assert any("consent.permitted(" in text or "permitted(" in text for text in texts.values())
    assert [name for name, text in texts.items() if "fct_consents" in text] == []


def test_top_level_names_are_the_agreed_ones() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:
        pytest.skip("not a git checkout")
    top = {Path(name).parts[0] for name in listed}
    assert {name for name in top if not name.startswith(".")} <= ALLOWED


def test_lock_files_name_no_host() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--hash=sha256:" in text


def test_peers_are_measured_beside_the_versions_that_ship() -> None:
    """The benchmark's lock adds peers and changes nothing else."""
    pinned = re.compile(r"^([a-z0-9._-]+)==(\S+)(.*?) ?\\\\?$", re.MULTILINE)
    ours, theirs = (
        set(pinned.findall((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")))
        for name in ("base", "bench")
    )
    assert ours <= theirs
    assert {"splink", "custmatch"} <= {name for name, _, _ in theirs - ours}


LIGHT = """
import sys
before = set(sys.modules)
import {module}
heavy = {{"duckdb", "pandas", "numpy", "sklearn", "great_expectations", "recordlinkage", "airflow",
         "pyarrow", "vl_convert"}}
print(sorted(heavy & {{name.split(".")[0] for name in set(sys.modules) - before}}))
"""


@pytest.mark.parametrize(
    "module", ["cdp_pipeline", "cdp_pipeline.cli.app", "cdp_pipeline.cli.night",
               "cdp_pipeline.cli.look", "cdp_pipeline.cli.start", "cdp_pipeline.cli.steward",
               "cdp_pipeline.orchestration.steps", "cdp_pipeline.core.settings"]
)  # fmt: skip
def test_the_way_in_imports_nothing_heavy(module: str) -> None:
    code = LIGHT.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
