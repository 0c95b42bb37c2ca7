"""The marts reconcile with each other and with what they are made of."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.reporting.marts import read_rows
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.reporting.conftest import Night

DAY = "date '2026-11-18'"


def value(night: Night, sql: str) -> Any:
    return night.rows(sql)[0][0]


def test_channels_and_departments_add_up_to_the_net_revenue_of_the_day(night: Night) -> None:
    net = value(
        night, f"select net_amount from marts.daily_performance where business_date = {DAY}"
    )
    assert net > 0
    for mart in ("revenue_by_channel", "revenue_by_department"):
        assert value(night, f"select sum(net_amount) from marts.{mart}") == net
        assert value(night, f"select sum(net_share) from marts.{mart}") == pytest.approx(1)
    assert net == value(
        night,
        f"""select sum(net_amount) from core.fct_sales
            where sold_on = {DAY} and line_kind in ('product', 'fee')""",
    )


def test_comparisons_of_parts_and_whole_use_the_same_days(night: Night) -> None:
    row = night.rows(
        f"""select w.net_amount, y.net_amount from marts.daily_performance as w
            cross join marts.daily_performance as y
            where w.business_date = {DAY} - 7 and y.business_date = {DAY} - 364"""
    )[0]
    assert (
        row
        == night.rows(
            "select sum(week_before_amount), sum(year_before_amount) from marts.revenue_by_channel"
        )[0]
    )


def test_active_customers_are_the_same_people_everywhere(night: Night) -> None:
    active = value(
        night, f"select closing_count from marts.customer_flow_daily where business_date = {DAY}"
    )
    counted = value(
        night,
        f"""select count(distinct customer_id) from features.customer_day
            where is_visit and purchased_on between {DAY} - 364 and {DAY}""",
    )
    assert active == counted
    for sql in (
        f"select active_customer_count from marts.daily_performance where business_date = {DAY}",
        "select sum(customer_count) from marts.rfm_groups",
        "select sum(customer_count) from marts.rfm_grid",
        f"select active_count from marts.reach_daily where business_date = {DAY}",
    ):
        assert value(night, sql) == active, sql


def test_the_flow_is_right_on_any_past_day(night: Night) -> None:
    days = night.rows(
        """select
               flow.business_date,
               flow.closing_count,
               count(distinct visits.customer_id)
           from marts.customer_flow_daily as flow
           left join features.customer_day as visits
               on visits.is_visit
               and visits.purchased_on between flow.business_date - 364 and flow.business_date
           where day(flow.business_date) in (1, 17)
           group by all"""
    )
    assert len(days) > 20
    assert [day for day, closing, counted in days if closing != counted] == []


def test_movements_add_up_to_the_groups_of_both_nights(night: Night) -> None:
    now = dict(night.rows("select rfm_segment, customer_count from marts.rfm_groups"))
    columns = dict(
        night.rows(
            """select to_title, sum(customer_count) from marts.segment_moves
               where to_title <> 'Lapsed' group by all"""
        )
    )
    assert columns == now
    before = dict(
        night.rows(
            f"""select segment, customer_count from marts.segment_daily
                where kind = 'rfm' and business_date = {DAY} - 7"""
        )
    )
    rows = dict(
        night.rows(
            """select from_title, sum(customer_count) from marts.segment_moves
               where from_title <> 'New or returned' group by all"""
        )
    )
    assert rows == before


def test_changes_of_size_match_the_two_nights(night: Night) -> None:
    wrong = value(
        night,
        f"""select count(*) from marts.segment_change as change
            inner join marts.segment_daily as earlier
                on earlier.segment = change.segment and earlier.kind = change.kind
                and earlier.business_date = {DAY} - 7
            where change.compared_on <> {DAY} - 7
                or change.change_count <> change.customer_count - earlier.customer_count""",
    )
    assert wrong == 0
    assert value(night, "select sum(abs(change_count)) from marts.rfm_groups") > 0


def test_shares_of_groups_tenths_and_spread_are_complete(night: Night) -> None:
    assert value(night, "select sum(customer_share) from marts.rfm_groups") == pytest.approx(1)
    assert value(night, "select sum(revenue_share) from marts.rfm_groups") == pytest.approx(1)
    people = value(night, "select count(*) from features.clv where clv_12m_amount is not null")
    assert value(night, "select sum(customer_count) from marts.clv_tenths") == people
    assert value(night, "select sum(customer_count) from marts.clv_distribution") == people
    assert value(night, "select count(*) from marts.clv_distribution") == 20
    first, last = night.rows(
        """select min_by(clv_share, value_tenth), max_by(clv_share, value_tenth)
           from marts.clv_tenths"""
    )[0]
    assert first > last


def test_consent_is_split_into_three_without_remainder(night: Night) -> None:
    rows = night.rows(
        """select agreed_count + refused_count + never_asked_count, customer_count,
                  agreed_share + refused_share + never_asked_share
           from marts.consent_by_channel"""
    )
    assert len(rows) == 4
    for parts, whole, shares in rows:
        assert parts == whole
        assert shares == pytest.approx(1)


def test_every_delivered_record_is_accounted_for(night: Night) -> None:
    assert value(night, "select sum(record_count) from marts.source_health") > 0
    assert (
        value(
            night,
            """select count(*) from marts.source_health
               where record_count
                   <> loaded_count + quarantined_count + duplicate_count + excluded_count""",
        )
        == 0
    )
    assert night.rows("select source, age_days from marts.source_health where status = 'late'") == [
        ("crm_contacts", 3)
    ]


def test_everybody_who_qualified_for_a_trigger_is_accounted_for(night: Night) -> None:
    rows = night.rows(
        """select member_count, sent_count + no_consent_count + no_contact_count + holdout_count
               + cap_count + incomplete_count
           from marts.triggers_tonight"""
    )
    assert len(rows) == 3
    assert all(members == parts for members, parts in rows)


def test_cohorts_count_only_whole_months(night: Night) -> None:
    latest = value(night, "select max(cohort_on) from marts.cohort_retention")
    assert str(latest) == "2026-09-01"
    open_month = night.rows(
        """select months_after, repeat_share from marts.cohort_retention
           where cohort_on = date '2026-09-01' and months_after <= 2 order by 1"""
    )
    assert open_month[0][1] is not None
    assert open_month[1][1] is None


def test_without_deliveries_every_mart_is_built_and_empty(bare_night: Night) -> None:
    for spec in bare_night.project.models("marts"):
        assert value(bare_night, f"select count(*) from {spec.full_name}") == 0, spec.full_name


def test_the_first_night_has_nothing_to_compare_with(first_night: Night) -> None:
    assert value(first_night, "select count(*) from marts.segment_moves") == 0
    assert value(first_night, "select count(compared_on) from marts.segment_change") == 0
    assert value(first_night, "select count(*) from marts.rfm_groups") > 5


def test_rows_are_sorted_filtered_and_limited(night: Night) -> None:
    spec = night.project.table("marts.revenue_by_department")
    with open_build(night.context) as con:
        rows = read_rows(con, spec, where="net_amount > 100", sort=["-net_amount"], limit=3)
        with pytest.raises(ConfigError, match="net_amont"):
            read_rows(con, spec, where="net_amont > 100")
        with pytest.raises(ConfigError):
            read_rows(con, spec, where="1=1) or (select true")
    amounts = [row["net_amount"] for row in rows]
    assert amounts == sorted(amounts, reverse=True)
    assert len(amounts) == 3
    assert isinstance(amounts[0], Decimal)
