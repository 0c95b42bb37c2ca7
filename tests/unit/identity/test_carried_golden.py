"""Golden records carried from night to night are those that would be made anew."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.identity.golden import DAY, Statement, build, fill, open_warehouse, remember, rows

if TYPE_CHECKING:
    import duckdb

TABLES = (
    "golden_records",
    "golden_sources",
    "contact_claims",
    "golden_basis",
    "households",
    "household_changes",
)
MADE_OF = ("golden_records", "golden_sources", "contact_claims", "golden_basis")
UNHURRIED = {
    "deadline": None,
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
TURNS_13 = date(2013, 11, 22).isoformat()
"""Believed from the third night on."""


def maybe(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


VALUES = {
    "given_name": maybe("Ann", "Bob"),
    "family_name": maybe("Smith", "Jones"),
    "birth_date": maybe("1980-02-11", TURNS_13),
    "email": maybe("ann@web.de", "bob@web.de", "eve@web.de"),
    "phone": maybe("07700 900123", "020 7946 0000"),
    "street": maybe("1 High Street", "2 Low Road"),
    "postcode": maybe("HU1 1AA"),
    "loyalty_id": maybe("0071", "0072"),
    "tier": maybe("gold", "silver"),
    "account_id": maybe("A1", "A2"),
    "push_token": maybe("t1", "t2"),
    "joined_on": maybe("2020-02-02"),
}
KEYS = st.integers(0, 8)
CUSTOMERS = st.sampled_from(["C1", "C2", "C3", "C4", "C5", "C6"])
STATED = st.tuples(
    st.just("states"),
    KEYS,
    st.builds(
        lambda customer, kind, moment, values: Statement(
            "", customer, kind, updated_at=moment, values=values
        ),
        CUSTOMERS,
        st.sampled_from(["loyalty", "account", "order", "contact", "receipt"]),
        maybe(datetime(2024, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001 - UTC by contract
        st.fixed_dictionaries(VALUES),
    ),
)
NEWS = st.one_of(
    STATED,
    st.tuples(st.just("belongs to"), KEYS, CUSTOMERS),
    st.tuples(st.just("is delivered again"), KEYS, st.none()),
    st.tuples(st.just("is gone"), KEYS, st.none()),
    st.tuples(st.just("reads"), KEYS, st.just("open")),
    st.tuples(st.just("bounces"), KEYS, st.just("bounce")),
    st.tuples(st.just("is merged with"), CUSTOMERS, CUSTOMERS),
    st.tuples(st.just("is erased"), CUSTOMERS, st.none()),
)
NIGHTS = st.lists(st.lists(NEWS, max_size=3), min_size=3, max_size=4)


@dataclass
class Town:
    """Customers and what is said of them, night after night."""

    con: duckdb.DuckDBPyConnection = field(default_factory=open_warehouse)
    said: dict[int, Statement] = field(default_factory=dict)
    events: list[tuple[int, str, date]] = field(default_factory=list)
    day: date = DAY
    unlike: list[tuple[date, str]] = field(default_factory=list)
    """Nights and tables whose carried rows were not those made anew."""

    def hear(self, what: str, which: Any, more: Any) -> None:
        if what == "states":
            key = f"k{which}"
            self.said[which] = replace(
                more, key=key, delivered_on=self.day, first_seen_on=self._first_seen(which)
            )
        elif what == "is merged with":
            for number, statement in self.said.items():
                if statement.customer == which:
                    self.said[number] = replace(statement, customer=more)
        elif what == "is erased":
            self._erase(which)
        elif which not in self.said:
            return
        elif what == "belongs to":
            self.said[which] = replace(self.said[which], customer=more)
        elif what == "is delivered again":
            self.said[which] = replace(self.said[which], delivered_on=self.day)
        elif what == "is gone":
            del self.said[which]
        else:
            self.events.append((which, more, self.day))

    def _first_seen(self, which: int) -> date:
        known = self.said.get(which)
        return known.first_seen_on if known else self.day

    def _erase(self, customer: str) -> None:
        self.said = {n: s for n, s in self.said.items() if s.customer != customer}
        self.events = [event for event in self.events if event[0] in self.said]
        for table in MADE_OF:
            owner = f" or owner_id = '{customer}'" if table == "contact_claims" else ""
            self.con.execute(
                f"delete from base.identity.{table} where customer_id = '{customer}'{owner}"
            )
        self.con.execute(
            f"delete from base.identity.households where head_customer_id = '{customer}'"
        )

    def night(self) -> int:
        """Make tonight's golden records both ways, note where they differ, and remember them.

        Returns how many customers were made anew.
        """
        for table in ("identity.customer_map", "identity.records", "staging.person_records"):
            self.con.execute(f"delete from {table}")
        self.con.execute("delete from staging.email_events")
        fill(self.con, self.said.values())
        for number, event, day in self.events:
            self.con.execute(
                "insert into staging.email_events values ('shop', ?, ?, ?, false)",
                [f"k{number}", day, event],
            )
        made = build(self.con, day=self.day, is_carried=True)
        carried = self.tables()
        build(self.con, day=self.day, is_carried=False)
        anew = self.tables()
        self.unlike += [(self.day, name) for name in TABLES if carried[name] != anew[name]]
        remember(self.con)
        self.day += timedelta(days=1)
        return made

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table: rows(self.con, f"from identity.{table} order by all") for table in TABLES}

    def one(self, column: str) -> list[tuple[Any, ...]]:
        return rows(
            self.con, f"select customer_id, {column} from identity.golden_records order by all"
        )


def live(nights: list[list[tuple[str, Any, Any]]]) -> Town:
    town = Town()
    town.night()
    for news in nights:
        for what, which, more in news:
            town.hear(what, which, more)
        town.night()
    return town


TOWNS = (st.lists(STATED, min_size=4, max_size=9), NIGHTS)


@pytest.mark.slow
@settings(max_examples=2, **UNHURRIED)
@given(*TOWNS)
def test_carried_are_as_made_anew(
    first: list[tuple[str, Any, Any]], nights: list[list[tuple[str, Any, Any]]]
) -> None:
    assert live([first, *nights]).unlike == []


@pytest.mark.long
@settings(max_examples=12, **UNHURRIED)
@given(*TOWNS)
def test_carried_are_as_made_anew_in_many_towns(
    first: list[tuple[str, Any, Any]], nights: list[list[tuple[str, Any, Any]]]
) -> None:
    assert live([first, *nights]).unlike == []


def account(customer: str, **values: object) -> Statement:
    return Statement("", customer, "account", values=values)


def test_the_same_news_of_two_records_do_not_cancel_out() -> None:
    town = Town()
    for number in (0, 1):
        town.hear("states", number, account("C1", given_name="Ann", email="ann@web.de"))
    town.hear("states", 2, account("C1", given_name="Ann", email="bob@web.de"))
    assert [town.night(), town.night()] == [1, 0]
    town.hear("bounces", 0, "bounce")
    assert town.night() == 1, "both records state the mailbox that bounced"
    assert town.one("email") == [("C1", "bob@web.de")]
    assert town.unlike == []


def test_only_whom_news_concern_are_made_anew() -> None:
    """One life of a town."""
    town = Town()
    for number, statement in enumerate(
        (
            account("C1", given_name="Ann", email="ann@web.de"),
            account("C2", given_name="Bob", email="ann@web.de"),
            account("C3", given_name="Cat", birth_date=TURNS_13),
        )
    ):
        town.hear("states", number, statement)
    assert [town.night(), town.night()] == [3, 2], "owners of last night have the better claim"
    assert town.one("birth_date")[2] == ("C3", None)
    assert town.night() == 1, "somebody is 13 years old"
    assert town.one("birth_date")[2] == ("C3", date.fromisoformat(TURNS_13))

    assert town.one("email")[:2] == [("C1", "ann@web.de"), ("C2", None)]
    town.hear("reads", 1, "open")
    assert town.night() == 2, "whoever states the mailbox that was read"

    town.hear("states", 2, account("C3", given_name="Kate"))
    town.hear("is erased", "C1", None)
    assert town.night() == 2, "who said something, and who shared a mailbox with the erased"
    assert town.one("email") == [("C2", "ann@web.de"), ("C3", None)]

    town.hear("is delivered again", 1, None)
    assert town.night() == 0, "the same once more"
    stated = "select stated_on from identity.golden_sources where customer_id = 'C2'"
    assert {day for (day,) in rows(town.con, stated)} == {town.day - timedelta(days=1)}
    first = "select first_seen_on from identity.golden_records where customer_id = 'C2'"
    assert rows(town.con, first) == [(DAY,)]
    assert town.unlike == []
