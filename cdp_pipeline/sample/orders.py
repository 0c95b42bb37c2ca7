"""Web orders and their lines, delivered again whenever they change.

The order files belong here. The clicks that led to an order are in ``sessions``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import (
    Bools,
    Ints,
    Texts,
    happens,
    hash_numbers,
    join_texts,
    number_texts,
    open_stream,
    positions_in_groups,
)
from cdp_pipeline.sample.baskets import Lines
from cdp_pipeline.sample.catalogue import Catalogue, Promotions
from cdp_pipeline.sample.contacts import (
    Contacts,
    write_cities,
    write_countries,
    write_postcodes,
    write_streets,
)
from cdp_pipeline.sample.deliveries import DatedRows
from cdp_pipeline.sample.descriptions import Description, Manners, describe_people
from cdp_pipeline.sample.membership import Holdings
from cdp_pipeline.sample.people import People, household_heads
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    choice_column,
    lookup_column,
    moment_column,
    money_column,
    number_column,
    text_column,
)
from cdp_pipeline.sample.returns import Undone
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.visits import Visits

STATUSES = ("paid", "shipped", "cancelled", "returned")
PAID, SHIPPED, CANCELLED, RETURNED = range(len(STATUSES))
MANNERS = Manners(
    short_name=0.05, lacks_birth=1.0, lacks_email=0.0, junk=0.0, lacks_phone=0.15,
    former_address=0.25, former_name=0.3, second_email=0.25, email_slip=0.006,
)  # fmt: skip
_GUEST_SHARE = 0.28
_BORROWED_SHARE = 0.03
_GIFT_SHARE = 0.07
_COLLECT_SHARE = 0.22
_FREE_SHIPPING_PENCE, _SHIPPING_PENCE = 5000, 395
_TOKEN_SALT = 11


@dataclass(frozen=True)
class Orders:
    """Web orders, ordered by the moment of ordering.

    Attributes:
        visit: Visit of each order.
        order_id: ``W`` and eight digits.
        account: Account it was placed with; -1 for guests.
        day: Day of ordering.
        second: London second of that day.
        person: True buyer.
    """

    visit: Ints
    order_id: Texts
    account: Ints
    day: Ints
    second: Ints
    person: Ints

    def __len__(self) -> int:
        """Return the number of orders."""
        return len(self.visit)


def place_orders(
    visits: Visits, people: People, accounts: Holdings, timeline: Timeline, seed: int
) -> Orders:
    """Return the web orders up to the last night."""
    rng = open_stream(seed, "orders")
    visit = np.flatnonzero((visits.store < 0) & (visits.day <= timeline.last_day)).astype(np.int64)
    person, day = visits.person[visit], visits.day[visit]
    count = len(visit)
    own = accounts.held_on(rng, person, day)
    as_guest = happens(rng, _GUEST_SHARE, count) & ~people.is_cast[person]
    head = household_heads(people.household)[person]
    borrowed = accounts.held_on(rng, head, day)
    borrows = happens(rng, _BORROWED_SHARE, count) & (borrowed >= 0) & ~people.is_cast[person]
    account = np.where(as_guest, -1, np.where(borrows, borrowed, own))
    ids = join_texts("W", number_texts(np.arange(count) * 7 + 100_003, 8))
    return Orders(visit, ids, account, day, visits.second[visit], person)


@dataclass(frozen=True)
class OrderBook:
    """What the order files are written from."""

    orders: Orders
    lines: Lines
    undone: Undone
    people: People
    contacts: Contacts
    accounts: Holdings
    catalogue: Catalogue
    promotions: Promotions
    timeline: Timeline

    @property
    def line_range(self) -> tuple[Ints, Ints]:
        """First line of each order, and the one after its last."""
        visit = self.orders.visit
        begin = np.searchsorted(self.lines.visit, visit)
        return begin, np.searchsorted(self.lines.visit, visit, side="right")

    @property
    def posted_day(self) -> Ints:
        """Day on which goods of each order came back by post; -1 for none."""
        by_post = self.undone.line[self.undone.by_post]
        day = np.full(int(self.orders.visit[-1]) + 1 if len(self.orders) else 0, -1)
        inside = self.lines.visit[by_post] < len(day)
        day[self.lines.visit[by_post][inside]] = self.undone.day[self.undone.by_post][inside]
        return day[self.orders.visit]


def write_orders(book: OrderBook, seed: int) -> DatedRows:
    """Return the rows of ``ecommerce_orders``: each order in its newest state per delivery."""
    rng = open_stream(seed, "order file")
    timeline = book.timeline
    order, status, moment = _list_states(rng, book)
    delivered = timeline.delivered_on(moment // SECONDS_PER_DAY)
    kept = _newest_by_delivery(order, delivered, moment)
    order, status, moment, delivered = order[kept], status[kept], moment[kept], delivered[kept]
    base = _describe_orders(rng, book)
    index = pa.array(order)
    columns = {name: column.take(index) for name, column in base.items()}
    columns["updated_at"] = moment_column(timeline.dates, timeline.to_utc(moment))
    columns["status"] = choice_column(list(STATUSES), status)
    ordered = pa.table({name: columns[name] for name in HEADER})
    return DatedRows(ordered, delivered)


HEADER = (
    "order_id", "ordered_at", "updated_at", "status", "account_id", "email", "first_name",
    "last_name", "phone", "ship_street", "ship_city", "ship_postcode", "ship_country",
    "click_collect_store_id", "promotion_id", "shipping_amount", "order_amount", "currency",
    "payment_token",
)  # fmt: skip


def write_order_lines(book: OrderBook) -> DatedRows:
    """Return the rows of ``ecommerce_order_lines``; a return by post sends the line again."""
    orders, lines, timeline = book.orders, book.lines, book.timeline
    begin, end = book.line_range
    order = np.repeat(np.arange(len(orders)), end - begin)
    line = np.repeat(begin, end - begin) + positions_in_groups(order)
    number = positions_in_groups(order) + 1
    ordered = orders.day[order] * SECONDS_PER_DAY + orders.second[order]
    posted = np.zeros(len(lines), dtype=np.bool_)
    posted[book.undone.line[book.undone.by_post]] = True
    back_day = book.posted_day[order]
    again = np.flatnonzero(posted[line] & (back_day >= 0) & (back_day <= timeline.last_day))
    row = np.concatenate([np.arange(len(line)), again]).astype(np.int64)
    is_again = np.arange(len(row)) >= len(line)
    moment = np.where(is_again, back_day[row] * SECONDS_PER_DAY + 39_600, ordered[row])
    delivered = timeline.delivered_on(moment // SECONDS_PER_DAY)
    kept = _newest_by_delivery(row, delivered, moment)
    row, is_again, moment, delivered = row[kept], is_again[kept], moment[kept], delivered[kept]
    goods = lines.take(line[row])
    table = pa.table(
        {
            "order_id": lookup_column(orders.order_id, order[row]),
            "line_no": number_column(number[row]),
            "sku": lookup_column(book.catalogue.sku, goods.product),
            "quantity": number_column(goods.quantity),
            "unit_price": money_column(goods.unit_price),
            "discount_amount": money_column(goods.discount),
            "line_amount": money_column(goods.amount),
            "returned_quantity": number_column(np.where(is_again, goods.quantity, 0)),
            "updated_at": moment_column(timeline.dates, timeline.to_utc(moment)),
        }
    )
    return DatedRows(table, delivered)


def _list_states(rng: np.random.Generator, book: OrderBook) -> tuple[Ints, Ints, Ints]:
    """Return every state of every order up to the last night: order, status, London moment."""
    orders = book.orders
    count = len(orders)
    everyone = np.arange(count)
    placed = orders.day * SECONDS_PER_DAY + orders.second
    cancelled: Bools = book.undone.cancelled[orders.visit]
    shipped = (orders.day + rng.integers(1, 4, count)) * SECONDS_PER_DAY + 36_000
    settled = np.where(cancelled, placed + 7200, shipped + rng.integers(0, 20_000, count))
    posted = book.posted_day
    came_back = np.flatnonzero(posted >= 0)
    order = np.concatenate([everyone, everyone, came_back]).astype(np.int64)
    status = np.concatenate(
        [
            np.full(count, PAID),
            np.where(cancelled, CANCELLED, SHIPPED),
            np.full(len(came_back), RETURNED),
        ]
    )
    moment = np.concatenate([placed, settled, posted[came_back] * SECONDS_PER_DAY + 39_600])
    known = np.flatnonzero(moment // SECONDS_PER_DAY <= book.timeline.last_day)
    return order[known], status[known], moment[known]


def _newest_by_delivery(key: Ints, delivered: Ints, moment: Ints) -> Ints:
    """Return the rows that are the newest of their key within a delivery, by delivery and key."""
    rows = np.lexsort((moment, key, delivered))
    same_next = (key[rows][:-1] == key[rows][1:]) & (delivered[rows][:-1] == delivered[rows][1:])
    return rows[~np.append(same_next, [False])] if len(rows) else rows


def _describe_orders(rng: np.random.Generator, book: OrderBook) -> dict[str, pa.Array]:
    orders = book.orders
    count = len(orders)
    who = describe_people(book.people, book.contacts, orders.person, MANNERS, rng)
    ship = _choose_addresses(rng, book, who)
    begin, end = book.line_range
    totals = np.concatenate([[0], np.cumsum(book.lines.amount)])
    goods = totals[end] - totals[begin]
    collects = happens(rng, _COLLECT_SHARE, count)
    shipping = np.where(collects | (goods >= _FREE_SHIPPING_PENCE), 0, _SHIPPING_PENCE)
    stores = [f"S{number + 1:03d}" for number in range(12)]
    promotion = book.lines.promotion[begin] if count else np.zeros(0, dtype=np.int64)
    token = hash_numbers(orders.person * 2 + happens(rng, 0.2, count), _TOKEN_SALT)
    placed = orders.day * SECONDS_PER_DAY + orders.second
    return {
        "order_id": text_column(orders.order_id),
        "ordered_at": moment_column(book.timeline.dates, book.timeline.to_utc(placed)),
        "account_id": lookup_column(book.accounts.number, orders.account),
        "email": text_column(who.email),
        "first_name": text_column(who.first_name),
        "last_name": text_column(who.last_name),
        "phone": text_column(who.phone),
        "ship_street": text_column(ship[0]),
        "ship_city": text_column(ship[1]),
        "ship_postcode": text_column(ship[2]),
        "ship_country": text_column(ship[3]),
        "click_collect_store_id": lookup_column(
            stores, np.where(collects, book.contacts.home_store[orders.person], -1)
        ),
        "promotion_id": lookup_column(book.promotions.promotion_id, promotion),
        "shipping_amount": money_column(shipping),
        "order_amount": money_column(goods + shipping),
        "currency": pa.array(["GBP"] * count, type=pa.string()),
        "payment_token": text_column(token, happens(rng, 0.8, count)),
    }


def _choose_addresses(
    rng: np.random.Generator, book: OrderBook, who: Description
) -> tuple[Texts, Texts, Texts, Texts]:
    """Return where each order goes: home, or to someone else as a gift."""
    count = len(who.owner)
    friend = rng.integers(0, len(book.people), count)
    gift = happens(rng, _GIFT_SHARE, count) & ~book.people.is_cast[who.owner]
    there = book.contacts.address.take(friend)
    return (
        np.where(gift, write_streets(there), who.street),
        np.where(gift, write_cities(there), who.city),
        np.where(gift, write_postcodes(there), who.postcode),
        np.where(gift, write_countries(there), who.country),
    )
