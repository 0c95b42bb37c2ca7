"""What a person should know of the files that a night found: refused, missing, late, sent again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import get_args

from cdp_pipeline.ingest.deliveries import Delivery
from cdp_pipeline.project.layout import Weekday
from cdp_pipeline.project.loader import Project


def describe_arrivals(
    deliveries: Collection[Delivery],
    known: Mapping[tuple[str, str], Delivery],
    project: Project,
    night: date,
    *,
    has_base: bool,
) -> Iterator[str]:
    """Yield one sentence for each file that did not simply arrive, and each that did not.

    Args:
        deliveries: All files, decided.
        known: What earlier nights knew, by source and file name.
        project: Contracts.
        night: Business date of the run.
        has_base: Whether there was a night before: in an initial load nothing is late.
    """
    for d in deliveries:
        if d.status == "refused":
            yield f"{d.source}: {d.file_name} is refused: {d.reason}"
    weekday = get_args(Weekday)[night.weekday()]
    here = {d.source for d in deliveries if d.business_date == night}
    for name, contract in project.sources.items():
        if weekday in contract.delivery.expected_on and name not in here:
            yield f"{name}: nothing was delivered for {night}; ask {contract.owner}"
    for d in deliveries:
        if d.status == "known" and d.path is None and d.was_in_landing:
            yield f"{d.source}: {d.file_name} has left the landing folder; its rows stay"
    for d in deliveries:
        text = _describe(d, known.get((d.source, d.file_name)), night, has_base=has_base)
        if text:
            yield f"{d.source}: {d.file_name} {text}"


def _describe(d: Delivery, before: Delivery | None, night: date, *, has_base: bool) -> str:
    """Return how a file is unlike one that comes once, on its day; empty if it is not."""
    is_as_before = before is not None and before.sha256 == d.sha256
    if is_as_before or not has_base:
        return ""
    if d.status == "duplicate_file":
        return f"is not loaded: {d.reason}"
    if d.status == "new" and before is not None:
        return "was sent again; it replaces what had its name"
    if d.status == "new" and d.business_date < night:
        return f"is late: it belongs to {d.business_date}"
    return ""
