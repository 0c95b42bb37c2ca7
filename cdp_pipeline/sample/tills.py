"""The tills' nightly file: who can be recognised on a receipt, late days, repeats and bad rows.

The look and the faults of ``pos_sales`` belong here; the receipts themselves are in ``receipts``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample import slips
from cdp_pipeline.sample.arrays import Bools, Ints, Texts, happens, hash_numbers, open_stream, pick
from cdp_pipeline.sample.catalogue import Catalogue, Promotions
from cdp_pipeline.sample.contacts import Contacts
from cdp_pipeline.sample.deliveries import Landing
from cdp_pipeline.sample.descriptions import JUNK_EMAIL, JUNK_PHONE
from cdp_pipeline.sample.membership import COURTESY_CARD, Holdings
from cdp_pipeline.sample.people import HEAD, PARTNER, People
from cdp_pipeline.sample.receipts import (
    EXTRA_CODES,
    KINDS,
    RETURN,
    SALE,
    VOID,
    ReceiptLines,
    Receipts,
)
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    choice_column,
    lookup_column,
    moment_column,
    money_column,
    number_column,
)
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.visits import Visits

TENDERS = ("card", "cash", "gift_card", "app")
_TENDER_SHARES = (0.70, 0.17, 0.04, 0.09)
_REPEATED_SHARE = 0.001
_MALFORMED_SHARE = 0.0005
_LATE_STORE_DAY_SHARE = 0.03
WELL_FORMED, BAD_DATE, BAD_QUANTITY, RAGGED = range(4)
_TOKEN_SALT = 11


@dataclass(frozen=True)
class Till:
    """Who and what the till file is written from."""

    people: People
    contacts: Contacts
    cards: Holdings
    visits: Visits
    catalogue: Catalogue
    promotions: Promotions
    timeline: Timeline
    order_ids: Texts  # by visit; empty for store visits


@dataclass(frozen=True)
class TillFile:
    """Rows of ``pos_sales``, in the order of the files.

    Attributes:
        table: The rows.
        delivered_day: Day of the delivery that holds each row.
        fault: WELL_FORMED, BAD_DATE, BAD_QUANTITY or RAGGED.
        repeated: Second copy of a row that was delivered already.
        line: Index of the receipt line of each row.
    """

    table: pa.Table
    delivered_day: Ints
    fault: Ints
    repeated: Bools
    line: Ints


def write_till_file(till: Till, receipts: Receipts, lines: ReceiptLines, seed: int) -> TillFile:
    """Return the till rows of all deliveries."""
    rng = open_stream(seed, "till file")
    copies = np.flatnonzero(happens(rng, _REPEATED_SHARE, len(receipts))[lines.receipt])
    line = np.concatenate([np.arange(len(lines.receipt)), copies]).astype(np.int64)
    repeated = np.arange(len(line)) >= len(lines.receipt)
    delivered = _deliver_late(rng, receipts, till.timeline)[lines.receipt[line]]
    order = np.argsort(delivered, kind="stable")
    line, repeated = line[order], repeated[order]
    receipt = lines.receipt[line]
    spoilable = (receipts.kind[receipt] <= RETURN) & (
        till.visits.journey[receipts.visit[receipt]] < 0
    )
    spoilt = happens(rng, _MALFORMED_SHARE, len(line)) & ~repeated & spoilable
    fault = np.where(spoilt, rng.integers(1, 4, len(line)), WELL_FORMED)
    fault = _spoil_each_delivery(rng, fault, delivered[order], ~repeated & spoilable)
    columns = _identify(rng, till, receipts) | _describe(rng, till, receipts)
    index = pa.array(receipt)
    table = {name: column.take(index) for name, column in columns.items()}
    table |= _write_goods(till, lines, line)
    table["till_time"] = _spoil(table["till_time"], fault == BAD_DATE, "2026-13-45 25:61:00")
    table["quantity"] = _spoil(table["quantity"], fault == BAD_QUANTITY, "one")
    ordered = pa.table({name: table[name] for name in HEADER})
    return TillFile(ordered, delivered[order], fault, repeated, line)


HEADER = (
    "receipt_id", "line_no", "till_time", "store_id", "till_id", "transaction_type", "sku",
    "quantity", "unit_price", "discount_amount", "line_amount", "promotion_id",
    "original_receipt_id", "tender", "payment_token", "loyalty_card_no", "ereceipt_email",
    "ereceipt_phone", "currency",
)  # fmt: skip


def _deliver_late(rng: np.random.Generator, receipts: Receipts, timeline: Timeline) -> Ints:
    """Return each receipt's delivery; a few store-days miss the night and come with the next."""
    days = len(timeline.delivery_days)
    late = happens(rng, _LATE_STORE_DAY_SHARE, days * 12).reshape(days, 12)
    place = receipts.day - timeline.start_day
    candidates = np.flatnonzero((place >= 0) & (place < days - 1))
    if len(candidates):
        # At least one that has receipts, so that every sample shows it; never the last night's.
        chosen = candidates[rng.integers(0, len(candidates))]
        late[place[chosen], receipts.store[chosen]] = True
    late[-1] = False
    is_late = (place >= 0) & late[np.maximum(place, 0), receipts.store]
    return timeline.delivered_on(receipts.day) + is_late.astype(np.int64)


def _spoil_each_delivery(
    rng: np.random.Generator, fault: Ints, delivered: Ints, spoilable: Bools
) -> Ints:
    """Make sure that every delivery has something to set aside."""
    fault = fault.copy()
    for day in np.unique(delivered).tolist():
        begin, end = np.searchsorted(delivered, [day, day + 1])
        candidates = begin + np.flatnonzero(spoilable[begin:end])
        if len(candidates) and not fault[begin:end].any():
            fault[candidates[rng.integers(0, len(candidates))]] = BAD_DATE + day % 3
    return fault


def _identify(rng: np.random.Generator, till: Till, receipts: Receipts) -> dict[str, pa.Array]:
    """Return the columns that tell who bought, one value per receipt."""
    count = len(receipts)
    known = receipts.person >= 0
    person = np.maximum(receipts.person, 0)
    clean = till.people.is_cast[person]
    own = till.cards.held_on(rng, person, receipts.day)
    scans = happens(rng, 0.78, count) | (till.visits.journey[receipts.visit] >= 0)
    partner_card = till.cards.held_on(rng, _other_half(till.people)[person], receipts.day)
    borrows = happens(rng, 0.04, count) & (partner_card >= 0) & ~clean
    card = np.where(borrows, partner_card, np.where(scans, own, -1))
    courtesy = (card < 0) & (receipts.store == 0) & happens(rng, 0.12, count) & ~clean
    numbers = np.append(till.cards.number, COURTESY_CARD)
    card = np.where(courtesy, len(till.cards), card)
    email, phone = _ask_for_receipt(rng, till.contacts, person, clean)
    tender = pick(rng, _TENDER_SHARES, count)
    return {
        "loyalty_card_no": lookup_column(numbers, np.where(known, card, -1)),
        "ereceipt_email": _present(email, known),
        "ereceipt_phone": _present(phone, known),
        "tender": choice_column(list(TENDERS), tender),
        "payment_token": _present(
            _write_tokens(rng, till.people, person),
            known & (tender == 0) & happens(rng, 0.6, count),
        ),
    }


def _ask_for_receipt(
    rng: np.random.Generator, contacts: Contacts, person: Ints, clean: Bools
) -> tuple[Texts, Texts]:
    count = len(person)
    email = np.where(happens(rng, 0.13, count), contacts.email[person], "")
    email = slips.slip_some(rng, email, happens(rng, 0.03, count) & ~clean, slips.mistype)
    email = np.where(happens(rng, 0.002, count) & ~clean, JUNK_EMAIL, email)
    phone = np.where(happens(rng, 0.05, count), contacts.mobile[person], "")
    phone = slips.slip_some(rng, phone, phone != "", slips.style_phones)
    return email, np.where(happens(rng, 0.002, count) & ~clean, JUNK_PHONE, phone)


def _write_tokens(rng: np.random.Generator, people: People, person: Ints) -> Texts:
    """Return the token of the payment card used: one of two own ones, sometimes the partner's."""
    lends = happens(rng, 0.03, len(person)) & ~people.is_cast[person]
    payer = np.where(lends, _other_half(people)[person], person)
    return hash_numbers(payer * 2 + happens(rng, 0.2, len(person)), _TOKEN_SALT)


def _other_half(people: People) -> Ints:
    """Return each person's partner, or the person for all who have none."""
    index = np.arange(len(people))
    is_partner = people.role == PARTNER
    has_partner = np.append(is_partner[1:], [False]) & (people.role == HEAD)
    return np.where(is_partner, index - 1, np.where(has_partner, index + 1, index))


def _describe(rng: np.random.Generator, till: Till, receipts: Receipts) -> dict[str, pa.Array]:
    """Return the columns about the receipt itself, one value per receipt."""
    count = len(receipts)
    stores = [f"S{number + 1:03d}" for number in range(12)]
    tills = [f"T{number + 1:02d}" for number in range(8)]
    return {
        "receipt_id": pa.array(receipts.receipt_id.astype(object), type=pa.string()),
        "till_time": moment_column(
            till.timeline.dates,
            receipts.day * SECONDS_PER_DAY + receipts.second,
            divider=" ",
            ending="",
        ),
        "store_id": choice_column(stores, receipts.store),
        "till_id": choice_column(tills, rng.integers(0, 8, count)),
        "transaction_type": choice_column(list(KINDS), receipts.kind),
        "original_receipt_id": _refer_back(rng, till, receipts),
        "currency": pa.array(["GBP"] * count),
    }


def _refer_back(rng: np.random.Generator, till: Till, receipts: Receipts) -> pa.Array:
    sale = np.flatnonzero(receipts.kind == SALE)
    original = np.full(len(till.visits), -1, dtype=np.int64)
    original[receipts.visit[sale]] = sale
    found = original[receipts.visit]
    reference = np.where(
        found >= 0, receipts.receipt_id[np.maximum(found, 0)], till.order_ids[receipts.visit]
    )
    refers = (receipts.kind == RETURN) & happens(rng, 0.8, len(receipts))
    return _present(reference, refers)


def _write_goods(till: Till, lines: ReceiptLines, line: Ints) -> dict[str, pa.Array]:
    codes = np.concatenate([till.catalogue.sku, np.array(EXTRA_CODES)])
    quantity = lines.quantity[line]
    kinds, index = np.unique(quantity, return_inverse=True)
    return {
        "line_no": number_column(lines.line_no[line]),
        "sku": lookup_column(codes, lines.code[line]),
        "quantity": lookup_column([str(kind) for kind in kinds], index.astype(np.int64)),
        "unit_price": money_column(lines.unit_price[line]),
        "discount_amount": money_column(lines.discount[line]),
        "line_amount": money_column(lines.amount[line]),
        "promotion_id": lookup_column(till.promotions.promotion_id, lines.promotion[line]),
    }


def _present(texts: Texts, present: Bools) -> pa.Array:
    shown = present & (np.strings.str_len(texts) > 0)
    return pa.array(texts.astype(object), type=pa.string(), mask=~shown)


def _spoil(column: pa.Array, spoilt: Bools, text: str) -> pa.Array:
    return pa.compute.if_else(pa.array(spoilt), pa.scalar(text), column)


def is_counted(receipts: Receipts, lines: ReceiptLines, file: TillFile) -> Bools:
    """Return the rows that control totals count.

    Args:
        receipts: All receipts.
        lines: Their lines.
        file: The rows delivered.

    Returns:
        True for well-formed SALE and RETURN rows in their first copy.
    """
    kind = receipts.kind[lines.receipt[file.line]]
    return np.asarray((kind < VOID) & (file.fault == WELL_FORMED) & ~file.repeated)


def append_ragged(port: Landing, file: TillFile) -> int:
    """Append rows that end too early, as a till that lost power writes them."""
    ragged = np.flatnonzero(file.fault == RAGGED)
    for day in np.unique(file.delivered_day[ragged]).tolist():
        rows = file.table.take(pa.array(ragged[file.delivered_day[ragged] == day])).to_pylist()
        lines = [",".join(str(value or "") for value in list(row.values())[:8]) for row in rows]
        port.append_lines("pos_sales", day, lines)
    return len(ragged)
