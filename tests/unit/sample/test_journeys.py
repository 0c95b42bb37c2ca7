from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rows = Callable[[str], list[tuple[Any, ...]]]
Value = Callable[[str], Any]

BOOTS = "(select sku from products where category = 'Winter boots')"
LAST = "2026-11-19"
OFFER = "winter_boots_10_percent"


def people_of(source: str, key: str) -> str:
    return (
        f"(select person_id, e.* from {source} as e inner join true_person_records as r "
        f"on r.source = '{source}' and r.record_key = e.{key})"
    )


def looks() -> str:
    """Looks at boots by person: logged in, or with a cookie that logs in at some time."""
    return f"""(
        with logins as (
            select distinct cookie_id, account_id from web_events
            where event_type = 'login' and cookie_id is not null
        ),
        known as (
            select coalesce(e.account_id, l.account_id) as account_id, e.* exclude (account_id)
            from web_events as e left join logins as l on l.cookie_id = e.cookie_id
            where e.event_type = 'product_view' and e.sku in {BOOTS}
        )
        select person_id, known.* from known inner join true_person_records as r
        on r.source = 'ecommerce_accounts' and r.record_key = known.account_id
    )"""


def test_enough_journeys_are_planted(rows: Rows) -> None:
    counts = dict(rows("select reason, count(*) from true_journeys group by all"))
    assert counts.pop("complete") >= 8
    assert min(counts.values()) >= 2
    assert counts.keys() == {
        "bought_boots",
        "machine_open_only",
        "no_push_consent",
        "no_store_visit",
        "objected",
    }
    expected = rows("select distinct reason from true_journeys where expected_trigger")
    assert expected == [("complete",)]


def test_everyone_looked_at_the_boots_in_time(rows: Rows, value: Value) -> None:
    missing = value(
        f"select count(*) from true_journeys as j where not exists (select 1 from {looks()} "
        "as l where l.person_id = j.person_id and l.sku = j.sku "
        "and abs(date_diff('second', l.occurred_at::timestamp, j.browsed_at)) < 900)"
    )
    assert missing == 0
    span = rows(
        f"select min(date '{LAST}' - browsed_at::date), max(date '{LAST}' - browsed_at::date) "
        "from true_journeys"
    )[0]
    assert span[0] >= 2
    assert span[1] <= 14


def test_store_visits_are_delivered_with_the_card(value: Value) -> None:
    mismatches = value(
        f"""
        with visits as (
            select distinct p.person_id, p.till_time::timestamp::date as visited_on
            from {people_of("pos_sales", "receipt_id")} as p
            inner join {people_of("loyalty_members", "member_no")} as m
                on m.member_no = p.loyalty_card_no and m.person_id = p.person_id
            where p.transaction_type = 'SALE' and try_cast(p.till_time as timestamp) is not null
                and p.promotion_id is distinct from '{OFFER}'
        )
        select count(*) from true_journeys as j left join visits as v
            on v.person_id = j.person_id and v.visited_on between j.browsed_at::date
            and j.browsed_at::date + 14
        where v.visited_on is distinct from j.visited_on
        """
    )
    assert mismatches == 0
    assert (
        value(
            "select count(*) from true_journeys where visited_on - browsed_at::date "
            "not between 1 and 7"
        )
        == 0
    )


def test_only_those_said_to_have_bought_boots_did(rows: Rows, value: Value) -> None:
    bought = rows(
        f"select distinct person_id from {people_of('pos_sales', 'receipt_id')} "
        f"semi join true_journeys using (person_id) where sku in {BOOTS} order by all"
    )
    assert bought == rows("select person_id from true_journeys where bought order by all")
    ordered = value(
        f"select count(*) from {people_of('ecommerce_orders', 'order_id')} "
        "semi join true_journeys using (person_id) "
        f"where order_id in (select order_id from ecommerce_order_lines where sku in {BOOTS})"
    )
    assert ordered == 0


def test_some_buy_with_the_offer_on_the_day_after_it_came(rows: Rows, value: Value) -> None:
    told = rows(
        "select person_id, sku, redeemed_on from true_journeys where redeemed_on is not null "
        "order by all"
    )
    assert told
    bought = rows(
        "select person_id, sku, try_cast(till_time as timestamp)::date as day "
        f"from {people_of('pos_sales', 'receipt_id')} where promotion_id = '{OFFER}' order by all"
    )
    assert bought == told
    wrong = value(
        "select count(*) from true_journeys where redeemed_on is not null and "
        "(reason <> 'complete' or not has_push_token or not bought "
        "or redeemed_on <> greatest(ready_on, date '2026-11-16') + 1 "
        f"or redeemed_on > date '{LAST}')"
    )
    assert wrong == 0
    full_price = value(
        f"select count(*) from pos_sales where promotion_id = '{OFFER}' and "
        "discount_amount::decimal(9, 2) <> floor(unit_price::decimal(9, 2) * 10) / 100"
    )
    assert full_price == 0


def test_mails_are_opened_as_told(value: Value) -> None:
    mismatches = value(
        f"""
        with opens as (
            select p.person_id, max(e.occurred_at::timestamp) as opened_at
            from email_events as e inner join true_persons as p on lower(p.email) = e.email
            inner join true_journeys as j using (person_id)
            where e.event_type = 'open' and e.is_machine_open = 'false'
                and e.occurred_at::timestamp > j.browsed_at
                and e.occurred_at[:10] <= '{LAST}'
            group by all
        )
        select count(*) from true_journeys left join opens using (person_id)
        where opens.opened_at is distinct from true_journeys.opened_at
        """
    )
    assert mismatches == 0
    machine = value(
        "select count(distinct person_id) from email_events as e "
        "inner join true_persons as p on lower(p.email) = e.email "
        "inner join true_journeys as j using (person_id) "
        "where reason = 'machine_open_only' and is_machine_open = 'true' "
        "and occurred_at::timestamp > browsed_at"
    )
    assert machine == value("select count(*) from true_journeys where reason = 'machine_open_only'")


def test_push_consent_and_tokens_are_on_the_account(value: Value) -> None:
    wrong = value(
        f"select count(*) from true_journeys inner join "
        f"{people_of('ecommerce_accounts', 'account_id')} using (person_id) "
        "where consent.push is distinct from (reason <> 'no_push_consent') "
        "or (push_token is not null) <> has_push_token or loyalty_no is null"
    )
    assert wrong == 0
    with_token = value("select count(*) from true_journeys where has_push_token")
    assert with_token > 0.6 * value("select count(*) from true_journeys")


def test_objections_are_delivered(rows: Rows) -> None:
    objecting = rows(
        f"select distinct person_id from {people_of('privacy_requests', 'request_id')} "
        "semi join true_journeys using (person_id) where request_type = 'objection' "
        "and status = 'verified' order by all"
    )
    assert objecting == rows(
        "select person_id from true_journeys where reason = 'objected' order by all"
    )


def test_the_cast_writes_cleanly(value: Value) -> None:
    wrong = value(
        f"select count(*) from true_journeys inner join true_persons using (person_id) inner join "
        f"{people_of('loyalty_members', 'member_no')} as m using (person_id) "
        "where m.email is distinct from true_persons.email "
        "or m.birth_date is distinct from true_persons.birth_date::varchar"
    )
    assert wrong == 0
    assert (
        value(
            "select count(*) from (select household_id from true_households "
            "semi join (select household_id from true_persons semi join true_journeys "
            "using (person_id)) using (household_id) group by all having count(*) > 1)"
        )
        == 0
    )
