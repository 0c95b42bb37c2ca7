"""Words that name a person go from rows of others, which stay."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from cdp_pipeline.rights.mentions import redact_rows, redact_tables
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, add_words

SEARCHER = Searcher(add_words(Traces(), [("email", "anna.reed@example.com")]))
LINKS = ["/a", "/unsubscribe?m=Anna.Reed%40example.com&p=1", None, "/a", "/next"]
CLEAN = ["/a", "/unsubscribe?m=[erased]&p=1", None, "/a", "/next"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_staged_text_loses_the_words_and_its_dictionary_too(
    tmp_path: Path, kind: pa.DataType
) -> None:
    path = tmp_path / "rows.parquet"
    scratch = tmp_path / "work"
    scratch.mkdir()
    rows = pa.table(
        {
            "url": pa.array(LINKS, kind),
            "sku": pa.array(list("abcde"), pa.string()),
            "_line": pa.array(range(5), pa.int64()),
        }
    )
    parquet.write_table(rows, path)
    path.chmod(0o640)
    told: list[tuple[pa.Table, Collection[str]]] = []
    assert redact_rows(path, SEARCHER, scratch, keep=lambda *what: told.append(what))
    ((changed, columns),) = told
    assert changed.to_pydict() == {"url": [CLEAN[1]], "sku": ["b"], "_line": [1]}
    assert columns == {"url"}
    left = parquet.read_table(path)
    assert left.to_pydict() == {**rows.to_pydict(), "url": CLEAN}
    assert path.stat().st_mode & 0o777 == 0o640
    held = parquet.read_table(path, read_dictionary=["url"])["url"].chunk(0).dictionary
    assert set(held.to_pylist()) == {*CLEAN} - {None}
    assert not redact_rows(path, SEARCHER, scratch, keep=lambda *what: told.append(what))
    assert len(told) == 1
    assert {*tmp_path.rglob("*")} == {path, scratch}


def test_rows_of_every_table_stay_and_lose_the_words() -> None:
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as cdp")
        con.execute("attach ':memory:' as vault")
        con.execute("use cdp")
        con.execute("create schema core")
        con.execute("create table core.visits (id integer, url varchar, props json)")
        for number, link in enumerate(LINKS):
            con.execute("insert into core.visits values (?, ?, to_json(?))", [number, link, link])
        con.execute("create table core.stores (name varchar)")
        assert redact_tables(con, SEARCHER) == {"core.visits": 2}
        found = con.execute("select url, props ->> '$' from core.visits order by id").fetchall()
        assert found == [(text, text) for text in CLEAN]
        assert redact_tables(con, SEARCHER) == {}
