"""Expressions of declarations: what passes, what is refused, and whether the message helps."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.expressions import referenced_columns, vet_predicate, vet_scalar

COLUMNS = {
    "recency_days": "integer",
    "email": "varchar",
    "amount": "decimal(18,2)",
    "is_member": "boolean",
    "bought_on": "date",
    "seen_at": "timestamp",
}


def predicate(sql: str) -> str:
    return vet_predicate(sql, columns=COLUMNS, where="segments/x.yml")


@pytest.mark.parametrize(
    "sql",
    [
        "recency_days between 60 and 120 and not is_member",
        "email like '%@example.com' or email ilike 'a%' or email is null",
        "case when is_member then amount > 10 else amount > 20 end",
        "recency_days in (1, 2, 3) and email not in ('a', 'b')",
        "bought_on >= '2026-01-01' and seen_at < timestamp '2026-01-01 10:00'",
        "bought_on > date '2026-01-01' - interval '3 days'",
        "date_diff('day', bought_on, cast(seen_at as date)) < 30",
        "regexp_matches(email, '^a') and length(email) > 3",
        "coalesce(amount, 0) * 2 - 1 > recency_days / 3",
        "is_member -- a remark",
        "amount is distinct from 3",
        "Recency_Days > 3",
    ],
)
def test_plain_conditions_pass(sql: str) -> None:
    vetted = predicate(sql)
    assert vetted.startswith("(")
    assert vetted.endswith("\n)")


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("1=1) or (1=1", "not one SQL expression"),
        ("1=1; drop table customers", "not one SQL expression"),
        ("is_member;", "not one SQL expression"),
        ("is_member union select true", "not one SQL expression"),
        ("is_member limit 1", "not one SQL expression"),
        ("is_member qualify true", "not one SQL expression"),
        ("is_member, is_member", "more than one expression"),
        ("distinct is_member", "not one SQL expression"),
        ("is_member leftover", "not one SQL expression"),
        ("x: is_member", "not one SQL expression"),
        ("is_member /* open", "unterminated"),
        ("", "not one SQL expression"),
        ("exists (select 1)", "a subquery"),
        ("amount > (select 1)", "a subquery"),
        ("amount = any([1, 2])", "a subquery"),
        ("row_number() over () > 1", "a window function"),
        ("columns('amount') > 1", "a star"),
        ("amount > $1", "a parameter"),
        ("amount > ?", "a parameter"),
        ("read_csv('/etc/passwd') is null", "`read_csv` is not allowed"),
        ("getenv('HOME') = 'x'", "`getenv` is not allowed"),
        ("getvariable('x') = 1", "`getvariable` is not allowed"),
        ("nextval('s') > 1", "`nextval` is not allowed"),
        ("count(*) > 1", "looks at many rows"),
        ("sum(amount) > 1", "looks at many rows"),
        ("main.lower(email) = 'a'", "with filter, distinct or a schema"),
        ("lower(email) filter (where is_member) = 'a'", "with filter, distinct or a schema"),
        ("bought_on > current_date", "depends on the clock"),
        ("now() > seen_at", "another result on every run"),
        ("random() > 0.5", "another result on every run"),
        ("email::json is null", "cast to `json`"),
        ("customers.email = 'a'", "unknown column `customers.email`"),
        ('email = "a"', "unknown column `a`"),
        ("list_filter([1], lambda x: x > 1) is null", "not allowed here"),
        ("amount", "not a condition"),
        ("recency_days > 'abc'", "compared with 'abc'"),
        ("bought_on in ('soon')", "compared with 'soon'"),
        ("recency_days between 1 and 'many'", "compared with 'many'"),
        ("email > recency_days", "does not fit its columns"),
        ("(" * 1500 + "is_member" + ")" * 1500, "not one SQL expression"),
        ("is_member and " * 1000 + "is_member", "characters"),
    ],
)
def test_anything_else_is_refused_with_a_reason_a_place_and_a_remedy(sql: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        predicate(sql)
    assert says in caught.value.message
    assert caught.value.where == "segments/x.yml"
    assert caught.value.hint


def test_a_misspelt_column_is_suggested() -> None:
    with pytest.raises(ConfigError) as caught:
        predicate("recencydays > 3")
    assert caught.value.message == "unknown column `recencydays`"
    assert caught.value.hint == "Did you mean `recency_days`?"


def test_a_misspelt_function_is_suggested() -> None:
    with pytest.raises(ConfigError) as caught:
        predicate("lowr(email) = 'a'")
    assert caught.value.hint == "Did you mean `lower`?"


def test_a_scalar_is_bound_to_its_columns_and_the_wanted_type() -> None:
    assert vet_scalar("amount * 2", columns=COLUMNS, where="x", cast_to="decimal(18,2)")
    assert vet_scalar("business_date(seen_at)", columns=COLUMNS, where="x", cast_to="date")
    with pytest.raises(ConfigError, match="does not fit"):
        vet_scalar("lower(amount, email)", columns=COLUMNS, where="x", cast_to="date")


def test_an_odd_column_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="odd type"):
        vet_predicate("a > 1", columns={"a": "int); drop table x; --"}, where="x")


def test_referenced_columns_are_listed_once_in_name_order() -> None:
    found = referenced_columns("b > 1 and lower(A) = 'x' or b is null")
    assert found == ("a", "b")


def test_a_trailing_remark_does_not_swallow_what_follows() -> None:
    vetted = predicate("is_member -- everyone")
    rows = duckdb.sql(f"select 1 from (select true as is_member) where {vetted} and false")
    assert rows.fetchall() == []


def test_precedence_is_kept_inside_a_larger_condition() -> None:
    vetted = predicate("recency_days = 1 or recency_days = 2")
    rows = duckdb.sql(
        f"select count(*) from (select unnest([1, 2, 3]) as recency_days) where false and {vetted}"
    )
    assert rows.fetchall() == [(0,)]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_no_text_ever_crashes_the_vetting(text: str) -> None:
    try:
        vetted = predicate(text)
    except ConfigError as error:
        assert error.hint  # noqa: PT017 - most texts are refused, some pass; both are right
    else:
        assert vetted.startswith("(")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_any_quoted_literal_passes_and_means_itself(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    if "\0" in text:
        return
    vetted = predicate(f"email = {literal}")
    rows = duckdb.execute(f"select {vetted} from (select ? as email)", [text]).fetchall()
    assert rows == [(True,)]
