"""What tonight's files may have changed is known exactly where rows add up by key."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.ingest.feeds import SourceFeed
from cdp_pipeline.ingest.touched import TouchedFiles, compare_staged, note_touched
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.basis import Basis, changes_of, decide, read_basis, rebuild_reason
from tests.integration.store import ROOT

PROJECT = load_project(ROOT)
SALES, EMAILS = PROJECT.sources["pos_sales"], PROJECT.sources["email_events"]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("attach ':memory:' as staging")
    decide(made, "")
    return made


def feed_of(contract: SourceContract, entity: str) -> SourceFeed:
    feed = next(feed for feed in contract.feeds if feed.entity == entity)
    return SourceFeed(contract, feed, "", "", {})


def staged(folder: Path, name: str, select: str) -> Path:
    path = folder / f"{name}.parquet"
    duckdb.execute(f"copy ({select}) to '{path}'")
    return path


def test_a_new_file_touches_the_keys_of_its_rows(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = "select 'S1' as receipt_id, unnest([1, 2]) as line_no"
    touched = {"pos_sales": TouchedFiles((staged(tmp_path, "new", rows),))}
    sale_lines = PROJECT.entities["sale_lines"]
    assert note_touched(con, sale_lines, [feed_of(SALES, "sale_lines")], touched)
    found = con.execute(f"from {changes_of('staging.sale_lines')} order by all").fetchall()
    assert found == [("pos_sales", "S1", "1"), ("pos_sales", "S1", "2")]


def test_nothing_new_touches_nothing(con: duckdb.DuckDBPyConnection) -> None:
    events = PROJECT.entities["email_events"]
    feeds = [feed_of(EMAILS, "email_events")]
    assert note_touched(con, events, feeds, {"email_events": TouchedFiles()})
    assert con.execute(f"from {changes_of('staging.email_events')}").fetchall() == []


def test_an_erasure_touches_the_keys_that_it_told(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    added = staged(tmp_path, "new", "select 'S1' as receipt_id, 1 as line_no, 'A' as sku")
    changed = staged(tmp_path, "keys", "select 'S2' as receipt_id, unnest([1, 2]) as line_no")
    touched = {"pos_sales": TouchedFiles((added,), changed=(changed,))}
    sale_lines = PROJECT.entities["sale_lines"]
    assert note_touched(con, sale_lines, [feed_of(SALES, "sale_lines")], touched)
    found = con.execute(f"from {changes_of('staging.sale_lines')} order by all").fetchall()
    assert found == [("pos_sales", "S1", "1"), ("pos_sales", "S2", "1"), ("pos_sales", "S2", "2")]


def test_keys_that_an_erasure_did_not_tell_are_not_known(con: duckdb.DuckDBPyConnection) -> None:
    touched = {"pos_sales": TouchedFiles(is_told=False)}
    feeds = [feed_of(SALES, "sale_lines")]
    assert not note_touched(con, PROJECT.entities["sale_lines"], feeds, touched)


def test_keys_that_are_not_the_contracts_are_not_known(con: duckdb.DuckDBPyConnection) -> None:
    touched = {name: TouchedFiles() for name in PROJECT.sources}
    for source, entity in (("products", "products"), ("loyalty_members", "consents")):
        feeds = [feed_of(PROJECT.sources[source], entity)]
        assert not note_touched(con, PROJECT.entities[entity], feeds, touched)


@pytest.mark.parametrize(
    ("before", "is_known", "added"),
    [
        ({"a.parquet": (1, 4)}, True, ["b.parquet"]),
        ({}, True, ["a.parquet", "b.parquet"]),
        ({"a.parquet": (2, 4)}, False, ["b.parquet"]),  # other rows under the same name
        ({"a.parquet": (1, 9)}, False, ["b.parquet"]),  # other bytes
        ({"a.parquet": (1, 4), "c.parquet": (1, 1)}, False, ["b.parquet"]),  # one has gone
    ],
)
def test_a_staged_file_that_changed_or_went_makes_the_rest_unknown(
    tmp_path: Path, *, before: dict[str, tuple[int, int]], is_known: bool, added: list[str]
) -> None:
    files = []
    for name in ("a.parquet", "b.parquet"):
        path = tmp_path / name
        path.write_bytes(b"four")
        files.append((path, 1))
    found = compare_staged("s", files, {"s": before})
    assert (found.is_known, [path.name for path in found.added]) == (is_known, added)


def test_a_version_says_what_it_rests_on(tmp_path: Path) -> None:
    basis = Basis("1.0", "d", "s", {"tills": {"a.parquet": (1, 2)}}, ("E000001",))
    basis.write(tmp_path)
    assert read_basis(tmp_path) == basis
    assert basis.differs_from(read_basis(tmp_path)) == ""
    assert "no earlier version" in basis.differs_from(read_basis(None))
    assert "package" in basis.differs_from(Basis("1.1", "d", "s"))
    assert "models" in basis.differs_from(Basis("1.0", "e", "s"))
    assert "settings" in basis.differs_from(Basis("1.0", "d", "t"))


def test_without_a_record_of_changes_everything_is_rebuilt() -> None:
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as staging")
        assert "not recorded" in rebuild_reason(con)
