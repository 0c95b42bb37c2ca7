"""Moments that stand in several columns: a day, the time of the day, perhaps its zone.

Put together by SQL of a column of its own. A day alone would move every sale to midnight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.moments import Moments
from cdp_pipeline.ingest.discovery.sample import Field
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.storage.warehouse import quote_literal

ZONES: Mapping[str, str] = {
    "Hawaii": "Pacific/Honolulu",
    "Alaska": "America/Anchorage",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Arizona": "America/Phoenix",
    "Mountain Time (US & Canada)": "America/Denver",
    "Central Time (US & Canada)": "America/Chicago",
    "Eastern Time (US & Canada)": "America/New_York",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "Atlantic Time (Canada)": "America/Halifax",
    "Newfoundland": "America/St_Johns",
    "Dublin": "Europe/Dublin",
    "London": "Europe/London",
    "Edinburgh": "Europe/London",
    "Lisbon": "Europe/Lisbon",
    "Madrid": "Europe/Madrid",
    "Paris": "Europe/Paris",
    "Brussels": "Europe/Brussels",
    "Amsterdam": "Europe/Amsterdam",
    "Berlin": "Europe/Berlin",
    "Vienna": "Europe/Vienna",
    "Rome": "Europe/Rome",
    "Stockholm": "Europe/Stockholm",
    "Tokyo": "Asia/Tokyo",
    "Osaka": "Asia/Tokyo",
    "Sydney": "Australia/Sydney",
    "Melbourne": "Australia/Melbourne",
    "Brisbane": "Australia/Brisbane",
    "Adelaide": "Australia/Adelaide",
    "Perth": "Australia/Perth",
}
"""IANA zones by the names that tills and shops give them."""

_IANA = re.compile(
    r"(Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[\w/+-]+|UTC|GMT"
)
_OFFSET = re.compile(r"[+-]\d{2}:?\d{2}")
_WORDS = re.compile(
    r"(date|day|datum|tag|fecha|data|dato|time|zeit|uhrzeit|hora|heure|ora|tijd|hour|clock)"
)


@dataclass(frozen=True)
class Clock:
    """A moment in several columns.

    Attributes:
        name: Our name of the column that holds it whole.
        kind: That column.
        day: Our name of the column with the day.
    """

    name: str
    kind: Kind
    day: str


def join_clock(kinds: Sequence[Kind], names: Sequence[str]) -> Clock | None:
    """Return the moment that a day and a time of day are together; None if none are.

    Args:
        kinds: What the columns are.
        names: Our names of them.
    """
    moments = [(n, k) for n, k in zip(names, kinds, strict=True) if k.tag == "occurred_at"]
    days = [(n, k) for n, k in moments if k.type == "date"]
    clocks = [(n, k) for n, k in moments if k.is_clock]
    if not days or not clocks or any(k.type == "timestamp" for _, k in moments):
        return None
    pairs = [(day, clock) for day in days for clock in clocks if _bare(day[0]) == _bare(clock[0])]
    (day, day_kind), (clock, clock_kind) = pairs[0] if pairs else (days[0], clocks[0])
    whole = [
        f"{a.strip()} {b.strip()}" if a.strip() and b.strip() else ""
        for a, b in zip(day_kind.field.values, clock_kind.field.values, strict=True)
    ]
    name = "occurred_at" if "occurred_at" not in names else "occurred_at_whole"
    local = _local_time(day, clock, clock_kind)
    zones = [(n, k) for n, k in zip(names, kinds, strict=True) if k.tag == "time_zone"]
    sql = _in_utc(local, *zones[0]) if zones and zones[0][1].field.filled else _asked(local)
    kind = Kind(Field(name, whole), "occurred_at", "timestamp")
    kind.note = f"{day} and {clock} together"
    kind.moments = Moments(("",), 1.0, has_time=True, has_zone=True)
    if len(pairs) != 1 and (len(days) > 1 or len(clocks) > 1):
        kind.question = ("value", f"do {day} and {clock} belong together? Then write: {sql}", sql)
    elif isinstance(sql, Ask):
        kind.question = ("value", sql.question, sql.provisional)
    else:
        kind.keys["value"] = sql
    return Clock(name, kind, day)


def _bare(name: str) -> str:
    """Return a column's name without what says day or time.

    >>> _bare("sale_date"), _bare("sale_time"), _bare("Uhrzeit")
    ('sale', 'sale', '')
    """
    return _WORDS.sub("", plain_header(name)).strip("_")


def _local_time(day: str, clock: str, kind: Kind) -> str:
    """Return SQL of the local moment."""
    written = {_format_of(value) for value in kind.field.counts}
    texts = dict.fromkeys(sorted(written - {""}), clock)
    if "" in written:
        longest = max(len(value) for value in kind.field.counts if value.isdigit())
        size = 6 if longest > 4 else 4  # noqa: PLR2004 - hours and minutes
        texts["%H%M%S" if size == 6 else "%H%M"] = f"lpad({clock}, {size}, '0')"  # noqa: PLR2004 - with seconds
    tried = [
        f"try_strptime(cast({day} as varchar) || ' ' || {text}, '%Y-%m-%d {found}')"
        for found, text in texts.items()
    ]
    return tried[0] if len(tried) == 1 else f"coalesce({', '.join(tried)})"


def _format_of(clock: str) -> str:
    """Return the format of a time of day; empty if it has digits alone.

    >>> _format_of("18:05:09"), _format_of("6:05 PM"), _format_of("0905")
    ('%H:%M:%S', '%I:%M %p', '')
    """
    if clock.isdigit():
        return ""
    half = re.search(r" ?[AaPp][Mm]$", clock)
    seconds = ":%S" if clock.count(":") > 1 else ""
    after = (" %p" if half and half[0].startswith(" ") else "%p") if half else ""
    return f"{'%I' if half else '%H'}:%M{seconds}{after}"


def _in_utc(local: str, name: str, kind: Kind) -> str | Ask:
    """Return SQL of the moment by the zone that another column tells."""
    found = sorted(kind.field.counts)
    # A clock of a zone that nobody knows is no moment: `pattern:` and `values:` set its row aside.
    if all(_OFFSET.fullmatch(value) for value in found):
        # Minus the offset, as it is ahead of UTC.
        hours, minutes = f"substr({name}, 1, 3)", f"right({name}, 2)"
        signed = f"cast(substr({name}, 1, 1) || {minutes} as integer)"
        kind.keys["pattern"] = _OFFSET.pattern
        return f"{local} - to_hours(cast({hours} as integer)) - to_minutes({signed})"
    if all(_IANA.fullmatch(value) for value in found):
        kind.keys["pattern"] = _IANA.pattern
        return f"timezone('UTC', timezone({name}, {local}))"
    kind.keys["values"] = found
    known = [value for value in found if value in ZONES or _IANA.fullmatch(value)]
    whens = " ".join(
        f"when {quote_literal(value)} then '{ZONES.get(value, value)}'" for value in known
    )
    sql = f"timezone('UTC', timezone(case {name} {whens} end, {local}))"
    unknown = [value for value in found if value not in known]
    if not unknown:
        return sql
    shown = ", ".join(unknown[:4])
    more = " ".join(f"when {quote_literal(value)} then '...'" for value in unknown)
    return Ask(
        f"IANA zones of {shown}, such as Europe/London, in place of the dots: timezone('UTC', "
        f"timezone(case {name} {whens} {more} end, {local}))".replace("  ", " "),
        f"timezone('UTC', timezone('UTC', {local}))" if not known else sql,
    )


def _asked(local: str) -> Ask:
    return Ask(
        "IANA zone of these clocks, such as Europe/London, in place of ZONE: "
        f"timezone('UTC', timezone('ZONE', {local}))",
        f"timezone('UTC', timezone('UTC', {local}))",
    )
