"""A file of which some columns are encoded anew is the one that DuckDB would have written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.storage.columnwise import replace_columns
from cdp_pipeline.storage.footers import (
    DOUBLE,
    LIST,
    STRUCT,
    TEXT,
    TRUE,
    Field,
    Items,
    parse_struct,
    write_struct,
)
from cdp_pipeline.storage.mirror import FORMAT

TABLE = """
create table sales as select
    range as id, hash(range)::varchar as receipt, range % 7 as line_no,
    if(range % 3 = 0, null, (range % 9000)::varchar) as customer_id,
    ['a', 'b', null][range % 3 + 1] as tender, [range, null] as tags, range % 2 = 0 as is_web,
    (hash(range) % 1000) / 7 as score, timestamp '2026-01-01' + to_minutes(range) as sold_at,
    (range % 300)::decimal(10, 2) as amount, 'pos_sales' as source, {'a': range % 5} as more
from range($1)
"""
CHANGES = {
    "customer_id": "update sales set customer_id = 'merged' where id % 1000 = 5",
    "tender": "update sales set tender = 'a voucher of new kind' where id = 77",
    "score": "update sales set score = null",
    "source": "update sales set source = null where id = 1",
    "tags": "update sales set tags = [] where id % 2 = 1",
    "more": "update sales set more = {'a': 9} where id = 3",
}


@pytest.mark.parametrize("rows", [0, 1, 2_000, 130_000])
@pytest.mark.parametrize("columns", [["customer_id"], ["score", "source"], list(CHANGES)])
def test_the_bytes_are_those_of_all_columns_written(
    tmp_path: Path, rows: int, columns: list[str]
) -> None:
    published, changed, whole, made = (tmp_path / name for name in ("p", "c", "w", "m"))

    def write(select: str, path: Path) -> None:
        con.execute(f"copy ({select} from sales order by id) to '{path}' ({FORMAT})")

    with duckdb.connect() as con:
        con.execute("set disabled_optimizers = 'statistics_propagation'")
        con.execute(TABLE, [rows])
        write("select *", published)
        for column in columns:
            con.execute(CHANGES[column])
        write("select *", whole)
        write(f"select {', '.join(reversed(columns))}", changed)
    assert replace_columns(published, changed, made)
    assert made.read_bytes() == whole.read_bytes()


def test_files_that_do_not_fit_each_other_make_nothing(tmp_path: Path) -> None:
    published, made = tmp_path / "published", tmp_path / "made"
    selects = {
        "a row less": "select 'x' as customer_id from range(9)",
        "more row groups": "select 'x' as customer_id from range(200_000)",
        "another column": "select 'x' as client_id from range(10)",
    }
    duckdb.execute(f"copy (select 'a' as customer_id from range(10)) to '{published}' ({FORMAT})")
    for name, select in selects.items():
        duckdb.execute(f"copy ({select}) to '{tmp_path / name}' ({FORMAT})")
        assert not replace_columns(published, tmp_path / name, made)
    assert not made.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:0],
        lambda data: b"PAR1" + data[:40],
        lambda data: data[:-40] + data[-8:],
        lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1",
        lambda data: data[:4] + b"unknown" + data[4:],
    ],
)
def test_what_is_laid_out_otherwise_makes_nothing(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    published, made = tmp_path / "published", tmp_path / "made"
    duckdb.execute(f"copy (select 'a' as customer_id from range(10)) to '{published}' ({FORMAT})")
    other = tmp_path / "other"
    other.write_bytes(damage(published.read_bytes()))
    assert not replace_columns(other, published, made)
    assert not replace_columns(published, other, made)
    assert not made.exists()


def test_a_file_of_another_writer_is_not_believed(tmp_path: Path) -> None:
    made, paths = tmp_path / "made", [tmp_path / name for name in ("one", "two")]
    for path in paths:
        pq.write_table(pa.table({"customer_id": ["a"] * 10}), path, write_page_index=True)
    assert not replace_columns(paths[0], paths[1], made)
    assert not made.exists()


numbers = st.integers(-(2**63), 2**63 - 1)
fields = st.one_of(
    st.tuples(st.sampled_from([4, 5, 6]), numbers),
    st.tuples(st.just(TEXT), st.binary(max_size=200)),
    st.tuples(st.just(DOUBLE), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(TRUE), st.none()),
    st.tuples(st.just(LIST), st.lists(numbers, max_size=20).map(lambda found: Items(6, found))),
)


def structs(inner: st.SearchStrategy[tuple[int, object]]) -> st.SearchStrategy[list[Field]]:
    return st.dictionaries(st.integers(1, 40), inner, max_size=5).map(
        lambda found: [Field(number, *found[number]) for number in sorted(found)]
    )


nested = st.one_of(
    fields,
    st.tuples(st.just(STRUCT), structs(fields)),
    st.tuples(
        st.just(LIST), st.lists(structs(fields), max_size=18).map(lambda x: Items(STRUCT, x))
    ),
)


@given(struct=structs(nested))
def test_a_footer_that_is_written_reads_as_it_was(struct: list[Field]) -> None:
    written = write_struct(struct)
    assert parse_struct(written) == struct
    assert write_struct(parse_struct(written)) == written
