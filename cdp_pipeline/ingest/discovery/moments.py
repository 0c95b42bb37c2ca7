"""Which format the dates and times of a column are written in.

Every value proposes the formats by which it could be read; the formats that all values share are
left. 03/04/2026 leaves two, and nothing but the sender knows which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", ("%Y{1}%m{1}%d",)),
    (r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4})", ("%d{1}%m{1}%Y", "%m{1}%d{1}%Y")),
    (
        r"(\d{1,2})([-/.])(\d{1,2})\2(\d{2})",
        ("%d{1}%m{1}%y", "%m{1}%d{1}%y", "%y{1}%m{1}%d"),
    ),
    (r"()()()(\d{8})", ("%Y%m%d", "%d%m%Y", "%m%d%Y")),
    (r"(\d{1,2})([-/ .]?)([A-Za-z]{3,9})\2(\d{4})", ("%d{1}%b{1}%Y", "%d{1}%B{1}%Y")),
    (r"(\d{1,2})([-/ .]?)([A-Za-z]{3,9})\2(\d{2})", ("%d{1}%b{1}%y",)),
    (r"([A-Za-z]{3,9})( )(\d{1,2}), (\d{4})", ("%b %d, %Y", "%B %d, %Y")),
)
_WEEKDAY = re.compile(r"(?P<day>[A-Z][a-z]{2}), ")
_TIME = re.compile(
    r"(?P<sep>[ T]+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<second>:\d{2})?(?P<part>[.,]\d{1,9})?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(Z|[+-]\d{2}:?\d{2}|[+-]\d{2}|UTC|GMT|[A-Z]{3,4}))?"
)
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(?P<zone> ?(Z|[+-]\d{2}(:?\d{2})?))?)?"
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"), ("feb", "february"), ("mar", "march"), ("apr", "april"),
            ("may",), ("jun", "june"), ("jul", "july"), ("aug", "august"), ("sep", "september"),
            ("oct", "october"), ("nov", "november"), ("dec", "december"),
        ),
        1,
    )
    for name in names
}  # fmt: skip
_EPOCHS = ((10, "epoch"), (13, "epoch_ms"), (16, "epoch_us"))
_EPOCH_YEARS = (946_684_800, 2_208_988_800)
_SERIALS = (32_874, 58_809)
_ENOUGH = 0.9
_YEARS = range(1880, 2200)
_DAYS, _MONTHS_A_YEAR = 31, 12

_MIDNIGHT = re.compile(r"(?<![:\d+-])0?0:00(:00)?(\.0+)?\b|\b12:00(:00)? ?[aA]")

EXCEL = "excel"
"""Format of days as spreadsheets count them, from 1899-12-30."""


@dataclass(frozen=True)
class Moments:
    """How a column's dates are written.

    Attributes:
        formats: Formats that fit, commonest first; an empty one is ISO 8601.
        share: Share of the values that they fit.
        has_time: Whether a time of day stands beside the date.
        is_midnight: Whether that time is midnight everywhere.
        has_zone: Whether every value carries its zone or offset.
    """

    formats: tuple[str, ...] = ()
    share: float = 0.0
    has_time: bool = False
    is_midnight: bool = False
    has_zone: bool = False

    @property
    def is_doubtful(self) -> bool:
        """Whether nothing in the values tells which format is meant."""
        return len(self.formats) > 1


def look_at_moments(counts: Mapping[str, int]) -> Moments:
    """Return in which format dates are written.

    Args:
        counts: How often each value occurs.
    """
    votes: Counter[str] = Counter()
    total, zoned, timed, late = sum(counts.values()), 0, 0, 0
    for value, times in counts.items():
        if match := _ISO.fullmatch(value):
            zoned += times * bool(match["zone"])
            votes[""] += times * _is_day(value[:4], value[5:7], value[8:10])
        else:
            formats = set(_formats(value))
            votes.update(dict.fromkeys(formats, times))
            zoned += times * any("%z" in f or "%Z" in f for f in formats)
        timed += ":" in value
        late += ":" in value and not _MIDNIGHT.search(value)
    most = max(votes.values(), default=0)
    if most == 0 or most < _ENOUGH * total:
        return Moments(share=most / total if total else 0.0)
    return Moments(
        formats=_likely([f for f, n in votes.items() if n == most]),
        share=most / total,
        has_time=timed > 0,
        is_midnight=timed > 0 and not late,
        has_zone=zoned == total,
    )


def _likely(formats: list[str]) -> tuple[str, ...]:
    """Return formats without those that nobody means if another one fits, day first."""
    likely = [f for f in formats if "%B" not in f or f.replace("%B", "%b") not in formats]
    others = [f for f in likely if not re.match(r"%y[./]", f)]
    return tuple(sorted(others or likely, key=_rank))


def _rank(found: str) -> tuple[bool, str]:
    return not found.startswith("%d"), found


def _formats(value: str) -> Iterator[str]:
    """Yield the formats by which a value can be read."""
    weekday = _WEEKDAY.match(value)
    text = value[weekday.end() :] if weekday else value
    day = "%a, " if weekday else ""
    for pattern, formats in _DATES:
        match = re.match(pattern, text)
        if match is None:
            continue
        rest = text[match.end() :]
        time = _time_format(rest) if rest else ""
        if time is None:
            continue
        for template in formats:
            found = template.replace("{1}", match[2])
            if _fits(match, found):
                yield day + found + time


def _time_format(text: str) -> str | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    half = match["half"]
    found = match["sep"][0] + ("%I" if half else "%H") + ":%M"
    found += ":%S" if match["second"] else ""
    found += f"{match['part'][0]}%f" if match["part"] else ""
    found += " %p" if half and half[0] == " " else "%p" if half else ""
    zone = match["zone"] or ""
    if zone:
        named = zone.strip().isalpha() and zone.strip() != "Z"
        found += (" " if zone.startswith(" ") else "") + ("%Z" if named else "%z")
    return found


def _fits(match: re.Match[str], found: str) -> bool:
    """Return whether the numbers of a value can be day, month and year in this order."""
    plain = re.sub(r"[^%A-Za-z]", "", found)
    order = [plain[i + 1] for i in range(len(plain) - 1) if plain[i] == "%"]
    text = match[0]
    parts = re.findall(r"\d+|[A-Za-z]+", text)
    if len(parts) == 1:
        parts, at = [], 0
        for letter in order:
            size = 4 if letter == "Y" else 2
            parts.append(text[at : at + size])
            at += size
    values = dict(zip(order, parts, strict=False))
    month = values.get("m") or str(_MONTHS.get((values.get("b") or values.get("B") or "").lower()))
    year = values.get("Y") or f"20{values.get('y', '')}"
    if "B" in values and len(values["B"]) <= 3:  # noqa: PLR2004 - short names of months
        return False
    if "b" in values and len(values["b"]) > 3:  # noqa: PLR2004 - same
        return False
    return _is_day(year, month, values.get("d", ""))


def _is_day(year: str, month: str, day: str) -> bool:
    if not (year.isdigit() and month.isdigit() and day.isdigit()):
        return False
    return int(year) in _YEARS and 1 <= int(month) <= _MONTHS_A_YEAR and 1 <= int(day) <= _DAYS


def look_at_counters(values: Iterable[str], *, says_time: bool) -> str:
    """Return the format of moments counted since some day; empty if they are other numbers.

    Args:
        values: Numbers; days of a spreadsheet may have a part, the time.
        says_time: Whether the column's name speaks of a moment.
    """
    found = [v for v in values if v.replace(".", "", 1).isdigit()]
    if not found:
        return ""
    for size, name in _EPOCHS:
        scale = 10 ** (size - 10)
        low, high = (limit * scale for limit in _EPOCH_YEARS)
        if says_time and all(
            len(v.partition(".")[0]) == size and low <= float(v) < high for v in found
        ):
            return name
    if says_time and all(_SERIALS[0] <= float(v) <= _SERIALS[1] for v in found):
        return EXCEL
    return ""
