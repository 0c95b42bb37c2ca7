"""The checks that stand below each macro of ``sql/macros``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import EmptyWarehouse

FOLDER = Path(__file__).parents[2] / "sql" / "macros"
# Macros of record linkage are held against Python in tests/unit/identity.
MACROS = [path for path in sorted(FOLDER.glob("*.sql")) if not path.stem.startswith("identity")]
CHECKS = re.compile(r"^/\* checks[^\n]*:\n(.*?)^\*/", re.DOTALL | re.MULTILINE)


def read_checks(path: Path) -> list[str]:
    found = CHECKS.search(path.read_text(encoding="utf-8"))
    return found.group(1).strip().splitlines() if found else []


@pytest.mark.parametrize("path", MACROS, ids=lambda path: path.stem)
def test_macro_has_checks_and_its_own_file(path: Path) -> None:
    assert len(read_checks(path)) >= 2
    assert f"create or replace temp macro {path.stem}(" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "check"),
    [(path, check) for path in MACROS for check in read_checks(path)],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_check_holds(path: Path, check: str, warehouse: EmptyWarehouse) -> None:
    # The shipped project is British, as the checks of business_date expect.
    assert path.stem
    assert warehouse.settings.time_zone == "Europe/London"
    rows: list[tuple[object]] = warehouse.con.execute(f"select {check}").fetchall()
    assert rows == [(True,)]
