"""Which of the files of a source are new, known, or copies of others, by their bytes and names.

Plain decisions over what ``landing`` found and earlier nights knew; no file is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath

from cdp_pipeline.ingest.deliveries import Delivery

Known = dict[tuple[str, str], Delivery]
"""What earlier nights knew, by source and file name."""

_Originals = dict[tuple[str, date | None], Delivery]

_LOADED, _RETURNED, _CORRECTED, _NEW, _OTHER = range(5)


def decide(arrived: Iterable[Delivery], known: Known, *, replaces: bool) -> list[Delivery]:
    """Return deliveries of one source with their status, in loading order.

    Args:
        arrived: Deliveries up to the business date.
        known: What earlier nights knew.
        replaces: What a file says holds against all earlier ones, so that old bytes may become
            news again; only a repetition of the file before it is a duplicate.
    """
    decided: list[Delivery] = []
    ordered = sorted(arrived, key=lambda d: d.order)
    settled = {"refused", "superseded", "expired"}
    ranks = _ranks(ordered, known)
    originals = _corrected(ordered, ranks) if replaces else _originals(ordered, ranks)
    newest = ""
    for d, rank in zip(ordered, ranks, strict=True):
        if d.status in settled:
            decided.append(d)
            continue
        if replaces:
            original = originals.get((d.sha256, d.business_date)) if rank > _CORRECTED else None
            is_copy = d.sha256 == newest or original is not None
        else:
            original = originals.get((d.sha256, None))
            is_copy = original is not d
        old = known.get((d.source, d.file_name))
        if is_copy:
            reason = f"same bytes as {original.file_name if original else 'the file before it'}"
            decided.append(replace(d, status="duplicate_file", reason=reason))
            continue
        newest = d.sha256
        if old and old.sha256 == d.sha256:
            decided.append(replace(d, status="known", reason=""))
        else:
            decided.append(d)
    return decided


def _originals(ordered: Sequence[Delivery], ranks: Sequence[int]) -> _Originals:
    """Return the delivery that bytes came with, of which all others are copies.

    The bytes an earlier night loaded stay the original, whatever names sort before them. So do
    those of a file that was corrected since, or else its copy would bring back what was wrong;
    only under its own name may it return to them.
    """
    found: _Originals = {}
    for d, _ in sorted(zip(ordered, ranks, strict=True), key=lambda pair: pair[1]):
        if d.sha256 and d.status != "expired":
            found.setdefault((d.sha256, None), d)
    return found


def _corrected(ordered: Sequence[Delivery], ranks: Sequence[int]) -> _Originals:
    """Return the deliveries that were corrected: on another day their bytes may be right."""
    pairs = zip(ordered, ranks, strict=True)
    return {(d.sha256, d.business_date): d for d, rank in pairs if rank == _CORRECTED}


def _ranks(ordered: Sequence[Delivery], known: Known) -> list[int]:
    """Return of each delivery how likely its bytes are its own, the surest first."""
    now = {d.file_name: d.sha256 for d in ordered if d.sha256 and d.status != "superseded"}
    twins = _twins(ordered, known)
    once: dict[str, set[str]] = {}
    for d in ordered:
        if d.status == "superseded":
            once.setdefault(d.sha256, set()).add(d.file_name)

    def rank(d: Delivery) -> int:
        held = now.get(d.file_name, "")
        if d.status == "superseded":  # parts that took each other's place are corrected by none
            is_exchanged = once.get(held, set()) - {d.file_name}
            is_own = held == d.sha256 or is_exchanged or _has_sibling(d, twins)
            return _OTHER if is_own else _CORRECTED
        old = known.get((d.source, d.file_name))
        if old and old.sha256 == d.sha256 and old.status == "known" and not old.was_refused:
            return _LOADED
        return _RETURNED if d.file_name in once.get(d.sha256, ()) else _NEW

    return [rank(d) for d in ordered]


def _twins(ordered: Sequence[Delivery], known: Known) -> dict[str, list[Delivery]]:
    """Return by their bytes what earlier nights knew of files that hold them still."""
    found: dict[str, list[Delivery]] = {}
    for d in ordered:
        old = known.get((d.source, d.file_name))
        if d.status != "superseded" and old and old.sha256 == d.sha256:
            found.setdefault(d.sha256, []).append(old)
    return found


def _has_sibling(corrected: Delivery, twins: dict[str, list[Delivery]]) -> bool:
    """Return whether a file was sent with the bytes of another, which that other still holds.

    A copy comes later, or its name is that of the first with something added; what came with the
    first, or before it, under a name of its own has its own bytes.
    """
    return any(
        bool(twin.first_seen)
        and twin.first_seen <= corrected.first_seen
        and not _is_named_after(twin.file_name, corrected.file_name)
        for twin in twins.get(corrected.sha256, ())
    )


def _is_named_after(name: str, other: str) -> bool:
    """Return whether one of two names is the other with something added.

    >>> _is_named_after("2026-11-20/S01_copy.csv", "2026-11-20/S01.csv")
    True
    >>> _is_named_after("2026-11-20/S2.csv", "2026-11-20/S12.csv")
    False
    """
    names = [PurePosixPath(n).name.split(".")[0] for n in (name, other)]
    first, second = (re.sub(r"\d+", "0", n) for n in names)
    if first == second:
        return names[0] == names[1]
    shorter, longer = sorted((first, second), key=len)
    rest = iter(longer)
    return all(letter in rest for letter in shorter)
