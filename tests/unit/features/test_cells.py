"""Numbers of people's own files, as shops and spreadsheets write them."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from cdp_pipeline.features.files.cells import number_sql
from cdp_pipeline.storage.tabular import ROW, load_arrow


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["1.234,50 EUR", "5,00 EUR", "-5,00EUR"], [1234.5, 5.0, -5.0]),
        (["EUR 1,234.50", "-EUR 5.00", "(EUR 5.00)"], [1234.5, -5.0, -5.0]),
        (["1.5e3", "1.5E+3 EUR", "2e-1"], [1500.0, 1500.0, 0.2]),
        (["£5.10", "$ 7", "5-"], [5.1, 7.0, -5.0]),
        (["free", "e", ""], [None, None, None]),
    ],
)
def test_numbers_are_read_with_their_currency(written: list[str], read: list[float | None]) -> None:
    with duckdb.connect() as con:
        (loaded,) = load_arrow(con, [("lines", pa.table({"amount": written}))])
        sql = number_sql(con, loaded, "amount")
        found = con.execute(f"select ({sql})::double from {loaded.table} order by {ROW}").fetchall()
    assert [row[0] for row in found] == read
