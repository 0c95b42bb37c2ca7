"""The hour at which a night runs, in the store's zone and in UTC; which DAG files there are."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

NIGHTLY = "cdp_nightly"
_CRON_FIELDS = 5


@dataclass(frozen=True)
class Hours:
    """When a cron fires every day.

    Attributes:
        local: Hour in the store's zone; the cron itself if it is not one time a day.
        zone: IANA zone.
        winter: Hour in UTC on 15 January; empty if ``local`` is a cron.
        summer: Hour in UTC on 15 July; empty if ``local`` is a cron.
    """

    local: str
    zone: str
    winter: str = ""
    summer: str = ""


@dataclass(frozen=True)
class Dag:
    """One DAG file: its name and what its docstring says."""

    name: str
    text: str
    hours: Hours | None


def hours_of(cron: str, zone: str, year: int) -> Hours:
    """Return the hours of a cron of the form ``minute hour * * *``.

    Args:
        cron: Five fields.
        zone: IANA zone of the cron.
        year: Year whose rules of summer time hold.

    >>> hours_of("0 4 * * *", "Europe/London", 2026).summer
    '03:00'
    """
    fields = cron.split()
    if len(fields) != _CRON_FIELDS or not (fields[0].isdigit() and fields[1].isdigit()):
        return Hours(cron, zone)
    minute, hour = int(fields[0]), int(fields[1])
    winter, summer = (
        datetime(year, month, 15, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for month in (1, 7)
    )
    days = "" if fields[2:] == ["*", "*", "*"] else f" ({cron})"
    return Hours(f"{hour:02d}:{minute:02d}{days}", zone, f"{winter:%H:%M}", f"{summer:%H:%M}")


def read_dags(folder: Path, hours: Hours) -> list[Dag]:
    """Return the DAG files of a folder, in name order; they are parsed, not run."""
    found = []
    for path in sorted(folder.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found.append(Dag(path.stem, text, hours if path.stem == NIGHTLY else None))
    return found
