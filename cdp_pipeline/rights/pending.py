"""What is needed to finish an erasure after a crash: whom it is about, and what was found so far.

It names people, so it lies in private files that nobody else reads, until the certificate says that
nothing of them is left. Whom it is about is written once; what a file of deliveries told is added
before that file is replaced, each time in a file of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.privacy.actions import Action, note_actions
from cdp_pipeline.rights.deliveries import DeliveryCleaning
from cdp_pipeline.rights.removals import Removal
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.storage.files import read_json, remove_folder, write_atomic
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import PENDING, known_erasures


@dataclass
class Pending:
    """An erasure that has begun.

    Attributes:
        erasure: Its number.
        traces: The people.
        removals: What destinations are to be told.
        requests: Source and number of the requests that asked for it.
        reason: Why, as given.
        deliveries: What was found in deliveries, which nothing tells any more once it is cleaned.
    """

    erasure: str
    traces: Traces
    removals: tuple[Removal, ...] = ()
    requests: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    deliveries: DeliveryCleaning = field(default_factory=DeliveryCleaning)


def next_number(paths: DataPaths) -> str:
    """Return the number of an erasure that begins now."""
    taken = [int(number[1:]) for number in known_erasures(paths)]
    return f"E{max(taken, default=0) + 1:06d}"


def pending_files(paths: DataPaths) -> list[Path]:
    """Return the file of every erasure that has begun and not ended, oldest first."""
    return sorted((paths.privacy / PENDING).glob("*.json"))


def write_pending(paths: DataPaths, pending: Pending) -> None:
    """Write down that an erasure begins, and whom it is about."""
    folder = paths.ensure(paths.privacy / PENDING)
    folder.chmod(0o700)
    _write_private(
        folder / f"{pending.erasure}.json",
        {
            "erasure": pending.erasure,
            "traces": pending.traces.as_dict(),
            "removals": [removal.as_dict() for removal in pending.removals],
            "requests": pending.requests,
            "reason": pending.reason,
        },
    )


def note_found(
    paths: DataPaths,
    erasure: str,
    notes: str,
    lines: Sequence[int],
    spellings: Sequence[tuple[str, str]],
) -> None:
    """Write down what a file of deliveries tells, before it is replaced.

    Args:
        paths: The data folder.
        erasure: Number of the erasure.
        notes: Notes of the staged file, as ``source/name.json``.
        lines: Lines of the delivery on which the people's rows stood.
        spellings: Kind and value of their personal data, as written there.
    """
    folder = paths.ensure(paths.privacy / PENDING / erasure)
    folder.chmod(0o700)
    number = len(list(folder.glob("*.json"))) + 1
    document = {"notes": notes, "lines": lines, "spellings": spellings}
    _write_private(folder / f"{number:06d}.json", document)


def read_pending(path: Path) -> Pending:
    """Return an erasure that has begun, with all that was found so far.

    Raises:
        ConfigError: The file is none of ours.
    """
    document = read_json(path)
    if "traces" not in document:
        raise ConfigError(
            "is no pending erasure", where=str(path), hint="Restore or remove the file."
        )
    found = DeliveryCleaning()
    for part in sorted(path.with_suffix("").glob("*.json")):
        told = read_json(part)
        found.add(told["notes"], told["lines"], {(a, b) for a, b in told["spellings"]})
    return Pending(
        erasure=document["erasure"],
        traces=Traces.from_dict(document["traces"]),
        removals=tuple(Removal(**removal) for removal in document["removals"]),
        requests=tuple((a, b) for a, b in document["requests"]),
        reason=document["reason"],
        deliveries=found,
    )


def end_erasure(paths: DataPaths, erasure: str, facts: Mapping[str, Any]) -> None:
    """Note who asked as served, then delete what named the people.

    Afterwards nothing tells whose request it was: one that was not noted before would stay open.

    Args:
        paths: The data folder.
        erasure: Number of the erasure.
        facts: Its certificate, which lies there already.
    """
    on = date.fromisoformat(facts["business_date"])
    asked = [name.partition(":") for name in facts["requests"]]
    note_actions(paths, [Action(source, n, "erased", on, erasure) for source, _, n in asked])
    remove_folder(paths.privacy / PENDING / erasure)
    # What makes the erasure a pending one goes last: until then a crash is gone on from.
    (paths.privacy / PENDING / f"{erasure}.json").unlink()


def _write_private(path: Path, document: dict[str, Any]) -> None:
    """Write a list of a thousand people's values, which only a program reads, on one line."""
    write_atomic(path, json.dumps(document, sort_keys=True, ensure_ascii=False).encode())
    path.chmod(0o600)
