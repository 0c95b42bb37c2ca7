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

from cdp_pipeline.ingest.discovery.asking import Ask, Proposal
from cdp_pipeline.ingest.discovery.branches import merge_branches, name_receipts
from cdp_pipeline.ingest.discovery.clocks import join_clock
from cdp_pipeline.ingest.discovery.exclusions import (
    flag_of_deletion,
    flags_of_no_sale,
    kinds_of_nobody,
    parts_of_lines,
    states_of_no_sale,
)
from cdp_pipeline.ingest.discovery.feeding import propose_feeds
from cdp_pipeline.ingest.discovery.grain import find_fill_down, find_leading
from cdp_pipeline.ingest.discovery.keys import Key, find_key
from cdp_pipeline.ingest.discovery.kinds import Kind, find_kinds
from cdp_pipeline.ingest.discovery.marks import Marks
from cdp_pipeline.ingest.discovery.named import name_columns
from cdp_pipeline.ingest.discovery.naming import column_names
from cdp_pipeline.ingest.discovery.neighbours import settle
from cdp_pipeline.ingest.discovery.numbers import number_of
from cdp_pipeline.ingest.discovery.observed import Drafted, propose_checks
from cdp_pipeline.ingest.discovery.packed import unpack
from cdp_pipeline.ingest.discovery.sample import Sample
from cdp_pipeline.project.column_names import plain_header

_MASTER_ENTITIES = frozenset({"person_records", "consents", "products", "stores"})
"""Entities of what changes: under `append` the next file's changed rows would be set aside."""

_TELLING_APART = frozenset(
    {"event_type", "occurred_at", "email", "campaign_id", "cookie_id", "session_id", "sku", "url",
     "identifier", "store_id"}
)  # fmt: skip
"""What tells happenings apart that no number names."""

_DIGITS = re.compile(r"\d[\d.,' ]*\d|\d")
_NUMBERS = re.compile(r"\d+")
_NAMED = re.compile(r"(?P<digits>\d{8})")


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
        exclude: SQL of rows that are not wanted, or a question, by rule.
        key_asked: Question what names a row, if that which does so far may be shared.
        join: Question which other sources are joined; None if no column refers to any.
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
    exclude: dict[str, str | Ask] = field(default_factory=dict)
    join: Ask | None = None
    key_asked: Ask | None = None
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
    is_table = sample.delivery["format"] in {"csv", "excel"} and not sample.is_mixed
    grouped = find_fill_down(kinds) if is_table else None
    leading = find_leading(kinds) if is_table and not grouped else []
    if grouped:
        _settle_heading(kinds, kinds[grouped[0]])
    names = column_names([k.field.name for k in kinds], [k.tag for k in kinds])
    _compute(kinds, names)
    key = find_key(kinds, rows=sample.rows, parts=sample.parts)
    columns = [
        Drafted(n, k, is_key=i in key.columns)
        for i, (n, k) in enumerate(zip(names, kinds, strict=True))
    ]
    clock = join_clock(kinds, names)
    if clock:
        columns.append(Drafted(clock.name, clock.kind))
        kinds, names = [*kinds, clock.kind], [*names, clock.name]
    key_names = _key_names(key, names, has_parts=bool(sample.parts))
    draft = Draft(name, tuple(files), tried, path, sample, columns, key, notes=dict(sample.notes))
    draft.delivery = _delivery(sample, columns, marks, path)
    if grouped:
        _add_fill_down(draft, grouped[0], grouped[1], way="by")
    elif leading:
        _add_fill_down(draft, leading[0], leading, way="starts")
    _add_business_date(draft)
    draft.checks = propose_checks(columns)
    named = name_columns(kinds, names, key_names, of_heads=grouped[1] if grouped else leading)
    named.files = tuple(dict.fromkeys(plain_header(_NUMBERS.sub("", f)) for f in files))
    named.day = clock.day if clock else named.day
    draft.feeds = propose_feeds(named, currency=_currency(kinds))
    draft.load = _load(columns, key_names, draft.feeds)
    _ask_for_key(draft)
    _add_exclusions(draft)
    leave_open(draft)
    return draft


def leave_open(draft: Draft) -> None:
    """Leave it to people what rows become, if nothing tells."""
    if draft.sample.is_mixed or not draft.feeds:
        names = [column.name for column in draft.columns]
        note = _left_open(names, is_mixed=draft.sample.is_mixed)
        draft.feeds = [Proposal("", {}, note=note)]


def _key_names(key: Key, names: Sequence[str], *, has_parts: bool) -> tuple[str, ...]:
    """Return our names of what names a row, the number of its part among them."""
    found = (*(names[i] for i in key.columns), *(["_item"] if key.has_part else []))
    return found or (("_file", "_line", "_item") if has_parts else ())


def _compute(kinds: list[Kind], names: list[str]) -> None:
    """Add the columns that are computed of others."""
    named = list(zip(names, kinds, strict=True))
    for kind in (*unpack(named), *merge_branches(named), *name_receipts(named)):
        name = kind.field.name
        names.append(f"{name}_whole" if name in names else name)
        kinds.append(kind)


def _ask_for_key(draft: Draft) -> None:
    """Ask what names people in a file without headers in which nothing but their address does."""
    is_event = any(feed.entity in {"email_events", "web_events"} for feed in draft.feeds)
    if is_event and not draft.key.columns and draft.key.repeated:
        told = [c.name for c in draft.columns if c.kind.tag in _TELLING_APART][:6]
        draft.key_asked = Ask(
            "rows stand twice, word for word: which columns tell rows apart? In brackets, such as "
            f"[{', '.join(told)}], or {draft.load['key']} if every line counts".replace("'", ""),
            draft.load["key"],
        )
    own = [c.name for c in draft.columns if c.is_key and c.kind.tag in {"email", "phone"}]
    if draft.sample.has_header or not own or len(draft.load["key"]) > 1:  # type: ignore[arg-type] # a list
        return
    draft.notes["header"] = "name columns by the sender's list, and feed what it says they are"
    asked = f"which column is the number of a customer? {own[0]} may be shared: write its name"
    draft.key_asked = Ask(f"{asked} in brackets", own)
    for feed in draft.feeds:
        if "record_key" in feed.columns:
            feed.columns["record_key"] = Ask(asked, own[0])


def _add_exclusions(draft: Draft) -> None:
    """Say which rows are no sales, and which records were deleted."""
    kinds = {column.name: column.kind for column in draft.columns}
    deleted = flag_of_deletion(kinds)
    if deleted and draft.load["mode"] == "upsert":
        draft.load["deleted_when"] = deleted
    elif deleted:
        draft.exclude[deleted] = deleted
    if draft.feeds and draft.feeds[0].entity == "sale_lines":
        draft.exclude |= {name: name for name in flags_of_no_sale(kinds)}
        if asked := states_of_no_sale(kinds):
            draft.exclude["no_sale"] = asked
    fed = {feed.entity for feed in draft.feeds}
    if "person_records" in fed and (asked := kinds_of_nobody(kinds)):
        draft.exclude["no_person"] = asked
    if fed & {"sale_lines", "order_lines"} and (asked := parts_of_lines(kinds)):
        draft.exclude["part_of_a_line"] = asked


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


def _currency(kinds: Sequence[Kind]) -> str:
    found = {k.numbers.currency for k in kinds if k.numbers and k.numbers.currency}
    return next(iter(found)) if len(found) == 1 else ""
