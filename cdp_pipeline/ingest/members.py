"""The file or files of a .zip that a contract reads: several tables of one layout become one text.

Their headers must be the same; lines are counted over all of them, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cdp_pipeline.ingest.inflation import copy_member, member_names, read_members, unpack_member
from cdp_pipeline.ingest.plaintext import UTF8_MARK
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.layout import Delivery


def unpack_members(path: Path, written: Delivery, folder: Path) -> Path:
    """Return a copy of what a contract reads of a .zip.

    Args:
        path: The delivery.
        written: How the contract says it is written.
        folder: Private folder; the caller removes it.

    Raises:
        RefusedError: No file matches, or several that cannot be one text.
    """
    names = member_names(path, written.member)
    is_lines = written.format in {"csv", "jsonl"} and "\n".encode(written.encoding) == b"\n"
    is_plain = not (written.skip_lines or written.trailer_lines or written.control)
    if len(names) < 2 or not (is_lines and is_plain):  # noqa: PLR2004 - nothing to join
        return unpack_member(path, written.member, folder)
    has_header = written.format == "csv" and written.header
    return copy_member(_joined(path, names, has_header=has_header), names[0], folder)


def _joined(path: Path, names: list[str], *, has_header: bool) -> Iterator[bytes]:
    """Yield the bytes of files one after the other, the header of the first alone."""
    header = b""
    for name, chunks in read_members(path, names):
        last = b"\n"
        for number, piece in enumerate(_lines_and_rest(chunks)):
            if number == 0 and has_header:
                if header:
                    _require_same(header, piece, names[0], name)
                    continue
                header = piece
            yield piece
            last = piece[-1:] or last
        yield b"" if last == b"\n" else b"\n"


def _lines_and_rest(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the first line without any mark of its encoding, then the rest in pieces."""
    held = b""
    has_begun = False
    for chunk in chunks:
        if has_begun:
            yield chunk
            continue
        held += chunk
        line, end, rest = held.removeprefix(UTF8_MARK).lstrip(b"\r\n").partition(b"\n")
        if end:
            yield line + end
            yield rest
            has_begun = True
    if not has_begun:
        yield held.removeprefix(UTF8_MARK)


def _require_same(header: bytes, other: bytes, first: str, name: str) -> None:
    if header.strip() != other.strip():
        raise RefusedError(
            f"two files in it have different headers: {Path(first).name} and {Path(name).name}",
            hint="Set `member:` so that only files of one layout match.",
        )
