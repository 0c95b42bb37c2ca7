"""Archives of given contents, as bytes."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of the members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def taped(name: str, content: bytes) -> bytes:
    """Return a tar of one member."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tape:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tape.addfile(entry, io.BytesIO(content))
    return target.getvalue()
