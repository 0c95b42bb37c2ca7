"""A delivery as plain UTF-8 text with one kind of line end: what DuckDB can be trusted with.

The delivered file itself is used if it is that already; otherwise a private copy is written in a
stream. Columns and values are not looked at here.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.inflation import CHUNK, is_compressed, read_chunks
from cdp_pipeline.ingest.mixed_lines import write_mended
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.layout import Delivery as Format

NUL_MARK = "\ufdd0"
"""Stands for a NUL byte, which every CSV reader lets through: a code point no text may hold."""

UTF8_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 4096
_TAIL_BYTES = 1 << 16
_END_MARK = b"\x1a"
_CR, _LF = 13, 10

MAGIC = {
    b"PK\x03\x04": ("a ZIP or Excel file", "Export as CSV."),
    b"\xd0\xcf\x11\xe0": ("an old Excel file (.xls)", "Have it saved as .xlsx or CSV."),
    b"%PDF": ("a PDF", "Export as CSV."),
    b"\x1f\x8b": ("gzip data", "Give its name the suffix .gz."),
    b"\x28\xb5\x2f\xfd": ("zstd data", "Give its name the suffix .zst."),
    b"BZh": ("bzip2 data", "Have it compressed with gzip or zstd."),
    b"\xfd7zXZ": ("xz data", "Have it compressed with gzip or zstd."),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", "Ask for .zip."),
    b"Rar!": ("a RAR archive", "Ask for .zip."),
    b"\x89PNG": ("a picture", "Export as CSV."),
    b"\xff\xd8\xff": ("a picture", "Export as CSV."),
    b"-----BEGIN PGP": ("encrypted (PGP)", "Decrypt it before it is delivered."),
    b"PAR1": ("a Parquet file", "Set `format: parquet`."),
    b"{\\rtf": ("a text processor's document (RTF)", "Have it saved as CSV."),
}
"""What other files begin with: what it is, and what to do."""

_MARKUP = (b"<!doctype", b"<html", b"<?xml")
_TAR_SIGN, _TAR_SIGN_AT = b"ustar", 257
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_NOTHING = (b"", UTF8_MARK, b"\xff\xfe\x00\x00", *_WIDE_MARKS)
"""Whole files without a character: some writers begin even an empty one with their mark."""


@dataclass(frozen=True)
class PlainText:
    """Text that is ready to be read.

    Attributes:
        path: The delivered file or a private copy of it.
        first_line: Line of the delivered file on which the text begins, from 1.
        has_nul: Whether NUL bytes were replaced by ``NUL_MARK``.
        margins: Preamble and trailer, a line break between them.
        messages: Warnings for people.
    """

    path: Path
    first_line: int = 1
    has_nul: bool = False
    margins: str = ""
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Marks:
    """Counts that decide whether a copy must be made."""

    nul: int
    cr: int
    crlf: int
    lf: int

    @property
    def has_odd_ends(self) -> bool:
        return self.cr > 0 and not self.cr == self.crlf == self.lf


def prepare_text(path: Path, written: Format, scratch: Path) -> PlainText:
    """Return the text of a delivery.

    Args:
        path: Delivered file.
        written: How the contract says it is written.
        scratch: Private folder for copies; the caller removes it.

    Raises:
        RefusedError: It is empty, not text, wrongly encoded or wrongly compressed.
    """
    head = b"".join(_first(read_chunks(path)))
    _refuse_other_formats(head, written)
    if head in _NOTHING:
        target = scratch / "empty.txt"
        target.touch()
        return PlainText(target)
    text, messages = _decoded(path, written, scratch)
    marks = _measure(text)
    start, end = _body(text, written)
    end = _before_end_mark(text, start, end)
    is_whole = start == 0 and end == text.stat().st_size
    if is_whole and not marks.nul and not marks.has_odd_ends:
        return PlainText(text, messages=messages)
    target = scratch / "plain.txt"
    quote = written.quote if written.format == "csv" else ""
    chunks = _without_nul(_slice(text, start, end))
    _write(target, _one_line_end(chunks, quote) if marks.has_odd_ends else chunks)
    return PlainText(
        target,
        first_line=written.skip_lines + 1,
        has_nul=marks.nul > 0,
        margins=_margins(text, start, end),
        messages=messages,
    )


def _decoded(path: Path, written: Format, scratch: Path) -> tuple[Path, tuple[str, ...]]:
    """Return a delivery as UTF-8, itself if it is that already, and warnings."""
    decoder = _decoder(written.encoding)
    target = scratch / "decoded.txt"
    if other := written.fallback_encoding:
        count = write_mended(read_chunks(path), other, target=target)
        said = f"lines that are not UTF-8 and were read as {other}: {count}"
        return target, (said,) if count else ()
    if not is_compressed(path) and decoder is None:
        return path, ()
    _write(target, _decode(read_chunks(path), decoder, written.encoding))
    return target, ()


def _first(chunks: Iterator[bytes]) -> Iterator[bytes]:
    length = 0
    for chunk in chunks:
        yield chunk[:_HEAD_BYTES]
        length += len(chunk)
        if length >= _HEAD_BYTES:
            return


def _refuse_other_formats(head: bytes, written: Format) -> None:
    if head in _NOTHING and written.format == "csv" and written.header:
        raise RefusedError("the file is empty", hint="The export was not written; ask the sender.")
    for magic, (what, hint) in MAGIC.items():
        if head.startswith(magic):
            raise RefusedError(f"it is {what}, not {written.format}", hint=hint)
    if head.startswith(_TAR_SIGN, _TAR_SIGN_AT):
        raise RefusedError(f"it is a tar archive, not {written.format}", hint="Ask for .zip.")
    if head.removeprefix(UTF8_MARK).lstrip()[:9].lower().startswith(_MARKUP):
        raise RefusedError(
            f"it is a web page or XML, not {written.format}",
            hint="Look at it: it may be an error page of the download.",
        )
    is_wide = head.startswith(_WIDE_MARKS) and head not in _NOTHING
    if is_wide and _decoder(written.encoding) is None:
        raise RefusedError("it is UTF-16 or UTF-32 text", hint="Set `encoding: utf-16`.")


def _decoder(encoding: str) -> codecs.IncrementalDecoder | None:
    """Return a strict decoder, or None where DuckDB reads the bytes as they are."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise ConfigError(
            f"unknown encoding {encoding!r}",
            where="delivery.encoding",
            hint="Use a name such as utf-8, cp1252, latin-1 or utf-16.",
        ) from error
    if name in {"utf-8", "utf-8-sig", "ascii"}:
        return None
    return codecs.getincrementaldecoder(name)("strict")


def _decode(
    chunks: Iterator[bytes], decoder: codecs.IncrementalDecoder | None, encoding: str
) -> Iterator[bytes]:
    if decoder is None:
        yield from chunks
        return
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise RefusedError(
            f"it is not {encoding} text",
            hint="Set `encoding:` to what the sender writes, such as utf-8 or cp1252.",
        ) from error


def _write(target: Path, chunks: Iterator[bytes]) -> None:
    with target.open("wb") as stream:
        for chunk in chunks:
            stream.write(chunk)


def _measure(path: Path) -> _Marks:
    """Count what decides whether a copy is needed; line feeds only if there are returns."""
    nul = cr = crlf = 0
    ends_with_cr = False
    for chunk in _slice(path, 0, path.stat().st_size):
        nul += chunk.count(b"\0") if b"\0" in chunk else 0  # looking is faster than counting
        returns = chunk.count(b"\r") if b"\r" in chunk else 0
        cr += returns
        crlf += chunk.count(b"\r\n") if returns else 0
        crlf += ends_with_cr and chunk.startswith(b"\n")
        ends_with_cr = chunk.endswith(b"\r")
    chunks = _slice(path, 0, path.stat().st_size) if cr else iter(())
    return _Marks(nul, cr, crlf, sum(chunk.count(b"\n") for chunk in chunks))


def _body(path: Path, written: Format) -> tuple[int, int]:
    """Return the byte range between preamble and trailer."""
    size = path.stat().st_size
    start, end = 0, size
    with path.open("rb") as stream:
        for _ in range(written.skip_lines):
            stream.readline()
        start = stream.tell()
        if written.trailer_lines:
            stream.seek(max(start, size - _TAIL_BYTES))
            tail = stream.read()
            kept = tail.rstrip(b"\r\n" + _END_MARK)
            for _ in range(written.trailer_lines):
                kept = kept[: max(kept.rfind(b"\n"), 0)].rstrip(b"\r\n")
            end = size - len(tail) + len(kept)
    return start, max(start, end)


def _before_end_mark(path: Path, start: int, end: int) -> int:
    """Return where a text ends that DOS closes with a mark of its own."""
    with path.open("rb") as stream:
        stream.seek(max(start, end - 1))
        return end - 1 if end > start and stream.read(1) == _END_MARK else end


def _margins(path: Path, start: int, end: int) -> str:
    """Return what stands before and after the records, as far as it is short."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        before = stream.read(min(start, _TAIL_BYTES))
        stream.seek(end)
        after = stream.read(min(size - end, _TAIL_BYTES))
    lines = b"\n".join((before, after)).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return lines.decode("utf-8", "replace").strip("\n")


def _slice(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(start)
        left = end - start
        while left > 0 and (chunk := stream.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _without_nul(chunks: Iterator[bytes]) -> Iterator[bytes]:
    mark = NUL_MARK.encode()
    for chunk in chunks:
        yield chunk.replace(b"\0", mark)


def _one_line_end(chunks: Iterator[bytes], quote: str) -> Iterator[bytes]:
    """Turn CR LF and lone CR into LF, except inside quoted fields, which stay as they are."""
    parity = 0
    held = b""
    for chunk in chunks:
        block = held + chunk
        held = b"\r" if block.endswith(b"\r") else b""
        text = np.frombuffer(block[: len(block) - len(held)], np.uint8)
        quotes = np.flatnonzero(text == ord(quote)) if quote else np.empty(0, np.int64)
        returns = np.flatnonzero(text == _CR)
        outside = returns[(np.searchsorted(quotes, returns) + parity) % 2 == 0]
        # The byte after the last one is not LF: a closing CR was held back.
        following = np.append(text, np.uint8(0))[outside + 1]
        changed = text.copy()
        changed[outside[following != _LF]] = _LF
        parity = (parity + len(quotes)) % 2
        yield np.delete(changed, outside[following == _LF]).tobytes()
    yield b"\n" if held else b""
