"""Fetch deliveries from folders, buckets and servers into landing.

A file is taken only when it is complete, as its contract tells, and kept as it came under
``data/archive`` by the hash of its bytes; landing holds a link to it. The origin stays untouched.
What the files mean is none of this module's business.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from cdp_pipeline.core.context import Clock, RunContext, StepResult
from cdp_pipeline.core.errors import OriginError
from cdp_pipeline.ingest.arrivals import Arrival
from cdp_pipeline.ingest.claims import companion_patterns, companions_among
from cdp_pipeline.ingest.deliveries import FILE_ID_CHARACTERS
from cdp_pipeline.ingest.landing import NAME_CHARACTERS
from cdp_pipeline.ingest.originals import INDEX
from cdp_pipeline.ingest.origins import Entry, Origin, open_origin
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import beside
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.files import fsync, read_json, sha256_of, write_json
from cdp_pipeline.storage.paths import DataPaths

TRIES = 3
FROZEN_MODE = 0o440

_Look = dict[str, Entry]


@dataclass
class _Visit:
    """One source on one night.

    Attributes:
        origin: Open place; landing itself for files that are put there.
        first: Files that are new or changed, as first seen.
        known: What was fetched before, by name.
        taken: Files fetched now.
        said: What people should know.
    """

    contract: SourceContract
    origin: Origin
    archive: Path
    known: dict[str, Any]
    first: _Look = field(default_factory=dict)
    taken: int = 0
    said: list[Arrival] = field(default_factory=list)

    @property
    def rest_seconds(self) -> int:
        """How long files must rest before they are taken."""
        complete = self.contract.delivery.complete
        return complete.seconds if complete and complete.by == "stable" and self.first else 0

    def say(self, name: str, text: str, kind: str = "waiting") -> None:
        """Add a message about a file."""
        printable = name.encode("utf-8", "replace").decode("utf-8")
        self.said.append(Arrival(self.contract.name, printable, kind, text))


def collect(context: RunContext, *, clock: Clock | None = None) -> StepResult:
    """Fetch what is new and complete.

    Returns:
        Files looked at and taken.

    Raises:
        ConfigError: A location does not exist or does not let us in.
        OriginError: The location of a required source does not answer.
    """
    paths = DataPaths.of(context)
    clock = clock or Clock()
    messages: list[str] = []
    unsettled: dict[str, list[str]] = {}
    with ExitStack() as stack:
        visits = list(_visits(context, stack, clock, messages))
        clock_seconds = max((visit.rest_seconds for visit in visits), default=0)
        if clock_seconds:
            clock.sleep(clock_seconds)
        for visit in visits:
            settled = _settle(visit)
            if visit.contract.delivery.location is None:
                unsettled[visit.contract.name] = sorted(set(visit.first) - set(settled))
                continue
            for entry in settled.values():
                _take(visit, entry, paths)
            write_json(visit.archive / INDEX, visit.known)
    write_json(paths.unsettled, unsettled)
    said = [arrival for visit in visits for arrival in visit.said]
    write_json(paths.fetched, {"arrivals": [asdict(a) for a in said if a.kind]})
    return StepResult(
        rows_in=sum(len(visit.first) for visit in visits),
        rows_out=sum(visit.taken for visit in visits),
        messages=(*messages, *(arrival.sentence for arrival in said)),
        facts={"collected": {v.contract.name: v.taken for v in visits if v.taken}},
    )


def _visits(
    context: RunContext, stack: ExitStack, clock: Clock, messages: list[str]
) -> Iterator[_Visit]:
    """Open the places that have something to look at, and look a first time."""
    project = load_project(context.project_root)
    paths = DataPaths.of(context)
    for name, contract in project.sources.items():
        complete = contract.delivery.complete
        is_watched = complete is not None and complete.by == "stable"
        if contract.delivery.location is None and not is_watched:
            continue
        if contract.delivery.location is None:
            paths.ensure(paths.landing)
            layout = contract.delivery.model_copy(update={"location": str(paths.landing)})
            opened = contract.model_copy(update={"delivery": layout})
        else:
            opened = contract
        where = str(project.path_of("source", name))
        archive = paths.ensure(paths.archive / name)
        try:
            for attempt in _tries(clock):
                with attempt:
                    origin = stack.enter_context(open_origin(opened, context.settings, where=where))
                    visit = _Visit(contract, origin, archive, read_json(archive / INDEX))
                    visit.first = _news(visit)
        except OriginError as error:
            if contract.delivery.required:
                raise
            messages.append(f"{name}: {error.message}; its files come with a later night")
            continue
        yield visit


def _tries(clock: Clock) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(OriginError),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=1, max=10),
        sleep=clock.sleep,
        reraise=True,
    )


def _news(visit: _Visit) -> _Look:
    """Return files that were not fetched before as they are now; name those that never will be."""
    found: _Look = {}
    written = visit.contract.delivery
    listed = visit.origin.find(written.path)
    companions = companions_among(listed, visit.contract)
    for name, entry in listed.items():
        if name in companions:
            continue
        if written.location is None:
            found[name] = entry
        elif entry.refusal or not NAME_CHARACTERS.fullmatch(name) or ".." in name.split("/"):
            reason = (
                entry.refusal or "its name has characters other than A-Z a-z 0-9 . _ - and space"
            )
            visit.say(name, f"is refused: {reason}", "refused")
        elif visit.known.get(name, {}).get("stamp") != _stamp(visit, entry):
            found[name] = entry
    return found


def _stamp(visit: _Visit, entry: Entry) -> str:
    """Return what changes when a file or its manifest does."""
    parts = [f"{entry.size}-{entry.stamp}"]
    control = visit.contract.delivery.control
    if control and control.source == "manifest":
        manifest = _companion(visit, entry, control.manifest)
        parts.append(f"{manifest.size}-{manifest.stamp}" if manifest else "")
    return "|".join(parts)


def _companion(visit: _Visit, entry: Entry, pattern: str) -> Entry | None:
    name = PurePosixPath(entry.name).with_name(beside(entry.name, pattern))
    return visit.origin.look(str(name))


def _settle(visit: _Visit) -> _Look:
    """Return the files that are complete, as the contract tells."""
    settled: _Look = {}
    for name, entry in visit.first.items():
        missing = [
            beside(name, pattern)
            for pattern in companion_patterns(visit.contract)
            if _companion(visit, entry, pattern) is None
        ]
        if missing and visit.contract.delivery.location is not None:
            visit.say(name, f"is not taken yet: {missing[0]} has not arrived")
        elif visit.rest_seconds and visit.origin.look(name) != entry:
            visit.say(name, "is not taken yet: it is still being written")
        else:
            settled[name] = entry
    return settled


def _take(visit: _Visit, entry: Entry, paths: DataPaths) -> None:
    """Fetch a file and freeze it; one that changes meanwhile is fetched again, or left."""
    part = visit.archive / f".{PurePosixPath(entry.name).name}.part"
    try:
        whole = _fetch_whole(visit, entry, part)
        if whole is None:
            visit.say(entry.name, "is not taken yet: it never came whole")
            return
        stamp = _stamp(visit, whole)
        control = visit.contract.delivery.control
        manifest = ""
        if control and control.source == "manifest":
            manifest = _freeze_manifest(visit, whole, paths, control.manifest)
        digest = _freeze(visit, whole.name, part, paths)
    finally:
        part.unlink(missing_ok=True)
    noted = {"stamp": stamp, "bytes": whole.size, "sha256": digest}
    visit.known[whole.name] = {**noted, "manifest": manifest} if manifest else noted
    visit.taken += 1


def _fetch_whole(visit: _Visit, entry: Entry, part: Path) -> Entry | None:
    """Copy a file and return it as it was before and after; None if it would not hold still."""
    for _ in range(TRIES):
        part.unlink(missing_ok=True)
        try:
            was_there = visit.origin.fetch(entry.name, part)
        except OriginError as error:
            visit.say(entry.name, f"broke off: {error.message}; it is read again", "")
            continue
        now = visit.origin.look(entry.name)
        if not was_there or now is None or now.refusal:
            return None
        if now == entry and part.stat().st_size == entry.size:
            return entry
        visit.say(entry.name, "changed while it was read; it is read again", "")
        entry = now
    return None


def _freeze_manifest(visit: _Visit, entry: Entry, paths: DataPaths, pattern: str) -> str:
    """Keep a manifest likewise and return its hash; empty if it has gone meanwhile."""
    name = str(PurePosixPath(entry.name).with_name(beside(entry.name, pattern)))
    part = visit.archive / f".{PurePosixPath(name).name}.part"
    part.unlink(missing_ok=True)
    return _freeze(visit, name, part, paths) if visit.origin.fetch(name, part) else ""


def _freeze(visit: _Visit, name: str, part: Path, paths: DataPaths) -> str:
    """Keep a file under the hash of its bytes, show it in landing, and return the hash."""
    digest = sha256_of(part)
    folder = paths.ensure(visit.archive / digest[:FILE_ID_CHARACTERS])
    frozen = folder / PurePosixPath(name).name
    part.chmod(FROZEN_MODE)
    fsync(part)
    part.replace(frozen)
    fsync(folder)
    shown = paths.landing / name
    paths.ensure(shown.parent)
    link = shown.with_name(f".{shown.name}.{os.getpid()}.link")
    link.unlink(missing_ok=True)
    try:
        os.link(frozen, link)
    except OSError:  # landing lies on another disk
        shutil.copy2(frozen, link)
    link.replace(shown)
    return digest
