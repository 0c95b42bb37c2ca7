"""What is past its time: nights by their changes, deaths and reruns end in the same tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from cdp_pipeline.core.keys import new_key
from cdp_pipeline.orchestration.runner import RunOptions, run_night
from cdp_pipeline.orchestration.status import read_status
from cdp_pipeline.storage.versions import current_version
from cdp_pipeline.storage.warehouse import open_whole
from tests.faults.comparing import assert_sound, result_of
from tests.faults.conftest import seldom
from tests.faults.harness import Kill, run_victim
from tests.faults.tiny import FIRST_NIGHT, TinyStore, make_store
from tests.integration.test_increment import hash_tables

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]

KEY = new_key()
BEFORE = FIRST_NIGHT - timedelta(days=1)
LAST = FIRST_NIGHT + timedelta(days=1)
TELLS_HOW = "ops.retention"
"""What a night removed depends on what the version before it still had."""


def keep(store: TinyStore, declared: str, retention: str) -> None:
    path = store.root / f"{declared}.yml"
    path.write_text(f"{path.read_text('utf-8')}\nretention: {retention}\n", encoding="utf-8")


def run(store: TinyStore, day: date, *, is_full: bool = False, force: bool = False) -> None:
    context = replace(store.context(day), is_full=is_full)
    outcome = run_night(context, RunOptions(force=force))
    assert outcome.error is None, outcome.error


def tables(store: TinyStore) -> dict[str, tuple[int, int | None]]:
    version = current_version(store.paths)
    assert version is not None
    return hash_tables(version.path, store.context(FIRST_NIGHT).settings.keys)


def oldest_statement(store: TinyStore) -> date:
    with open_whole(store.context(FIRST_NIGHT).settings) as con:
        rows = con.execute("select min(stated_on) from identity.golden_sources").fetchall()
    found: date = rows[0][0]
    return found


def removed(store: TinyStore) -> int:
    with open_whole(store.context(FIRST_NIGHT).settings) as con:
        rows = con.execute("select sum(rows_removed) from ops.retention").fetchall()
    return int(rows[0][0])


@pytest.fixture(scope="module")
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TinyStore]:
    """Yield a store after its load, with a key set or without.

    Receipts go after a year, by their own date; deliveries of members after a day; and after two
    years what golden records say whence they have it, which is a view until it is published.
    """
    store = make_store(tmp_path_factory.mktemp("retention") / "loaded")
    keep(store, "sql/identity/golden_sources", "{days: 730, by: stated_on}")
    keep(store, "expectations/pos_sales", "{days: 365, by: till_time}")
    keep(store, "expectations/loyalty_members", "{days: 1}")
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "encrypted":
            patched.setenv("CDP_KEYS__MASTER", KEY)
        run(store, BEFORE)
        yield store


@pytest.mark.parametrize(
    "loaded", seldom(["in clear", "encrypted"], but=["in clear"]), indirect=True
)
def test_rows_gone_by_their_own_date_leave_what_a_full_build_has(
    loaded: TinyStore, tmp_path: Path
) -> None:
    by_changes = loaded.copy_to(tmp_path / "changes")
    in_full = loaded.copy_to(tmp_path / "full")
    run(by_changes, FIRST_NIGHT)
    run(in_full, FIRST_NIGHT, is_full=True)
    built = read_status(by_changes.context(FIRST_NIGHT).settings).built
    assert "made anew" in built["core.fct_sales"], "so few rows that others may be built whole"
    assert removed(by_changes) > 0
    assert oldest_statement(by_changes) >= FIRST_NIGHT - timedelta(days=730)
    found, expected = tables(by_changes), tables(in_full)
    assert {name for name in expected if found[name] != expected[name]} <= {TELLS_HOW}


def members(store: TinyStore) -> list[str]:
    """Return what landing and staging hold of members."""
    folders = (store.data / "landing", store.paths.staging)
    found = [path for root in folders for path in sorted((root / "loyalty_members").rglob("*"))]
    return [path.name for path in found if path.is_file() and path.suffix != ".json"]


@pytest.mark.parametrize("loaded", ["in clear"], indirect=True)  # victims are given no key
def test_nights_that_died_before_their_files_were_deleted_or_are_run_again_are_the_same(
    loaded: TinyStore, tmp_path: Path
) -> None:
    whole, killed = loaded.copy_to(tmp_path / "whole"), loaded.copy_to(tmp_path / "killed")
    run(whole, LAST)
    expected, published = result_of(whole.paths), tables(whole)
    assert len(members(whole)) < len(members(killed))
    assert run_victim(killed, LAST, kill=Kill("publish")).killed
    assert len(members(killed)) > len(members(whole)), "it died before"
    ending = run_victim(killed, LAST)
    assert ending.status == "unchanged", ending.error
    assert_sound(killed.paths)
    assert members(killed) == members(whole)
    assert result_of(killed.paths) == expected
    run(whole, LAST, force=True)  # without the files that have gone since
    again = tables(whole)
    assert {name for name in published if again[name] != published[name]} == set()
