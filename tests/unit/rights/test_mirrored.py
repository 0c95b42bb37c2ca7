"""A column that is proved to equal its mirror is searched there, and nothing else is left out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.rights import mirrored
from cdp_pipeline.rights.scan import Find, scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.strays import clean_strays, written_here
from cdp_pipeline.rights.traces import Traces, add_words
from cdp_pipeline.storage.paths import DataPaths

SEARCHER = Searcher(add_words(Traces(), [("email", "anna.reed@example.com")]))
HER = "'anna.reed@example.com'"
ROWS = "select 'somebody' || range || '@example.com' as mail, range % 7 as n from range(5000)"


@pytest.fixture(autouse=True)
def _every_column_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrored, "_LARGE", 1000)


def publish(version: Path, table: str, *months: str) -> None:
    """Write a table and its mirror, a file or one for each month, as SELECTs say."""
    folder = version / "parquet" / "core"
    folder.mkdir(parents=True)
    with duckdb.connect(str(version / "cdp.duckdb")) as con:
        con.execute("create schema core")
        con.execute(f"create table core.t as {table}")
    for number, rows in enumerate(months, 1):
        part = folder / "t" / f"month=2026-{number:02}" / "part.parquet"
        path = part if len(months) > 1 else folder / "t.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        duckdb.sql(f"copy ({rows}) to '{path}' (format parquet, compression zstd)")


def found(root: Path, *, typed: bool = True) -> set[tuple[str, str]]:
    scan = scan_folder(root, SEARCHER, typed=[root] if typed else [])
    assert scan.unreadable == []
    return {(f.file.rpartition("/")[2], f.place) for f in scan.finds if f.place != "bytes"}


HERS = f"{ROWS} union all select {HER}, 1"


def test_what_the_mirror_holds_too_is_found_there(tmp_path: Path) -> None:
    publish(tmp_path, HERS, HERS)
    assert found(tmp_path) == {("t.parquet", "mail")}


def test_a_mirror_by_month_in_another_order_is_compared_as_a_whole(tmp_path: Path) -> None:
    first, last = f"{ROWS} order by n, mail", f"select {HER} as mail, 1 as n"
    publish(tmp_path, HERS, last, first)
    assert found(tmp_path) == {("part.parquet", "mail")}


@pytest.mark.parametrize(
    "mirror",
    [
        ROWS,
        f"{ROWS} union all select 'carl.reed@example.com', 1",
        f"{ROWS} union all select null, 1",
        f"{ROWS} union all by name select {HER} as n_mail",
    ],
)
def test_one_value_that_the_mirror_lacks_is_found_in_the_database(
    tmp_path: Path, mirror: str
) -> None:
    publish(tmp_path, HERS, mirror)
    assert ("cdp.duckdb", "core.t.mail") in found(tmp_path)


def test_a_value_that_stands_twice_does_not_cancel_itself(tmp_path: Path) -> None:
    publish(tmp_path, f"{HERS} union all {HERS}", f"{ROWS} union all {ROWS}")
    assert ("cdp.duckdb", "core.t.mail") in found(tmp_path)


def test_a_broken_mirror_proves_nothing(tmp_path: Path) -> None:
    publish(tmp_path, HERS, HERS)
    (tmp_path / "parquet" / "core" / "t.parquet").write_bytes(b"PAR1 broken")
    scan = scan_folder(tmp_path, SEARCHER, typed=[tmp_path])
    assert ("cdp.duckdb", "core.t.mail") in {(find.file, find.place) for find in scan.finds}
    assert scan.unreadable == ["parquet/core/t.parquet"]


def test_a_stray_copy_of_a_version_is_searched_whole(tmp_path: Path) -> None:
    """Its mirror would be cleaned, and nobody would know of the database beside it."""
    publish(tmp_path, HERS, HERS)
    assert found(tmp_path, typed=False) == {("t.parquet", "mail"), ("cdp.duckdb", "core.t.mail")}


def test_a_copy_of_a_version_in_the_outbox_is_searched_again_when_its_mirror_was_cleaned(
    tmp_path: Path,
) -> None:
    project = Path(__file__).parents[3]
    settings = load_settings(project, data_dir=tmp_path)
    context = RunContext(date(2026, 11, 16), "test", project, settings)
    publish(tmp_path / "outbox" / "partner" / "copy", HERS, HERS)
    typed = written_here(DataPaths.of(context))
    scan = scan_folder(tmp_path, SEARCHER, typed=typed)
    assert {find.file.rpartition("/")[2] for find in scan.finds} == {"t.parquet"}
    left = clean_strays(context, tmp_path, scan, SEARCHER).finds
    assert left == [Find("outbox/partner/copy/cdp.duckdb", "core.t.mail", "word")]
