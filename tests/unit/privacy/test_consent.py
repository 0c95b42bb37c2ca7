"""The consent gate: every rule by example, and the promise for any ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.privacy.consent import hold_to_consent, permitted
from cdp_pipeline.project.consent_rules import ConsentRules

DAY = date(2026, 11, 20)
RULES = ConsentRules()
OLD, NEW, LATER = "2026-01-01 10:00:00", "2026-06-01 10:00:00", "2026-11-21 10:00:00"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = make_ledger()
    yield connection
    connection.close()


def make_ledger() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("attach ':memory:' as cdp; use cdp; create schema core")
    connection.execute("create temp macro business_date(moment) as cast(moment as date)")
    connection.execute(
        """
        create table core.dim_customer (customer_id varchar);
        create table core.customer_contact (
            customer_id varchar, email varchar, phone varchar, push_token varchar,
            street varchar, postcode varchar
        );
        create table core.contact_claims (
            channel varchar, customer_id varchar, owner_id varchar
        );
        create table core.fct_consents (
            customer_id varchar, purpose varchar, channel varchar, status varchar,
            captured_at timestamp, source varchar default 'shop', statement_id varchar,
            recorded_on date, legal_basis varchar, wording_version varchar, linked_on date,
            merged_from varchar, merged_on date
        );
        create table core.privacy_requests (
            request_id varchar, customer_id varchar, request_type varchar, received_on date,
            status varchar
        );
        """
    )
    return connection


def know(con: duckdb.DuckDBPyConnection, *customers: str, email: str | None = None) -> None:
    for name in customers:
        con.execute("insert into core.dim_customer values (?)", [name])
        con.execute(
            "insert into core.customer_contact (customer_id, email) values (?, ?)", [name, email]
        )


def state(con: duckdb.DuckDBPyConnection, *statement: Any) -> None:
    con.execute(
        "insert into core.fct_consents (customer_id, purpose, channel, status, captured_at) "
        "values (?, ?, ?, ?, ?)",
        list(statement),
    )


def judge(
    con: duckdb.DuckDBPyConnection, channel: str | None = "email", purpose: str = "marketing"
) -> dict[str, str]:
    gate = permitted(con, purpose=purpose, channel=channel, business_date=DAY, rules=RULES)
    rows = con.execute(f"select customer_id, is_permitted, reason from {gate}").fetchall()
    assert all(is_permitted == (reason == "granted") for _, is_permitted, reason in rows)
    return {name: reason for name, _, reason in rows}


def test_without_a_word_nobody_is_permitted(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann")
    assert judge(con) == {"ann": "never_asked"}


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ([("granted", OLD)], "granted"),
        ([("GRANTED ", OLD)], "granted"),
        ([("granted", OLD), ("withdrawn", NEW)], "withdrawn"),
        ([("withdrawn", OLD), ("granted", NEW)], "granted"),
        ([("granted", NEW), ("withdrawn", NEW)], "withdrawn"),
        ([("granted", NEW), ("objected", NEW), ("withdrawn", NEW)], "objected"),
        ([("granted", LATER)], "never_asked"),
        ([("granted", None)], "never_asked"),
        ([("granted", OLD), ("withdrawn", LATER)], "withdrawn"),
        ([("granted", NEW), ("withdrawn", None)], "withdrawn"),
        ([("granted", OLD), ("pending", NEW)], "unclear"),
        ([("granted", OLD), (None, NEW)], "unclear"),
    ],
)
def test_the_last_word_counts_and_ties_are_strict(
    con: duckdb.DuckDBPyConnection, statements: list[tuple[str, str]], reason: str
) -> None:
    know(con, "ann")
    for status, captured_at in statements:
        state(con, "ann", "marketing", "email", status, captured_at)
    assert judge(con) == {"ann": reason}


def test_a_grant_counts_only_for_what_it_names(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann", "bob", "cat")
    state(con, "ann", "marketing", "sms", "granted", OLD)
    state(con, "bob", "profiling", "email", "granted", OLD)
    state(con, "cat", "marketing", None, "granted", OLD)
    assert set(judge(con).values()) == {"never_asked"}


def test_a_refusal_without_channel_or_purpose_counts_for_all(
    con: duckdb.DuckDBPyConnection,
) -> None:
    know(con, "ann", "bob")
    for name in ("ann", "bob"):
        state(con, name, "marketing", "email", "granted", OLD)
    state(con, "ann", "marketing", None, "withdrawn", NEW)
    state(con, "bob", None, "email", "objected", NEW)
    assert judge(con) == {"ann": "withdrawn", "bob": "objected"}


def test_a_purpose_without_channel_can_be_asked(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann", "bob")
    state(con, "ann", "profiling", None, "granted", OLD)
    state(con, "bob", "profiling", "email", "granted", OLD)
    assert judge(con, channel=None, purpose="profiling") == {"ann": "granted", "bob": "never_asked"}


@pytest.mark.parametrize("kind", ["erasure", "objection", " Objection "])
def test_a_privacy_request_blocks_everything(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "granted", NEW)
    con.execute("insert into core.privacy_requests values ('r', 'ann', ?, null, null)", [kind])
    assert judge(con) == {"ann": "privacy_request"}


def test_an_access_request_blocks_nothing(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "granted", NEW)
    con.execute("insert into core.privacy_requests values ('r', 'ann', 'access', null, null)")
    assert judge(con) == {"ann": "granted"}


def test_a_refusal_counts_for_an_address_that_belongs_to_somebody_else(
    con: duckdb.DuckDBPyConnection,
) -> None:
    know(con, "ann", email="home@example.com")
    know(con, "bob")
    con.execute("insert into core.contact_claims values ('email', 'bob', 'ann')")
    state(con, "ann", "marketing", "email", "granted", OLD)
    state(con, "bob", "marketing", "email", "withdrawn", NEW)
    assert judge(con)["ann"] == "shared_address"
    assert judge(con, channel="sms")["ann"] == "never_asked"


@pytest.mark.parametrize(
    ("granted_at", "refused_at", "reason"),
    [(OLD, NEW, "shared_address"), (NEW, NEW, "shared_address"), (NEW, OLD, "granted")],
)
def test_two_records_of_one_inbox_share_its_refusals(
    con: duckdb.DuckDBPyConnection, granted_at: str, refused_at: str, reason: str
) -> None:
    know(con, "ann", email="home@example.com")
    know(con, "bob", email=" Home@Example.com")
    state(con, "ann", "marketing", "email", "granted", granted_at)
    state(con, "bob", "marketing", "email", "withdrawn", refused_at)
    assert judge(con) == {"ann": reason, "bob": "withdrawn"}


def test_a_reader_of_the_same_inbox_who_was_never_asked_refuses_nothing(
    con: duckdb.DuckDBPyConnection,
) -> None:
    know(con, "ann", "bob", email="home@example.com")
    state(con, "ann", "marketing", "email", "granted", OLD)
    assert judge(con) == {"ann": "granted", "bob": "never_asked"}


def test_the_gate_stays_shut_without_a_ledger(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("drop table core.privacy_requests")
    with pytest.raises(PrivacyError, match=r"core\.privacy_requests"):
        permitted(con, purpose="marketing", channel="email", business_date=DAY, rules=RULES)


def test_rows_that_lack_consent_are_found_out(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann", "bob")
    state(con, "ann", "marketing", "email", "granted", OLD)
    gate = permitted(con, purpose="marketing", channel="email", business_date=DAY, rules=RULES)
    con.execute("create temp table leaving as select 'ann' as customer_id")
    hold_to_consent(con, rows="leaving", gate=gate)
    con.execute("insert into leaving values ('bob'), ('a stranger')")
    with pytest.raises(PrivacyError, match="2 rows"):
        hold_to_consent(con, rows="leaving", gate=gate)


PEOPLE = ("ann", "bob", "cat")
STATEMENTS = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(["marketing", "profiling", None]),
        st.sampled_from(["email", "sms", None]),
        st.sampled_from(["granted", "granted", "withdrawn", "objected", "odd"]),
        st.one_of(
            st.none(),
            st.integers(0, 4).map(lambda day: datetime(2026, 11, 17 + day, 9)),  # noqa: DTZ001
        ),
    ),
    max_size=10,
)


@given(
    statements=STATEMENTS,
    requests=st.lists(
        st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["erasure", "objection", "access"])),
        max_size=2,
    ),
    is_shared=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_permitted_never_meets_not_granted(
    statements: list[tuple[Any, ...]], requests: list[tuple[str, str]], *, is_shared: bool
) -> None:
    """Rules restated one person at a time, without SQL."""
    con = make_ledger()
    know(con, *PEOPLE, email="one@example.com" if is_shared else None)
    for statement in statements:
        state(con, *statement)
    for name, kind in requests:
        con.execute(
            "insert into core.privacy_requests values ('r', ?, ?, null, null)", [name, kind]
        )
    gate = permitted(con, purpose="marketing", channel="email", business_date=DAY, rules=RULES)
    rows = con.execute(f"select customer_id from {gate} where is_permitted").fetchall()
    con.close()
    blocked = {name for name, kind in requests if kind != "access"}
    grants, refusals = {}, {}
    for name, purpose, channel, status, at in statements:
        if status == "granted" and (purpose, channel) == ("marketing", "email"):
            if at and at.date() <= DAY:
                grants[name] = max(at, grants.get(name, at))
        elif status != "granted" and purpose in ("marketing", None) and channel in ("email", None):
            moment = at or datetime.max  # noqa: DTZ901
            refusals[name] = max(moment, refusals.get(name, moment))
    own = {
        name
        for name in grants
        if name not in blocked and refusals.get(name, datetime.min) < grants[name]  # noqa: DTZ901
    }
    permitted_names = {row[0] for row in rows}
    assert permitted_names <= own
    if not is_shared:
        assert permitted_names == own
    for name in permitted_names if is_shared else ():
        others = set(PEOPLE) - own
        assert not others & blocked
        assert all(refusals.get(o, datetime.min) < grants[name] for o in others)  # noqa: DTZ901
