"""Hash and size of a file in landing, whatever lies there under its name."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from cdp_pipeline.core.keys import Keyring
from cdp_pipeline.storage.container import SealedFileError, read_facts


class RefusedFileError(Exception):
    """A file in the landing folder that must not be opened or read."""


def hash_delivery(path: Path, ring: Keyring) -> tuple[str, int]:
    """Return hash and size of a regular file, following no link and waiting for no pipe.

    A file that was encrypted says itself what it holds, so that it need not be read.

    Raises:
        RefusedFileError: It is no such file, or was encrypted and cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what = "it is a link" if path.is_symlink() else f"it cannot be opened ({error.strerror})"
        raise RefusedFileError(what) from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedFileError("it is not a regular file")
        try:
            content = read_facts(stream, ring, where=str(path))
        except SealedFileError as error:
            raise RefusedFileError(f"it {error.message}") from error
        if content:
            return content.sha256, content.size
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return digest, status.st_size
