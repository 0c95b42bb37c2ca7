"""Offers: the promised row, consent, holdout, caps, priorities, gaps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from tests.unit.activation.conftest import ExportNight
    from tests.unit.conftest import Marketing

    Nights = Callable[..., ExportNight]

DAY = date(2026, 11, 20)
FIELDS = {
    "reference": "reference",
    "customer_id": "customer_id",
    "push_token": "token",
    "product_name": "product",
    "discount": "discount",
    "store_name": "store",
    "valid_until": "valid_until",
    "message": "message",
}


@pytest.fixture
def shop(marketing: Marketing) -> Marketing:
    """Return a project with the winter boots offer and a push destination."""
    marketing.declare("segment", "nudge", where="visits > 0", channel="push", priority=5)
    declare_offer(marketing, "boots_10_percent", "nudge")
    marketing.declare(
        "destination",
        "push",
        content="trigger",
        purpose="marketing",
        channel="push",
        fields=[{"column": column, "header": header} for column, header in FIELDS.items()],
    )
    return marketing


def declare_offer(marketing: Marketing, name: str, segment: str, **keys: object) -> None:
    defaults = {
        "channel": "push",
        "discount_share": 0.1,
        "message": "{discount} off {boots_name} at {nearest_store_name} until {valid_until}",
        "valid_days": 7,
        "cap_count": 1,
        "cap_days": 30,
        "sku_column": "boots_sku",
        "product_column": "boots_name",
    }
    marketing.declare("offer", name, segment=segment, **{**defaults, **keys})


def test_a_trigger_says_who_what_how_much_where_and_until_when(
    shop: Marketing, run_night: Nights
) -> None:
    shop.add("C1")
    shop.grant("C1")
    night = run_night()
    (row,) = night.rows("push", "boots_10_percent.csv")
    reference = row.pop("reference")
    assert row == {
        "customer_id": "C1",
        "token": "P-C1",
        "product": "Alpine Boot",
        "discount": "10 %",
        "store": "Leeds",
        "valid_until": "2026-11-27",
        "message": "10 % off Alpine Boot at Leeds until 27 November 2026",
    }
    assert night.fetch("select * from ops.contact_log") == [
        ("C1", "boots_10_percent", "push", DAY, "push", reference)
    ]
    assert "offer boots_10_percent: 1 of 1 get it" in night.result.messages


def test_everybody_left_out_is_counted_with_a_reason(shop: Marketing, run_night: Nights) -> None:
    for name in ("C1", "C2", "C3", "C4"):
        shop.add(name)
    shop.add("C2", push_token=None)
    shop.add("C3", boots_name=None)
    shop.grant("C1", "C2", "C3")
    night = run_night()
    assert night.customers("push", "boots_10_percent.csv") == ["C1"]
    expected = {"no_consent": 1, "no_contact": 1, "incomplete": 1}
    assert night.excluded("push", "boots_10_percent") == expected


def test_an_offer_is_not_repeated_within_its_window(shop: Marketing, run_night: Nights) -> None:
    shop.add("C1")
    shop.grant("C1")
    first = run_night(DAY, publish=True)
    assert first.customers("push", "boots_10_percent.csv") == ["C1"]
    for days, expected in ((1, []), (29, []), (30, ["C1"])):
        night = run_night(DAY + timedelta(days=days))
        assert night.customers("push", "boots_10_percent.csv") == expected
        assert night.excluded("push", "boots_10_percent").get("cap", 0) == 1 - len(expected)


def test_a_rerun_of_the_same_night_chooses_the_same_people(
    shop: Marketing, run_night: Nights
) -> None:
    shop.add("C1")
    shop.grant("C1")
    first = run_night(DAY, publish=True)
    again = run_night(DAY)
    assert again.rows("push", "boots_10_percent.csv") == first.rows("push", "boots_10_percent.csv")
    log = "select * from ops.contact_log"
    assert again.fetch(log) == first.fetch(log)


def test_under_the_common_cap_the_urgent_offer_wins(shop: Marketing, run_night: Nights) -> None:
    shop.declare("segment", "anyone", where="true", channel="push", priority=50)
    declare_offer(shop, "a_late_one", "anyone")
    declare_offer(shop, "later_one", "anyone")
    shop.add("C1")
    shop.grant("C1")
    settings = {"contact": {"cap_count": 2, "cap_days": 7, "global_holdout_share": 0.0}}
    night = run_night(**settings)
    assert night.customers("push", "boots_10_percent.csv") == ["C1"]
    assert night.customers("push", "a_late_one.csv") == ["C1"]
    assert night.customers("push", "later_one.csv") == []


def test_the_common_cap_looks_back_over_all_offers(shop: Marketing, run_night: Nights) -> None:
    shop.add("C1")
    shop.grant("C1")
    settings = {"contact": {"cap_count": 1, "cap_days": 7, "global_holdout_share": 0.0}}
    run_night(DAY, publish=True, **settings)
    shop.drop("offer", "boots_10_percent")
    declare_offer(shop, "other", "nudge")
    assert run_night(DAY + timedelta(days=6), **settings).customers("push", "other.csv") == []
    assert run_night(DAY + timedelta(days=7), **settings).customers("push", "other.csv") == ["C1"]


def test_contacts_follow_a_person_through_a_merge(shop: Marketing, run_night: Nights) -> None:
    shop.add("C1")
    shop.add("C2")
    shop.grant("C1", "C2")
    run_night(DAY, publish=True)
    del shop.customers["C2"], shop.customers["C1"]
    shop.add("C3")
    shop.grant("C3")
    shop.redirects = {"C1": "C3", "C2": "C3"}
    night = run_night(DAY + timedelta(days=1))
    assert night.customers("push", "boots_10_percent.csv") == []
    assert night.fetch("select customer_id, count(*) from ops.contact_log group by all") == [
        ("C3", 1)
    ]


def test_people_kept_back_get_nothing(shop: Marketing, run_night: Nights) -> None:
    names = [f"C{number:02}" for number in range(30)]
    for name in names:
        shop.add(name)
    shop.grant(*names)
    night = run_night(contact={"global_holdout_share": 0.4})
    kept = {row[0] for row in night.fetch("select customer_id from segments.membership "
                                          "where is_holdout")}  # fmt: skip
    assert kept
    assert set(night.customers("push", "boots_10_percent.csv")) == set(names) - kept
    assert night.excluded("push", "boots_10_percent") == {"holdout": len(kept)}


def test_an_offer_without_a_way_out_is_told_and_not_logged(
    shop: Marketing, run_night: Nights
) -> None:
    declare_offer(shop, "by_post", "nudge", channel="post")
    shop.declare("segment", "old", where="true", expires_on="2026-11-01")
    declare_offer(shop, "too_late", "old")
    shop.add("C1")
    shop.grant("C1", channel="post")
    night = run_night()
    assert "offer by_post: no trigger destination has channel post" in night.result.messages
    assert "offer too_late: segment old is not served any more" in night.result.messages
    assert night.fetch("select count(*) from ops.contact_log") == [(0,)]


def test_a_destination_may_carry_only_some_segments(shop: Marketing, run_night: Nights) -> None:
    shop.declare(
        "destination",
        "other_app",
        content="trigger",
        purpose="marketing",
        channel="push",
        segments=["elsewhere"],
        fields=[{"column": "customer_id", "header": "customer_id"}],
    )
    shop.declare("segment", "elsewhere", where="false", channel="push")
    shop.add("C1")
    shop.grant("C1")
    night = run_night()
    assert night.manifest("other_app")["files"] == []
    assert night.fetch("select destination from ops.contact_log") == [("push",)]


def test_two_destinations_of_a_channel_count_as_one_contact(
    shop: Marketing, run_night: Nights
) -> None:
    fields: list[dict[str, Any]] = [{"column": "customer_id", "header": "customer_id"}]
    shop.declare(
        "destination", "watch", content="trigger", purpose="marketing", channel="push",
        fields=fields,
    )  # fmt: skip
    shop.add("C1")
    shop.grant("C1")
    settings = {"contact": {"cap_count": 2, "cap_days": 7, "global_holdout_share": 0.0}}
    first = run_night(DAY, publish=True, **settings)
    assert first.fetch("select destination from ops.contact_log order by all") == [
        ("push",),
        ("watch",),
    ]
    declare_offer(shop, "second", "nudge")
    second = run_night(DAY + timedelta(days=1), **settings)
    assert second.customers("push", "second.csv") == ["C1"]


def test_a_placeholder_that_does_not_exist_stops_the_night(
    shop: Marketing, run_night: Nights
) -> None:
    declare_offer(shop, "boots_10_percent", "nudge", message="off {boot_name}")
    shop.add("C1")
    with pytest.raises(ConfigError, match="`boots_name`"):
        run_night()
