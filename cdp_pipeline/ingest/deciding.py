"""Which of the files of a source are new, known, or copies of others, by their bytes and names.

Plain decisions over what ``landing`` found and earlier nights knew; no file is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

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
    once: dict[str, set[str]] = {}
    for d in ordered:
        if d.status == "superseded":
            once.setdefault(d.sha256, set()).add(d.file_name)

    def rank(d: Delivery) -> int:
        held = now.get(d.file_name, "")
        if d.status == "superseded":  # parts that took each other's place are corrected by none
            is_exchanged = once.get(held, set()) - {d.file_name}
            return _OTHER if held == d.sha256 or is_exchanged else _CORRECTED
        old = known.get((d.source, d.file_name))
        if old and old.sha256 == d.sha256 and old.status == "known":
            return _LOADED
        return _RETURNED if d.file_name in once.get(d.sha256, ()) else _NEW

    return [rank(d) for d in ordered]
