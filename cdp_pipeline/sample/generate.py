"""Assembles a generated department store: people, what they do, and the files that tell of it.

Only the order of the parts belongs here. The same spec always gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.sample.accounts import Registrations, register_accounts, write_accounts
from cdp_pipeline.sample.arrays import Ints, Texts, open_stream
from cdp_pipeline.sample.baskets import Lines, fill_baskets
from cdp_pipeline.sample.catalogue import (
    PROMOTION_DAYS,
    Catalogue,
    Promotions,
    announce_promotions,
    delist_products,
    list_stores,
    plan_promotions,
    stock_catalogue,
)
from cdp_pipeline.sample.consents import draw_attitudes
from cdp_pipeline.sample.contacts import Contacts, connect_people
from cdp_pipeline.sample.deliveries import DatedRows, Delivered, Landing, OwnedRows
from cdp_pipeline.sample.journeys import (
    REASONS,
    Journeys,
    arrange_baskets,
    count_cast,
    plan_journeys,
    plant_visits,
)
from cdp_pipeline.sample.loyalty import Membership, enrol_members, write_members
from cdp_pipeline.sample.mailings import (
    Clicks,
    Readers,
    list_clicks,
    list_readers,
    send_mails,
    write_mail_events,
)
from cdp_pipeline.sample.membership import Holdings, issue_cards, open_accounts
from cdp_pipeline.sample.orders import (
    OrderBook,
    Orders,
    place_orders,
    write_order_lines,
    write_orders,
)
from cdp_pipeline.sample.people import People, settle_people
from cdp_pipeline.sample.privacy_requests import write_requests
from cdp_pipeline.sample.receipts import ring_up
from cdp_pipeline.sample.redemptions import ring_up_redemptions
from cdp_pipeline.sample.returns import Undone, undo_purchases
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.service import write_contacts, write_social_events
from cdp_pipeline.sample.sessions import WebShop, browse_shop
from cdp_pipeline.sample.tills import RAGGED, Till, append_ragged, write_till_file
from cdp_pipeline.sample.truth import (
    count_faults,
    list_cookie_users,
    list_future,
    list_journeys,
    list_mailboxes,
    list_persons,
    list_records,
    list_sessions,
    save_truth,
    total_tills,
)
from cdp_pipeline.sample.visits import Temper, Visits, draw_tempers, simulate_visits
from cdp_pipeline.sample.web import name_sessions, write_web_events

FEWEST_CUSTOMERS = 50
FEWEST_HISTORY_DAYS = 30


@dataclass(frozen=True)
class StoreSpec:
    """Which store to generate.

    Attributes:
        customers: Number of persons.
        nights: Nights after the initial load.
        seed: Everything else being equal, another seed gives another store.
        first_night: Business date of the first night; the initial load is the day before.
        history_days: Days of history in the initial load, its own day included.
        future_days: Days of known future after the last night.
    """

    customers: int = 20_000
    nights: int = 3
    seed: int = 7
    first_night: date = date(2026, 11, 17)
    history_days: int = 730
    future_days: int = 180

    def timeline(self) -> Timeline:
        """Return the store's days.

        Raises:
            ConfigError: The store would be too small or too short to be one.
        """
        if self.customers < FEWEST_CUSTOMERS or self.history_days < FEWEST_HISTORY_DAYS:
            raise ConfigError(
                f"a store of {self.customers} customers and {self.history_days} days of history "
                "is too small to generate",
                where="StoreSpec",
                hint=f"ask for at least {FEWEST_CUSTOMERS} and {FEWEST_HISTORY_DAYS}",
            )
        if self.nights < 0 or self.future_days < 0:
            raise ConfigError(
                "nights and future_days count days and cannot be negative",
                where="StoreSpec",
                hint="use 0 for none",
            )
        start = self.first_night - timedelta(days=1)
        start_day = self.history_days - 1
        last_day = start_day + self.nights
        origin = start - timedelta(days=start_day)
        return Timeline(origin, start_day, last_day, last_day + self.future_days)


@dataclass(frozen=True)
class StoreSummary:
    """What was generated.

    Attributes:
        dates: Business dates of the deliveries: the initial load and each night.
        rows_by_source: Rows delivered by source, over all dates.
        files: Number of files.
        persons: Number of persons.
    """

    dates: tuple[date, ...]
    rows_by_source: dict[str, int]
    files: int
    persons: int


@dataclass(frozen=True)
class _World:
    """All that is decided before any file is written."""

    seed: int
    timeline: Timeline
    people: People
    contacts: Contacts
    cards: Holdings
    catalogue: Catalogue
    promotions: Promotions
    temper: Temper
    journeys: Journeys
    visits: Visits
    lines: Lines
    undone: Undone
    accounts: Holdings
    orders: Orders
    membership: Membership
    registrations: Registrations
    readers: Readers


Records = list[tuple[str, Texts, Ints]]


def generate_store(spec: StoreSpec, landing: Path, truth: Path) -> StoreSummary:
    """Generate a store: deliveries below ``landing``, what is true below ``truth``.

    Args:
        spec: Which store.
        landing: Folder for ``<source>/<date>/<file>``; files of the same name are replaced.
        truth: Folder for the Parquet tables described in ``truth``.

    Returns:
        Dates, rows and files.

    Raises:
        ConfigError: The spec asks for too small a store.
    """
    world = _make_world(spec)
    port = Landing(landing, world.timeline)
    try:
        delivered, records, tables = _deliver_all(world, port)
    finally:
        port.close()
    tables |= list_persons(world.people, world.contacts)
    tables["person_records"] = list_records(records)
    save_truth(tables, truth)
    return StoreSummary(
        dates=tuple(world.timeline.date_of(day) for day in world.timeline.delivery_days),
        rows_by_source={source: made.rows for source, made in delivered.items()},
        files=sum(len(made.files) for made in delivered.values()),
        persons=len(world.people),
    )


def _make_world(spec: StoreSpec) -> _World:
    seed, timeline = spec.seed, spec.timeline()
    complete, each = count_cast(spec.customers)
    cast_size = complete + each * (len(REASONS) - 1)
    people = settle_people(spec.customers, timeline, cast_size, seed)
    contacts = connect_people(people, timeline, seed)
    cards = issue_cards(people, timeline, seed)
    accounts = open_accounts(people, contacts, timeline, seed)
    catalogue = stock_catalogue(seed)
    promotions = plan_promotions(catalogue, timeline, seed)
    temper = draw_tempers(people, contacts, timeline, catalogue.department_share, seed)
    journeys = plan_journeys(people, catalogue, timeline, spec.customers, seed)
    visits = simulate_visits(people, contacts, temper, timeline, seed)
    visits = visits.join(plant_visits(journeys, contacts))
    lines = fill_baskets(visits, temper, catalogue, promotions, timeline, seed)
    lines = arrange_baskets(lines, visits, journeys, people, catalogue)
    attitudes = draw_attitudes(people, open_stream(seed, "attitudes"))
    membership = enrol_members(cards, people, contacts, attitudes, seed)
    registrations = register_accounts(
        (accounts, cards), people, contacts, attitudes, journeys, seed
    )
    return _World(
        seed,
        timeline,
        people,
        contacts,
        cards,
        catalogue,
        promotions,
        temper,
        journeys,
        visits,
        lines,
        undo_purchases(visits, lines, catalogue, people, seed),
        accounts,
        place_orders(visits, people, accounts, timeline, seed),
        membership,
        registrations,
        list_readers(membership, registrations, people, temper, timeline, seed),
    )


def _deliver_all(
    world: _World, port: Landing
) -> tuple[dict[str, Delivered], Records, dict[str, pa.Table]]:
    """Write all sources; return what was written, who is behind each record, and truth tables."""
    delivered = _deliver_masters(world, port)
    tables = {
        "mailboxes": list_mailboxes(world.readers),
        "future_purchases": list_future(world.visits, world.lines, world.undone, world.timeline),
        "journeys": list_journeys(world.journeys, world.catalogue, world.timeline),
    }
    records: Records = []
    delivered["pos_sales"] = _deliver_tills(world, port, records, tables)
    _deliver_registers(world, port, delivered, records)
    clicks = _deliver_mail(world, port, delivered)
    _deliver_web(world, clicks, port, delivered, records, tables)
    _deliver_small(world, port, delivered, records)
    return delivered, records, tables


def _deliver_masters(world: _World, port: Landing) -> dict[str, Delivered]:
    timeline = world.timeline
    # The range and the offers change with the second night and every fortnight from there.
    start = timeline.start_day
    days = [start, *range(start + 2, timeline.last_day + 1, PROMOTION_DAYS)]
    products = {day: delist_products(world.catalogue, turn) for turn, day in enumerate(days)}
    offers = {day: announce_promotions(world.promotions, day) for day in days}
    return {
        "products": port.deliver_whole("products", products),
        "stores": port.deliver_whole("stores", {start: list_stores()}),
        "promotions": port.deliver_whole("promotions", offers),
    }


def _deliver_tills(
    world: _World, port: Landing, records: Records, tables: dict[str, pa.Table]
) -> Delivered:
    receipts, lines = ring_up(
        world.visits, world.lines, world.undone, world.catalogue, world.timeline, world.seed
    )
    order_ids = np.full(len(world.visits), "", dtype="U9")
    order_ids[world.orders.visit] = world.orders.order_id
    till = Till(
        world.people,
        world.contacts,
        world.cards,
        world.visits,
        world.catalogue,
        world.promotions,
        world.timeline,
        order_ids,
    )
    file = write_till_file(till, receipts, lines, world.seed)
    receipts, lines, file = ring_up_redemptions(world.journeys, till, receipts, lines, file)
    whole = np.flatnonzero(file.fault != RAGGED)
    rows = DatedRows(file.table.take(pa.array(whole)), file.delivered_day[whole])
    made = port.deliver("pos_sales", rows)
    ragged = append_ragged(port, file)
    tables["control_totals"] = total_tills(receipts, lines, file, world.timeline)
    tables["faults"] = count_faults(file, world.timeline)
    known = np.flatnonzero(receipts.person >= 0)
    records.append(("pos_sales", receipts.receipt_id[known], receipts.person[known]))
    return Delivered(made.rows + ragged, made.files)


def _deliver_registers(
    world: _World, port: Landing, delivered: dict[str, Delivered], records: Records
) -> None:
    people, contacts, timeline = world.people, world.contacts, world.timeline
    members = write_members(world.membership, people, contacts, timeline, world.seed)
    delivered["loyalty_members"] = port.deliver("loyalty_members", members)
    records.append(("loyalty_members", world.cards.number, world.cards.owner))
    accounts = write_accounts(
        world.registrations, world.cards, people, contacts, timeline, world.seed
    )
    delivered["ecommerce_accounts"] = port.deliver("ecommerce_accounts", accounts)
    records.append(("ecommerce_accounts", world.accounts.number, world.accounts.owner))


def _deliver_web(
    world: _World,
    clicks: Clicks,
    port: Landing,
    delivered: dict[str, Delivered],
    records: Records,
    tables: dict[str, pa.Table],
) -> None:
    book = OrderBook(
        world.orders,
        world.lines,
        world.undone,
        world.people,
        world.contacts,
        world.accounts,
        world.catalogue,
        world.promotions,
        world.timeline,
    )
    delivered["ecommerce_orders"] = port.deliver("ecommerce_orders", write_orders(book, world.seed))
    delivered["ecommerce_order_lines"] = port.deliver(
        "ecommerce_order_lines", write_order_lines(book)
    )
    records.append(("ecommerce_orders", world.orders.order_id, world.orders.person))
    shop = WebShop(
        world.people,
        world.temper,
        world.visits,
        world.lines,
        world.orders,
        world.accounts,
        world.catalogue,
        world.journeys,
        clicks,
        world.contacts.home_store,
        world.timeline,
    )
    sessions = browse_shop(shop, world.seed)
    events = write_web_events(shop, sessions, world.seed)
    delivered["web_events"] = port.deliver("web_events", events)
    tables["web_sessions"] = list_sessions(sessions, name_sessions(sessions))
    tables["cookie_users"], (cookies, users) = list_cookie_users(sessions)
    records.append(("web_cookie", cookies, users))


def _deliver_mail(world: _World, port: Landing, delivered: dict[str, Delivered]) -> Clicks:
    mails = send_mails(
        world.readers, world.people, world.catalogue, world.journeys, world.timeline, world.seed
    )
    rows = write_mail_events(mails, world.readers, world.catalogue, world.timeline, world.seed)
    delivered["email_events"] = port.deliver("email_events", rows)
    return list_clicks(mails, world.readers)


def _deliver_small(
    world: _World, port: Landing, delivered: dict[str, Delivered], records: Records
) -> None:
    people, contacts, timeline, seed = world.people, world.contacts, world.timeline, world.seed
    parts: dict[str, OwnedRows] = {
        "crm_contacts": write_contacts(people, contacts, timeline, seed),
        "social_events": write_social_events(people, contacts, world.catalogue, timeline, seed),
        "privacy_requests": write_requests(
            people, contacts, world.cards, world.journeys, timeline, seed
        ),
    }
    for source, made in parts.items():
        delivered[source] = port.deliver(source, made.rows)
        records.append((source, made.key, made.owner))
