"""Columns of a Parquet file are replaced; all others are the very bytes that they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from cdp_pipeline.storage.footers import Struct, read_struct, write_struct
from cdp_pipeline.storage.mirror import FORMAT
from cdp_pipeline.storage.splicing import splice_columns

ROWS = """
select
    'line ' || range as line,
    case when range % 5 > 0 then 'C' || range % 700 end as customer_id,
    (range % 900)::decimal(18, 2) as amount,
    timestamp '2026-11-01' + to_minutes(range::integer % 5000) as sold_at,
    date '2026-11-01' + (range % 30)::integer as sold_on,
    range % 3 = 0 as is_return,
    range / 7 as share
from range(130_000)
"""
WITHOUT = "select case when customer_id = 'C99' then null else customer_id end as customer_id"

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


def write(select: str, path: Path, options: str = FORMAT) -> Path:
    duckdb.execute(f"copy ({select}) to '{path}' ({options})")
    return path


def chunks(path: Path) -> dict[tuple[int, str], bytes]:
    """Return the bytes of each column's chunk in each row group."""
    data, metadata, found = path.read_bytes(), parquet.read_metadata(path), {}
    for number in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            chunk = metadata.row_group(number).column(place)
            begin = chunk.dictionary_page_offset or chunk.data_page_offset
            name = number, chunk.path_in_schema
            found[name] = data[begin : begin + chunk.total_compressed_size]
    return found


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    return write(ROWS, tmp_path / "sales.parquet")


def test_one_column_is_another_and_the_bytes_of_all_others_stay(
    sales: Path, tmp_path: Path
) -> None:
    anew = write(f"{WITHOUT} from '{sales}'", tmp_path / "anew.parquet")
    target = tmp_path / "target.parquet"
    splice_columns(sales, anew, target)
    assert parquet.read_table(target).equals(
        parquet.read_table(sales).set_column(
            1, "customer_id", parquet.read_table(anew).column("customer_id")
        )
    )
    before, after = chunks(sales), chunks(target)
    assert {name for name, data in after.items() if data != before[name]} == {
        (0, "customer_id"),
        (1, "customer_id"),
    }
    assert b"C99" in sales.read_bytes()
    assert b"C99" not in target.read_bytes()  # nor in what is said of least and greatest values
    with duckdb.connect() as con:
        found = con.sql(f"from '{target}' where customer_id is null").fetchall()
    assert {row[0] for row in found} >= {"line 99", "line 799"}


def test_filters_beside_the_chunks_are_those_of_their_values(sales: Path, tmp_path: Path) -> None:
    anew = write(f"{WITHOUT} from '{sales}'", tmp_path / "anew.parquet")
    target = tmp_path / "target.parquet"
    splice_columns(sales, anew, target)
    with duckdb.connect() as con:

        def excludes(path: Path, column: str, value: str) -> set[bool]:
            probe = f"parquet_bloom_probe('{path}', '{column}', {value})"
            return {row[2] for row in con.sql(f"from {probe}").fetchall()}

        assert excludes(sales, "customer_id", "'C99'") == {False}
        assert excludes(target, "customer_id", "'C99'") == {True}
        assert excludes(target, "customer_id", "'C98'") == {False}
        assert excludes(target, "amount", "899.00::decimal(18, 2)") == {False}
        assert excludes(target, "amount", "901.00::decimal(18, 2)") == {True}


@pytest.mark.parametrize("rows", [0, 1, 2_000, 130_000])
@pytest.mark.parametrize("columns", [["customer_id"], ["score", "source"], list(CHANGES)])
def test_the_bytes_are_those_of_all_columns_written(
    tmp_path: Path, rows: int, columns: list[str]
) -> None:
    published, changed, whole, made = (tmp_path / name for name in ("p", "c", "w", "m"))

    def copy(select: str, path: Path) -> None:
        con.execute(f"copy ({select} from sales order by id) to '{path}' ({FORMAT})")

    with duckdb.connect() as con:
        con.execute("set disabled_optimizers = 'statistics_propagation'")
        con.execute(TABLE, [rows])
        copy("select *", published)
        for column in columns:
            con.execute(CHANGES[column])
        copy("select *", whole)
        copy(f"select {', '.join(reversed(columns))}", changed)
    splice_columns(published, changed, made)
    assert made.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("cut", [slice(0), slice(40), slice(4, -30)])
def test_a_file_that_ends_nowhere_is_refused(sales: Path, tmp_path: Path, cut: slice) -> None:
    other = tmp_path / "other.parquet"
    data = sales.read_bytes()
    other.write_bytes(data[cut] + data[-8:])
    with pytest.raises(ValueError, match=r"in clear|nowhere|not read|no list|beyond|missing"):
        splice_columns(other, other, tmp_path / "target.parquet")


def test_a_file_spliced_with_its_own_columns_is_the_same(sales: Path, tmp_path: Path) -> None:
    splice_columns(sales, sales, tmp_path / "target.parquet")
    assert (tmp_path / "target.parquet").read_bytes() == sales.read_bytes()


def test_a_column_may_be_null_that_never_was(tmp_path: Path) -> None:
    source = write("select range as n, 7 as buyer from range(10)", tmp_path / "source.parquet")
    anew = write(f"select nullif(buyer, n) as buyer from '{source}'", tmp_path / "anew.parquet")
    splice_columns(source, anew, tmp_path / "target.parquet")
    found = duckdb.sql(f"select n, buyer from '{tmp_path / 'target.parquet'}'").fetchall()
    assert found == [(n, None if n == 7 else 7) for n in range(10)]
    assert parquet.read_table(tmp_path / "target.parquet").column("buyer").null_count == 1


@pytest.mark.parametrize(
    "anew",
    [
        "select customer_id from '{}' limit 129_999",
        "select customer_id from '{}' limit 1000",
        "select customer_id::blob as customer_id from '{}'",
        "select customer_id as other_id from '{}'",
        "select [customer_id] as customer_id from '{}'",
    ],
)
def test_columns_that_do_not_fit_are_refused(sales: Path, tmp_path: Path, anew: str) -> None:
    other = write(anew.format(sales), tmp_path / "anew.parquet")
    with pytest.raises(ValueError, match=r"the files have|a column is"):
        splice_columns(sales, other, tmp_path / "target.parquet")


def test_pages_with_an_index_and_files_in_cipher_are_refused(sales: Path, tmp_path: Path) -> None:
    indexed = tmp_path / "indexed.parquet"
    parquet.write_table(pa.table({"n": [1, 2]}), indexed, write_page_index=True)
    with pytest.raises(ValueError, match="index"):
        splice_columns(indexed, indexed, tmp_path / "target.parquet")
    closed = tmp_path / "closed.parquet"
    closed.write_bytes(sales.read_bytes()[:-4] + b"PARE")
    with pytest.raises(ValueError, match="in clear"):
        splice_columns(closed, sales, tmp_path / "target.parquet")


def without_a_field(struct: Struct) -> Iterator[Struct]:
    """Yield copies of a struct that each lack one field of it, or of a struct within it."""
    for number, (kind, value) in struct.items():
        yield {n: told for n, told in struct.items() if n != number}
        if isinstance(value, dict):
            for inner in without_a_field(value):
                yield {**struct, number: (kind, inner)}
        elif isinstance(value, tuple):
            of, held = value
            for place, element in enumerate(held):
                for inner in without_a_field(element) if isinstance(element, dict) else ():
                    yield {
                        **struct,
                        number: (kind, (of, [*held[:place], inner, *held[place + 1 :]])),
                    }


@pytest.mark.parametrize("role", ["source", "anew"])
def test_a_footer_that_lacks_a_field_is_refused_or_spliced(tmp_path: Path, role: str) -> None:
    select = "select range as n, {'a': 7} as more, 'x' || range as buyer from range(9)"
    whole = write(select, tmp_path / "whole.parquet")
    data = whole.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    body, footer = data[: -8 - size], read_struct(data[-8 - size : -8])
    broken, target, refused = tmp_path / "broken.parquet", tmp_path / "target.parquet", 0
    for lacking in without_a_field(footer):
        short = write_struct(lacking)
        broken.write_bytes(body + short + len(short).to_bytes(4, "little") + b"PAR1")
        pair = (broken, whole) if role == "source" else (whole, broken)
        try:
            splice_columns(*pair, target)
        except ValueError:
            refused += 1
    assert refused > 20


def test_a_footer_of_another_writer_is_written_as_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    many = {f"column {n}": pa.array([n, None, -n], pa.int64()) for n in range(40)}
    parquet.write_table(
        pa.table(many), path, sorting_columns=[parquet.SortingColumn(0)], data_page_version="2.0"
    )
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    assert write_struct(read_struct(data[-8 - size : -8])) == data[-8 - size : -8]


@pytest.mark.parametrize("data", [b"", b"\x15", b"\x18\x7fab", b"\x1b\x00\x00", b"\x1c" * 5000])
def test_bytes_that_are_no_struct_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"nowhere|not read"):
        read_struct(data)
