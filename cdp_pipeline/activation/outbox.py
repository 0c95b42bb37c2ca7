"""The outbox ledger: what was handed to whom, one JSON line a change of state, append only.

It lies outside the published versions, because sending cannot be undone by a rollback. A line is
on disk before the next thing happens; half a last line, left by a crash, is ignored. How things are
sent is the business of ``delivery``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cdp_pipeline.core.errors import DeliveryError

State = Literal["sending", "sent", "unknown", "failed", "deferred"]

SETTLED: frozenset[State] = frozenset({"sending", "sent", "unknown"})
"""States after which nothing is sent again. ``sending`` without a later line means that a run died
in the act: the message may have gone out, so it is not repeated."""


@dataclass(frozen=True)
class Ledger:
    """The ledger of one data folder.

    Attributes:
        path: Its file, ``outbox/sent.jsonl``.
    """

    path: Path

    def states(self) -> dict[str, State]:
        """Return the last state by key."""
        states: dict[str, State] = {}
        if not self.path.is_file():
            return states
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            states[entry["key"]] = entry["state"]
        return states

    def is_settled(self, key: str) -> bool:
        """Return whether nothing may be sent under this key any more."""
        return self.states().get(key) in SETTLED

    def note(self, key: str, state: State, **facts: object) -> None:
        """Append a state and wait until it is on disk.

        Args:
            key: What is sent: a message id, or destination and business date.
            state: Its new state.
            **facts: Further facts for people.

        Raises:
            DeliveryError: The ledger cannot be written, so nothing may be sent.
        """
        line = json.dumps({"key": key, "state": state, **facts}, sort_keys=True) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            descriptor = os.open(self.path, flags, 0o640)
            try:
                # A line that a crash left unfinished must not swallow this one.
                start = b"" if self._ends_clean() else b"\n"
                os.write(descriptor, start + line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DeliveryError(
                f"the outbox ledger cannot be written: {error.strerror}",
                where=str(self.path),
                hint="Free space or mend permissions, then run `cdp run --resume`.",
            ) from error

    def _ends_clean(self) -> bool:
        size = self.path.stat().st_size
        if not size:
            return True
        with self.path.open("rb") as stream:
            stream.seek(size - 1)
            return stream.read(1) == b"\n"
