"""The audit log: who did or saw what, on whom, when, why; only ever appended to.

One JSON object a line, and each line signs itself together with the signature of the line before
(HMAC): a line that was changed, removed, moved or added without the key breaks the chain at its
place. What the chain cannot show is that its end is gone, so every published version notes how long
the log was and how it ended (``audit_chain`` examines both). People appear as keyed tokens, never
by name, address or id, so that the log may outlive the people in it.

A line is on disk (fsync) before the call returns. A crash in mid-line leaves an unfinished line;
the next entry says so, and nothing is ever cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp_pipeline.core.context import Clock, login_user, operating_user
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import Key, Keyring, load_keyring
from cdp_pipeline.core.log import redact_text
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.files import fsync
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import PRIVATE_FOLDER_MODE, DataPaths

START = "0" * 64
"""What the first entry signs as the signature before it."""

LONGEST_LINE = 65_536
"""Bytes of one line; no entry of ours comes near."""

PEOPLE_PER_ENTRY = 500
_LONGEST_TEXT = 300
_FILE_MODE = 0o640
_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Deed:
    """What somebody did or saw.

    Attributes:
        did: Verb, such as ``explain``.
        what: Object in our own words, never of a person: a version, tables.
        on: Customer ids or record names of the people concerned; stored as tokens.
        why: Reason as given; e-mail addresses and long numbers are masked.
        run: Run that did it, where no person did.
    """

    did: str
    what: str = ""
    on: Sequence[str] = ()
    why: str = ""
    run: str = ""


@dataclass(frozen=True)
class Entry:
    """One line of the log, as it was read.

    Attributes:
        line: Number of the line in the file, from 1.
        raw: Its bytes, without the line end.
        body: Everything but the signature; None if the line is no entry.
        mac: The signature.
    """

    line: int
    raw: bytes = field(repr=False)
    body: dict[str, Any] | None
    mac: str = ""

    @property
    def number(self) -> int:
        """Number that the entry gives itself, from 1; 0 if it gives none."""
        number = (self.body or {}).get("n")
        return number if isinstance(number, int) else 0


@dataclass(frozen=True)
class Anchor:
    """How many entries the log had at some moment, and the signature of the last."""

    entries: int = 0
    tip: str = START

    def as_dict(self) -> dict[str, str | int]:
        """Return plain data for a manifest."""
        return {"entries": self.entries, "tip": self.tip}


@dataclass(frozen=True)
class AuditLog:
    """The log of one data folder."""

    path: Path
    keys: Keyring = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> AuditLog:
        """Return the log of a data folder.

        Raises:
            ConfigError: A key is weak, missing or lies open.
        """
        return cls(DataPaths.of_settings(settings).audit_log, load_keyring(settings.keys))

    def append(self, deed: Deed, *, clock: Clock | None = None) -> None:
        """Write a deed down; it is on disk when this returns.

        Raises:
            ConfigError: The log cannot be written: then the deed must not be done.
            LockedError: Another process is writing and does not end.
        """
        clock = clock or Clock()
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)
            with hold_lock(folder / ".lock", "writing the audit log", wait_seconds=_WAIT_SECONDS):
                for start in range(0, max(1, len(deed.on)), PEOPLE_PER_ENTRY):
                    people = deed.on[start : start + PEOPLE_PER_ENTRY]
                    self._append_one(deed, people, clock.now().isoformat(timespec="milliseconds"))
        except OSError as error:
            raise ConfigError(
                f"the audit log cannot be written: {error.strerror}",
                where=str(self.path),
                hint="What must be logged is not done without it: run it as the user who owns the "
                "data folder (sudo -u OWNER cdp ...); the log also keeps who logged in.",
            ) from error

    def anchor(self) -> Anchor:
        """Return the present length and end of the log.

        Raises:
            ConfigError: The last line is not one of ours.
        """
        last = self._tail()[0]
        return Anchor(last.number, last.mac) if last else Anchor()

    def tokens_of(self, person: str) -> frozenset[str]:
        """Return what a person may appear as: a token for every key of the ring."""
        return frozenset(_person_token(key, person) for key in self.keys.keys)

    def _append_one(self, deed: Deed, people: Sequence[str], at: str) -> None:
        last, torn = self._tail()
        key = self.keys.current
        always = {
            "n": last.number + 1 if last else 1,
            "at": at,
            "who": operating_user(),
            "did": deed.did,
            "key": key.id,
        }
        if_any = {
            "login": login_user(),
            "run": deed.run,
            "what": deed.what[:_LONGEST_TEXT],
            "why": redact_text(deed.why)[:_LONGEST_TEXT],
            "on": [_person_token(key, person) for person in people],
            "torn": torn,
        }
        body = always | {name: value for name, value in if_any.items() if value}
        mac = signature(key, last.mac if last else START, body)
        self._write((b"\n" if torn else b"") + canonical({**body, "mac": mac}) + b"\n")

    def _write(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, _FILE_MODE)
        with os.fdopen(descriptor, "ab") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        fsync(self.path.parent)

    def _tail(self) -> tuple[Entry | None, int]:
        """Return the last whole entry, if any, and the bytes of an unfinished line after it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None, 0
        with os.fdopen(descriptor, "rb") as stream:
            size = os.fstat(descriptor).st_size
            stream.seek(max(0, size - 2 * LONGEST_LINE))
            whole, _, torn = stream.read().rpartition(b"\n")
        if not whole:
            return None, len(torn)
        entry = parse_line(0, whole.rpartition(b"\n")[2])
        if entry.body is None:
            raise ConfigError(
                "the audit log ends in a line that is no entry",
                where=str(self.path),
                hint="Keep the file as evidence and move it away: the next entry begins a new "
                "log, and `cdp audit verify` goes on missing the old one.",
            )
        return entry, len(torn)


def note(settings: Settings, deed: Deed) -> None:
    """Write a deed into the log of a data folder; see ``AuditLog.append``."""
    AuditLog.of(settings).append(deed)


def read_entries(path: Path) -> Iterator[Entry]:
    """Return the lines of a log, in order; lines that are no entries have no body."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "rb") as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            yield parse_line(number, line.removesuffix(b"\n"))


def parse_line(number: int, line: bytes) -> Entry:
    """Return a line of a log as an entry; without body if it is none."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return Entry(number, line, None)
    if not isinstance(document, dict):
        return Entry(number, line, None)
    mac = document.pop("mac", "")
    return Entry(number, line, document, str(mac))


def signature(key: Key, before: str, body: dict[str, Any]) -> str:
    """Return the signature of an entry, given that of the entry before."""
    return key.sign("audit", before.encode() + b"\n" + canonical(body))


def canonical(document: dict[str, Any]) -> bytes:
    """Return the one way to write an entry: ASCII, so that no text can break out of its line."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _person_token(key: Key, person: str) -> str:
    return key.token("audit", "person", person)
