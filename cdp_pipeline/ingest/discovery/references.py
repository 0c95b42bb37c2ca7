"""Columns that hold the ids of another file's rows: people are asked to join the two.

Vendors export an event with the number of a profile, and the profile in a file of its own. Taken
for a number of a customer, such an id would be nobody's; what it brings is found by a join.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.draft import Draft, leave_open
from cdp_pipeline.ingest.discovery.feeding import is_about_somebody
from cdp_pipeline.ingest.discovery.observed import Drafted
from cdp_pipeline.project.column_names import is_number_name

_MOSTLY = 0.5
_SHORTEST = 2
_MOST_SHOWN = 14
_NO_NEWS = frozenset({"updated_at", "event_type", None})


def ask_joins(drafts: Sequence[Draft]) -> None:
    """Ask in each draft for joins with the drafts whose ids its columns hold.

    Args:
        drafts: Drafts of files that lie together; they are changed.
    """
    for draft in drafts:
        asked = []
        for column in draft.columns:
            for other in drafts:
                if other is draft or not _refers(column, draft, other):
                    continue
                if not _is_account(column, draft, other):
                    asked.append(_question(column, draft, other))
                    _leave_out(column, draft)
                break
        if asked:
            said = "; ".join(asked)
            draft.join = Ask(f"{said}. Write the joins that are wanted in one list, or []", [])


def _is_account(column: Drafted, draft: Draft, other: Draft) -> bool:
    """Have people be known by the account that orders name; return whether a column does so."""
    key = _key(other)
    people = [feed for feed in other.feeds if feed.entity == "person_records"]
    entities = {feed.entity for feed in draft.feeds}
    if column.kind.tag != "account_id" or key is None or not people:
        return False
    people[0].columns.setdefault("account_id", key.name)
    return bool(entities & {"orders", "order_lines", "sale_lines"})


def _refers(column: Drafted, draft: Draft, other: Draft) -> bool:
    """Return whether a column holds ids of another source's rows, not by chance."""
    key = _key(other)
    is_own_key = draft.load["key"] == [column.name]
    if key is None or is_own_key or column.kind.type != "text":
        return False
    if not is_number_name(column.kind.field.name) or key.kind.pii == "email":
        return False
    ours, theirs = set(column.kind.field.counts), set(key.kind.field.counts)
    are_telling = column.kind.tag == "account_id" or any(
        not v.isdigit() or len(v) > _SHORTEST for v in ours
    )
    return bool(ours) and are_telling and len(ours & theirs) >= max(1, _MOSTLY * len(ours))


def _key(draft: Draft) -> Drafted | None:
    """Return the one column that names a row."""
    return next((c for c in draft.columns if draft.load["key"] == [c.name]), None)


def _question(column: Drafted, draft: Draft, other: Draft) -> str:
    key = _key(other)
    ours = {c.name for c in draft.columns}
    news = [c.name for c in other.columns if c.kind.tag not in _NO_NEWS and not c.is_key]
    named = {n if n not in ours else f"{other.name}_{n}": n for n in news[:_MOST_SHOWN]}
    columns = ", ".join(f"{new}: {theirs}" for new, theirs in named.items()) or "...: ..."
    return (
        f"{column.name} holds ids of {other.name}: {{source: {other.name}, "
        f"by: {{{column.name}: {key.name if key else ''}}}, columns: {{{columns}}}}} brings what "
        f"stands there; feed it below. If all of it, and of what it says of consent, counts here, "
        f"write [] under feeds of {other.name}"
    )


def _leave_out(column: Drafted, draft: Draft) -> None:
    """Take an id of another file's row out of what is known of a person."""
    for feed in draft.feeds:
        if feed.entity == "person_records":
            feed.columns = {to: sql for to, sql in feed.columns.items() if sql != column.name}
    kept = [
        feed
        for feed in draft.feeds
        if feed.entity != "person_records" or is_about_somebody(feed.columns)
    ]
    if not any(feed.entity == "person_records" for feed in kept):
        kept = [feed for feed in kept if feed.entity != "consents"]
    draft.feeds = kept
    leave_open(draft)
