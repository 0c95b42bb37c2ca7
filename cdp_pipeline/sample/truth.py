"""What is true about a generated store, written beside the deliveries and never read by the nights.

Tables (Parquet):

- ``persons``: one row per person.
- ``households``: household and person.
- ``person_records``: source, record key and the person behind it. For ``pos_sales`` the key is the
  receipt and the person is the true buyer, whether or not the receipt names anyone; VOID and
  TRAINING receipts have none. For ``web_cookie`` it is the main user of the cookie.
- ``web_sessions``: the true person of each session of the web shop.
- ``cookie_users``: every user of a cookie with the number of sessions.
- ``mailboxes``: the mailing list's mailboxes and whose consent each is.
- ``future_purchases``: what each person buys in the days after the last night, before returns,
  without cancelled orders, shipping, bags and gift cards.
- ``journeys``: the planted winter-boots journeys.
- ``control_totals``: see ``total_tills``.
- ``faults``: bad and repeated rows by source, delivery and kind.

Only the truth's tables belong here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_pipeline.sample.arrays import Ints, Texts, join_texts, number_texts
from cdp_pipeline.sample.baskets import Lines
from cdp_pipeline.sample.catalogue import Catalogue
from cdp_pipeline.sample.contacts import Contacts, write_cities, write_postcodes
from cdp_pipeline.sample.journeys import (
    BOUGHT,
    COMPLETE,
    MACHINE_ONLY,
    REASONS,
    Journeys,
)
from cdp_pipeline.sample.mailings import Readers
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.receipts import ReceiptLines, Receipts
from cdp_pipeline.sample.redemptions import plan_redemptions
from cdp_pipeline.sample.rendering import SECONDS_PER_DAY, money_column, text_column
from cdp_pipeline.sample.returns import Undone
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.sessions import Sessions
from cdp_pipeline.sample.tills import (
    BAD_DATE,
    BAD_QUANTITY,
    RAGGED,
    TillFile,
    is_counted,
)
from cdp_pipeline.sample.visits import Visits

_FAULTS = {BAD_DATE: "bad_date", BAD_QUANTITY: "bad_quantity", RAGGED: "ragged"}


def name_persons(person: Ints) -> Texts:
    """Return person ids such as ``P0000042``."""
    return join_texts("P", number_texts(person, 7))


def save_truth(tables: dict[str, pa.Table], folder: Path) -> None:
    """Write each table as ``<name>.parquet``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")


def list_persons(people: People, contacts: Contacts) -> dict[str, pa.Table]:
    """Return ``persons`` and ``households``."""
    person = text_column(name_persons(np.arange(len(people))))
    household = text_column(join_texts("H", number_texts(people.household, 6)))
    persons = pa.table(
        {
            "person_id": person,
            "household_id": household,
            "true_first_name": text_column(people.first_name),
            "true_last_name": text_column(people.last_name),
            "former_last_name": text_column(people.former_name),
            "birth_date": pa.array(people.birth_date.astype("datetime64[D]")),
            "sex": text_column(np.where(people.is_female, "F", "M")),
            "home_store_id": text_column(join_texts("S", number_texts(contacts.home_store + 1, 3))),
            "email": text_column(contacts.email),
            "mobile": text_column(contacts.mobile),
            "city": text_column(write_cities(contacts.address)),
            "postcode": text_column(write_postcodes(contacts.address)),
            "has_moved": pa.array(people.has_moved),
        }
    )
    return {
        "persons": persons,
        "households": pa.table({"household_id": household, "person_id": person}),
    }


def list_records(parts: list[tuple[str, Texts, Ints]]) -> pa.Table:
    """Return ``person_records`` from (source, keys, persons) in the given order."""
    return pa.concat_tables(
        [
            pa.table(
                {
                    "source": pa.array([source] * len(keys), type=pa.string()),
                    "record_key": text_column(keys),
                    "person_id": text_column(name_persons(owner)),
                }
            )
            for source, keys, owner in parts
        ]
    )


def list_cookie_users(sessions: Sessions) -> tuple[pa.Table, tuple[Texts, Ints]]:
    """Return ``cookie_users``, and each cookie with its main user.

    Only cookies that were delivered count: those of sessions with consent.
    """
    known = sessions.consents
    pairs = np.stack([sessions.cookie[known], sessions.person[known]], axis=1)
    distinct, count = np.unique(pairs, axis=0, return_counts=True)
    cookie, person = distinct[:, 0].astype(np.int64), distinct[:, 1].astype(np.int64)
    order = np.lexsort((person, -count, cookie))
    main = order[np.concatenate([[True], cookie[order][1:] != cookie[order][:-1]])[: len(order)]]
    table = pa.table(
        {
            "cookie_id": text_column(sessions.cookie_id[cookie]),
            "person_id": text_column(name_persons(person)),
            "sessions": pa.array(count),
        }
    )
    return table, (sessions.cookie_id[cookie[main]], person[main])


def list_sessions(sessions: Sessions, names: Texts) -> pa.Table:
    """Return ``web_sessions``; the cookie is null where the visitor did not agree to analytics."""
    cookie = text_column(sessions.cookie_id[sessions.cookie], sessions.consents)
    return pa.table(
        {
            "session_id": text_column(names),
            "person_id": text_column(name_persons(sessions.person)),
            "cookie_id": cookie,
            "has_consent": pa.array(sessions.consents),
        }
    )


def list_mailboxes(readers: Readers) -> pa.Table:
    """Return ``mailboxes``."""
    return pa.table(
        {
            "email": text_column(readers.email),
            "person_id": text_column(name_persons(readers.person)),
        }
    )


def list_future(visits: Visits, lines: Lines, undone: Undone, timeline: Timeline) -> pa.Table:
    """Return ``future_purchases``, ordered by day."""
    totals = np.bincount(lines.visit, weights=lines.amount, minlength=len(visits))
    later = np.flatnonzero((visits.day > timeline.last_day) & ~undone.cancelled)
    return pa.table(
        {
            "person_id": text_column(name_persons(visits.person[later])),
            "purchased_on": pa.array(timeline.dates[visits.day[later]]),
            "channel": text_column(np.where(visits.store[later] < 0, "web", "store")),
            "amount": _pounds(np.rint(totals[later]).astype(np.int64)),
        }
    )


def list_journeys(journeys: Journeys, catalogue: Catalogue, timeline: Timeline) -> pa.Table:
    """Return ``journeys``; moments are UTC, null where the step is missing.

    ``ready_on`` is the night on which the last step is known: a complete journey is expected to
    trigger on nights from ``ready_on`` to the last one, or to the day before ``redeemed_on``, on
    which the boots were bought with the offer that the trigger brought.
    """
    looked = journeys.looked_day * SECONDS_PER_DAY + journeys.looked_second
    opened = journeys.mail_day * SECONDS_PER_DAY + journeys.open_second
    visits = journeys.visit_day >= 0
    opens = journeys.reason != MACHINE_ONLY
    dates = timeline.dates
    visited = dates[np.maximum(journeys.visit_day, 0)]
    redemptions = plan_redemptions(journeys, timeline)
    bought_day = np.zeros(len(journeys), dtype=np.int64)
    bought_day[redemptions.journey] = redemptions.day
    redeems = bought_day > 0
    return pa.table(
        {
            "person_id": text_column(name_persons(journeys.person)),
            "sku": text_column(catalogue.sku[journeys.product]),
            "browsed_at": _moments(timeline, looked),
            "visited_on": pa.array(visited, mask=~visits),
            "opened_at": pa.array(_moments(timeline, opened).to_numpy(), mask=~opens),
            "expected_trigger": pa.array(journeys.reason == COMPLETE),
            "bought": pa.array((journeys.reason == BOUGHT) | redeems),
            "redeemed_on": pa.array(dates[bought_day], mask=~redeems),
            "has_push_token": pa.array(journeys.has_token),
            "ready_on": pa.array(dates[journeys.mail_day]),
            "reason": text_column(np.array(REASONS)[journeys.reason]),
        }
    )


def total_tills(
    receipts: Receipts, lines: ReceiptLines, file: TillFile, timeline: Timeline
) -> pa.Table:
    """Return ``control_totals``: what the tills themselves report for each store and day.

    Counted are the rows of type SALE and RETURN that were delivered up to the last night, each
    once: the second copy of a repeated receipt is not counted, nor are rows that arrive damaged
    (bad date, ``one`` as quantity, ragged), nor VOID and TRAINING receipts. The day is that of
    ``till_time``, also for store-days that arrive a night late. ``receipts`` counts receipts with
    at least one such row, ``net_amount`` adds their ``line_amount``, returns negative; carrier
    bags, gift cards and delivery fees are included.
    """
    line = file.line[is_counted(receipts, lines, file)]
    receipt = lines.receipt[line]
    place = receipts.day[receipt] * 100 + receipts.store[receipt]
    keys, index = np.unique(place, return_inverse=True)
    amount = np.rint(np.bincount(index, weights=lines.amount[line])).astype(np.int64)
    once = np.unique(receipt, return_index=True)[1]
    return pa.table(
        {
            "store_id": text_column(join_texts("S", number_texts(keys % 100 + 1, 3))),
            "business_date": pa.array(timeline.dates[keys // 100]),
            "receipts": pa.array(np.bincount(index[once], minlength=len(keys))),
            "lines": pa.array(np.bincount(index, minlength=len(keys))),
            "net_amount": _pounds(amount),
        }
    )


def count_faults(file: TillFile, timeline: Timeline) -> pa.Table:
    """Return ``faults``: rows of ``pos_sales`` that are damaged or repeated, by delivery."""
    rows: list[tuple[Any, str, int]] = []
    for day in timeline.delivery_days:
        here = file.delivered_day == day
        counts = {name: int(np.sum(here & (file.fault == code))) for code, name in _FAULTS.items()}
        counts["repeated"] = int(np.sum(here & file.repeated))
        rows += [(timeline.date_of(day), name, count) for name, count in counts.items()]
    return pa.table(
        {
            "source": pa.array(["pos_sales"] * len(rows), type=pa.string()),
            "delivered_on": pa.array([row[0] for row in rows], type=pa.date32()),
            "fault": pa.array([row[1] for row in rows], type=pa.string()),
            "rows": pa.array([row[2] for row in rows], type=pa.int64()),
        }
    )


def _pounds(pence: Ints) -> pa.Array:
    # Through text, not through a division: money stays exact.
    return money_column(pence).cast(pa.decimal128(18, 2))


def _moments(timeline: Timeline, seconds: Ints) -> pa.Array:
    start = np.datetime64(timeline.origin, "s")
    return pa.array(start + timeline.to_utc(seconds).astype("timedelta64[s]"))
