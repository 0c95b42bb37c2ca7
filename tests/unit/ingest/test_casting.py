"""A text has a type or it has none, whichever way is taken to find that out."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.ingest.casting import DeliveredText, Names, cast_column
from cdp_pipeline.project.contracts import SourceContract
from tests.unit.ingest.conftest import make_contract

NUMBERS = {
    "integer": (r"[+-]?[0-9]{1,18}", 10**18),
    "decimal": (r"[+-]?([0-9]{1,18}(\.[0-9]{0,2}0*)?|\.[0-9]{1,2}0*)", 10**16),
    "number": (r"[+-]?([0-9]{1,18}(\.[0-9]{0,6}0*)?|\.[0-9]{1,6}0*)", 10**12),
}
"""How numbers of a type are spelt, and what they stay below."""
DIGITS = st.text("0123456789", min_size=1, max_size=12)
SPELLINGS = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["", "-", "+", "0"]), DIGITS),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "00"]), DIGITS, DIGITS),
    st.builds("{}.{:0>2}".format, DIGITS, st.integers(0, 99)),
    st.builds("{}{}{}".format, DIGITS, st.sampled_from(["e", "E+", "e-", "_", ".", ".e"]), DIGITS),
)
TAILS = re.compile(r"\.[0-9]{0,6}(0{6,15}|9{6,15})[0-9]{1,3}$")


def cast(con: duckdb.DuckDBPyConnection, text: str | None, **column: str) -> Any:
    contract: SourceContract = make_contract({"x": dict(column)})
    sql = cast_column(
        contract.columns["x"], contract.delivery, text=DeliveredText("raw"), names=Names.of("x")
    )
    query = f'select {sql.clean} as "_text_x" from (select ?::varchar as raw)'
    query = f'select *, {sql.parsed or "null"} as "_parsed_x" from ({query})'
    row = con.execute(f"select {sql.typed} from ({query})", [text]).fetchone()
    return row[0] if row else None


@settings(max_examples=400, deadline=None)
@given(text=SPELLINGS, kind=st.sampled_from(sorted(NUMBERS)))
def test_numbers_are_what_they_are_spelt_as(
    con: duckdb.DuckDBPyConnection, text: str, kind: str
) -> None:
    pattern, limit = NUMBERS[kind]
    is_one = re.fullmatch(pattern, text) and abs(Decimal(text)) < limit
    expected = Decimal(text) if is_one else None
    if expected is None and TAILS.search(text):  # remains of binary fractions are rounded
        return
    assert cast(con, text, type=kind) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("10e-1", "decimal"),  # as long as what it would be written as
        ("1e3", "integer"),
        ("1_000", "integer"),
        ("1.005", "decimal"),
        ("1.5", "integer"),
        ("1234567890123456789", "integer"),
        ("9999999999999", "number"),
        ("infinity", "timestamp"),
        ("10000-01-01", "date"),
        ("0044-03-15 (BC)", "date"),
        ("2026-11-31", "date"),
    ],
)
def test_what_only_looks_like_a_value_is_none(
    con: duckdb.DuckDBPyConnection, text: str, kind: str
) -> None:
    assert cast(con, text, type=kind) is None


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("1.50", {"type": "decimal", "decimals": "0"}, None),
        ("1.50", {"type": "decimal", "decimals": "1"}, Decimal("1.50")),
        ("1.234", {"type": "integer", "decimal_mark": ",", "thousands_mark": "."}, 1234),
        ("1234.50", {"type": "decimal", "decimal_mark": ","}, None),
        ("12.50", {"type": "decimal", "decimal_mark": ".", "thousands_mark": "."}, Decimal("12.5")),
        ("1234,50", {"type": "decimal", "decimal_mark": ","}, Decimal("1234.50")),
        ("5", {"type": "number", "decimals": "3"}, Decimal(5)),
        ("0.365", {"type": "number", "decimals": "3"}, Decimal("0.365")),
        ("2026-11-20", {"type": "date"}, date(2026, 11, 20)),
        ("2026-11-20T09:00", {"type": "timestamp"}, datetime.fromisoformat("2026-11-20 09:00")),
        (
            "2026-11-20 09:00:00,25",
            {"type": "timestamp"},
            datetime.fromisoformat("2026-11-20 09:00:00.25"),
        ),
        (
            "2026-11-20 09:00:00+02",
            {"type": "timestamp"},
            datetime.fromisoformat("2026-11-20 07:00"),
        ),
    ],
)
def test_marks_and_decimals_as_declared(
    con: duckdb.DuckDBPyConnection, text: str, column: dict[str, str], expected: object
) -> None:
    assert cast(con, text, **column) == expected


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("20261101", "%Y%m%d", date(2026, 11, 1)),
        ("2026111", "%Y%m%d", None),  # the 1st of November, or the 11th of January
        ("010126", "%d%m%y", date(2026, 1, 1)),
        ("010126 9", "%d%m%y %-H", date(2026, 1, 1)),
        ("10126", "%d%m%y", None),  # a spreadsheet took the zero; not the 10th of December 2006
        ("20261101 0101", "%Y%m%d %H%M", date(2026, 11, 1)),
        ("20261101 101", "%Y%m%d %H%M", None),
        ("1.2.26", "%d.%m.%y", date(2026, 2, 1)),
        ("1%2%26", "%d%%%m%%%y", date(2026, 2, 1)),
    ],
)
def test_figures_without_anything_between_are_told_apart_by_their_places(
    con: duckdb.DuckDBPyConnection, text: str, form: str, expected: date | None
) -> None:
    assert cast(con, text, type="date", format=form) == expected
