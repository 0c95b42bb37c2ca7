"""A slip of the hand is told from another person's mailbox or number."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from cdp_pipeline.identity.grouping.attach import KEYS
from cdp_pipeline.identity.grouping.nameless import choose_nameless
from cdp_pipeline.identity.grouping.slips import find_slips

CROWD = 60


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A store whose customers have said their contacts twice, far from each other."""
    with duckdb.connect() as con:
        con.execute("create schema identity")
        con.execute(
            "create table identity.records (record_id integer, evidence_id integer, "
            "is_comparable boolean, is_usable boolean, email varchar, phone varchar)"
        )
        con.execute(
            "insert into identity.records "
            "select 2 * n + s, 2 * n + s, true, true, md5(n::varchar)[:9] || '@web.de', "
            "(hash(n) % 900000000 + 100000000)::varchar "
            "from range($crowd) as x(n), range(2) as y(s)",
            {"crowd": CROWD},
        )
        yield con


def _find(con: duckdb.DuckDBPyConnection, *, known: list[str], stated: list[str]) -> dict[str, str]:
    """Return what each stated value was meant to be; those with an @ are mailboxes."""
    start = 2 * CROWD
    for number, value in enumerate([*known, *stated], start):
        is_named = number < start + len(known)
        email, phone = (value, None) if "@" in value else (None, value)
        row = [number, number, is_named, True, email, phone]
        con.execute("insert into identity.records values (?, ?, ?, ?, ?, ?)", row)
    find_slips(con)
    found = con.execute("select evidence_id, meant from identity_slips order by all").fetchall()
    return {stated[evidence - start - len(known)]: meant for evidence, meant in found}


@pytest.mark.parametrize(
    "slip",
    [
        "annasmith78@web.de",
        "anna.smth78@web.de",
        "anna.smitth78@web.de",
        "anna.smjth78@web.de",
        "anna.smtih78@web.de",
    ],
)
def test_a_letter_less_more_other_or_changed_places_is_a_slip(
    con: duckdb.DuckDBPyConnection, slip: str
) -> None:
    assert _find(con, known=["anna.smith78@web.de"], stated=[slip]) == {slip: "anna.smith78@web.de"}


@pytest.mark.parametrize(
    "other",
    [
        "hanna.smith78@web.de",
        "jnna.smith78@web.de",
        "anna.smith79@web.de",
        "anna.smith78@gmx.de",
        "anna.smiths1978@web.de",
        "ana.smth78@web.de",
        "anna.smits78@web.de",
    ],
)
def test_another_initial_number_or_provider_is_another_mailbox(
    con: duckdb.DuckDBPyConnection, other: str
) -> None:
    assert _find(con, known=["anna.smith78@web.de"], stated=[other]) == {}


def test_a_short_name_is_near_to_anybodys(con: duckdb.DuckDBPyConnection) -> None:
    assert _find(con, known=["asmith@web.de"], stated=["asmit@web.de"]) == {}


def test_one_digit_or_two_in_the_wrong_order_are_a_slip(con: duckdb.DuckDBPyConnection) -> None:
    stated = ["012345578", "012346578", "012435678", "112345678"]
    assert _find(con, known=["012345678"], stated=stated) == dict.fromkeys(stated, "012345678")


def test_two_digits_or_a_digit_less_are_another_number(con: duckdb.DuckDBPyConnection) -> None:
    assert _find(con, known=["012345678"], stated=["912345679", "01234567", "12345678"]) == {}


def test_what_is_near_to_two_is_nobodys(con: duckdb.DuckDBPyConnection) -> None:
    assert _find(con, known=["012345678", "012345688"], stated=["012345668"]) == {}


def test_a_hand_slips_once(con: duckdb.DuckDBPyConnection) -> None:
    """Who states a value twice means it."""
    assert _find(con, known=["012345678"], stated=["012345668", "012345668"]) == {}


def test_what_somebody_holds_is_no_slip(con: duckdb.DuckDBPyConnection) -> None:
    known = ["anna.smith78@web.de", "anna.smyth78@web.de"]
    assert _find(con, known=known, stated=["anna.smyth78@web.de"]) == {}


def test_where_numbers_lie_close_together_none_is_a_slip(con: duckdb.DuckDBPyConnection) -> None:
    """In one exchange every other number is one digit from a neighbour's."""
    exchange = [f"0712345{n:02d}" for n in range(0, 100, 11)]
    assert _find(con, known=[*exchange, "991234567"], stated=["991234568"])
    con.execute("delete from identity.records where record_id >= $from", {"from": 2 * CROWD})
    crowded = [f"071234{n:03d}" for n in range(200)]
    assert _find(con, known=[*crowded, *crowded, "991234567"], stated=["991234568"]) == {}


def test_a_store_too_small_to_measure_chance_takes_nothing_for_a_slip(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute("delete from identity.records where record_id >= 4")
    assert _find(con, known=["012345678"], stated=["012345668"]) == {}


KNOWN, STATED = 2 * CROWD, 2 * CROWD + 1


@pytest.fixture
def night(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A night by changes in which a receipt is one digit from a customer's number."""
    rows = [(KNOWN, True, "012345678"), (STATED, False, "012345668")]
    for record, is_named, phone in rows:
        row = [record, record, is_named, True, None, phone]
        con.execute("insert into identity.records values (?, ?, ?, ?, ?, ?)", row)
    for key in ("source", "record_key", "record_kind", *KEYS):
        if key not in {"email", "phone"}:
            con.execute(f"alter table identity.records add column {key} varchar")
    con.execute("update identity.records set source = 'till', record_key = record_id::varchar")
    for name in ("staging", "base"):
        con.execute(f"attach ':memory:' as {name}")
    con.execute("create schema base.identity")
    con.execute("create table base.identity.records as from identity.records")
    con.execute("create table staging.identity_record_reasons (source varchar, record_key varchar)")
    con.execute("create table staging.identity_bonds (evidence_id integer)")
    con.execute("create temp table identity_groups (evidence_id integer)")
    return con


def _chosen(con: duckdb.DuckDBPyConnection) -> set[int]:
    choose_nameless(con)
    return {row[0] for row in con.execute("select record_id from identity_attachable").fetchall()}


def test_a_new_receipts_slip_finds_its_holder_among_old_records(
    night: duckdb.DuckDBPyConnection,
) -> None:
    night.execute("insert into staging.identity_record_reasons values ('till', $1)", [str(STATED)])
    assert _chosen(night) == {KNOWN, STATED}


def test_an_old_receipts_slip_follows_its_holder_into_another_group(
    night: duckdb.DuckDBPyConnection,
) -> None:
    assert _chosen(night) == set()
    night.execute("insert into identity_groups values ($1)", [KNOWN])
    assert _chosen(night) == {KNOWN, STATED}


@pytest.mark.parametrize("phones", [("999000111", None), ("012345678", "012345688")])
def test_a_receipt_is_looked_at_again_when_it_is_no_slip_any_more(
    night: duckdb.DuckDBPyConnection, phones: tuple[str, str | None]
) -> None:
    """The number that was meant is gone, or another customer's is as near."""
    phone, another = phones
    changed = KNOWN
    night.execute("update identity.records set phone = $1 where record_id = $2", [phone, KNOWN])
    if another:
        changed = STATED + 1
        night.execute(
            "insert into identity.records by name select $1 as record_id, $1 as evidence_id, "
            "true as is_comparable, true as is_usable, $2 as phone, 'till' as source, "
            "$1::varchar as record_key",
            [changed, another],
        )
    night.execute("insert into staging.identity_record_reasons values ('till', $1)", [str(changed)])
    assert _chosen(night) >= {changed, STATED}
