"""Visits to the web shop: who looks at what, on which device, known or not.

Sessions belong here; the single events they consist of are in ``web``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import Bools, Ints, Texts, happens, hash_numbers, open_stream, pick
from cdp_pipeline.sample.baskets import Lines, draw_looks
from cdp_pipeline.sample.catalogue import Catalogue
from cdp_pipeline.sample.journeys import Journeys
from cdp_pipeline.sample.mailings import Clicks
from cdp_pipeline.sample.membership import Holdings
from cdp_pipeline.sample.orders import Orders
from cdp_pipeline.sample.people import People, household_heads
from cdp_pipeline.sample.rendering import SECONDS_PER_DAY
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.visits import Temper, Visits, draw_seconds

DEVICES = ("desktop", "mobile", "tablet", "app")
DESKTOP, MOBILE, TABLET, APP = range(len(DEVICES))
CAST_SILENT_DAYS = 45
_DEVICE_SHARES = (0.30, 0.50, 0.12, 0.08)
_SESSIONS_PER_BROWSER = 3.0
_ROPO_SHARE = 0.14
_CONSENT_SHARE = 0.72
_LATEST_START = 23 * 3600
NO_LOGIN, AT_ONCE, MIDWAY = range(3)
_COOKIE_SALT = 23
_FOLLOWED_SHARE = 0.85
_FORWARDED_SHARE = 0.03
_INHERITS_SHARE = 0.08
_KIOSK_SHARE = 0.006


@dataclass(frozen=True)
class Sessions:
    """Sessions in the web shop, ordered by their start.

    Attributes:
        person: Who looks.
        start: London second since day 0.
        product: Product looked at first.
        order: Order placed in the session; -1 for none.
        device: Index into ``DEVICES``.
        cookie: Index into ``cookie_id``.
        consents: Agreed to analytics; otherwise neither cookie nor account is recorded.
        account: Account logged in with; -1 for none.
        login: NO_LOGIN, AT_ONCE or MIDWAY.
        looks: Number of products looked at, one or more.
        click: Click of an e-mail that led here, index into the shop's clicks; -1 for none.
        cookie_id: Cookie texts.
    """

    person: Ints
    start: Ints
    product: Ints
    order: Ints
    device: Ints
    cookie: Ints
    consents: Bools
    account: Ints
    login: Ints
    looks: Ints
    click: Ints
    cookie_id: Texts

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self.person)


@dataclass(frozen=True)
class _Starts:
    """Who starts a session when, about what; before devices and logins are known."""

    person: Ints
    start: Ints
    product: Ints
    order: Ints
    journey: Ints
    click: Ints

    def join(self, *others: _Starts) -> _Starts:
        parts = (self, *others)
        joined = _Starts(
            np.concatenate([part.person for part in parts]),
            np.concatenate([part.start for part in parts]),
            np.concatenate([part.product for part in parts]),
            np.concatenate([part.order for part in parts]),
            np.concatenate([part.journey for part in parts]),
            np.concatenate([part.click for part in parts]),
        )
        return joined.take(np.lexsort((joined.order, joined.person, joined.start)))

    def take(self, index: Ints) -> _Starts:
        return _Starts(
            self.person[index],
            self.start[index],
            self.product[index],
            self.order[index],
            self.journey[index],
            self.click[index],
        )


@dataclass(frozen=True)
class WebShop:
    """What sessions arise from."""

    people: People
    temper: Temper
    visits: Visits
    lines: Lines
    orders: Orders
    accounts: Holdings
    catalogue: Catalogue
    journeys: Journeys
    clicks: Clicks
    home_store: Ints
    timeline: Timeline


def browse_shop(shop: WebShop, seed: int) -> Sessions:
    """Return all sessions up to the last night."""
    rng = open_stream(seed, "sessions")
    natural = _research_before_visits(rng, shop).join(_wander(rng, shop), _follow_links(rng, shop))
    quiet = shop.timeline.last_day - CAST_SILENT_DAYS
    day = natural.start // SECONDS_PER_DAY
    kept = np.flatnonzero((day >= 0) & ~(shop.people.is_cast[natural.person] & (day > quiet)))
    starts = natural.take(kept).join(_order(rng, shop), _play_journeys(shop.journeys))
    return _equip(rng, shop, starts)


def _order(rng: np.random.Generator, shop: WebShop) -> _Starts:
    orders = shop.orders
    minutes = rng.integers(6, 30, len(orders))
    start = orders.day * SECONDS_PER_DAY + orders.second - minutes * 60
    product = shop.lines.product[np.searchsorted(shop.lines.visit, orders.visit)]
    index = np.arange(len(orders))
    nothing = np.full_like(index, -1)
    return _Starts(orders.person, np.maximum(start, 0), product, index, nothing, nothing)


def _research_before_visits(rng: np.random.Generator, shop: WebShop) -> _Starts:
    """Return sessions whose product is bought in a store some days later."""
    visits = shop.visits
    looks = (visits.store >= 0) & (visits.day <= shop.timeline.last_day) & (visits.journey < 0)
    looks &= shop.temper.uses_web[visits.person] & happens(rng, _ROPO_SHARE, len(visits))
    visit = np.flatnonzero(looks).astype(np.int64)
    days = np.minimum(rng.geometric(0.3, len(visit)), 7)
    start = (visits.day[visit] - days) * SECONDS_PER_DAY + _evening(rng, len(visit))
    product = shop.lines.product[np.searchsorted(shop.lines.visit, visit)]
    nothing = np.full(len(visit), -1)
    return _Starts(visits.person[visit], start, product, nothing, nothing, nothing)


def _follow_links(rng: np.random.Generator, shop: WebShop) -> _Starts:
    """Return sessions that begin with a click in an e-mail; a few were forwarded at home."""
    clicks = shop.clicks
    follows = happens(rng, _FOLLOWED_SHARE, len(clicks.person))
    follows &= clicks.moment % SECONDS_PER_DAY < _LATEST_START
    click = np.flatnonzero(follows).astype(np.int64)
    head = household_heads(shop.people.household)[clicks.person[click]]
    forwarded = happens(rng, _FORWARDED_SHARE, len(click))
    person = np.where(forwarded, head, clicks.person[click])
    start = clicks.moment[click] + rng.integers(1, 8, len(click))
    nothing = np.full(len(click), -1)
    return _Starts(person, start, clicks.product[click], nothing, nothing, click)


def _wander(rng: np.random.Generator, shop: WebShop) -> _Starts:
    """Return sessions without a purchase in mind: half of them in the weeks before a visit."""
    visits, people, timeline = shop.visits, shop.people, shop.timeline
    users = np.flatnonzero(shop.temper.uses_web)
    often = rng.gamma(0.7, _SESSIONS_PER_BROWSER / 2 / 0.7, len(users))
    person = np.repeat(users, rng.poisson(often))
    begin = np.maximum(people.arrival_day[person], 0)
    day = begin + (rng.random(len(person)) * (timeline.last_day + 1 - begin)).astype(np.int64)
    count = int(len(users) * _SESSIONS_PER_BROWSER / 2)
    near = np.flatnonzero(shop.temper.uses_web[visits.person] & (visits.day <= timeline.last_day))
    if len(near):
        visit = near[rng.integers(0, len(near), count)]
        person = np.concatenate([person, visits.person[visit]])
        day = np.concatenate([day, visits.day[visit] - rng.integers(1, 25, count)])
    day = np.maximum(day, 0)
    product = draw_looks(rng, person, day, shop.temper, shop.catalogue, timeline)
    nothing = np.full(len(person), -1)
    start = day * SECONDS_PER_DAY + _evening(rng, len(person))
    return _Starts(person.astype(np.int64), start, product, nothing, nothing, nothing)


def _play_journeys(journeys: Journeys) -> _Starts:
    return _Starts(
        journeys.person,
        journeys.looked_day * SECONDS_PER_DAY + journeys.looked_second,
        journeys.product,
        np.full(len(journeys), -1),
        np.arange(len(journeys)),
        np.full(len(journeys), -1),
    )


def _equip(rng: np.random.Generator, shop: WebShop, starts: _Starts) -> Sessions:
    """Give each session its device, cookie, consent and login."""
    people, journeys = shop.people, shop.journeys
    person, count = starts.person, len(starts.person)
    day = starts.start // SECONDS_PER_DAY
    clean = people.is_cast[person]
    planted = starts.journey >= 0
    agrees = happens(rng, _CONSENT_SHARE, len(people))[person] ^ happens(rng, 0.04, count)
    device = _choose_devices(rng, people, person)
    device, holder = _hand_over(rng, people, person, device, day)
    free = ~clean & ~planted & (starts.order < 0) & (starts.click < 0)
    at_kiosk = free & happens(rng, _KIOSK_SHARE, count)
    device = np.where(at_kiosk, TABLET, device)
    kiosk = np.where(at_kiosk, shop.home_store[person], -1)
    cookie, cookie_id = _bake_cookies(rng, len(people), holder, device, day, kiosk)
    own = shop.accounts.held_on(rng, person, day)
    with_order = starts.order >= 0
    ordered_as = np.append(shop.orders.account, -1)[starts.order]
    logs_in = (own >= 0) & happens(rng, np.where(device == APP, 1.0, 0.38), count)
    account = np.where(with_order, ordered_as, np.where(logs_in | planted, own, -1))
    login = np.where(account < 0, NO_LOGIN, np.where(device == APP, AT_ONCE, MIDWAY))
    first = np.append(journeys.logs_in_first, [False])[starts.journey]
    login = np.where(planted, np.where(first, AT_ONCE, MIDWAY), login)
    looks = np.minimum(rng.geometric(0.55, count), 8)
    return Sessions(
        person,
        starts.start,
        starts.product,
        starts.order,
        device,
        cookie,
        agrees | clean,
        account,
        login,
        looks,
        starts.click,
        cookie_id,
    )


def _choose_devices(rng: np.random.Generator, people: People, person: Ints) -> Ints:
    main = pick(rng, _DEVICE_SHARES, len(people))
    other = pick(rng, _DEVICE_SHARES, len(people))
    return np.where(happens(rng, 0.25, len(person)), other[person], main[person])


def _hand_over(
    rng: np.random.Generator, people: People, person: Ints, device: Ints, day: Ints
) -> tuple[Ints, Ints]:
    """Return devices and whose each session's device is: of tablets, the household's.

    Some get the desktop of the head of the household on some day; the head has a mobile then.
    """
    heads = household_heads(people.household)
    last = int(day.max(initial=0))
    inherits = happens(rng, _INHERITS_SHARE, len(people)) & (heads != np.arange(len(people)))
    since = np.where(inherits, rng.integers(0, last + 1, len(people)), last + 1)
    given_away = np.full(len(people), last + 1)
    np.minimum.at(given_away, heads, since)
    # Of several who would inherit, the first one does.
    inherits &= since == given_away[heads]
    on_desktop = device == DESKTOP
    device = np.where(on_desktop & (day >= given_away[person]), MOBILE, device)
    takes = on_desktop & inherits[person] & (day >= since[person])
    device = np.where(takes, DESKTOP, device)
    return device, np.where(takes | (device == TABLET), heads[person], person)


def _bake_cookies(
    rng: np.random.Generator,
    people: int,
    holder: Ints,
    device: Ints,
    day: Ints,
    kiosk: Ints,
) -> tuple[Ints, Texts]:
    """Return each session's cookie: of a device, renewed when it expires, or of a store's kiosk."""
    machine = holder * len(DEVICES) + device
    machines = people * len(DEVICES)
    lifetime = rng.integers(14, 190, machines)
    phase = rng.integers(0, 190, machines)
    age = (day + phase[machine]) // lifetime[machine]
    number = np.where(kiosk < 0, machine * 1000 + age, (machines + kiosk) * 1000)
    distinct, cookie = np.unique(number, return_inverse=True)
    return cookie.astype(np.int64), hash_numbers(distinct, _COOKIE_SALT)


def _evening(rng: np.random.Generator, count: int) -> Ints:
    return np.minimum(draw_seconds(rng, count, on_web=True), _LATEST_START)
