"""The events of the web shop: pages, looks, searches, carts, check-outs, logins.

How a session unfolds into events belongs here; sessions come from ``sessions``.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import (
    Ints,
    Texts,
    happens,
    hash_numbers,
    open_stream,
    positions_in_groups,
    positions_in_runs,
)
from cdp_pipeline.sample.baskets import draw_looks
from cdp_pipeline.sample.catalogue import BOOTS
from cdp_pipeline.sample.deliveries import DatedRows
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    choice_column,
    lookup_column,
    moment_column,
    text_column,
)
from cdp_pipeline.sample.sessions import (
    AT_ONCE,
    DEVICES,
    MIDWAY,
    NO_LOGIN,
    TABLET,
    Sessions,
    WebShop,
)

EVENT_TYPES = (
    "page_view", "product_view", "search", "add_to_cart", "checkout", "purchase", "login",
    "logout",
)  # fmt: skip
PAGE, LOOK, SEARCH, CART, CHECKOUT, PURCHASE, LOGIN, LOGOUT = range(len(EVENT_TYPES))
_PAGES = {PAGE: "/", SEARCH: "/search", CART: "/basket", CHECKOUT: "/checkout",
          PURCHASE: "/thank-you", LOGIN: "/login", LOGOUT: "/logout"}  # fmt: skip
# Place within a session: the entrance, looks from 10 on in steps of two, then the cart and so on.
_ENTRANCE, _EARLY_LOGIN, _SEARCHED, _LOOKED, _STEP = 0, 1, 5, 10, 2
_CART, _CHECKOUT, _PURCHASE, _LOGOUT, _NEVER = 40, 50, 60, 70, 1000
_LOGS_OUT_SHARE = 0.3
_EVENT_SALT, _SESSION_SALT = 41, 43


def write_web_events(shop: WebShop, sessions: Sessions, seed: int) -> DatedRows:
    """Return the rows of ``web_events`` up to the last night, ordered by session and moment."""
    rng = open_stream(seed, "web events")
    login_place = _place_logins(rng, sessions)
    session, kind, product, place = _unfold(rng, shop, sessions, login_place)
    turn = positions_in_groups(session)
    gaps = rng.integers(15, 110, len(session))
    gaps[turn == 0] = 0
    elapsed = np.cumsum(gaps)
    moment = sessions.start[session] + elapsed - elapsed[np.searchsorted(session, session)]
    bought = kind == PURCHASE
    # A purchase happens when the order says it does.
    order = sessions.order[session]
    ordered = np.append(shop.orders.day * SECONDS_PER_DAY + shop.orders.second, 0)[order]
    moment = np.where(bought, np.maximum(ordered, moment), moment)
    day = np.minimum(moment // SECONDS_PER_DAY, shop.timeline.last_day)
    delivered = shop.timeline.delivered_on(day)
    logged_in = place >= login_place[session]
    agreed = sessions.consents[session]
    rows = np.argsort(delivered, kind="stable")
    index = pa.array(rows)
    columns = _render(shop, sessions, session, kind, product)
    columns["occurred_at"] = _stamp(rng, shop, moment)
    columns["cookie_id"] = lookup_column(
        sessions.cookie_id, np.where(agreed, sessions.cookie[session], -1)
    )
    columns["account_id"] = lookup_column(
        shop.accounts.number, np.where(agreed & logged_in, sessions.account[session], -1)
    )
    columns["email_click_id"] = lookup_column(
        shop.clicks.event_id, np.where(agreed & (turn == 0), sessions.click[session], -1)
    )
    columns["consent_analytics"] = pa.array(agreed)
    table = pa.table({name: columns[name] for name in HEADER}).take(index)
    return DatedRows(table, delivered[rows])


HEADER = (
    "event_id", "occurred_at", "cookie_id", "account_id", "session_id", "event_type", "url",
    "sku", "search_terms", "order_id", "email_click_id", "device", "consent_analytics",
)  # fmt: skip


def name_sessions(sessions: Sessions) -> Texts:
    """Return the number of each session as the web shop writes it."""
    return hash_numbers(np.arange(len(sessions)), _SESSION_SALT)


def _unfold(
    rng: np.random.Generator, shop: WebShop, sessions: Sessions, login_place: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return session, kind, product (-1 for none) and place of every event, in order."""
    count = len(sessions)
    every = np.arange(count)
    with_order = sessions.order >= 0
    searches = np.flatnonzero(happens(rng, 0.22, count))
    fills_cart = np.flatnonzero(with_order | happens(rng, 0.10, count))
    buys = np.flatnonzero(with_order)
    looks = np.repeat(every, sessions.looks)
    number = positions_in_runs(sessions.looks)
    seen = _look_around(rng, shop, sessions, looks, number)
    enters = np.flatnonzero(sessions.login != NO_LOGIN)
    at_shared = (sessions.login != NO_LOGIN) & (sessions.device == TABLET)
    leaves = np.flatnonzero(at_shared & happens(rng, _LOGS_OUT_SHARE, count))
    nothing = np.array([-1])
    parts: list[tuple[Ints, int, Ints, int | Ints]] = [
        (every, PAGE, nothing, _ENTRANCE),
        (searches, SEARCH, sessions.product[searches], _SEARCHED),
        (looks, LOOK, seen, _LOOKED + _STEP * number),
        (enters, LOGIN, nothing, login_place[enters]),
        (fills_cart, CART, sessions.product[fills_cart], _CART),
        (buys, CHECKOUT, nothing, _CHECKOUT),
        (buys, PURCHASE, nothing, _PURCHASE),
        (leaves, LOGOUT, nothing, _LOGOUT),
    ]
    full = [[np.broadcast_to(np.asarray(value), len(part[0])) for value in part] for part in parts]
    session, kind, product, place = (np.concatenate(column) for column in zip(*full, strict=True))
    order = np.lexsort((place, session))
    return (
        session[order].astype(np.int64),
        kind[order].astype(np.int64),
        product[order].astype(np.int64),
        place[order].astype(np.int64),
    )


def _look_around(
    rng: np.random.Generator, shop: WebShop, sessions: Sessions, session: Ints, number: Ints
) -> Ints:
    """Return the products seen: the one in mind, then neighbours of it or something else."""
    person, day = sessions.person[session], sessions.start[session] // SECONDS_PER_DAY
    other = draw_looks(rng, person, day, shop.temper, shop.catalogue, shop.timeline)
    boots = shop.catalogue.category == shop.catalogue.categories.index(BOOTS)
    # The cast looks at no other boots than the planned ones.
    focus = sessions.product[session]
    strays = shop.people.is_cast[person] & boots[other]
    return np.where((number == 0) | strays, focus, other)


def _place_logins(rng: np.random.Generator, sessions: Sessions) -> Ints:
    """Return the place of each session's login: at once, or after one of the looks."""
    look = (rng.random(len(sessions)) * sessions.looks).astype(np.int64)
    midway = _LOOKED + _STEP * look + 1
    kinds = [sessions.login == AT_ONCE, sessions.login == MIDWAY]
    return np.select(kinds, [np.full_like(midway, _EARLY_LOGIN), midway], _NEVER)


def _render(
    shop: WebShop, sessions: Sessions, session: Ints, kind: Ints, product: Ints
) -> dict[str, pa.Array]:
    catalogue = shop.catalogue
    shows = np.isin(kind, (LOOK, CART))
    pages = [_PAGES.get(number, "/") for number in range(len(EVENT_TYPES))]
    urls = np.concatenate([catalogue.url, np.array(pages)])
    page = np.where(kind == LOOK, product, len(catalogue.url) + kind)
    terms = np.strings.lower(np.array(catalogue.categories))
    category = np.where(kind == SEARCH, catalogue.category[product], -1)
    order = np.where(kind == PURCHASE, sessions.order[session], -1)
    everything = np.arange(len(session))
    visits = name_sessions(sessions)
    return {
        "event_id": text_column(hash_numbers(everything, _EVENT_SALT)),
        "session_id": lookup_column(visits, session),
        "event_type": choice_column(list(EVENT_TYPES), kind),
        "url": lookup_column(urls, page),
        "sku": lookup_column(catalogue.sku, np.where(shows, product, -1)),
        "search_terms": lookup_column(terms, category),
        "order_id": lookup_column(shop.orders.order_id, order),
        "device": choice_column(list(DEVICES), sessions.device[session]),
    }


def _stamp(rng: np.random.Generator, shop: WebShop, moment: Ints) -> pa.Array:
    seconds = moment_column(shop.timeline.dates, shop.timeline.to_utc(moment), ending=".")
    thousandths = lookup_column(
        [f"{number:03d}Z" for number in range(1000)], rng.integers(0, 1000, len(moment))
    )
    return pa.compute.binary_join_element_wise(seconds, thousandths, "")
