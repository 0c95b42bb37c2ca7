from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.predicates import (
    literal,
    row_predicate,
    typed_value,
)


def holds(check: Check, value: object, column_type: str) -> object:
    with duckdb.connect() as con:
        sql = f"select {row_predicate(check, column_type)} from (select ?::{column_type} as c)"
        return con.execute(sql, [value]).fetchall()[0][0]


@pytest.mark.parametrize(
    ("check", "column_type", "fine", "wrong"),
    [
        (Check(expect="in_set", column="c", values=("1", "2")), "bigint", 2, 3),
        (Check(expect="in_set", column="c", values=("yes",)), "boolean", True, False),
        (Check(expect="in_set", column="c", values=("o'clock",)), "varchar", "o'clock", "oclock"),
        (Check(expect="between", column="c", min=1, max="9"), "bigint", 9, 10),
        (Check(expect="between", column="c", min="0.10"), "decimal(18,2)", "0.10", "0.09"),
        (Check(expect="between", column="c", max="2026-11-20"), "date", "2026-11-20", "2026-11-21"),
        (
            Check(expect="between", column="c", min="2026-11-20T00:00:00+01:00"),
            "timestamp",
            "2026-11-19 23:00:00",
            "2026-11-19 22:59:59",
        ),
        (Check(expect="matches", column="c", pattern=r"^\d{2}$"), "varchar", "12", "123"),
        (Check(expect="matches", column="c", pattern="b"), "varchar", "abc", "acd"),
        (Check(expect="matches", column="c", pattern="^1"), "bigint", 12, 21),
        (Check(expect="length_between", column="c", max=2), "varchar", "éé", "abc"),
        (Check(expect="length_between", column="c", min=2), "bigint", 10, 9),
        (Check(expect="true", where="c <> 'x' -- note"), "varchar", "y", "x"),
    ],
)
def test_a_row_passes_or_fails(check: Check, column_type: str, fine: object, wrong: object) -> None:
    assert holds(check, fine, column_type) is True
    assert holds(check, wrong, column_type) is False
    assert holds(check, None, column_type) is True


def test_only_not_null_minds_a_missing_value() -> None:
    assert holds(Check(expect="not_null", column="c"), None, "varchar") is False
    assert holds(Check(expect="not_null", column="c"), "", "varchar") is True


def test_patterns_are_stricter_than_python_about_line_ends_and_digits() -> None:
    check = Check(expect="matches", column="c", pattern=r"^\d$")
    assert holds(check, "1\n", "varchar") is False
    assert holds(check, "٣", "varchar") is False


@given(st.text())
@settings(max_examples=25, deadline=None)
def test_any_text_survives_as_a_literal(text: str) -> None:
    clean = text.replace("\0", "")
    with duckdb.connect() as con:
        assert con.execute(f"select {literal(clean)}").fetchall() == [(clean,)]


@pytest.mark.parametrize("pattern", [r"(?=a)b", r"(?<!a)b", r"(a)\1", r"\\(?!x)"])
def test_what_re2_lacks_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="look-around"):
        row_predicate(Check(expect="matches", column="c", pattern=pattern))


def test_an_escaped_bracket_is_no_look_around() -> None:
    check = Check(expect="matches", column="c", pattern=r"\(?=x")
    assert holds(check, "(=x", "varchar") is True


@pytest.mark.parametrize(
    ("check", "column_type"),
    [
        (Check(expect="between", column="c", min="soon"), "date"),
        (Check(expect="between", column="c", min="NaN"), "double"),
        (Check(expect="between", column="c", min=1), "varchar"),
        (Check(expect="in_set", column="c", values=("maybe",)), "boolean"),
        (Check(expect="in_set", column="c", values=("one",)), "integer"),
    ],
)
def test_bounds_that_do_not_suit_the_column_are_refused(check: Check, column_type: str) -> None:
    with pytest.raises(ConfigError, match=check.rule):
        row_predicate(check, column_type)


def test_table_checks_have_no_row_predicate() -> None:
    with pytest.raises(ValueError, match="whole table"):
        row_predicate(Check(expect="unique", column="c"))


@pytest.mark.parametrize(
    ("value", "column_type", "expected"),
    [
        ("5.00", "decimal(18,2)", 5),
        (0.1, "decimal(18,2)", Decimal("0.1")),
        (7, "varchar", "7"),
        (True, "varchar", "true"),
        ("2026-11-20", "date", date(2026, 11, 20)),
        ("2026-11-20 17:30", "timestamp", datetime(2026, 11, 20, 17, 30)),  # noqa: DTZ001 - UTC by contract
    ],
)
def test_values_are_read_as_the_column_type(
    value: str | float, column_type: str, expected: object
) -> None:
    assert typed_value(value, column_type, where="rule") == expected
