"""Vendors' layouts read by YAML only: every record accounted for, sums right to the penny.

The contracts are those of ``data/examples``; the files are small and laid out as the vendors' are.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date

import pytest

from tests.unit.ingest.conftest import NIGHT, REPOSITORY, Store

EXAMPLES = REPOSITORY / "data" / "examples"
FILES = REPOSITORY / "tests" / "data" / "vendors"


@dataclass(frozen=True)
class Expected:
    """What a vendor's files become.

    Attributes:
        fates: By file name: records, loaded, quarantined, duplicates, excluded.
        facts: SQL over the entities, with its rows as texts joined by a blank.
        night: Business date of the run.
        messages: Warnings of loading.
    """

    fates: dict[str, tuple[int, ...]]
    facts: dict[str, list[str]]
    night: date = NIGHT
    messages: tuple[str, ...] = ()


MONEY = (
    "select count(*), sum(net_amount), sum(discount_amount), sum(quantity)::integer from staging."
)
PEOPLE = "select concat_ws(' ', {}) from staging.person_records order by record_key"
CONSENTS = "select person_record_key, channel, status from staging.consents order by all"
EVENTS = (
    "select event_type, coalesce(sku, '-'), is_machine, strftime(occurred_at, '%d %H:%M:%S') "
    "from staging.email_events order by occurred_at, event_id"
)

EXPECTED: dict[str, Expected] = {
    "shopify": Expected(
        {"customers_export.csv": (2, 2, 0, 0, 0), "orders_export_1.csv": (3, 3, 0, 0, 0)},
        {
            MONEY + "order_lines": ["3 102.90 2.00 4"],
            "select order_id, order_amount, status, ordered_on from staging.orders": [
                "#1001 97.85 paid 2026-11-19",
                "#1002 10.00 returned 2026-11-20",
            ],
            PEOPLE.format("record_key, postcode, phone, birth_date"): [
                "#1001 1015AB +31612345678",
                "#1002 0123 +4915112345678",
                "7210448301122 1015AB +31612345678 1984-02-29",
                "7210448301123",
            ],
            CONSENTS: [
                "#1001 email granted",
                "7210448301122 email granted",
                "7210448301122 sms withdrawn",
                "7210448301123 email withdrawn",
                "7210448301123 sms withdrawn",
            ],
        },
    ),
    "square": Expected(
        {"items-2026-11-18.csv": (1, 1, 0, 0, 0), "items-2026-11-19.csv": (2, 2, 0, 0, 0)},
        {
            MONEY + "sale_lines": ["3 1124.50 125.50 1"],
            "select sale_id, net_amount, sold_on, sold_at, original_sale_id "
            "from staging.sale_lines": [
                "pay1 4.50 2026-11-18 2026-11-18 23:05:09 None",
                "pay2 1124.50 2026-11-19 2026-11-20 00:59:59 None",
                "ref1 -4.50 2026-11-19 2026-11-20 01:10:00 tx1",
            ],
            PEOPLE.format("record_key, full_name, loyalty_id"): ["CUST1 Lee, Ann 9900001"],
        },
    ),
    "woocommerce": Expected(
        {"order_export.csv": (4, 3, 0, 0, 1)},
        {
            MONEY + "order_lines": ["3 68.49 4.00 4"],
            "select order_id, order_amount, status, shipping_amount from staging.orders": [
                "30 60.94 paid 4.95",
                "31 12.50 returned 0.00",
            ],
            PEOPLE.format("record_key, account_id, family_name"): ["30 17 O'Brien", "31 O'Brien"],
        },
    ),
    "magento": Expected(
        {"customers_1.json": (1, 1, 0, 0, 0), "orders_1.json": (4, 2, 0, 0, 2)},
        {
            MONEY + "order_lines": ["2 119.90 10.00 3"],
            "select order_id, order_amount, shipping_amount, status from staging.orders": [
                "000000011 124.85 4.95 paid"
            ],
            PEOPLE.format("record_key, loyalty_id, sex, street, postcode"): [
                "000000011 3 Park Row LS1 4AP",
                "7 0099000017 M 3 Park Row LS1 4AP",
            ],
            CONSENTS: ["7 email granted"],
        },
    ),
    "arts_poslog": Expected(
        {"poslog_0042.xml": (15, 3, 0, 0, 12)},
        {
            MONEY + "sale_lines": ["3 87.90 10.00 3"],
            "select sale_id, line_no, sku, description, net_amount, original_sale_id "
            "from staging.sale_lines": [
                "0042-3-2026-11-20-1001 1 0048213 Boot & lace 79.90 None",
                "0042-3-2026-11-20-1001 2 0000017 Socks 12.00 None",
                "0042-3-2026-11-20-1002 1 0000017 Socks -4.00 0042-3-2026-11-20-1001",
            ],
            PEOPLE.format("record_key, loyalty_id"): ["0042-3-2026-11-20-1001 0099000017"],
        },
        messages=("arts_poslog: 3 rows have a value in card that names nobody",),
    ),
    "loyalty_batch": Expected(
        {"customers_77.txt": (2, 2, 0, 0, 0)},
        {
            PEOPLE.format("record_key, loyalty_id, family_name, email, joined_on"): [
                "500017 0099000017 Müller zoe@example.com 2019-05-04",
                '500018 O"Hara',
            ],
            CONSENTS: ["500017 email granted", "500018 email withdrawn"],
        },
        messages=(
            "loyalty_customers: 1 rows have a value in card_no that names nobody",
            "loyalty_customers: 1 rows have a value in email that names nobody",
        ),
    ),
    "salesforce_loyalty": Expected(
        {
            "Contact.csv": (2, 2, 0, 0, 0),
            "LoyaltyMemberTier.csv": (1, 1, 0, 0, 0),
            "LoyaltyProgramMember.csv": (4, 3, 0, 0, 1),
        },
        {
            PEOPLE.format("loyalty_id, given_name, family_name, email, tier, birth_date"): [
                "0099000017 Ann Lee ann@example.com gold 1984-02-29",
                "0099000018 Bob Ray bob@example.com",
            ],
            CONSENTS: ["0lM000000000001 email granted", "0lM000000000002 email withdrawn"],
        },
    ),
    "ga4": Expected(
        {
            "2026-11-20/events_20261119.json": (2, 1, 0, 0, 1),
            "2026-11-21/events_20261119.json": (5, 4, 0, 0, 1),
        },
        {
            "select event_type, coalesce(cookie_id, '-'), coalesce(session_id, '-'), "
            "coalesce(sku, '-'), coalesce(order_id, '-'), has_consent "
            "from staging.web_events order by occurred_at": [
                "page_view 111.222 111.222.1795000000 - - True",
                "product_view 111.222 111.222.1795000000 0042 - True",
                "purchase 111.222 111.222.1795000000 0042 T-1 True",
                "page_view - - - - False",
            ],
            PEOPLE.format("account_id"): ["acc-17"],
        },
        night=date(2026, 11, 21),
    ),
    "klaviyo": Expected(
        {
            "events_1.json": (5, 5, 0, 0, 0),
            "metrics.json": (5, 5, 0, 0, 0),
            "profiles_1.json": (2, 2, 0, 0, 0),
        },
        {
            EVENTS: [
                "open - True 19 09:05:00",
                "sent - False 19 10:00:00",
                "click 0042 False 19 10:06:00",
                "unsubscribe - False 19 11:00:00",
            ],
            PEOPLE.format("record_key, email, phone"): [
                "P1 ann@example.com +15005550006",
                "P2 bob@example.com",
            ],
            CONSENTS: ["P2 email withdrawn"],
        },
    ),
    "mailchimp": Expected(
        {"audience_export_ab12cd.zip": (1, 1, 0, 0, 0)},
        {
            "select file_name[22:], records from ops.deliveries order by all": [
                "audience_export_ab12cd.zip 1",
                "audience_export_ab12cd.zip 1",
                "audience_export_ab12cd.zip 2",
            ],
            CONSENTS: [
                "1 email granted",
                "2 email granted",
                "3 email withdrawn",
                "4 email withdrawn",
            ],
            PEOPLE.format("record_key, email"): [
                "1 ann@example.com",
                "2 cy@example.com",
                "3 bob@example.com",
                "4 gone@example.com",
            ],
        },
    ),
    "marketing_cloud": Expected(
        {
            "Bounces.csv": (0, 0, 0, 0, 0),
            "Clicks.csv": (1, 1, 0, 0, 0),
            "Opens.csv": (2, 1, 0, 1, 0),
            "Sent.csv": (2, 2, 0, 0, 0),
            "Unsubs.csv": (1, 1, 0, 0, 0),
        },
        {
            EVENTS: [
                "sent - False 19 14:05:10",
                "sent - False 19 14:05:10",
                "open - False 20 00:30:00",
                "click 0042 False 20 00:31:00",
                "unsubscribe - False 20 03:00:00",
            ],
            CONSENTS: ["C18 email withdrawn"],
        },
    ),
    "braze": Expected(
        {
            "bounce_shared_20261119.csv": (1, 1, 0, 0, 0),
            "click_shared_20261119.csv": (1, 1, 0, 0, 0),
            "delivery_shared_20261119.csv": (1, 0, 0, 0, 1),
            "open_shared_20261119.csv": (2, 2, 0, 0, 0),
            "send_shared_20261119.csv": (2, 2, 0, 0, 0),
            "unsubscribe_shared_20261119.csv": (1, 1, 0, 0, 0),
        },
        {
            EVENTS: [
                "sent - False 19 10:00:00",
                "sent - False 19 10:00:00",
                "bounce - False 19 10:00:02",
                "open - True 19 10:00:05",
                "open - False 19 10:00:50",
                "click 0042 False 19 10:01:00",
                "unsubscribe - False 19 10:01:10",
            ],
            CONSENTS: ["acc-18 email withdrawn"],
        },
    ),
}


def test_every_example_with_files_has_its_right_answers() -> None:
    assert sorted(EXPECTED) == sorted(path.name for path in FILES.iterdir())


@pytest.mark.parametrize("vendor", EXPECTED)
def test_a_vendors_layout_is_read_by_its_contracts_alone(vendor: str, store: Store) -> None:
    expected = EXPECTED[vendor]
    example = EXAMPLES / vendor / "expectations"
    shutil.copytree(example, store.root / "expectations", dirs_exist_ok=True)
    shutil.copytree(FILES / vendor, store.root / "data" / "landing")
    result = store.night(expected.night)
    assert result.messages == expected.messages
    for name, status, *fates in store.ledger(expected.night):
        assert status == "loaded", name
        assert fates[0] == sum(fates[1:])
        ends = [end for end in expected.fates if name.endswith(end)]
        assert ends, name
        if vendor != "mailchimp":  # one archive is three deliveries there
            assert tuple(fates) == expected.fates[ends[0]], name
    for sql, rows in expected.facts.items():
        found = store.query(sql, expected.night)
        assert [" ".join(map(str, row)).rstrip() for row in found] == rows, sql
