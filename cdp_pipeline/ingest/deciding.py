"""Which of the files of a source are new, known, or copies of others, by their bytes and names.

Plain decisions over what ``landing`` found and earlier nights knew; no file is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cdp_pipeline.ingest.deliveries import Delivery

Known = dict[tuple[str, str], Delivery]
"""What earlier nights knew, by source and file name."""


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
    first = {} if replaces else _originals(ordered, known)
    newest = ""
    for d in ordered:
        if d.status in settled:
            decided.append(d)
            continue
        original = first.get(d.sha256) if not replaces else None
        if replaces:
            is_copy, newest = d.sha256 == newest, d.sha256
        else:
            is_copy = original is not d
        old = known.get((d.source, d.file_name))
        if is_copy:
            reason = f"same bytes as {original.file_name if original else 'the file before it'}"
            decided.append(replace(d, status="duplicate_file", reason=reason))
        elif old and old.sha256 == d.sha256:
            decided.append(replace(d, status="known", reason=""))
        else:
            decided.append(d)
    return decided


def _originals(ordered: Sequence[Delivery], known: Known) -> dict[str, Delivery]:
    """Return the delivery that bytes came with, of which all others are copies.

    The bytes an earlier night loaded stay the original, whatever names sort before them. So do
    those of a file that was corrected since, or else its copy would bring back what was wrong;
    only under its own name may it return to them.
    """
    first = {d.sha256: d for d in reversed(ordered) if d.sha256 and d.status != "expired"}
    loaded = set()
    for d in reversed(ordered):
        old = known.get((d.source, d.file_name))
        if old and old.sha256 == d.sha256 and old.status == "known":
            first[d.sha256] = d
            loaded.add(d.sha256)
    names = {(d.file_name, d.sha256) for d in ordered if d.status != "superseded"}
    for d in reversed(ordered):
        is_corrected = d.status == "superseded" and (d.file_name, d.sha256) not in names
        if is_corrected and d.sha256 not in loaded:
            first[d.sha256] = d
    return first
