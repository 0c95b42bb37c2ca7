"""Receipts of the tills: sales, returns, void and training receipts, with their lines.

What was rung up belongs here; who can be recognised on a receipt, and how the file looks, is in
``tills``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import (
    Ints,
    Texts,
    happens,
    join_texts,
    number_texts,
    open_stream,
    positions_in_groups,
    positions_in_runs,
)
from cdp_pipeline.sample.baskets import Lines
from cdp_pipeline.sample.catalogue import Catalogue
from cdp_pipeline.sample.returns import Undone
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.visits import Visits, draw_seconds

KINDS = ("SALE", "RETURN", "VOID", "TRAINING")
SALE, RETURN, VOID, TRAINING = range(len(KINDS))
EXTRA_CODES = ("BAG", "GIFTCARD", "DELIVERY")
_VOID_SHARE, _TRAINING_SHARE = 0.005, 0.001
_BAG_SHARE, _GIFT_CARD_SHARE, _DELIVERY_SHARE = 0.08, 0.012, 0.004
_BAG_PENCE = 10


@dataclass(frozen=True)
class Receipts:
    """Receipts, ordered by day, store and second; see ``ReceiptLines`` for what they hold.

    Attributes:
        receipt_id: Such as ``S003-261120-0042``: store, day, running number.
        kind: Index into ``KINDS``.
        person: True buyer; -1 on VOID and TRAINING receipts.
        visit: Visit that was rung up, or is taken back.
        day: Day number on the store's clock.
        second: Second of that day.
        store: Index of the store.
    """

    receipt_id: Texts
    kind: Ints
    person: Ints
    visit: Ints
    day: Ints
    second: Ints
    store: Ints

    def __len__(self) -> int:
        """Return the number of receipts."""
        return len(self.kind)


@dataclass(frozen=True)
class ReceiptLines:
    """Lines of receipts, ordered by receipt and line number.

    Attributes:
        receipt: Index of the receipt.
        line_no: 1, 2, 3 ... within the receipt.
        code: Index into the catalogue; above it the index into ``EXTRA_CODES`` follows.
        quantity: Pieces; negative on RETURN.
        unit_price: Pence for a piece.
        discount: Pence off; negative on RETURN.
        promotion: Index of the promotion; -1 for none.
    """

    receipt: Ints
    line_no: Ints
    code: Ints
    quantity: Ints
    unit_price: Ints
    discount: Ints
    promotion: Ints

    @property
    def amount(self) -> Ints:
        """Pence of each line; negative on RETURN."""
        return self.quantity * self.unit_price - self.discount


def ring_up(
    visits: Visits,
    lines: Lines,
    undone: Undone,
    catalogue: Catalogue,
    timeline: Timeline,
    seed: int,
) -> tuple[Receipts, ReceiptLines]:
    """Return all receipts up to the last night, with their lines."""
    rng = open_stream(seed, "tills")
    sold = np.flatnonzero((visits.store >= 0) & (visits.day <= timeline.last_day))
    takes_back = ~undone.by_post & (undone.day <= timeline.last_day)
    back_line, back_day = undone.line[takes_back], undone.day[takes_back]
    back_visit, first = np.unique(lines.visit[back_line], return_index=True)
    spoilt = sold[happens(rng, _VOID_SHARE, len(sold))]
    taught = sold[happens(rng, _TRAINING_SHARE, len(sold))]
    visit = np.concatenate([sold, back_visit, spoilt, taught]).astype(np.int64)
    sizes = [len(sold), len(back_visit), len(spoilt), len(taught)]
    kind = np.repeat(np.arange(len(KINDS)), sizes)
    day = visits.day[visit]
    day[kind == RETURN] = back_day[first]
    second = visits.second[visit]
    second[kind == RETURN] = draw_seconds(rng, len(back_visit), on_web=False)
    second[kind == VOID] -= 70
    store = visits.store[visit]
    # Web orders come back to the first stores; a few customers live near each.
    store = np.where(store < 0, visits.person[visit] % 12, store)
    order = np.lexsort((kind, visit, second, store, day))
    receipts = Receipts(
        receipt_id=_number_receipts(timeline, day[order], store[order]),
        kind=kind[order],
        person=np.where(kind >= VOID, -1, visits.person[visit])[order],
        visit=visit[order],
        day=day[order],
        second=second[order],
        store=store[order],
    )
    return receipts, _write_lines(rng, receipts, lines, back_line, catalogue)


def _number_receipts(timeline: Timeline, day: Ints, store: Ints) -> Texts:
    dates = np.datetime_as_string(timeline.dates)
    compact = np.strings.replace(np.strings.replace(dates, "-", ""), "20", "", 1)
    running = positions_in_groups(day * 100 + store) + 1
    return join_texts(
        "S", number_texts(store + 1, 3), "-", compact[day], "-", number_texts(running, 4)
    )


def _write_lines(
    rng: np.random.Generator,
    receipts: Receipts,
    lines: Lines,
    back_line: Ints,
    catalogue: Catalogue,
) -> ReceiptLines:
    starts = np.searchsorted(lines.visit, receipts.visit)
    counts = np.searchsorted(lines.visit, receipts.visit, side="right") - starts
    receipt = np.repeat(np.arange(len(receipts)), counts)
    source = np.repeat(starts, counts) + positions_in_runs(counts.astype(np.int64))
    comes_back = np.zeros(len(lines), dtype=np.bool_)
    comes_back[back_line] = True
    kept = (receipts.kind[receipt] != RETURN) | comes_back[source]
    receipt, source = receipt[kept], source[kept]
    sign = np.where(receipts.kind[receipt] == RETURN, -1, 1)
    extra = _add_extras(rng, receipts, len(catalogue.sku))
    both = np.concatenate([receipt, extra.receipt])
    order = np.argsort(both, kind="stable")
    both = both[order].astype(np.int64)
    return ReceiptLines(
        receipt=both,
        line_no=positions_in_groups(both) + 1,
        code=np.concatenate([lines.product[source], extra.code])[order],
        quantity=np.concatenate([lines.quantity[source] * sign, extra.quantity])[order],
        unit_price=np.concatenate([lines.unit_price[source], extra.unit_price])[order],
        discount=np.concatenate([lines.discount[source] * sign, extra.discount])[order],
        promotion=np.concatenate([lines.promotion[source], extra.promotion])[order],
    )


def _add_extras(rng: np.random.Generator, receipts: Receipts, first_code: int) -> ReceiptLines:
    """Return carrier bags, gift cards and deliveries sold beside the products."""
    is_sale = receipts.kind == SALE
    found, codes, prices = [], [], []
    for number, share in enumerate((_BAG_SHARE, _GIFT_CARD_SHARE, _DELIVERY_SHARE)):
        index = np.flatnonzero(is_sale & happens(rng, share, len(receipts)))
        gift = np.array([1000, 2000, 2500, 5000])[rng.integers(0, 4, len(index))]
        fixed = np.full(len(index), _BAG_PENCE if number == 0 else 495)
        found.append(index)
        codes.append(np.full(len(index), first_code + number))
        prices.append(gift if number == 1 else fixed)
    receipt = np.concatenate(found).astype(np.int64)
    ones = np.ones(len(receipt), dtype=np.int64)
    return ReceiptLines(
        receipt, ones, np.concatenate(codes), ones, np.concatenate(prices), ones * 0, -ones
    )
