"""Files that are loaded in place of one that was refused, so that no rows are lost with it.

What is planned takes it that a file is sound: it replaces the one that had its name, and its copies
count as duplicates. Only staging finds out that it is not. Then the file before it counts until a
sound one comes; so does a copy that is not refused, such as one that lies in the folder of its day.
Where copies are refused as well, such as empty files, what each of them replaced counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from cdp_pipeline.ingest.deliveries import Delivery, StagedFile

Stage = Callable[[Delivery], StagedFile | None]
"""Returns what staging makes of a delivery; None if it cannot be read any more."""

Staged = dict[Delivery, StagedFile | None]


def find_stand_ins(planned: Sequence[Delivery], done: Staged, stage: Stage) -> list[Delivery]:
    """Return the deliveries that stand in for refused ones, with the status of loaded ones.

    Args:
        planned: All deliveries of a source.
        done: What staging noted of those that were to be loaded.
        stage: Stages others.
    """
    found: list[Delivery] = []
    counted = {d.sha256 for d, notes in done.items() if notes and notes.status == "loaded"}
    before = _replaced(planned)
    copies = [d for d in planned if d.status == "duplicate_file"]
    for delivery, notes in done.items():
        if notes is None or notes.status != "refused":
            continue
        same = (d for d in copies if d.sha256 == delivery.sha256 and d.path is not None)
        sound = _first_sound((replace(d, status="new", reason="") for d in same), stage)
        counted |= {sound.sha256} if sound else set()
        found += filter(None, [sound or _first_sound(_earlier(delivery, before), stage)])
    for copy in copies:  # of one that is refused, or was: it took rows with it under its own name
        if copy.sha256 in counted or (copy.file_name, copy.file_id) not in before:
            continue
        tried = stage(replace(copy, status="new", reason=""))
        if tried is not None and tried.status == "refused":
            found += filter(None, [_first_sound(_earlier(copy, before), stage)])
    return found


def replaced_by(file_id: str) -> str:
    """Return why a file is superseded by another."""
    return f"replaced by {file_id}, delivered under the same name"


def _first_sound(candidates: Iterable[Delivery], stage: Stage) -> Delivery | None:
    for candidate in candidates:
        tried = stage(candidate)
        if tried is not None and tried.status == "loaded":
            return candidate
    return None


def _earlier(refused: Delivery, before: Mapping[tuple[str, str], Delivery]) -> Iterator[Delivery]:
    """Yield what a file replaced, the latest first."""
    seen: set[str] = set()
    at = refused
    while at.file_id not in seen and (earlier := before.get((at.file_name, at.file_id))):
        seen.add(at.file_id)
        yield replace(earlier, status="known", reason="")
        at = earlier


def _replaced(planned: Sequence[Delivery]) -> Mapping[tuple[str, str], Delivery]:
    """Return superseded deliveries by name and by the identity of what replaced them."""
    by_reason = {(d.file_name, replaced_by(d.file_id)): d.file_id for d in planned}
    return {
        (d.file_name, by_reason[why]): d
        for d in planned
        if d.status == "superseded" and (why := (d.file_name, d.reason)) in by_reason
    }
