"""Files of other programs become tables of the texts that stand in them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from cdp_pipeline.core.errors import ContractError
from cdp_pipeline.storage.tabular import load_files

LINES = [
    "id,note",
    *(f'{number},"a\r\nb"' if number == 7 else f"{number},é" for number in range(20)),
]
ENDS = {
    "both": lambda number: "\r\n" if number % 3 else "\n",
    "header_of_another": lambda number: "\n" if number else "\r\n",
    "last_of_another": lambda number: "\n" if number == 20 else "\r\n",
    "returns": lambda number: "\r" if number % 2 else "\n",
    "only_returns": lambda _number: "\r",
    "converted_twice": lambda _number: "\r\r\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ends", sorted(ENDS))
def test_lines_may_end_in_several_ways(tmp_path: Path, ends: str, encoding: str) -> None:
    path = tmp_path / "people.csv"
    text = "".join(line + ENDS[ends](number) for number, line in enumerate(LINES))
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    path.write_bytes((mark + text).encode(encoding))
    con = duckdb.connect()
    loaded = load_files(con, [path])[0]
    rows = con.execute(f"select link_row, id, note from {loaded.table}").fetchall()
    assert rows == [(n + 1, str(n), "a\r\nb" if n == 7 else "é") for n in range(20)]


def test_lines_that_end_in_several_ways_around_a_stray_quote_are_told_plainly(
    tmp_path: Path,
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b'id,note\n1,9" tile\r\n2,x\r\n3,y\n4,z\r\n')
    with pytest.raises(ContractError, match="end in several ways, and a quote"):
        load_files(duckdb.connect(), [path])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_stray_quote_does_no_harm_where_lines_end_in_one_way(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "pipes.csv"
    path.write_bytes('\ufeffid,note\r\n1,5" pipe\r\n2,y\r\n3,z\r\n'.encode(encoding))
    con = duckdb.connect()
    loaded = load_files(con, [path])[0]
    rows = con.execute(f"select id, note from {loaded.table}").fetchall()
    assert rows == [("1", '5" pipe'), ("2", "y"), ("3", "z")]


def test_wide_text_that_was_cut_within_a_character_is_told_plainly(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("id,note\r\n1,x\r\n2,y".encode("utf-16")[:-1])
    with pytest.raises(ContractError, match="it is not utf-16 text"):
        load_files(duckdb.connect(), [path])


def test_texts_that_were_stored_as_bytes_are_texts_and_pictures_are_left_out(
    tmp_path: Path,
) -> None:
    columns = {"name": ["Zo\u00eb".encode(), None], "photo": [b"\x89PNG\0", b"\xff\xd8"]}
    table = {name: pa.array(values, pa.binary()) for name, values in columns.items()}
    path = tmp_path / "people.parquet"
    parquet.write_table(pa.table({"id": [1, 2], **table}), path)
    con = duckdb.connect()
    loaded = load_files(con, [path])[0]
    assert loaded.columns == ("id", "name")
    rows = con.execute(f"select id, name from {loaded.table}").fetchall()
    assert rows == [("1", "Zo\u00eb"), ("2", None)]
