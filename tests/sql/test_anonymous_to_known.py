"""From cookies to people through all three models, where somebody could be taken for another.

Each case is a few events of one cookie, written as ``moment: who`` pairs; what is asked is whose
each event is in the end. Ann and Bob are of two households.
"""

from __future__ import annotations

from typing import Any

import pytest

from cdp_pipeline.project.lineage import find_tables
from cdp_pipeline.warehouse.build import build_model
from cdp_pipeline.warehouse.rendering import RenderValues, render_model

from .conftest import EmptyWarehouse
from .test_models import FRIDAY, fill, read

MODELS = ("core.fct_web_identifications", "core.bridge_cookie", "core.fct_web_events")
PEOPLE = [
    {"customer_id": "ann", "given_name": "Ann", "family_name": "Hay", "household_id": "H1"},
    {"customer_id": "bob", "given_name": "Bob", "family_name": "Low", "household_id": "H2"},
]
GIVEN: dict[str, list[dict[str, Any]]] = {
    "identity.golden_records": PEOPLE,
    "core.bridge_identity": [
        {"source": "shop", "record_key": who, "customer_id": who, "match_prob": 1.0}
        for who in ("ann", "bob")
    ],
    "staging.orders": [
        {"order_id": f"order of {who}", "person_source": "shop", "person_record_key": who}
        for who in ("ann", "bob")
    ],
    "staging.email_events": [
        {
            "source": "mail",
            "event_id": f"mail to {who}",
            "event_type": "click",
            "person_source": "shop",
            "person_record_key": who,
            "is_machine": False,
        }
        for who in ("ann", "bob")
    ],
}

Event = dict[str, Any]


def seen(moment: str, session: str = "s1", **shown: object) -> Event:
    """Return an event of the cookie, with consent unless said otherwise."""
    return {
        "source": "web",
        "event_id": moment,
        "occurred_at": f"2026-{moment}:00",
        "occurred_on": f"2026-{moment.split(' ', maxsplit=1)[0]}",
        "cookie_id": "cookie",
        "session_id": session,
        "event_type": "product_view",
        "has_consent": True,
        **shown,
    }


def login(who: str) -> Event:
    return {"event_type": "login", "person_source": "shop", "person_record_key": who}


def owners(warehouse: EmptyWarehouse, events: list[Event]) -> list[str | None]:
    """Return whose each event is, in the order of the events."""
    given = {**GIVEN, "staging.web_events": events}
    for name in MODELS:
        spec = warehouse.project.table(name)
        select = render_model(spec, RenderValues(FRIDAY, warehouse.settings))
        for table in find_tables(select, where=name):
            if table not in MODELS:
                fill(warehouse.con, table, given.get(table, []))
        build_model(warehouse.con, spec, select)
    rows = read(warehouse.con, MODELS[-1], ["event_id", "customer_id"])
    found: dict[str, str | None] = dict(rows)
    return [found[event["event_id"]] for event in events]


CASES = {
    "a late log-in reaches back over earlier sessions": (
        [seen("10-01 10:00"), seen("10-20 10:00", "s2"),
         seen("11-10 10:00", "s3", **login("ann"))],
        ["ann", "ann", "ann"],
    ),
    "a mail forwarded to a friend: what she did before she logged in is hers": (
        [seen("10-01 10:00", email_click_id="mail to bob"), seen("10-01 10:05"),
         seen("10-20 10:00", "s2"), seen("11-10 10:00", "s3", **login("ann"))],
        ["ann", "ann", "ann", "ann"],
    ),
    "a forwarded mail while the friend is logged in": (
        [seen("11-01 10:00", **login("ann")), seen("11-01 10:05", email_click_id="mail to bob"),
         seen("11-01 10:10")],
        ["ann", "ann", "ann"],
    ),
    "two people log in within one session": (
        [seen("11-01 10:00"), seen("11-01 10:05", **login("ann")), seen("11-01 10:10"),
         seen("11-01 10:15", **login("bob")), seen("11-01 10:20"), seen("11-02 10:00", "s2")],
        [None, "ann", "ann", "bob", "bob", None],
    ),
    "nobody is there between one's log-out and another's log-in": (
        [seen("11-01 10:05", **login("ann")),
         seen("11-01 10:10", **{**login("ann"), "event_type": "logout"}), seen("11-01 10:15"),
         seen("11-01 10:20", **login("bob"))],
        ["ann", "ann", None, "bob"],
    ),
    "a log-in without consent shows nobody, then or later": (
        [seen("11-01 10:00"), seen("11-01 10:05", has_consent=False, **login("ann")),
         seen("11-01 10:10"), seen("11-02 10:00", "s2")],
        [None, None, None, None],
    ),
    "what was done without consent stays nobody's after it was given": (
        [seen("11-01 10:00", has_consent=False), seen("11-02 10:00", "s2", **login("ann")),
         seen("11-03 10:00", "s3", has_consent=None)],
        [None, "ann", None],
    ),
    "an order by another person on the same device, on the same evening": (
        [seen("11-01 10:00"), seen("11-01 10:05", **login("ann")),
         seen("11-01 20:00", "s2"), seen("11-01 20:05", "s2", order_id="order of bob"),
         seen("11-02 10:00", "s3")],
        ["ann", "ann", "bob", "bob", None],
    ),
    "an order for which the buyer is logged in is hers, whoever receives it": (
        [seen("11-01 10:00", order_id="order of bob", person_source="shop",
              person_record_key="ann"), seen("11-01 10:05")],
        ["ann", "ann"],
    ),
    "an order that nobody placed shows nobody": (
        [seen("11-01 10:00", order_id="order of cat"), seen("11-01 10:05")],
        [None, None],
    ),
    "a device sold for good: each has her own time": (
        [seen("10-01 10:00", **login("ann")), seen("10-02 10:00", "s2"),
         seen("10-20 10:00", "s3"), seen("10-20 10:05", "s3", **login("bob")),
         seen("10-25 10:00", "s4", **login("bob")), seen("11-01 10:00", "s5")],
        ["ann", "ann", "bob", "bob", "bob", "bob"],
    ),
    "a device lent and given back": (
        [seen("10-01 10:00", **login("ann")), seen("10-12 10:00", "s2", **login("bob")),
         seen("10-13 10:00", "s3"), seen("10-25 10:00", "s4", **login("ann"))],
        ["ann", "bob", None, "ann"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES.keys())
def test_each_event_is_whose_it_is(
    warehouse: EmptyWarehouse, events: list[Event], expected: list[str | None]
) -> None:
    assert owners(warehouse, events) == expected


def test_a_kiosk_shows_only_who_logs_in(warehouse: EmptyWarehouse) -> None:
    """With one person more than a cookie may have, not even a session is somebody's."""
    settings = warehouse.settings.web.model_copy(update={"maximum_cookie_people": 1})
    kiosk = EmptyWarehouse(
        warehouse.con,
        warehouse.project,
        warehouse.settings.model_copy(update={"web": settings}),
    )
    events = [
        seen("11-01 10:00", **login("ann")),
        seen("11-01 10:05"),
        seen("11-09 10:00", "s2", **login("bob")),
        seen("11-20 10:00", "s3"),
    ]
    assert owners(kiosk, events) == ["ann", None, "bob", None]


def fleet(device: str, *, used_again: int, by_others: int) -> list[Event]:
    """Return events of cookies that Ann was first seen with; some show Bob on the second visit."""
    return [
        {
            **seen(moment, f"{device} {number} {visit}", **login(who)),
            "event_id": f"{device} {number} {visit}",
            "cookie_id": f"{device} {number}",
            "device": device,
        }
        for number in range(used_again)
        for visit, moment in enumerate(("10-01 10:00", "10-21 10:00"))
        for who in ("bob" if visit and number < by_others else "ann",)
    ]


def visits(count: int, device: str = "tablet") -> list[Event]:
    """Return visits in which Ann logs in, and one more in which nobody does."""
    shown = [seen(f"11-{day + 1:02} 10:00", f"s{day}", **login("ann")) for day in range(count)]
    return [{**event, "device": device} for event in [*shown, seen("11-20 10:00", "last")]]


@pytest.mark.parametrize(
    ("used", "visited", "last"),
    [
        (fleet("tablet", used_again=20, by_others=5), visits(1), None),
        (fleet("tablet", used_again=20, by_others=5), visits(3), None),
        (fleet("tablet", used_again=20, by_others=5), visits(4), "ann"),
        (fleet("tablet", used_again=20, by_others=5), visits(1, "mobile"), "ann"),
        (fleet("tablet", used_again=20, by_others=3), visits(1), "ann"),
        (fleet("tablet", used_again=18, by_others=9), visits(2), "ann"),
    ],
    ids=["one visit", "three", "four", "another device", "rarely others", "too few to tell"],
)
def test_with_devices_that_families_share_one_visit_says_nothing_of_the_next(
    warehouse: EmptyWarehouse, used: list[Event], visited: list[Event], last: str | None
) -> None:
    assert owners(warehouse, [*used, *visited])[-1] == last


def test_a_shared_tablet_is_not_handed_over(warehouse: EmptyWarehouse) -> None:
    events = [
        seen("10-01 10:00", "s1", device="tablet", **login("ann")),
        seen("10-20 10:00", "s2", device="tablet", **login("bob")),
        seen("11-01 10:00", "s3", device="tablet"),
    ]
    phones = [{**event, "device": "mobile"} for event in events]
    used = fleet("tablet", used_again=20, by_others=5)
    assert owners(warehouse, [*used, *events])[-3:] == ["ann", "bob", None]
    assert owners(warehouse, [*used, *phones])[-3:] == ["ann", "bob", "bob"]
