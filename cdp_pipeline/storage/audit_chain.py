"""Examine an audit log: every signature, every number, and what published versions noted of it."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cdp_pipeline.core.keys import Key, Keyring
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.audit import (
    START,
    Anchor,
    AuditLog,
    Entry,
    canonical,
    read_entries,
    signature,
)
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.sealing import SEAL, broken_seal
from cdp_pipeline.storage.versions import published_versions


@dataclass(frozen=True)
class Verdict:
    """What the examination of a log found.

    Attributes:
        end: Length and end of what was read; note it elsewhere to hold the log against it later.
        problems: What is wrong, with line numbers; empty if nothing is.
        remarks: What a reader should know and is not wrong.
    """

    end: Anchor
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass
class _Walk:
    """Where an examination stands."""

    keys: Keyring
    before: str = START
    number: int = 0
    newest_key: int | None = None
    unfinished: Entry | None = None
    signatures: dict[int, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)


def verify_log(settings: Settings) -> Verdict:
    """Examine the log of a data folder and hold it against all its published versions.

    Raises:
        ConfigError: The key that sealed a version is missing.
    """
    log = AuditLog.of(settings)
    anchors: dict[str, Anchor] = {}
    problems, remarks = [], []
    for version in published_versions(DataPaths.of_settings(settings)):
        manifest = version.manifest
        wrong = broken_seal(manifest, log.keys)
        if wrong and SEAL not in manifest and not anchors:
            remarks.append(f"{version.name} was published before versions noted the log")
        elif wrong:
            problems.append(f"the manifest of {version.name} {wrong}")
        else:
            noted = manifest["audit"]
            anchors[version.name] = Anchor(int(noted["entries"]), str(noted["tip"]))
    found = examine(log, anchors)
    return replace(found, problems=(*problems, *found.problems), remarks=(*remarks, *found.remarks))


def examine(log: AuditLog, anchors: Mapping[str, Anchor]) -> Verdict:
    """Examine a log.

    Args:
        log: The log.
        anchors: What was noted of it, by the name of the place where it stands.
    """
    walk = _Walk(log.keys)
    problems = [problem for entry in read_entries(log.path) for problem in _step(walk, entry)]
    if walk.unfinished:
        walk.remarks.append(
            f"ends in an unfinished line of {len(walk.unfinished.raw)} bytes, as after a crash"
        )
    for place, anchor in anchors.items():
        held = walk.signatures.get(anchor.entries, START)
        if anchor.entries > walk.number:
            problems.append(
                f"its end is gone: {place} saw {anchor.entries} entries, {walk.number} are left"
            )
        elif held != anchor.tip:
            problems.append(f"entry {anchor.entries} is not the one that {place} saw")
    return Verdict(Anchor(walk.number, walk.before), tuple(problems), tuple(walk.remarks))


def _step(walk: _Walk, entry: Entry) -> Iterator[str]:
    """Examine one line, then go on as if it were right: one fault is one problem."""
    where = f"line {entry.line}"
    if entry.body is None:
        if walk.unfinished:
            yield f"line {walk.unfinished.line}: no entry"
        walk.unfinished = entry
        return
    yield from _examine_gap(walk, entry, where)
    if entry.number != walk.number + 1:
        yield f"{where}: entry {entry.number} stands where {walk.number + 1} should"
    yield from _examine_signature(walk, entry, where)
    walk.number, walk.before = entry.number, entry.mac
    walk.signatures[entry.number] = entry.mac


def _examine_signature(walk: _Walk, entry: Entry, where: str) -> Iterator[str]:
    name = str((entry.body or {}).get("key"))
    key = next((key for key in walk.keys.keys if key.id == name), None)
    if key is None:
        if name not in walk.missing:
            yield f"{where}: signed with key {name}, which is not among those set"
        walk.missing.add(name)
        return
    if not _is_signed(entry, key, walk.before):
        yield f"{where}: changed, moved or added without the key, or the line before it is gone"
    place = walk.keys.keys.index(key)
    if walk.newest_key is not None and place > walk.newest_key:
        yield f"{where}: signed with the old key {key.id} after a newer one was in use"
    walk.newest_key = place if walk.newest_key is None else min(place, walk.newest_key)


def _examine_gap(walk: _Walk, entry: Entry, where: str) -> Iterator[str]:
    """Hold an unfinished line against what the entry after it says about it."""
    left = walk.unfinished
    walk.unfinished = None
    said = (entry.body or {}).get("torn", 0)
    if left and said == len(left.raw):
        walk.remarks.append(f"line {left.line}: an unfinished line of {said} bytes, as its writer "
                            "crashed")  # fmt: skip
    elif left:
        yield f"line {left.line}: no entry"
    elif said:
        yield f"{where}: the unfinished line that it speaks of is gone"


def _is_signed(entry: Entry, key: Key, before: str) -> bool:
    body = entry.body or {}
    is_plain = entry.raw == canonical({**body, "mac": entry.mac})
    return is_plain and hmac.compare_digest(signature(key, before, body), entry.mac)
