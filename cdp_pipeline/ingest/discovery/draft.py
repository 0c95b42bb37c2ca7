"""A draft of a contract: what was seen in a delivery, put together; what files cannot tell, asked.

Decisions stand here; ``writing`` turns them into a commented YAML text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.clocks import join_clock
from cdp_pipeline.ingest.discovery.feeding import Proposal, propose_feeds
from cdp_pipeline.ingest.discovery.grain import find_fill_down, find_leading
from cdp_pipeline.ingest.discovery.keys import Key, find_key
from cdp_pipeline.ingest.discovery.kinds import Kind, Marks, find_kinds
from cdp_pipeline.ingest.discovery.named import name_columns
from cdp_pipeline.ingest.discovery.naming import column_names
from cdp_pipeline.ingest.discovery.neighbours import settle
from cdp_pipeline.ingest.discovery.numbers import number_of
from cdp_pipeline.ingest.discovery.sample import Sample
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.column_tags import is_name_of_amount

_MASTER_ENTITIES = frozenset({"person_records", "consents", "products", "stores"})
"""Entities of what changes: under `append` the next file's changed rows would be set aside."""

_FEW_VALUES, _MANY_ROWS = 12, 50
_TIMES_SEEN = 3
_LONGEST_VALUE = 40
_DIGITS = re.compile(r"\d[\d.,' ]*\d|\d")
_NAMED = re.compile(r"(?P<digits>\d{8})")


@dataclass
class Drafted:
    """One column of a draft.

    Attributes:
        name: Our name.
        kind: What it is.
        is_key: Whether it is part of the key.
    """

    name: str
    kind: Kind
    is_key: bool = False


@dataclass
class Draft:
    """A contract in the making.

    Attributes:
        name: The source.
        files: Names of the files that were looked at.
        tried: The file on which the draft is tried.
        path: Glob below the landing folder.
        sample: What was looked at.
        columns: Its columns.
        key: What names a row.
        delivery: All keys of ``delivery:`` with values or questions.
        notes: Comments by key of ``delivery:``.
        load: Keys of ``load:``.
        checks: Entries of ``checks:``.
        feeds: Entries of ``feeds:``.
    """

    name: str
    files: tuple[str, ...]
    tried: Path
    path: str
    sample: Sample
    columns: list[Drafted]
    key: Key
    delivery: dict[str, object] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    load: dict[str, object] = field(default_factory=dict)
    checks: list[dict[str, object]] = field(default_factory=list)
    feeds: list[Proposal] = field(default_factory=list)


def draft_contract(
    sample: Sample, *, name: str, files: Sequence[str], tried: Path, path: str
) -> Draft:
    """Return a draft of the contract of a source.

    Args:
        sample: A look at its deliveries.
        name: The source.
        files: Names of the files that were looked at.
        tried: The file on which the draft is tried.
        path: Glob of its files below the landing folder.
    """
    kinds, marks = find_kinds(sample.fields, of=str(sample.delivery.get("records", "")))
    if sample.is_mixed:
        kinds = [Kind(kind.field, None) for kind in kinds]  # texts, whatever some of them look like
    settle(kinds)
    is_table = sample.delivery["format"] in {"csv", "excel"}
    is_table = is_table and not sample.is_mixed
    grouped = find_fill_down(kinds) if is_table else None
    leading = find_leading(kinds) if is_table and not grouped else []
    if grouped:
        _settle_heading(kinds, kinds[grouped[0]])
    names = column_names([k.field.name for k in kinds], [k.tag for k in kinds])
    key = find_key(kinds, rows=sample.rows, parts=sample.parts)
    columns = [
        Drafted(n, k, is_key=i in key.columns)
        for i, (n, k) in enumerate(zip(names, kinds, strict=True))
    ]
    clock = join_clock(kinds, names)
    if clock:
        columns.append(Drafted(clock.name, clock.kind))
        kinds, names = [*kinds, clock.kind], [*names, clock.name]
    key_names = (*(columns[i].name for i in key.columns), *(["_item"] if key.has_part else []))
    draft = Draft(name, tuple(files), tried, path, sample, columns, key, notes=dict(sample.notes))
    draft.delivery = _delivery(sample, columns, marks, path)
    if grouped:
        _add_fill_down(draft, grouped[0], grouped[1], way="by")
    elif leading:
        _add_fill_down(draft, leading[0], leading, way="starts")
    _add_business_date(draft)
    draft.checks = _checks(columns)
    named = name_columns(kinds, names, key_names, of_heads=grouped[1] if grouped else leading)
    named.day = clock.day if clock else None
    draft.feeds = propose_feeds(named, currency=_currency(kinds))
    draft.load = _load(columns, key_names, draft.feeds)
    if sample.is_mixed or not draft.feeds:
        draft.feeds = [Proposal("", {}, note=_left_open(names, is_mixed=sample.is_mixed))]
    return draft


def _left_open(names: Sequence[str], *, is_mixed: bool) -> str:
    """Return what people should know who say what rows become."""
    if not is_mixed:
        return f"columns: {', '.join(names[:6])}"
    return (
        f"{names[0]} says what a record is; columns of heads: `fill_down` and "
        f"`value: \"if({names[0]} = '...', column_3, null)\"`"
    )


def _settle_heading(kinds: Sequence[Kind], heading: Kind) -> None:
    """Take what stands on all lines of an order for its number, unless it says what it is."""
    is_told = any(kind.tag in {"order_id", "sale_id"} for kind in kinds)
    is_sold = any(kind.tag == "quantity" for kind in kinds)
    if is_sold and ((heading.tag is None and not is_told) or heading.field.name.lower() == "name"):
        heading.tag = "order_id"  # a customer's or an article's number says what it is


def _delivery(
    sample: Sample, columns: Sequence[Drafted], marks: Marks, path: str
) -> dict[str, object]:
    found: dict[str, object] = {"path": path, **sample.delivery}
    if marks.decimal == ",":
        found["decimal_mark"] = ","
    if marks.thousands:
        found["thousands_mark"] = marks.thousands
    if marks.is_doubtful:
        found["thousands_mark"] = Ask(
            f"{marks.doubtful!r} if {marks.shown} is more than a thousand, or '' if it is not", ""
        )
        found["decimal_mark"] = Ask(
            f"{marks.doubtful!r} if {marks.shown} is less than a thousand; if not, the other mark",
            marks.doubtful,
        )
    naive = [c.name for c in columns if _needs_zone(c.kind)]
    if naive:
        found["time_zone"] = Ask(
            f"IANA zone of the clock behind {', '.join(naive[:3])}, such as Europe/London or UTC",
            "UTC",
        )
    control = _control(sample, columns)
    if control:
        found["control"] = control
    if sample.rows:
        found["minimum_rows"] = 1
    return found


def _add_fill_down(draft: Draft, anchor: int, filled: Sequence[int], *, way: str) -> None:
    """Say which columns stand only on the first of several lines."""
    draft.delivery["fill_down"] = {
        way: draft.columns[anchor].name,
        "columns": [draft.columns[position].name for position in filled],
    }
    draft.notes["fill_down"] = "only the first line of each has these"


def _needs_zone(kind: Kind) -> bool:
    has_zone = kind.moments is not None and kind.moments.has_zone
    return kind.type == "timestamp" and not has_zone and "time_zone" not in kind.keys


def _add_business_date(draft: Draft) -> None:
    """Say how the day is found where a file's name does not begin it with the year."""
    found = _NAMED.search(draft.files[-1])
    if found is None or _is_day(found["digits"], "%Y%m%d"):
        return
    fits = [f for f in ("%d%m%Y", "%m%d%Y") if _is_day(found["digits"], f)]
    if not fits:
        return
    form: object = (
        fits[0] if len(fits) == 1 else Ask(f"{' or '.join(fits)}, in the file's name", fits[0])
    )
    draft.delivery["business_date"] = {"pattern": r"(\d{8})", "format": form}


def _is_day(text: str, form: str) -> bool:
    try:
        return datetime.strptime(text, form).year > 1990  # noqa: DTZ007, PLR2004 - a day; no older deliveries
    except ValueError:
        return False


def _control(sample: Sample, columns: Sequence[Drafted]) -> dict[str, object]:
    """Return control totals if the trailer states the number of records or a column's sum."""
    if not sample.is_whole or sample.totals:  # what is stated leaves rows of sums out
        return {}
    sums = {c.name: total for c in columns if c.kind.numbers and (total := _sum(c)) is not None}
    for line in sample.margins:
        used: set[str] = set()
        pattern, at = "", 0
        for number in _DIGITS.finditer(line):
            pattern += re.escape(line[at : number.start()])
            name = _stated(number[0], sample.rows, sums, used)
            pattern += (
                rf"(?P<{name}>[-\d.,' ]+)"
                if name and name != "rows"
                else (r"(?P<rows>\d+)" if name else r"[\d.,' ]+")
            )
            used.update([name] if name else [])
            at = number.end()
        if used:
            return {"from": "trailer", "pattern": f"^{pattern}"}
    return {}


def _stated(text: str, rows: int, sums: dict[str, Decimal], used: set[str]) -> str:
    if text.isdigit() and int(text) == rows and "rows" not in used:
        return "rows"
    for name, total in sums.items():
        if name not in used and total and total in {number_of(text, "."), number_of(text, ",")}:
            return name
    return ""


def _sum(column: Drafted) -> Decimal | None:
    look = column.kind.numbers
    mark = (look.decimal_mark if look else "") or "."
    total = Decimal(0)
    for value in column.kind.field.filled:
        number = number_of(value, mark)
        if number is None:
            return None
        total += number
    return total


def _load(
    columns: Sequence[Drafted], key: tuple[str, ...], feeds: Sequence[Proposal]
) -> dict[str, object]:
    updated = next(
        (c for c in columns if c.kind.tag == "updated_at" and c.kind.type == "timestamp"), None
    )
    if updated is not None and key and updated.name not in key:
        return {"mode": "upsert", "key": list(key), "updated_at": updated.name}
    if len(key) == 1 and feeds and {feed.entity for feed in feeds} <= _MASTER_ENTITIES:
        # Right for files of changes and for whole ones, but for rows that were deleted.
        return {"mode": "upsert", "key": list(key)}
    return {"mode": "append", "key": list(key) or ["_file", "_line"]}


def _checks(columns: Sequence[Drafted]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for column in columns:
        kind = column.kind
        if kind.tag == "occurred_at" and kind.type in {"date", "timestamp"}:
            found.append(
                {
                    "name": f"{column.name}_not_from_the_future",
                    "expect": "true",
                    "where": f"{column.name} < _business_date + interval '2 days'",
                    "severity": "warn",
                }
            )
        limits = bounds(column)
        is_measure = kind.tag == "quantity" or is_name_of_amount(plain_header(kind.field.name))
        if limits and is_measure:
            found.append(
                {
                    "name": f"{column.name}_as_seen",
                    "expect": "between",
                    "column": column.name,
                    "min": limits[0],
                    "max": limits[1],
                    "mostly": 0.99,
                    "severity": "warn",
                }
            )
        if values := vocabulary(column):
            found.append(
                {
                    "name": f"{column.name}_known",
                    "expect": "in_set",
                    "column": column.name,
                    "values": values,
                    "severity": "warn",
                }
            )
    return found


def bounds(column: Drafted) -> tuple[Decimal, Decimal] | None:
    """Return the smallest and largest number of a column."""
    look = column.kind.numbers
    if look is None or column.kind.type not in {"integer", "decimal", "number"}:
        return None
    mark = look.decimal_mark or "."
    numbers = [n for value in column.kind.field.counts if (n := number_of(value, mark)) is not None]
    return (min(numbers), max(numbers)) if numbers else None


def vocabulary(column: Drafted) -> list[str]:
    """Return the values of a column that has few of them, each often; none of personal data."""
    kind = column.kind
    counts = kind.field.counts
    few = kind.type == "text" and 1 < len(counts) <= _FEW_VALUES
    is_hidden = kind.pii or kind.special_category
    if not few or is_hidden or column.is_key or len(kind.field.filled) < _MANY_ROWS:
        return []
    if min(counts.values()) < _TIMES_SEEN or max(map(len, counts)) > _LONGEST_VALUE:
        return []
    return sorted(counts)


def _currency(kinds: Sequence[Kind]) -> str:
    found = {k.numbers.currency for k in kinds if k.numbers and k.numbers.currency}
    return next(iter(found)) if len(found) == 1 else ""
