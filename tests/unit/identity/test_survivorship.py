from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
