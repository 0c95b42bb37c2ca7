"""Planted journeys that go on: the offer arrived on the phone, and the boots were bought with it.

The generator knows on which night a complete journey is answered, since the pipeline's rule is
known; every other one of those people comes to her store on the next days and shows the offer. The
receipts are added after all others were drawn, so that nothing else of the store depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import Ints, Texts, join_texts, number_texts
from cdp_pipeline.sample.journeys import COMPLETE, Journeys
from cdp_pipeline.sample.receipts import SALE, ReceiptLines, Receipts
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    lookup_column,
    moment_column,
    money_column,
    text_column,
)
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.tills import HEADER, WELL_FORMED, Till, TillFile

OFFER = "winter_boots_10_percent"
"""Code on the receipt: the name of the offer in ``sql/marketing/offers``."""

_PERCENT_OFF = 10
_EACH = 2
_AT_NOON = 12 * 3600
_FIRST_NUMBER = 9001
"""Running number of these receipts: no store rings up so many on a day."""


@dataclass(frozen=True)
class Redemptions:
    """Who buys with the offer; one entry per receipt, ordered by day.

    Attributes:
        journey: Index of the planted journey.
        day: Day of the purchase.
    """

    journey: Ints
    day: Ints


def plan_redemptions(journeys: Journeys, timeline: Timeline) -> Redemptions:
    """Return every other complete journey whose answer leaves time to buy up to the last night."""
    answered = np.maximum(journeys.mail_day, timeline.start_day)
    in_time = (journeys.reason == COMPLETE) & journeys.has_token & (answered < timeline.last_day)
    journey = np.flatnonzero(in_time)[::_EACH].astype(np.int64)
    day = answered[journey] + 1
    order = np.argsort(day, kind="stable")
    return Redemptions(journey[order], day[order])


def ring_up_redemptions(
    journeys: Journeys,
    till: Till,
    receipts: Receipts,
    lines: ReceiptLines,
    file: TillFile,
) -> tuple[Receipts, ReceiptLines, TillFile]:
    """Return receipts, lines and till rows with those of the redemptions added."""
    planned = plan_redemptions(journeys, till.timeline)
    count = len(planned.day)
    person = journeys.person[planned.journey]
    product = journeys.product[planned.journey]
    store = till.contacts.home_store[person]
    price = till.catalogue.price[product]
    ones = np.ones(count, dtype=np.int64)
    added = Receipts(
        _number(till.timeline, planned.day, store),
        ones * SALE,
        person,
        ones * -1,
        planned.day,
        _AT_NOON + np.arange(count, dtype=np.int64) * 60,
        store,
    )
    goods = ReceiptLines(
        len(receipts) + np.arange(count, dtype=np.int64),
        ones,
        product,
        ones,
        price,
        price * _PERCENT_OFF // 100,
        ones * -1,
    )
    return (
        _join_receipts(receipts, added),
        _join_lines(lines, goods),
        _join_files(file, _write_rows(till, added, goods), planned.day, len(lines.receipt)),
    )


def _number(timeline: Timeline, day: Ints, store: Ints) -> Texts:
    compact = np.array([f"{timeline.date_of(int(number)):%y%m%d}" for number in day], dtype=np.str_)
    running = number_texts(_FIRST_NUMBER + np.arange(len(day)), 4)
    return join_texts("S", number_texts(store + 1, 3), "-", compact, "-", running)


def _write_rows(till: Till, receipts: Receipts, goods: ReceiptLines) -> pa.Table:
    count = len(receipts)
    card = till.cards.of_person[receipts.person, 0]
    empty = pa.nulls(count, pa.string())
    columns = dict.fromkeys(HEADER, empty) | {
        "receipt_id": text_column(receipts.receipt_id),
        "line_no": text_column(number_texts(goods.line_no)),
        "till_time": moment_column(
            till.timeline.dates,
            receipts.day * SECONDS_PER_DAY + receipts.second,
            divider=" ",
            ending="",
        ),
        "store_id": text_column(join_texts("S", number_texts(receipts.store + 1, 3))),
        "till_id": pa.array(["T01"] * count, pa.string()),
        "transaction_type": pa.array(["SALE"] * count, pa.string()),
        "sku": lookup_column(till.catalogue.sku, goods.code),
        "quantity": text_column(number_texts(goods.quantity)),
        "unit_price": money_column(goods.unit_price),
        "discount_amount": money_column(goods.discount),
        "line_amount": money_column(goods.amount),
        "promotion_id": pa.array([OFFER] * count, pa.string()),
        "tender": pa.array(["app"] * count, pa.string()),
        "loyalty_card_no": lookup_column(till.cards.number, card),
        "currency": pa.array(["GBP"] * count, pa.string()),
    }
    return pa.table({name: columns[name] for name in HEADER})


def _join_receipts(first: Receipts, second: Receipts) -> Receipts:
    return Receipts(
        np.concatenate([first.receipt_id, second.receipt_id]),
        np.concatenate([first.kind, second.kind]),
        np.concatenate([first.person, second.person]),
        np.concatenate([first.visit, second.visit]),
        np.concatenate([first.day, second.day]),
        np.concatenate([first.second, second.second]),
        np.concatenate([first.store, second.store]),
    )


def _join_lines(first: ReceiptLines, second: ReceiptLines) -> ReceiptLines:
    return ReceiptLines(
        np.concatenate([first.receipt, second.receipt]),
        np.concatenate([first.line_no, second.line_no]),
        np.concatenate([first.code, second.code]),
        np.concatenate([first.quantity, second.quantity]),
        np.concatenate([first.unit_price, second.unit_price]),
        np.concatenate([first.discount, second.discount]),
        np.concatenate([first.promotion, second.promotion]),
    )


def _join_files(file: TillFile, rows: pa.Table, day: Ints, first_line: int) -> TillFile:
    """Return the file with rows added at the end of their deliveries."""
    count = rows.num_rows
    delivered = np.concatenate([file.delivered_day, day])
    order = np.argsort(delivered, kind="stable")
    table = pa.concat_tables([file.table, rows.cast(file.table.schema)])
    return TillFile(
        table.take(pa.array(order)),
        delivered[order],
        np.concatenate([file.fault, np.full(count, WELL_FORMED)])[order],
        np.concatenate([file.repeated, np.zeros(count, dtype=np.bool_)])[order],
        np.concatenate([file.line, first_line + np.arange(count)])[order],
    )
