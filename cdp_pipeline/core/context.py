"""What every step is given and what every step gives back.

``RunContext`` carries settings, dates and places into a step; nothing else reaches it. The clock
lives here and is for logs and timings only: no result may depend on it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdp_pipeline.core.settings import Settings

_SHOWN_MESSAGES = 20


@dataclass(frozen=True)
class RunContext:
    """Everything a step may know.

    Attributes:
        business_date: The night's business day, in the store's zone.
        run_id: Name of the run's folder below ``data/work`` and ``data/runs``.
        project_root: Folder with ``expectations/``, ``sql/`` and ``reports/``.
        settings: Frozen settings with absolute paths.
        is_full: Build every table anew, though rows of the version before could be carried over.
    """

    business_date: date
    run_id: str
    project_root: Path
    settings: Settings
    is_full: bool = False

    @property
    def data_dir(self) -> Path:
        """Folder that holds everything runs write."""
        return self.settings.data_dir


@dataclass(frozen=True)
class StepResult:
    """What a step says about itself; small enough for an Airflow XCom (8 KB).

    Attributes:
        rows_in: Rows read.
        rows_out: Rows handed on.
        rows_set_aside: Rows quarantined, dropped as duplicates or excluded by a rule.
        messages: Sentences for people; no personal data.
        facts: Counts and names for machines; no personal data.
    """

    rows_in: int = 0
    rows_out: int = 0
    rows_set_aside: int = 0
    messages: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def abridged(messages: Sequence[str], *, rest: str) -> tuple[str, ...]:
    """Return the first messages and how many more there are: a result stays within an XCom.

    Args:
        messages: Sentences, the weightiest first.
        rest: Where the others can be read.
    """
    if len(messages) <= _SHOWN_MESSAGES:
        return tuple(messages)
    more = len(messages) - _SHOWN_MESSAGES
    return (*messages[:_SHOWN_MESSAGES], f"and {more:,} more: {rest}")


class Clock:
    """Time for logs and durations; replaced in tests."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, for durations."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def today(self, zone: str) -> date:
        """Return today's date in an IANA zone."""
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - only the CLI's default date needs it

        return datetime.now(ZoneInfo(zone)).date()


PRIVATE_UMASK = 0o027
"""What others never get of the files we make: files 0640, folders 0750 at most."""


def keep_private() -> None:
    """Let everything that this process makes be for its user and group alone."""
    import os  # noqa: PLC0415 - as below

    os.umask(PRIVATE_UMASK)


def operating_user() -> str:
    """Return who is logged in at the operating system: the author of a decision.

    By user id rather than by environment, which anybody may set.
    """
    import os  # noqa: PLC0415 - only decisions have an author
    import pwd  # noqa: PLC0415 - as above

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid {os.getuid()}"


def login_user() -> str:
    """Return who logged in at the machine, if not the operating user; empty if unknown or the same.

    ``sudo`` changes the user that a process runs as; the kernel keeps who logged in.
    """
    import pwd  # noqa: PLC0415 - only the audit log asks

    try:
        name = pwd.getpwuid(int(Path("/proc/self/loginuid").read_text(encoding="ascii"))).pw_name
    except (OSError, ValueError, KeyError, OverflowError):  # not Linux, or a service
        return ""
    return "" if name == operating_user() else name
