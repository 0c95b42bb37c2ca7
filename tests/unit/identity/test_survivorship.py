from __future__ import annotations

from datetime import date, datetime

import pytest

pytest.importorskip("recordlinkage")

ANNA = {
    "given_name": "ANNA",
    "family_name": "O'BRIEN",
    "birth_date": date(1980, 2, 11),
    "email": "Anna.OBrien@web.de",
    "account_id": "A1",
}
RECORDS = [
    ANNA
    | {
        "source": "loyalty",
        "record_kind": "loyalty",
        "record_key": "0971",
        "loyalty_id": "0971",
        "home_store_id": "S003",
        "tier": "gold",
        "phone": "07700 900123",
        "street": "1 Old Road",
        "city": "YORK",
        "postcode": "yo11aa",
        "joined_on": date(2019, 5, 1),
        "updated_at": datetime(2024, 1, 1),
    },
    ANNA
    | {
        "source": "shop",
        "record_kind": "account",
        "record_key": "A1",
        "given_name": "Anna",
        "postcode": "YO2 2BB",
        "push_token": "push-1",
        "updated_at": datetime(2026, 1, 1),
    },
    ANNA
    | {
        "source": "orders",
        "record_kind": "order",
        "record_key": "W1",
        "street": "9 Gift Lane",
        "city": "Hull",
        "postcode": "HU1 1AA",
        "phone": "07700 900999",
        "updated_at": datetime(2026, 6, 1),
    },
]


@pytest.fixture(scope="module")
def golden(make_store, tmp_path_factory, families):
    return make_store(tmp_path_factory.mktemp("golden")).night([*RECORDS, *families])


def _anna(read, golden, columns):
    return read(golden, f"select {columns} from identity.golden_records where account_id = 'A1'")


def test_one_customer_has_one_golden_record(golden, read):
    assert _anna(read, golden, "record_count, source_count, first_seen_on") == [
        (3, 3, date(2019, 5, 1))
    ]


def test_an_address_is_never_put_together_from_two_records(golden, read):
    # The newest profile knows a postcode only; the order was a gift to somebody else.
    assert _anna(read, golden, "street, city, postcode, country") == [(None, None, "YO2 2BB", "GB")]


def test_values_are_printed_as_people_write_them(golden, read):
    assert _anna(read, golden, "given_name, family_name, email, phone") == [
        ("Anna", "O'Brien", "anna.obrien@web.de", "+447700900123")
    ]


def test_membership_keeps_leading_zeros_and_comes_from_the_card_file(golden, read):
    assert _anna(read, golden, "loyalty_id, home_store_id, tier, push_token") == [
        ("0971", "S003", "gold", "push-1")
    ]


def test_every_value_names_its_record(golden, read):
    sources = read(
        golden,
        "select s.field, s.source from identity.golden_sources as s "
        "inner join identity.golden_records as g using (customer_id) "
        "where g.account_id = 'A1' and s.field in ('postcode', 'phone', 'tier') order by s.field",
    )
    assert sources == [("phone", "loyalty"), ("postcode", "shop"), ("tier", "loyalty")]


def test_a_mailbox_belongs_to_one_customer(golden, read):
    owners = read(
        golden,
        "select count(email), count(distinct email), count(*) from identity.golden_records",
    )
    # Sixty couples share sixty mailboxes, and there is Anna's.
    assert owners == [(61, 61, 121)]
