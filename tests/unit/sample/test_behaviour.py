"""What realistic customers must show, measured on the delivered files and the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Rows = Callable[[str], list[tuple[Any, ...]]]
Value = Callable[[str], Any]

VISITS = """(
    select distinct person_id, try_cast(till_time as timestamp)::date as day
    from pos_sales inner join true_person_records on source = 'pos_sales'
        and record_key = receipt_id
    where transaction_type = 'SALE' and try_cast(till_time as timestamp) is not null
    union
    select person_id, ordered_at::timestamp::date
    from ecommerce_orders inner join true_person_records on source = 'ecommerce_orders'
        and record_key = order_id
)"""


def test_a_third_buys_once_and_some_buy_very_often(rows: Rows) -> None:
    once, mean, most = rows(
        "select avg((n = 1)::int), avg(n), max(n) from "
        f"(select person_id, count(*) as n from {VISITS} group by all)"
    )[0]
    assert 0.25 < once < 0.45
    assert 3.5 < mean < 8
    assert most > 30


def test_buyers_are_lost(rows: Rows) -> None:
    # Of those who bought in the first year of the files, many never came in the second.
    lost = rows(
        f"select avg((last_day < date '2025-11-17')::int) from (select person_id, max(day) "
        f"as last_day, min(day) as first_day from {VISITS} group by all) "
        "where first_day < date '2025-11-17'"
    )[0][0]
    assert 0.3 < lost < 0.75


def test_christmas_and_saturdays_are_busy(rows: Rows) -> None:
    by_month = dict(rows(f"select month(day), count(*) from {VISITS} group by all"))
    assert by_month[12] > 1.4 * sum(by_month.values()) / 12
    assert by_month[2] < 0.85 * sum(by_month.values()) / 12
    by_weekday = dict(rows(f"select isodow(day), count(*) from {VISITS} group by all"))
    assert max(by_weekday, key=lambda weekday: by_weekday[weekday]) == 6


def test_winter_boots_sell_in_winter(rows: Rows) -> None:
    winter, summer = rows(
        "select count(*) filter (till_time[6:7] in ('10', '11', '12', '01')), "
        "count(*) filter (till_time[6:7] in ('04', '05', '06', '07')) "
        "from pos_sales inner join products using (sku) "
        "where category = 'Winter boots' and transaction_type = 'SALE'"
    )[0]
    assert winter > 5 * max(summer, 1)


def test_people_have_their_tastes(rows: Rows) -> None:
    # The favourite department of a frequent buyer takes far more than that of the average one.
    share = rows(
        """
        with bought as (
            select person_id, department, count(*) as lines
            from pos_sales inner join products using (sku) inner join true_person_records as r
                on r.source = 'pos_sales' and r.record_key = receipt_id
            where transaction_type = 'SALE' group by all
        )
        select avg(top) from (
            select max(lines) / sum(lines) as top from bought
            group by person_id having sum(lines) >= 20
        )
        """
    )[0][0]
    assert 0.35 < share < 0.75


def test_returns_refer_to_receipts_and_web_orders(rows: Rows) -> None:
    total, referring, web, unknown = rows(
        """
        select count(*), count(original_receipt_id), count(*) filter (original_receipt_id ^@ 'W'),
            count(*) filter (original_receipt_id is not null and original_receipt_id not in
                (select receipt_id from pos_sales union select order_id from ecommerce_orders))
        from pos_sales where transaction_type = 'RETURN'
        """
    )[0]
    assert 0.65 < referring / total < 0.95
    assert 0 < web < total
    assert unknown == 0


def test_cards_are_scanned_borrowed_and_lent_by_the_till(rows: Rows) -> None:
    scanned, borrowed, courtesy = rows(
        """
        with receipts as (
            select distinct on (receipt_id) receipt_id, loyalty_card_no, store_id from pos_sales
            where transaction_type = 'SALE'
        ),
        known as (
            select b.person_id as buyer, h.person_id as holder, receipts.*
            from receipts inner join true_person_records as b
                on b.source = 'pos_sales' and b.record_key = receipt_id
            left join true_person_records as h
                on h.source = 'loyalty_members' and h.record_key = loyalty_card_no
        )
        select avg((loyalty_card_no is not null)::int), avg((holder <> buyer)::int),
            count(distinct buyer) filter (loyalty_card_no = '9000000001')
        from known
        """
    )[0]
    assert 0.35 < scanned < 0.65
    assert 0.003 < borrowed < 0.05
    assert courtesy > 5


@pytest.mark.parametrize("column", ["cookie_id", "account_id"])
def test_without_consent_nothing_points_at_a_person(value: Value, column: str) -> None:
    assert value("select count(*) from web_events where not consent_analytics") > 1_000
    assert value(f"select count({column}) from web_events where not consent_analytics") == 0


def test_logins_name_the_account_from_then_on(rows: Rows) -> None:
    before, after = rows(
        """
        with logins as (
            select session_id, min(occurred_at) as login_at from web_events
            where event_type = 'login' and consent_analytics group by all
        )
        select count(*) filter (occurred_at < login_at and account_id is not null),
            avg((account_id is not null)::int) filter (occurred_at >= login_at)
        from web_events inner join logins using (session_id)
        """
    )[0]
    assert before == 0
    assert after == 1


def test_store_purchases_follow_looks_on_the_web(value: Value) -> None:
    followed = value(
        """
        with looks as (
            select distinct person_id, sku, occurred_at::timestamp::date as day
            from web_events inner join true_person_records
                on source = 'web_cookie' and record_key = cookie_id
            where event_type = 'product_view'
        )
        select count(*) from looks inner join (
            select person_id, sku, try_cast(till_time as timestamp)::date as day from pos_sales
            inner join true_person_records on source = 'pos_sales' and record_key = receipt_id
        ) as bought on bought.person_id = looks.person_id and bought.sku = looks.sku
            and bought.day - looks.day between 1 and 7
        """
    )
    assert followed > 150


def test_links_of_emails_lead_to_the_shop(value: Value) -> None:
    joined = (
        "from web_events as w inner join email_events as m on m.event_id = w.email_click_id "
        "and m.event_type = 'click'"
    )
    clicks = value("select count(*) from email_events where event_type = 'click'")
    assert 0.4 < value(f"select count(*) {joined}") / clicks < 0.9
    late = f"select count(*) {joined} where w.occurred_at < m.occurred_at::timestamp"
    assert value(late) == 0
    assert value("select count(email_click_id) from web_events where not consent_analytics") == 0


def test_some_devices_change_hands_and_kiosks_have_many_users(value: Value) -> None:
    assert value("select count(*) from web_events where event_type = 'logout'") > 10
    users = "select cookie_id, count(*) as n from true_cookie_users group by cookie_id"
    assert value(f"select max(n) from ({users})") > 5
    assert value(f"select count(*) from ({users}) where n = 2") > 5


def test_orders_match_their_lines_and_their_clicks(rows: Rows) -> None:
    wrong, orders = rows(
        """
        with newest as (
            select distinct on (order_id) * from ecommerce_orders order by order_id, updated_at desc
        ),
        goods as (
            select order_id, sum(line_amount::decimal(18, 2)) as amount from (
                select distinct on (order_id, line_no) * from ecommerce_order_lines
                order by order_id, line_no, updated_at desc
            ) group by all
        )
        select count(*) filter (order_amount::decimal(18, 2) is distinct from
            amount + shipping_amount::decimal(18, 2)), count(*)
        from newest left join goods using (order_id)
        """
    )[0]
    assert wrong == 0
    clicked = rows(
        "select count(distinct order_id) from web_events inner join "
        "(select distinct order_id from ecommerce_orders) using (order_id) "
        "where event_type = 'purchase'"
    )[0][0]
    assert clicked == orders


def test_order_states_go_forward(rows: Rows) -> None:
    shares = dict(
        rows(
            "select status, count(*) / sum(count(*)) over () from (select distinct on (order_id) "
            "* from ecommerce_orders order by order_id, updated_at desc) group by all"
        )
    )
    assert shares["shipped"] > 0.8
    assert 0.01 < shares["cancelled"] < 0.06
    assert 0.02 < shares["returned"] < 0.15
    again = rows("select order_id from ecommerce_orders group by all having count(*) > 1")
    assert again


def test_mail_goes_only_to_those_who_agreed_and_stays(rows: Rows) -> None:
    after = rows(
        """
        with gone as (
            select email, max(occurred_at) as gone_at from email_events
            where event_type = 'unsubscribe' group by all
        )
        select count(*), count(*) filter (occurred_at > gone_at)
        from email_events inner join gone using (email)
        """
    )[0]
    assert after[0] > 0
    assert after[1] == 0
    machine, human = rows(
        "select count(*) filter (is_machine_open = 'true'), "
        "count(*) filter (is_machine_open = 'false') from email_events where event_type = 'open'"
    )[0]
    assert 0.5 < machine / human < 2


def test_registers_are_sent_again_when_they_change(rows: Rows) -> None:
    twice = rows(
        "select member_no, count(*), count(distinct updated_at) from loyalty_members "
        "group by all having count(*) > 1"
    )
    assert twice
    assert all(row[1] == row[2] for row in twice)
    late = rows(
        "select count(*) from loyalty_members where consent_updated_at > updated_at "
        "or joined_on > updated_at[:10]"
    )[0][0]
    assert late == 0


def test_service_notes_are_hostile(value: Value) -> None:
    assert value("select count(*) from crm_contacts where notes like '%' || chr(10) || '%'") > 0
    assert value("select count(*) from crm_contacts where notes like '=%'") > 0
    assert value("select count(*) from crm_contacts where full_name like '*VIP*%'") > 0
