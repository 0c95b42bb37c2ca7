"""Which columns name a row: one that is unique and never empty, else two or three together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.project.column_names import is_number_name, plain_header, role_of
from cdp_pipeline.project.contracts import EACH

_MOST_CANDIDATES = 8
_FEW_ROWS = 20
_PREFERRED = (
    "event_id", "sale_id", "order_id", "line_no", "loyalty_id", "account_id", "identifier",
    "store_id", "sku", "email", "till_id", "occurred_at", "cookie_id", "event_type",
)  # fmt: skip
_HEADS = frozenset({"event_id", "sale_id", "order_id"})
_OWN_IDS = frozenset({"event_id", "loyalty_id", "account_id", "identifier"})
_MANY_ROWS, _NEARLY_ALL = 1_000, 0.999
_POOR = frozenset({"name", "address", "birth_date", "sex", "phone", "free_text"})
"""Kinds of personal data that people share, however few of a sample do."""


@dataclass(frozen=True)
class Key:
    """What names a row.

    Attributes:
        columns: Positions of the columns; none if nothing names a row.
        repeated: Rows that stand more than once, word for word.
        note: How sure it is.
        has_part: Whether the number of the part of a record, ``_item``, belongs to it.
    """

    columns: tuple[int, ...]
    repeated: int
    note: str
    has_part: bool = False


def find_key(kinds: Sequence[Kind], *, rows: int, parts: Sequence[int] = ()) -> Key:
    """Return the columns that name a row of the sample.

    Args:
        kinds: What the columns are.
        rows: Rows of the sample.
        parts: Which part of its record each row is, where records become several rows.
    """
    columns = [kind.field.values for kind in kinds]
    whole = list(zip(*columns, *([parts] if parts else []), strict=True))  # parts alike are two
    distinct = list(dict.fromkeys(whole))
    repeated = rows - len(distinct)
    candidates = _candidates(kinds, rows=rows)
    for size in (1, 2, 3):
        if size > 1 and (nearly := _nearly_unique(candidates, kinds, len(distinct), repeated)):
            return nearly
        if size > 1 and (of_part := _unique_by_part(candidates, kinds, parts, repeated)):
            return of_part
        for chosen in combinations(candidates, size):
            if not _is_sensible(chosen, candidates, kinds):
                continue
            if parts and not any(_is_of_part(kinds[i]) for i in chosen):
                continue  # of the record, which has several rows, whatever the sample shows
            if rows < _FEW_ROWS and _is_unique_by_chance(chosen, kinds):
                continue
            if len({tuple(row[i] for i in chosen) for row in distinct}) == len(distinct):
                few = f"; only {rows} rows were looked at" if rows < _FEW_ROWS else ""
                return Key(tuple(sorted(chosen)), repeated, f"unique and never empty{few}")
    return Key((), repeated, "no columns name a row of the sample: every line is one")


def _nearly_unique(
    candidates: Sequence[int], kinds: Sequence[Kind], rows: int, repeated: int
) -> Key | None:
    """Return an id that a slip repeats: a second column would only hide that."""
    for i in candidates:
        values = len(set(kinds[i].field.values))
        if kinds[i].tag in _OWN_IDS and rows >= _MANY_ROWS and values >= _NEARLY_ALL * rows:
            said = f"{rows - values:,} rows repeat it with other content and would be set aside"
            return Key((i,), repeated, said)
    return None


def _unique_by_part(
    candidates: Sequence[int], kinds: Sequence[Kind], parts: Sequence[int], repeated: int
) -> Key | None:
    """Return an id that stands on every part of its record and on nothing else."""
    if not parts or any(kinds[i].tag == "line_no" for i in candidates):
        return None
    for i in candidates:
        is_id = kinds[i].tag in _HEADS or is_number_name(kinds[i].field.name)
        named = list(zip(kinds[i].field.values, parts, strict=True))
        if is_id and len(set(named)) == len(named):
            return Key((i,), repeated, "unique with the number of the part", has_part=True)
    return None


def _is_of_part(kind: Kind) -> bool:
    return "[]" in kind.field.name or EACH in kind.field.name


def _is_sensible(chosen: Sequence[int], candidates: Sequence[int], kinds: Sequence[Kind]) -> bool:
    """Return whether columns may name a row by more than chance.

    In lines of receipts an article stands once a file by chance; the receipt is part of their key.
    """
    ranks = [_rank(kinds[i]) for i in chosen]
    if len(chosen) > 1 and min(ranks)[0] >= len(_PREFERRED):
        return False
    heads = [i for i in candidates if kinds[i].tag in _HEADS]
    is_own = len(chosen) == 1 and (kinds[chosen[0]].tag not in _PREFERRED or not heads)
    return is_own or not heads or any(i in heads for i in chosen)


def _is_unique_by_chance(chosen: Sequence[int], kinds: Sequence[Kind]) -> bool:
    """Return whether columns name something else than rows, which a few rows show once each.

    A receipt and an article have many lines; a mailing and a person together many events.
    """
    tags = {kind.tag for kind in kinds}
    of_whole = {kinds[i].tag for i in chosen} <= _HEADS | {"store_id", "till_id"}
    if {"sku", "quantity"} <= tags and of_whole and "line_no" not in tags:
        return True  # a receipt, order or payment is of several lines
    if len(chosen) > 1:
        return {"event_type", "occurred_at"} <= tags
    kind = kinds[chosen[0]]
    if kind.tag in {"sale_id", "order_id"}:
        return "line_no" in tags
    if kind.tag == "sku":
        return "quantity" in tags
    is_own = kind.tag == "event_id" or plain_header(kind.field.name) in {"id", "event_id"}
    return {"event_type", "occurred_at"} <= tags and not is_own


def _candidates(kinds: Sequence[Kind], *, rows: int) -> list[int]:
    """Return the columns that may be part of a key, most likely first."""
    fit = [
        i
        for i, kind in enumerate(kinds)
        if len(kind.field.filled) == len(kind.field.values)
        and not kind.field.is_partial
        and kind.pii not in _POOR
        and (kind.numbers is None or kind.tag in _PREFERRED)
        and kind.type != "boolean"
        and not kind.is_clock
        and (rows >= _FEW_ROWS or _rank(kind)[0] < len(_PREFERRED))
    ]
    return sorted(fit, key=lambda i: (*_rank(kinds[i]), i))[:_MOST_CANDIDATES]


def _rank(kind: Kind) -> tuple[int, int]:
    """Rank a column as part of a key: its tag, then whether it is called a number."""
    is_named = is_number_name(kind.field.name) or role_of(kind.field.name) == "record_id"
    if kind.tag in _PREFERRED:
        return _PREFERRED.index(kind.tag), 0
    last = 2 if kind.moments else 1  # moments of a few rows differ by chance
    return (2 if is_named else len(_PREFERRED)), 0 if is_named else last
