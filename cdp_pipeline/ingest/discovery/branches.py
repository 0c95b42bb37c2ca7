"""Lines of several kinds, such as a till log's Sale, Return and Tender: one column for each thing.

Each line of such a log holds one element, whose name says what the line is. What the elements of
goods say is computed into one column, of returns with a minus; amounts of tenders and taxes are no
amounts of lines. A receipt that no number names alone is named by its store, till, day and number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cdp_pipeline.ingest.casting import DECIMALS
from cdp_pipeline.ingest.discovery.amounts import RETURNS
from cdp_pipeline.ingest.discovery.codes import plain_word
from cdp_pipeline.ingest.discovery.kinds import Kind, find_kinds
from cdp_pipeline.ingest.discovery.sample import Field
from cdp_pipeline.ingest.discovery.usable import OF_NUMBERS

_BRANCH = re.compile(r".*\[\]\.(\w+)\..+")
_OF_GOODS = frozenset({"sku", "quantity"})
_OF_LINES = ("sku", "product_name", "quantity", "unit_price", "discount_amount", "net_amount")
_STAYS = frozenset({"tender", "promotion_id", "original_sale_id"})
"""What a line of one kind alone may say."""

_SIGNED = frozenset({"quantity", "discount_amount", "net_amount"})
_LEAST_BRANCHES = 2

Named = Sequence[tuple[str, Kind]]
"""Columns with our names of them."""


def merge_branches(named: Named) -> list[Kind]:
    """Return one column for each thing that lines of goods say; those below their kinds lose tags.

    Args:
        named: Columns with our names of them.
    """
    branches: dict[str, list[tuple[str, Kind]]] = {}
    for name, kind in named:
        if found := _BRANCH.fullmatch(kind.field.name):
            branches.setdefault(found[1], []).append((name, kind))
    goods = {b: parts for b, parts in branches.items() if _OF_GOODS & {k.tag for _, k in parts}}
    if len(branches) < _LEAST_BRANCHES or not goods or not _are_apart(branches):
        return []
    merged = []
    for tag in _OF_LINES:
        parts = {b: (n, k) for b, of in goods.items() for n, k in reversed(of) if k.tag == tag}
        if parts:
            merged.append(_merged(tag, parts))
    returned = [
        (n, k) for b, of in goods.items() for n, k in of if _is_return(b) and k.tag in _OF_GOODS
    ]
    if returned:
        name, kind = returned[0]
        said = ["true" if value.strip() else "false" for value in kind.field.values]
        merged.append(
            Kind(Field("is_return", said), "is_return", "boolean", {"value": f"{name} is not null"})
        )
    for _, kind in (one for parts_of in branches.values() for one in parts_of):
        kind.tag = kind.tag if kind.tag in _STAYS else None
    return merged


def _are_apart(branches: Mapping[str, Named]) -> bool:
    """Return whether each line is of one kind at most, and more than one kind is met."""
    filled = [
        {row for _, kind in parts for row, value in enumerate(kind.field.values) if value.strip()}
        for parts in branches.values()
    ]
    met = [rows for rows in filled if rows]
    return len(met) >= _LEAST_BRANCHES and sum(map(len, met)) == len(set().union(*met))


def _is_return(branch: str) -> bool:
    return bool(RETURNS.search(plain_word(branch)))


def _merged(tag: str, parts: Mapping[str, tuple[str, Kind]]) -> Kind:
    """Return what lines of goods of all kinds say of one thing, as one column."""
    filled = {branch: part for branch, part in parts.items() if part[1].field.filled}
    parts = filled or parts  # what is always empty has no type that others could be mixed with
    values = [""] * max(len(kind.field.values) for _, kind in parts.values())
    texts, unread = [], []
    for branch, (name, kind) in sorted(parts.items(), key=lambda part: _is_return(part[0])):
        is_minus = tag in _SIGNED and _is_return(branch)
        is_unread = tag in OF_NUMBERS and kind.type not in DECIMALS
        unread += [name] if is_unread else []
        number = f"try_cast({name} as decimal(18, 2))" if is_unread else name
        texts.append(f"-abs({number})" if is_minus else number)
        for row, value in enumerate(kind.field.values):
            if value.strip():
                values[row] = f"-{value.strip().lstrip('-')}" if is_minus else value
    ((found,), _) = find_kinds([Field(tag, values)])
    sql = texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"
    types = {kind.type for _, kind in parts.values()}
    type_ = next(iter(types)) if len(types) == 1 else found.type
    merged = Kind(
        found.field, tag, type_, {"value": sql},
        numbers=found.numbers, note=f"of {' and '.join(sorted(parts))}",
    )  # fmt: skip
    if unread:
        asked = f"SQL of the number, not all of {' and '.join(unread)} being one, such as {sql}"
        merged.type, merged.keys, merged.question = "decimal", {}, ("value", asked, sql)
    return merged


def name_receipts(named: Named) -> list[Kind]:
    """Return the column that names a receipt of numbered lines, if several others do together.

    Args:
        named: Columns with our names of them.
    """
    tags = {kind.tag for _, kind in named}
    numbers = [(n, k) for n, k in named if k.tag == "line_no" and "[]" not in k.field.name]
    has_lines = any(k.tag == "line_no" and "[]" in k.field.name for _, k in named)
    if not numbers or not has_lines or tags & {"sale_id", "order_id"}:
        return []
    number, kind_of_number = numbers[0]
    parts = [
        (name, kind)
        for tag, type_ in (("store_id", "text"), ("till_id", "text"), ("occurred_at", "date"))
        for name, kind in named
        if kind.tag == tag and kind.type == type_
    ]
    parts.append((number, kind_of_number))
    kind_of_number.tag = None
    texts = [n if k.type == "text" else f"cast({n} as varchar)" for n, k in parts]
    sql = f"concat_ws('-', {', '.join(texts)})"
    values = ["-".join(row) for row in zip(*(k.field.values for _, k in parts), strict=True)]
    found = Kind(Field("sale_id", values), "sale_id", note="named by several columns together")
    found.question = ("value", f"what names a receipt for good? Such as {sql}", sql)
    return [found]
