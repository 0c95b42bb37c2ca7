"""What a person should know of the files that a night found: refused, missing, late, sent again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import get_args

from cdp_pipeline.ingest.deliveries import Delivery
from cdp_pipeline.project.layout import Weekday
from cdp_pipeline.project.loader import Project

STILL_WRITTEN = "it was still being written when the night began"
MAY_BE_INCOMPLETE = "has not arrived, so it may be incomplete"
"""How reasons end of files that are looked at again the next night."""

_MOST_MISPLACED = 1000


@dataclass(frozen=True)
class Arrival:
    """A file that did not simply arrive, or one that did not arrive at all.

    Attributes:
        source: Declared source; empty if none takes the file.
        file_name: Path below the landing folder; of a missing file the contract's.
        kind: refused, waiting, missing, gone, repeated, sent_again, late or misplaced.
        detail: The rest of the sentence about it.
    """

    source: str
    file_name: str
    kind: str
    detail: str

    @property
    def sentence(self) -> str:
        """What the night says."""
        subject = "" if self.kind == "missing" else f"{self.file_name} "
        return f"{self.source}: {subject}{self.detail}"


def find_arrivals(
    deliveries: Collection[Delivery],
    known: Mapping[tuple[str, str], Delivery],
    project: Project,
    night: date,
    *,
    has_base: bool,
) -> Iterator[Arrival]:
    """Yield each file that did not simply arrive, and each that did not.

    Args:
        deliveries: All files, decided.
        known: What earlier nights knew, by source and file name.
        project: Contracts.
        night: Business date of the run.
        has_base: Whether there was a night before: in an initial load nothing is late.
    """
    for d in deliveries:
        if d.status == "refused":
            kind = "waiting" if d.reason.endswith((STILL_WRITTEN, MAY_BE_INCOMPLETE)) else "refused"
            yield Arrival(d.source, d.file_name, kind, f"is refused: {d.reason}")
    weekday = get_args(Weekday)[night.weekday()]
    here = {d.source for d in deliveries if d.business_date == night}
    for name, contract in project.sources.items():
        if weekday in contract.delivery.expected_on and name not in here:
            detail = f"nothing was delivered for {night}; ask {contract.owner}"
            yield Arrival(name, contract.delivery.path, "missing", detail)
    for d in deliveries:
        if d.status == "known" and d.path is None and d.was_in_landing:
            detail = "has left the landing folder; its rows stay"
            yield Arrival(d.source, d.file_name, "gone", detail)
    for d in deliveries:
        found = _describe(d, known.get((d.source, d.file_name)), night, has_base=has_base)
        if found:
            yield Arrival(d.source, d.file_name, *found)


def _describe(
    d: Delivery, before: Delivery | None, night: date, *, has_base: bool
) -> tuple[str, str] | None:
    """Return how a file is unlike one that comes once, on its day; None if it is not."""
    is_as_before = before is not None and before.sha256 == d.sha256
    if is_as_before or not has_base:
        return None
    if d.status == "duplicate_file":
        return "repeated", f"is not loaded: {d.reason}"
    if d.status == "new" and before is not None:
        return "sent_again", "was sent again; it replaces what had its name"
    if d.status == "new" and d.business_date < night:
        return "late", f"is late: it belongs to {d.business_date}"
    return None


def misplaced(names: Iterable[str]) -> list[Arrival]:
    """Return the files in landing that no contract asks for, the first thousand of them."""
    said = "belongs to no source: no contract's `path:` finds it"
    return [Arrival("", name, "misplaced", said) for name in sorted(names)[:_MOST_MISPLACED]]
