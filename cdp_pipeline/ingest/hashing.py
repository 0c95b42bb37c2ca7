"""Hash and size of a file in landing, whatever lies there under its name.

Landing keeps deliveries for as long as their sources say. So that a night does not read all of them
again, their hashes are remembered, each with what a file system changes whenever somebody writes
to the file: its number, size and times. The moment of the last change is among them, which no
program can set. File systems of a network may make numbers up anew, so the name is among them too.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import Clock
from cdp_pipeline.core.keys import Keyring, load_keyring
from cdp_pipeline.storage.container import SealedFileError, read_facts
from cdp_pipeline.storage.files import read_json, write_json

_SETTLED_SECONDS = 120.0
"""Age of a file's last change from which another one shows in its times.

However coarse they are, and if a server's clock is slow. Whoever writes through memory changes the
times once, and again only after the kernel has saved the page, which takes it half a minute.
"""


class RefusedFileError(Exception):
    """A file in the landing folder that must not be opened or read."""


@dataclass
class Hasher:
    """Hashes files in landing; reads only those that may have changed since they were hashed.

    Attributes:
        ring: What opens files that were encrypted after their night.
        before: Hashes that were taken earlier, by the state of their file.
        seen: Those of settled files that were asked for since.
        clock: Tells whether a file has settled.
    """

    ring: Keyring
    before: Mapping[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def of(cls, keys: KeySettings, remembered: Path | None = None) -> Hasher:
        """Return a hasher that knows what was remembered, if that is there and can be read."""
        ring = load_keyring(keys)
        try:
            return cls(ring, read_json(remembered) if remembered else {})
        except ValueError:  # a memory that broke costs reading once more
            return cls(ring)

    def remember(self, path: Path) -> None:
        """Write down the hashes of the settled files that were asked for, and of no others."""
        if self.seen != self.before:
            write_json(path, self.seen)

    def hash_delivery(self, path: Path) -> tuple[str, int]:
        """Return hash and size of a regular file, following no link and waiting for no pipe.

        A file that was encrypted says itself what it holds, so that it need not be read.

        Raises:
            RefusedFileError: It is no such file, or was encrypted and cannot be opened.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            what = (
                "it is a link" if path.is_symlink() else f"it cannot be opened ({error.strerror})"
            )
            raise RefusedFileError(what) from error
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise RefusedFileError("it is not a regular file")
            try:
                content = read_facts(stream, self.ring, where=str(path))
            except SealedFileError as error:
                raise RefusedFileError(f"it {error.message}") from error
            if content:
                return content.sha256, content.size
            state = _state_of(path, status)
            digest = self.before.get(state)
            is_settled = self.clock.now().timestamp() - status.st_ctime >= _SETTLED_SECONDS
            if digest is None:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if is_settled and _state_of(path, os.fstat(descriptor)) == state:
                self.seen[state] = digest
        return digest, status.st_size


def _state_of(path: Path, status: os.stat_result) -> str:
    """Return what names a file and its state; no number that an erasure could take for a person."""
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    parts = (*map(str, numbers), str(path.absolute()))
    return hashlib.sha256(":".join(parts).encode(errors="surrogateescape")).hexdigest()
