"""What the gate weighs beside the last word: addresses, requests, spellings; what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import duckdb
import pytest

from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.privacy.consent import ADDRESSES, GATE_COLUMNS, LEDGER_TABLES, permitted
from cdp_pipeline.project.consent_rules import ConsentRules
from tests.unit.privacy.test_consent import (
    DAY,
    LATER,
    NEW,
    OLD,
    RULES,
    judge,
    know,
    make_ledger,
    state,
)

MIDDLE = "2026-03-01 10:00:00"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = make_ledger()
    yield connection
    connection.close()


def share(con: duckdb.DuckDBPyConnection, column: str, **values: str) -> None:
    """Let customers be known with a value each of one column of their contact."""
    for name, value in values.items():
        know(con, name)
        con.execute(
            f"update core.customer_contact set {column} = ? where customer_id = ?", [value, name]
        )


def request(con: duckdb.DuckDBPyConnection, name: str, received_on: date | None = None) -> None:
    con.execute(
        "insert into core.privacy_requests values ('r', ?, 'objection', ?, null)",
        [name, received_on],
    )


def answer(con: duckdb.DuckDBPyConnection, name: str, **asked: Any) -> dict[str, Any]:
    """Return the gate's whole answer about one customer."""
    usual = {"purpose": "marketing", "channel": "email", "business_date": DAY, "rules": RULES}
    found = con.sql(f"from {permitted(con, **{**usual, **asked})} where customer_id = '{name}'")
    assert found.columns == list(GATE_COLUMNS)
    return dict(zip(found.columns, found.fetchall()[0], strict=True))


@pytest.mark.parametrize(
    ("channel", "one", "same"),
    [
        ("email", {"email": "Home@X.org"}, {"email": " home@x.org "}),
        ("sms", {"phone": "+44 7700-900123"}, {"phone": "447700900123"}),
        ("push", {"push_token": "P-1"}, {"push_token": " P-1 "}),
        ("post", {"street": " 1 High St", "postcode": "LS1 "},
         {"street": "1 HIGH ST ", "postcode": " ls1"}),
    ],
)  # fmt: skip
def test_spellings_of_an_address_are_one_address(
    con: duckdb.DuckDBPyConnection, channel: str, one: dict[str, str], same: dict[str, str]
) -> None:
    empty = dict.fromkeys(one, "")
    for contact in (one, same, empty):
        marks = ", ".join("?" * len(contact))
        con.execute(
            f"insert into core.customer_contact ({', '.join(contact)}) values ({marks})",
            list(contact.values()),
        )
    found = con.execute(f"select {ADDRESSES[channel]} from core.customer_contact").fetchall()
    assert found[0] == found[1] != (None,)
    assert found[2] == (None,)


def test_an_address_is_known_by_these_channels() -> None:
    assert set(ADDRESSES) == {"email", "sms", "push", "post"}


@pytest.mark.parametrize(
    ("channel", "column", "reason"),
    [("sms", "phone", "shared_address"), ("push", "push_token", "shared_address"),
     (" SMS ", "phone", "shared_address"), ("post", "street", "granted")],
)  # fmt: skip
def test_one_device_shares_its_refusals_and_one_house_does_not(
    con: duckdb.DuckDBPyConnection, channel: str, column: str, reason: str
) -> None:
    share(con, column, ann="07700900123", bob="07700900123")
    con.execute("update core.customer_contact set postcode = 'LS1'")
    state(con, "ann", "marketing", channel.strip().lower(), "granted", OLD)
    state(con, "bob", "marketing", channel.strip().lower(), "withdrawn", NEW)
    assert judge(con, channel=channel)["ann"] == reason


@pytest.mark.parametrize("status", ["withdrawn", "objected", "pending"])
def test_every_refusal_counts_for_a_shared_inbox(
    con: duckdb.DuckDBPyConnection, status: str
) -> None:
    share(con, "email", ann="home@x.org", bob="home@x.org")
    state(con, "ann", "marketing", "email", "granted", OLD)
    state(con, "bob", "marketing", "email", status, NEW)
    assert answer(con, "ann")["rule"] == "shared_address"
    assert not answer(con, "ann")["is_permitted"]


def test_of_several_refusals_of_an_inbox_the_newest_counts(con: duckdb.DuckDBPyConnection) -> None:
    share(con, "email", ann="home@x.org", bob="home@x.org", cat="home@x.org")
    state(con, "bob", "marketing", "email", "withdrawn", OLD)
    state(con, "cat", "marketing", "email", "withdrawn", NEW)
    state(con, "ann", "marketing", "email", "granted", MIDDLE)
    assert judge(con)["ann"] == "shared_address"


def test_a_refusal_closes_no_other_inbox(con: duckdb.DuckDBPyConnection) -> None:
    share(con, "email", ann="home@x.org", bob="home@x.org", cat="cat@x.org", dan="dan@x.org")
    for name in ("ann", "dan"):
        state(con, name, "marketing", "email", "granted", OLD)
    for name in ("bob", "cat"):
        state(con, name, "marketing", "email", "withdrawn", NEW)
    assert judge(con) == {
        "ann": "shared_address", "bob": "withdrawn", "cat": "withdrawn", "dan": "granted",
    }  # fmt: skip


def test_who_states_a_number_of_somebody_refuses_no_mail_for_them(
    con: duckdb.DuckDBPyConnection,
) -> None:
    share(con, "email", ann="ann@x.org")
    know(con, "bob")
    con.execute("insert into core.contact_claims values ('sms', 'bob', 'ann')")
    state(con, "ann", "marketing", "email", "granted", OLD)
    state(con, "bob", "marketing", "email", "withdrawn", NEW)
    assert judge(con)["ann"] == "granted"


@pytest.mark.parametrize("other", ["07700900124", "770090123"])
def test_numbers_of_other_digits_are_others(con: duckdb.DuckDBPyConnection, other: str) -> None:
    share(con, "phone", ann="07700900123", bob=other)
    state(con, "ann", "marketing", "sms", "granted", OLD)
    state(con, "bob", "marketing", "sms", "withdrawn", NEW)
    assert judge(con, channel="sms")["ann"] == "granted"


def test_a_refusal_of_an_inbox_without_a_time_outlasts_every_grant(
    con: duckdb.DuckDBPyConnection,
) -> None:
    share(con, "email", ann="home@x.org", bob="home@x.org")
    state(con, "ann", "marketing", "email", "granted", NEW)
    state(con, "bob", "marketing", "email", "withdrawn", None)
    assert judge(con)["ann"] == "shared_address"


def test_a_privacy_request_closes_the_inbox_whatever_was_said_before(
    con: duckdb.DuckDBPyConnection,
) -> None:
    share(con, "email", ann="home@x.org", bob="home@x.org")
    state(con, "ann", "marketing", "email", "granted", NEW)
    state(con, "bob", "marketing", "email", "granted", OLD)
    request(con, "bob")
    assert judge(con) == {"ann": "shared_address", "bob": "privacy_request"}


def test_people_without_an_address_share_none(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann", "bob", "cat")
    con.execute("insert into core.contact_claims values ('email', 'bob', 'cat')")
    state(con, "ann", "marketing", "email", "granted", OLD)
    state(con, "bob", "marketing", "email", "withdrawn", NEW)
    assert judge(con)["ann"] == "granted"


@pytest.mark.parametrize("kind", ["erasure", "objection", "restriction", " Restriction "])
def test_requests_that_block_are_these(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "granted", NEW)
    con.execute("insert into core.privacy_requests values ('r', 'ann', ?, null, null)", [kind])
    found = answer(con, "ann")
    assert (found["reason"], found["rule"]) == ("privacy_request", "privacy_request")


@pytest.mark.parametrize(
    ("received", "known_at", "reason"),
    [
        (date(2026, 11, 21), None, "privacy_request"),
        (date(2026, 11, 21), date(2026, 11, 25), "granted"),
        (date(2026, 11, 20), date(2026, 11, 25), "privacy_request"),
        (None, date(2026, 11, 25), "privacy_request"),
    ],
)
def test_a_request_counts_at_once_and_in_the_past_from_its_day_on(
    con: duckdb.DuckDBPyConnection, received: date | None, known_at: date | None, reason: str
) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "granted", OLD)
    request(con, "ann", received)
    assert answer(con, "ann", known_at=known_at)["reason"] == reason


def test_several_requests_of_a_customer_make_one_answer(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann")
    request(con, "ann")
    request(con, "ann", DAY)
    gate = permitted(con, purpose="marketing", channel="email", business_date=DAY, rules=RULES)
    assert con.execute(f"select customer_id from {gate}").fetchall() == [("ann",)]


def test_of_refusals_of_several_sources_one_without_a_time_is_named(
    con: duckdb.DuckDBPyConnection,
) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "withdrawn", None)
    con.execute("update core.fct_consents set source = 'till'")
    state(con, "ann", "marketing", "email", "withdrawn", NEW)
    strict = ConsentRules(between_sources="most_restrictive")
    assert answer(con, "ann", rules=strict)["source"] == "till"


def test_what_is_known_of_nobody_blocks_nobody(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "granted", OLD)
    state(con, None, "marketing", "email", "withdrawn", NEW)
    con.execute("insert into core.privacy_requests values ('r', null, 'objection', null, null)")
    assert judge(con) == {"ann": "granted"}


def test_who_is_known_by_one_table_alone_is_judged(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("insert into core.dim_customer values ('ann')")
    con.execute("insert into core.customer_contact (customer_id) values ('bob')")
    assert judge(con) == {"ann": "never_asked", "bob": "never_asked"}


def test_purpose_and_channel_count_in_any_spelling(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann")
    state(con, "ann", " Marketing", "EMAIL ", " Granted ", OLD)
    assert judge(con) == {"ann": "granted"}
    assert judge(con, channel=" Email", purpose="MARKETING ") == {"ann": "granted"}


@pytest.mark.parametrize(
    ("captured_at", "recorded_on", "reason"),
    [
        (None, date(2026, 11, 21), "withdrawn"),
        (LATER, None, "withdrawn"),
        (LATER, date(2026, 11, 21), "granted"),
        (LATER, date(2026, 11, 20), "withdrawn"),
        ("2026-11-20 09:00:00", date(2026, 11, 25), "withdrawn"),
    ],
)
def test_a_refusal_counts_as_soon_as_it_was_stated_or_known(
    con: duckdb.DuckDBPyConnection, captured_at: str | None, recorded_on: date | None, reason: str
) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "granted", OLD)
    con.execute(
        "insert into core.fct_consents (customer_id, purpose, channel, status, captured_at, "
        "recorded_on) values ('ann', 'marketing', 'email', 'withdrawn', ?, ?)",
        [captured_at, recorded_on],
    )
    assert answer(con, "ann")["reason"] == reason


@pytest.mark.parametrize(
    ("recorded_on", "linked_on", "known_at", "reason"),
    [
        (None, None, DAY, "granted"),
        (DAY, DAY, DAY, "granted"),
        (date(2026, 11, 21), None, DAY, "never_asked"),
        (None, date(2026, 11, 21), DAY, "never_asked"),
        (date(2026, 11, 21), date(2026, 11, 21), None, "granted"),
    ],
)
def test_in_the_past_counts_what_was_recorded_and_linked_by_then(
    con: duckdb.DuckDBPyConnection,
    recorded_on: date | None,
    linked_on: date | None,
    known_at: date | None,
    reason: str,
) -> None:
    know(con, "ann")
    con.execute(
        "insert into core.fct_consents (customer_id, purpose, channel, status, captured_at, "
        "recorded_on, linked_on) values ('ann', 'marketing', 'email', 'granted', ?, ?, ?)",
        [OLD, recorded_on, linked_on],
    )
    assert answer(con, "ann", known_at=known_at)["reason"] == reason


def test_the_answer_names_the_statement_that_decided(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann", "bob", "cat")
    for name, status, basis in (("ann", "granted", "contract"), ("bob", "withdrawn", "contract")):
        con.execute(
            "insert into core.fct_consents values (?, 'marketing', 'email', ?, ?, 'till', 's1', "
            "'2026-01-02', ?, 'v3', null, null, null)",
            [name, status, OLD, basis],
        )
    state(con, "cat", "marketing", "email", "granted", OLD)
    said = {
        "customer_id": "ann", "is_permitted": True, "reason": "granted", "rule": "last_word",
        "source": "till", "statement_id": "s1", "captured_at": datetime.fromisoformat(OLD),
        "recorded_on": date(2026, 1, 2), "wording_version": "v3", "legal_basis": "contract",
    }  # fmt: skip
    assert answer(con, "ann") == said
    refused = {"is_permitted": False, "reason": "withdrawn", "legal_basis": None}
    assert answer(con, "bob") == {**said, "customer_id": "bob", **refused}
    assert answer(con, "cat")["legal_basis"] == "consent"
    rules = ConsentRules(legal_basis={"marketing": "legitimate_interests"})
    assert answer(con, "cat", rules=rules)["legal_basis"] == "legitimate_interests"
    assert answer(con, "ann", rules=rules)["legal_basis"] == "contract"


def test_who_never_spoke_is_denied_by_default(con: duckdb.DuckDBPyConnection) -> None:
    know(con, "ann")
    assert answer(con, "ann") == {
        **dict.fromkeys(GATE_COLUMNS),
        "customer_id": "ann",
        "is_permitted": False,
        "reason": "never_asked",
        "rule": "default_deny",
    }


@pytest.mark.parametrize(("days", "reason"), [(323, "never_asked"), (324, "granted")])
def test_a_grant_lapses_for_its_purpose(
    con: duckdb.DuckDBPyConnection, days: int, reason: str
) -> None:
    know(con, "ann")
    state(con, "ann", "marketing", "email", "granted", OLD)
    rules = ConsentRules(grant_lasts_days={"marketing": days, "profiling": 1})
    assert answer(con, "ann", rules=rules)["reason"] == reason


def test_answers_to_several_questions_stand_beside_each_other(
    con: duckdb.DuckDBPyConnection,
) -> None:
    asked = {"purpose": "marketing", "channel": "email", "business_date": DAY, "rules": RULES}
    other: list[dict[str, Any]] = [
        {"purpose": "profiling"},
        {"channel": "sms"},
        {"channel": None},
        {"business_date": date(2026, 11, 19)},
        {"known_at": DAY},
    ]
    names = [permitted(con, **{**asked, **change}) for change in ({}, *other)]
    assert len(set(names)) == len(names)
    assert permitted(con, **asked) == names[0]


@pytest.mark.parametrize("name", LEDGER_TABLES)
def test_without_any_of_its_tables_nothing_is_permitted(
    con: duckdb.DuckDBPyConnection, name: str
) -> None:
    con.execute(f"drop table {name}")
    with pytest.raises(PrivacyError, match=name):
        judge(con)


def test_the_ledger_is_made_of_these() -> None:
    tables = "dim_customer customer_contact contact_claims fct_consents privacy_requests"
    assert [f"core.{name}" for name in tables.split()] == list(LEDGER_TABLES)
