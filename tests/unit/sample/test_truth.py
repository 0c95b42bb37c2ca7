from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cdp_pipeline.sample.generate import StoreSummary

Rows = Callable[[str], list[tuple[Any, ...]]]
Value = Callable[[str], Any]


@pytest.mark.parametrize(
    ("source", "key", "where"),
    [
        ("loyalty_members", "member_no", "true"),
        ("ecommerce_accounts", "account_id", "true"),
        ("ecommerce_orders", "order_id", "true"),
        ("crm_contacts", "contact_id", "true"),
        ("privacy_requests", "request_id", "true"),
        ("social_events", "handle", "true"),
        ("pos_sales", "receipt_id", "transaction_type in ('SALE', 'RETURN')"),
    ],
)
def test_truth_names_the_person_behind_every_record(
    rows: Rows, source: str, key: str, where: str
) -> None:
    delivered = {row[0] for row in rows(f"select distinct {key} from {source} where {where}")}
    known = rows(f"select record_key from true_person_records where source = '{source}'")
    assert {row[0] for row in known} == delivered
    assert len(known) == len(delivered)


def test_truth_names_the_person_of_every_session(value: Value) -> None:
    delivered = "select distinct session_id from web_events"
    known = "select session_id from true_web_sessions"
    assert value(f"select count(*) from ({delivered} except {known})") == 0
    assert value("select count(*) - count(distinct session_id) from true_web_sessions") == 0
    wrong = (
        "select count(*) from web_events inner join true_web_sessions as t using (session_id) "
        "where t.cookie_id is distinct from web_events.cookie_id "
        "or t.has_consent <> consent_analytics"
    )
    assert value(wrong) == 0


def test_truth_names_the_person_behind_every_cookie(rows: Rows, value: Value) -> None:
    delivered = rows("select distinct cookie_id from web_events where cookie_id is not null")
    known = rows("select record_key from true_person_records where source = 'web_cookie'")
    assert sorted(known) == sorted(delivered)
    shared = value(
        "select count(*) from (select cookie_id from true_cookie_users group by all "
        "having count(*) > 1)"
    )
    assert shared > 0


def test_records_belong_to_listed_persons(value: Value, summary: StoreSummary) -> None:
    strangers = value(
        "select count(*) from true_person_records anti join true_persons using (person_id)"
    )
    assert strangers == 0
    assert value("select count(*) from true_households") == summary.persons


def test_nobody_can_be_recognised_on_void_and_training_receipts(rows: Rows) -> None:
    counted = rows(
        "select count(*), count(loyalty_card_no), count(ereceipt_email), count(ereceipt_phone), "
        "count(payment_token) from pos_sales where transaction_type in ('VOID', 'TRAINING')"
    )
    assert counted[0][0] > 0
    assert counted[0][1:] == (0, 0, 0, 0)


def test_control_totals_equal_the_delivered_lines(rows: Rows) -> None:
    # First copies of well-formed SALE and RETURN lines, by the date on the till.
    recomputed = rows(
        """
        with lines as (
            select distinct receipt_id, line_no, store_id, till_time::timestamp::date as day,
                line_amount::decimal(18, 2) as amount
            from pos_sales
            where transaction_type in ('SALE', 'RETURN') and currency is not null
                and try_cast(till_time as timestamp) is not null
                and try_cast(quantity as integer) is not null
        )
        select store_id, day, count(distinct receipt_id), count(*), sum(amount)
        from lines group by all order by all
        """
    )
    truth = rows("select * from true_control_totals order by all")
    assert truth == recomputed
    assert len(truth) > 4_000
    assert any(row[4] < Decimal(0) for row in truth)


def test_amounts_are_quantity_times_price_less_discount(rows: Rows, value: Value) -> None:
    wrong = value(
        "select count(*) from pos_sales where try_cast(quantity as integer) is not null "
        "and currency is not null and line_amount::decimal(18, 2) <> quantity::integer "
        "* unit_price::decimal(18, 2) - discount_amount::decimal(18, 2)"
    )
    assert wrong == 0
    signs = rows(
        "select distinct transaction_type, sign(try_cast(quantity as integer)) from pos_sales "
        "where transaction_type in ('SALE', 'RETURN') "
        "and try_cast(quantity as integer) is not null order by all"
    )
    assert signs == [("RETURN", -1), ("SALE", 1)]


def test_faults_are_counted_and_every_delivery_has_some(
    rows: Rows, value: Value, summary: StoreSummary
) -> None:
    truth = dict(rows("select fault, sum(rows) from true_faults group by all"))
    assert truth["bad_date"] == value(
        "select count(*) from pos_sales where try_cast(till_time as timestamp) is null"
    )
    assert truth["bad_quantity"] == value("select count(*) from pos_sales where quantity = 'one'")
    assert truth["ragged"] == value("select count(*) from pos_sales where currency is null")
    nights = rows(
        "select delivered_on from true_faults where fault <> 'repeated' group by all "
        "having sum(rows) > 0"
    )
    assert len(nights) == len(summary.dates)


def test_some_store_days_come_a_night_late_and_none_is_lost(rows: Rows, value: Value) -> None:
    late = rows(
        "select distinct store_id, till_time[:10] from pos_sales "
        "where till_time[:10] < regexp_extract(filename, '(\\d{4}-\\d{2}-\\d{2})/', 1) "
        "and filename not like '%20261116.csv' and try_cast(till_time as timestamp) is not null"
    )
    assert late
    early = value(
        "select count(*) from pos_sales "
        "where till_time[:10] > regexp_extract(filename, '(\\d{4}-\\d{2}-\\d{2})/', 1) "
        "and try_cast(till_time as timestamp) is not null"
    )
    assert early == 0


def test_future_purchases_lie_after_the_last_night(rows: Rows, summary: StoreSummary) -> None:
    first, last, cheapest, people = rows(
        "select min(purchased_on), max(purchased_on), min(amount), count(distinct person_id) "
        "from true_future_purchases"
    )[0]
    assert (first.isoformat(), last.isoformat()) == ("2026-11-20", "2027-05-18")
    assert cheapest > 0
    assert 0.1 * summary.persons < people < 0.5 * summary.persons
