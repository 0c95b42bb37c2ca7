from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.survivorship import SurvivorshipSpec
from cdp_pipeline.project.yaml_source import parse_model
from tests.unit.identity.golden import (
    REPOSITORY,
    SPEC,
    Statement,
    build,
    fill,
    open_warehouse,
    remember,
    resolve,
    rows,
)

if TYPE_CHECKING:
    import duckdb

    from tests.unit.identity.conftest import Query, Village

pytest.importorskip("recordlinkage")


def _anna(read: Query, village: Village, columns: str) -> list[tuple[object, ...]]:
    return read(
        village.made, f"select {columns} from identity.golden_records where account_id = 'ANNA1'"
    )


def test_one_customer_has_one_golden_record(village: Village, read: Query) -> None:
    assert _anna(read, village, "record_count, source_count, first_seen_on") == [
        (3, 3, date(2019, 5, 1))
    ]


def test_an_address_is_never_put_together_from_two_records(village: Village, read: Query) -> None:
    # The newest profile knows a postcode only; the order was a gift to somebody else.
    assert _anna(read, village, "street, city, postcode, country") == [
        (None, None, "YO2 2BB", "GB")
    ]


def test_values_are_printed_as_people_write_them(village: Village, read: Query) -> None:
    assert _anna(read, village, "given_name, family_name, email, phone") == [
        ("Anna", "O'Brien", "anna.obrien@web.de", "+447700900123")
    ]


def test_membership_keeps_leading_zeros_and_comes_from_the_card_file(
    village: Village, read: Query
) -> None:
    assert _anna(read, village, "loyalty_id, home_store_id, tier, push_token") == [
        ("0971", "S003", "gold", "push-1")
    ]


def test_every_value_names_its_record(village: Village, read: Query) -> None:
    sources = read(
        village.made,
        "select s.field, s.source from identity.golden_sources as s "
        "inner join identity.golden_records as g using (customer_id) "
        "where account_id = 'ANNA1' and s.field in ('postcode', 'phone', 'tier') order by s.field",
    )
    assert sources == [("phone", "loyalty"), ("postcode", "shop"), ("tier", "loyalty")]


def test_a_mailbox_belongs_to_one_customer(village: Village, read: Query) -> None:
    owners = read(
        village.made,
        "select count(email), count(distinct email), count(*) from identity.golden_records",
    )
    # Sixty couples share sixty mailboxes, and there is Anna's.
    assert owners == [(61, 61, 121)]


OLD, NEW = datetime(2025, 1, 1), datetime(2026, 1, 1)  # noqa: DTZ001 - UTC by contract
DECLARATION = (REPOSITORY / "sql" / "linkage" / "survivorship.yml").read_text(encoding="utf-8")


def said(key: str, customer: str = "C1", kind: str = "account", **values: object) -> Statement:
    moment = values.pop("updated_at", None)
    return Statement(key, customer, kind, updated_at=moment, values=values)  # type: ignore[arg-type] # tests give moments


def why(con: duckdb.DuckDBPyConnection, field: str, customer: str = "C1") -> tuple[object, ...]:
    found = rows(
        con,
        f"select g.{field}, s.rule, s.rival_source, s.agreeing_records "
        "from identity.golden_records as g inner join identity.golden_sources as s "
        f"on s.customer_id = g.customer_id and s.field = '{field}' "
        f"where g.customer_id = '{customer}'",
    )
    return found[0]


def test_names_are_voted_and_initials_count_less() -> None:
    con = resolve(
        said("1", given_name="Liz", family_name="Hay", updated_at=NEW),
        said("2", given_name="Elizabeth", family_name="Hay", updated_at=OLD),
        said("3", kind="order", given_name="Elizabeth", family_name="Hay", updated_at=OLD),
        said("4", given_name="E", family_name="Hay", updated_at=NEW),
    )
    assert why(con, "given_name") == ("Elizabeth", "most_stated", "shop", 2)


def test_a_mailbox_that_was_read_is_believed_and_one_that_bounced_is_not() -> None:
    con = open_warehouse()
    fill(
        con,
        [
            said("1", email="new@web.de", updated_at=NEW),
            said("2", email="read@web.de", updated_at=OLD),
            said("3", email="gone@web.de", updated_at=NEW),
            said("4", email="machine@web.de", updated_at=NEW),
        ],
    )
    con.execute(
        "insert into staging.email_events values "
        "('shop', '2', '2026-03-01', 'open', false), ('shop', '3', '2026-02-01', 'click', false), "
        "('shop', '3', '2026-03-01', 'bounce', false), ('shop', '4', '2026-03-01', 'open', true)"
    )
    build(con)
    assert why(con, "email")[:2] == ("read@web.de", "verified")
    proof = "select verified_on from identity.golden_sources where field = 'email'"
    assert rows(con, proof) == [(date(2026, 3, 1),)]


def test_a_mobile_is_believed_before_the_landline_of_the_house() -> None:
    con = resolve(
        said("1", phone="020 7946 0000", updated_at=NEW),
        said("2", phone="020 7946 0000", kind="order", updated_at=NEW),
        said("3", phone="07700 900123", kind="order", updated_at=OLD),
    )
    assert why(con, "phone") == ("+447700900123", "mobile", "shop", 1)


def test_a_value_of_many_strangers_is_nobodys() -> None:
    con = open_warehouse()
    fill(con, [said("1", loyalty_id="0071", email="none@web.de", tier="gold")])
    con.execute("update identity.records set loyalty_id = null, email = null")  # hubs are emptied
    build(con)
    golden = "select loyalty_id, tier, email from identity.golden_records"
    assert rows(con, golden) == [(None, None, None)]


def test_an_address_is_proved_by_orders_to_it_but_not_by_one_present() -> None:
    home = {"street": "1 Old Road", "city": "York", "postcode": "YO1 1AA"}
    moved = {"street": "2 New Road", "city": "Hull", "postcode": "HU1 1AA"}
    present = {"street": "9 Gift Lane", "city": "Bath", "postcode": "BA1 1AA"}
    con = resolve(
        said("1", kind="loyalty", updated_at=OLD, **home),
        said("2", kind="order", updated_at=OLD, **home),
        said("3", kind="order", updated_at=NEW, **moved),
        said("4", kind="order", updated_at=NEW, **moved),
        said("5", kind="order", updated_at=NEW, **present),
    )
    assert why(con, "city") == ("Hull", "last_verified", "shop", 2)


def test_impossible_and_default_birth_dates_are_not_believed() -> None:
    con = resolve(
        said("1", birth_date="1985-01-01", updated_at=NEW),
        said("2", birth_date="1985-06-14", updated_at=OLD),
        said("3", "C2", birth_date="2024-06-14"),
    )
    assert why(con, "birth_date")[:2] == (date(1985, 6, 14), "not_a_default")
    missing = "select birth_date from identity.golden_records where customer_id = 'C2'"
    assert rows(con, missing) == [(None,)]


def test_a_shared_mailbox_goes_to_the_one_it_names_and_the_other_has_the_next_best() -> None:
    con = resolve(
        said("1", "C1", given_name="Robert", family_name="Hay", email="mary.hay@web.de"),
        said("2", "C1", kind="order", email="rob@web.de"),
        said("3", "C2", given_name="Mary", family_name="Hay", email="Mary.Hay@web.de"),
    )
    assert rows(con, "select email from identity.golden_records order by customer_id") == [
        ("rob@web.de",),
        ("mary.hay@web.de",),
    ]
    claims = rows(con, "select customer_id, owner_id, rule from identity.contact_claims")
    assert claims == [("C2", "C2", "owner"), ("C1", "C2", "named_in_it")]


@pytest.mark.parametrize(
    ("mailbox", "owner", "rule"),
    [
        ("mary.ann.hay", "C2", "named_in_it"),
        ("mhay", "C2", "named_in_it"),
        ("hay.m", "C2", "named_in_it"),
        ("mar.sunshine", "C2", "named_in_it"),
        ("sunshine77", "C2", "named_in_it"),
        ("mhay.robert", "C1", "named_in_it"),  # the whole name before the initial
        ("rhay77", "C1", "named_in_it"),  # the initial before the year
        ("sunshine", "C1", "most_trusted"),
        ("the.hays", "C1", "most_trusted"),
    ],
)
def test_whom_a_mailbox_spells_owns_it_though_the_spouse_opened_an_account(
    mailbox: str, owner: str, rule: str
) -> None:
    shared = {"family_name": "Hay", "email": f"{mailbox}@web.de", "updated_at": NEW}
    born = "1977-06-14"
    con = resolve(
        said("1", "C1", given_name="Robert", birth_date="1968-02-03", **shared),
        said("2", "C2", kind="loyalty", given_name="Mary Ann", birth_date=born, **shared),
    )
    owners = "select customer_id from identity.golden_records where email is not null"
    assert rows(con, owners) == [(owner,)]
    lost = "select rule from identity.contact_claims where customer_id <> owner_id"
    assert rows(con, lost) == [(rule,)]


def test_a_misspelt_name_does_not_cost_its_customer_the_mailbox() -> None:
    con = resolve(
        said("1", "C1", given_name="Maey", family_name="Hay", email="mary@web.de", updated_at=NEW),
        said("2", "C1", kind="order", given_name="Mary", family_name="Hay", email="mary@web.de"),
        said(
            "3", "C2", given_name="Marcel", family_name="Hay", email="mary@web.de", updated_at=NEW
        ),
    )
    owners = "select customer_id from identity.golden_records where email is not null"
    assert rows(con, owners) == [("C1",)]


def test_with_equal_evidence_a_mailbox_stays_where_it_was() -> None:
    con = open_warehouse()
    first = said("1", "C9", given_name="Ann", email="hay@web.de", updated_at=OLD)
    fill(con, [first])
    build(con)
    remember(con)
    fill(con, [said("0", "C1", given_name="Bob", email="hay@web.de", updated_at=NEW)])
    con.execute("update identity.records set record_id = 7 where record_key = '0'")
    build(con)
    owners = "select customer_id from identity.golden_records where email is not null"
    assert rows(con, owners) == [("C9",)]


def test_of_equal_statements_the_name_of_the_record_decides_and_not_its_number() -> None:
    con = open_warehouse()
    fill(con, [said("0", "C1", given_name="Ann"), said("1", "C1", given_name="Bea")])
    con.execute("update identity.records set record_id = 9 - record_id")
    build(con)
    assert rows(con, "select given_name from identity.golden_records") == [("Ann",)]


def test_trust_in_a_source_can_be_changed() -> None:
    groups = SPEC.model_dump()
    groups["trusted_as"] = {"bought": "nobody", "old_crm": "receipt"}
    con = resolve(
        Statement("1", "C1", "loyalty", "bought", NEW, {"sex": "M"}),
        Statement("2", "C1", "loyalty", "old_crm", NEW, {"sex": "M"}),
        Statement("3", "C1", "order", "shop", OLD, {"sex": "F"}),
        spec=SurvivorshipSpec.model_validate(groups),
    )
    assert why(con, "sex") == ("F", "most_trusted", "old_crm", 1)


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("most_complete,", "most_compleat,", "most_complete", 16),
        ("fields: [sex]", "fields: [sex, email]", "stands in two groups", 15),
        ("fields: [sex]\n", "fields: [sex]\n    trsut: []\n", "Did you mean `trust`", 25),
        ("[13, 110]", "[110, 13]", "run from 110 to 13", 6),
    ],
)
def test_mistakes_in_the_rules_are_shown_where_they_are(
    old: str, new: str, message: str, line: int
) -> None:
    path = Path("survivorship.yml")
    with pytest.raises(ConfigError) as caught:
        parse_model(SurvivorshipSpec, DECLARATION.replace(old, new, 1), path=path, name="s")
    assert message in f"{caught.value} {caught.value.hint}"
    assert str(caught.value.where).startswith(f"{path}:{line}:")
