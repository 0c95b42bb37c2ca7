"""A draft as a YAML text with comments: what was seen stands beside what was decided.

Comments never hold personal data: of such columns only kind and filling are told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal

import yaml

from cdp_pipeline.core.unseen import show_unseen
from cdp_pipeline.ingest.casting import UNSEEN
from cdp_pipeline.ingest.discovery.asking import Ask, Proposal
from cdp_pipeline.ingest.discovery.draft import Draft
from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.observed import Drafted, bounds, vocabulary
from cdp_pipeline.ingest.discovery.sample import Sample
from cdp_pipeline.project.yaml_source import ASK

_PLAIN = re.compile(r"[A-Za-z_./][\w./+*%:#-]*( [\w./+*%-]+)*")
_WIDE = 96
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_MOST_SHOWN = 8

_WHICH_ENTITY = Ask(
    "which entity do the rows become (see sql/staging/README.md)? Write `- entity: ...` and its "
    "`columns:`, or [] if other sources join this one",
    [],
)

_SCOPES = frozenset({"store_id", "till_id", "occurred_at"})
"""Within which receipts may be numbered."""

LOAD_MODES = (
    "append: events by key (a changed row under the same key is set aside, so that you notice);",
    "upsert: newest row by key and `updated_at`, else of the latest file;",
    "replace: every file is complete, and what it lacks is gone;",
    "rewrite: files are sent again for some days (needs `day:`)",
)


def write_draft(draft: Draft, *, is_trial: bool = False) -> str:
    """Return the YAML text of a draft.

    Args:
        draft: The draft.
        is_trial: Whether provisional answers stand in place of questions.
    """
    parts = (_head, _delivery, _load, _columns, _tail)
    # Comments tell what stands in the delivery, whatever that is.
    lines = (show_unseen(line).replace("\n", " ") for part in parts for line in part(draft))
    text = "\n".join(lines)
    return _answered(text, draft) if is_trial else text


def _answered(text: str, draft: Draft) -> str:
    asks = [*draft.delivery.values(), *draft.load.values(), *draft.exclude.values()]
    asks += [v for f in draft.feeds for v in (f.where, *f.columns.values())]
    asks += [v for part in draft.delivery.values() if isinstance(part, dict) for v in part.values()]
    asks += [Ask(*c.kind.question[1:]) for c in draft.columns if c.kind.question]
    asks += [_WHICH_ENTITY, draft.join, draft.key_asked]
    for ask in asks:
        if isinstance(ask, Ask):
            text = text.replace(scalar(ask), scalar(ask.provisional), 1)
    return text


def _head(draft: Draft) -> Iterator[str]:
    sample = draft.sample
    files = ", ".join(draft.files[:3]) + (" ..." if len(draft.files) > 3 else "")  # noqa: PLR2004 - enough to see
    yield f"# Drafted by `cdp new source` from {files}: {sample.looked_at},"
    yield f"# {sample.rows:,} rows, {len(draft.columns)} columns. Comments say what was seen there."
    yield f"# Each `{ASK}` is something that files cannot tell: write the answer in its place, in"
    yield "# quotes. Until then the source is refused; `cdp check` lists what is left."
    title = draft.name.replace("_", " ").capitalize()
    yield ""
    yield f"title: {scalar(title)}"
    yield "owner: data-engineering  # who answers questions about it"
    yield ""


def _delivery(draft: Draft) -> Iterator[str]:
    yield "delivery:"
    if "" in draft.notes:
        yield f"  # {draft.notes['']}"
    for key, value in draft.delivery.items():
        note = f"  # {draft.notes[key]}" if key in draft.notes else ""
        if isinstance(value, dict):
            yield f"  {key}:{note}"
            yield from (f"    {name}: {scalar(part)}" for name, part in value.items())
        else:
            yield f"  {key}: {scalar(value)}{note}"
    yield ""


def _load(draft: Draft) -> Iterator[str]:
    yield "load:"
    yield f"  mode: {scalar(draft.load['mode'])}"
    yield from (f"  # {line}" for line in LOAD_MODES)
    twice = draft.key.repeated
    rows = "row stands" if twice == 1 else "rows stand"
    repeated = (
        f"; {twice} {rows} twice, word for word: counted once"
        if twice and draft.key.columns
        else ""
    )
    yield f"  key: {scalar(draft.key_asked or draft.load['key'])}  # {draft.key.note}{repeated}"
    yield from _restarting(draft)
    if "updated_at" in draft.load:
        yield f"  updated_at: {draft.load['updated_at']}"
    if "day" in draft.load:
        yield f"  day: {draft.load['day']}  # a file came again under its name"
    if "deleted_when" in draft.load:
        yield f"  deleted_when: {draft.load['deleted_when']}"
    yield ""


def _restarting(draft: Draft) -> Iterator[str]:
    """Warn of what a file of one day cannot show: numbers of receipts that begin anew."""
    if draft.feeds[0].entity != "sale_lines":
        return
    scopes = [c.name for c in draft.columns if _is_scope(c)]
    is_named_by_them = any(c.kind.tag == "sale_id" and _is_computed(c.kind) for c in draft.columns)
    if scopes and not is_named_by_them:
        yield f"  # If receipts are numbered anew by day, store or till, {', '.join(scopes)}"
        yield "  # belong into the key, and into `sale_id:` below (joined by || '-' ||)."


def _is_scope(column: Drafted) -> bool:
    is_read = not _is_computed(column.kind)
    return column.kind.tag in _SCOPES and is_read and not column.is_key


def _columns(draft: Draft) -> Iterator[str]:
    if draft.sample.ignore:
        yield f"ignore: {scalar(list(draft.sample.ignore))}"
        yield ""
    yield "columns:"
    for column in draft.columns:
        yield from _column(column, draft.sample)
    yield ""


def _is_needed(column: Drafted, sample: Sample) -> bool:
    """Return whether a row without a value is none: rows of sums, say, carry no moment."""
    kind = column.kind
    is_moment = kind.tag == "occurred_at" and kind.type in {"date", "timestamp"}
    is_gap = bool(kind.field.name) and kind.field.name == sample.totals
    is_always_there = kind.field.share == 1 and not kind.field.is_partial
    return column.is_key or (is_moment and is_always_there and not is_gap)


def _is_computed(kind: Kind) -> bool:
    return "value" in kind.keys or (kind.question is not None and kind.question[0] == "value")


def _column(column: Drafted, sample: Sample) -> Iterator[str]:
    kind = column.kind
    has_names = sample.has_header
    keys: dict[str, object] = {}
    if has_names and kind.field.name != column.name and not _is_computed(kind):
        keys["from"] = kind.field.name
    if kind.type != "text":
        keys["type"] = kind.type
    keys.update(kind.keys)
    if kind.question:
        keys[kind.question[0]] = Ask(*kind.question[1:])
    if _is_needed(column, sample):
        keys["required"] = True
    if kind.field.is_partial:
        keys["optional"] = True
    if kind.pii:
        keys["pii"] = kind.pii
    if kind.special_category:
        keys["special_category"] = kind.special_category
    seen = _seen(column)
    name = scalar(column.name)
    line = f"  {name}: {{{', '.join(f'{k}: {scalar(v)}' for k, v in keys.items())}}}"
    if len(line) + len(seen) + 4 <= _WIDE and not kind.question:
        yield f"{line}  # {seen}"
    elif len(line) <= _WIDE and not kind.question:
        yield f"  # {seen}"
        yield line
    else:
        yield f"  {name}:  # {seen}"
        yield from (f"    {key}: {scalar(value)}" for key, value in keys.items())


def _seen(column: Drafted) -> str:
    """Return what stands in a column, in words."""
    kind = column.kind
    parts = []
    is_hidden = kind.pii or kind.special_category
    if kind.tag and kind.tag not in {column.name, kind.pii}:
        parts.append(kind.tag.replace("_", " "))
    if kind.field.share < 1:
        parts.append(f"{kind.field.share:.0%} filled")
    limits = None if is_hidden else bounds(column)
    if limits:
        parts.append(f"{limits[0]} to {limits[1]}")
    elif kind.type in {"date", "timestamp"} and not is_hidden and kind.moments is not None:
        if not (kind.keys.get("format") or kind.question):
            parts.append(f"{min(kind.field.counts)} to {max(kind.field.counts)}")
    elif values := vocabulary(column):
        more = " ..." if len(values) > _MOST_SHOWN else ""
        parts.append(", ".join(values[:_MOST_SHOWN]) + more)
    elif kind.field.counts:
        parts.append(f"{len(kind.field.counts):,} different")
    if kind.note:
        parts.append(kind.note)
    if kind.special_category:
        parts.append("special category: `ignore:` it, or name a `legal_basis:` to use it")
    return "; ".join(parts) or "as it stands"


def _tail(draft: Draft) -> Iterator[str]:
    excluded = dict(draft.exclude)
    for column in draft.columns:
        is_gap = bool(column.kind.field.name) and column.kind.field.name == draft.sample.totals
        if is_gap and not column.is_key:
            excluded.setdefault("totals_row", f"{column.name} is null")
    if excluded:
        yield "exclude:  # such rows are counted as excluded by their rule, and not loaded"
        for rule, where in excluded.items():
            yield f"  - rule: {scalar(rule)}"
            yield f"    where: {scalar(where)}"
        yield ""
    if draft.checks:
        yield "# Bounds and values as seen: they warn; once trusted, let them quarantine or stop."
        yield "checks:"
        yield from (f"  - {scalar(check)}" for check in draft.checks)
        yield ""
    if draft.join:
        yield f"join: {scalar(draft.join)}"
        yield ""
    yield from _feeds(draft)
    yield ""


def _feeds(draft: Draft) -> Iterator[str]:
    if not draft.feeds[0].entity:
        yield f"feeds: {scalar(_WHICH_ENTITY)}  # {draft.feeds[0].note}"
        return
    yield "feeds:"
    for feed in draft.feeds:
        yield from _feed(feed)


def _feed(feed: Proposal) -> Iterator[str]:
    yield f"  - entity: {feed.entity}  # {feed.note}"
    if feed.where:
        yield f"    where: {scalar(feed.where)}"
    yield "    columns:"
    yield from (f"      {name}: {scalar(value)}" for name, value in feed.columns.items())


def scalar(value: object) -> str:
    """Return a value as YAML in one line.

    >>> scalar("a b"), scalar("no"), scalar(["x", 1]), scalar(Ask("which?", 1))
    ('a b', '"no"', '[x, 1]', '!ask "which?"')
    """
    if isinstance(value, Ask):
        return f"{ASK} {json.dumps(value.question, ensure_ascii=False)}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {scalar(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(scalar(v) for v in value) + "]"
    if isinstance(value, bool | int | float | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value).lower()
    text = str(value)
    if _PLAIN.fullmatch(text) and ": " not in text and yaml.safe_load(text) == text:
        return text
    written = json.dumps(text, ensure_ascii=False)
    return "".join(f"\\u{ord(mark):04X}" if mark in UNSEEN else mark for mark in written)
