"""A delivery as plain UTF-8 text with one kind of line end: what DuckDB can be trusted with.

The delivered file itself is used if it is that already; otherwise a private copy is written in a
stream. Columns and values are not looked at here.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.inflation import is_compressed, read_chunks
from cdp_pipeline.ingest.mixed_lines import write_mended
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.layout import Delivery as Format
from cdp_pipeline.storage.line_ends import bytes_between, count_marks, one_line_end

NUL_MARK = "\ufdd0"
"""Stands for a NUL byte, which every CSV reader lets through: a code point no text may hold."""

UTF8_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 4096
_TAIL_BYTES = 1 << 16
_WIDE_SAMPLE = 64
_END_MARK = b"\x1a"

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
_WIDEST_MARKS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NOTHING = (b"", UTF8_MARK, *_WIDEST_MARKS, *_WIDE_MARKS)
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
    marks = count_marks(text)
    start, end = _body(text, written, marks.line_end)
    end = _before_end_mark(text, start, end)
    is_whole = start == 0 and end == text.stat().st_size
    if is_whole and not marks.nul and not marks.has_odd_ends:
        return PlainText(text, messages=messages)
    target = scratch / "plain.txt"
    quote = written.quote if written.format == "csv" else ""
    chunks = _without_nul(bytes_between(text, start, end))
    _write(target, one_line_end(chunks, quote) if marks.has_odd_ends else chunks)
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
    if len(head) > 1 and not head.strip(b"\0"):  # a copy that died leaves such holes
        raise RefusedError("it begins with NUL bytes alone", hint="Have it sent again.")
    if len(head) < _HEAD_BYTES and not head.strip() and written.format == "csv" and written.header:
        raise RefusedError("it holds blanks alone", hint="Ask the sender for the export.")
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
    _refuse_wide(head, written)


def _refuse_wide(head: bytes, written: Format) -> None:
    """Refuse text in two or four bytes a letter that is declared otherwise."""
    declared = codecs.lookup(written.encoding).name
    widest = "utf-32" if head.startswith(_WIDEST_MARKS) else _unmarked_widest(head)
    if widest and head not in _NOTHING and declared not in {widest, "utf-32"}:
        raise RefusedError("it is UTF-32 text", hint=f"Set `encoding: {widest}`.")
    is_wide = head.startswith(_WIDE_MARKS) and not widest and head not in _NOTHING
    if is_wide and _decoder(declared) is None:
        raise RefusedError("it is UTF-16 text", hint="Set `encoding: utf-16`.")
    unmarked = "" if widest else _unmarked_wide(head)
    if unmarked and (declared == "utf-16" or _decoder(declared) is None):
        raise RefusedError(
            "it is UTF-16 text that does not begin with the mark of its byte order",
            hint=f"Set `encoding: {unmarked}`.",
        )


def _unmarked_widest(head: bytes) -> str:
    r"""Return which UTF-32 a text without a mark is, by the NUL bytes of its ASCII; "" if none.

    >>> _unmarked_widest(b"i\0\0\0d\0\0\0"), _unmarked_widest(b"\0\0\0i\0\0\0d")
    ('utf-32-le', 'utf-32-be')
    >>> _unmarked_widest(b"i\0d\0,\0\0\0"), _unmarked_widest(b"i\0")
    ('', '')
    """
    quarters = [head[at : _WIDE_SAMPLE * 2 : 4] for at in range(4)]
    for name, at in (("utf-32-le", 0), ("utf-32-be", 3)):
        others = b"".join(quarter for place, quarter in enumerate(quarters) if place != at)
        is_theirs = b"\0" not in quarters[at] and not others.strip(b"\0")
        if is_theirs and all(quarters):  # a letter takes four bytes
            return name
    return ""


def _unmarked_wide(head: bytes) -> str:
    r"""Return which UTF-16 a text without a mark is, by the NUL bytes of its ASCII; "" if none.

    >>> _unmarked_wide(b"i\0d\0"), _unmarked_wide(b"\0i\0d"), _unmarked_wide(b"id,\0")
    ('utf-16-le', 'utf-16-be', '')
    """
    even, odd = (head[at:_WIDE_SAMPLE:2].strip(b"\0") for at in (0, 1))
    length = min(len(head), _WIDE_SAMPLE) // 2
    if not length or bool(even) == bool(odd) or b"\0" in even + odd:
        return ""
    return "utf-16-le" if len(even) == length else "utf-16-be" if len(odd) == length else ""


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


def _body(path: Path, written: Format, line_end: bytes) -> tuple[int, int]:
    """Return the byte range between preamble and trailer."""
    size = path.stat().st_size
    start = _after_lines(path, written.skip_lines, line_end)
    if not written.trailer_lines:
        return start, size
    with path.open("rb") as stream:
        stream.seek(max(start, size - _TAIL_BYTES))
        tail = stream.read()
    kept = tail.rstrip(b"\r\n" + _END_MARK)
    for _ in range(written.trailer_lines):
        kept = kept[: max(kept.rfind(line_end), 0)].rstrip(b"\r\n")
    return start, max(start, size - len(tail) + len(kept))


def _after_lines(path: Path, count: int, line_end: bytes) -> int:
    """Return the byte after some lines; that of the end if there are fewer."""
    begin = 0
    left = count
    for chunk in bytes_between(path, 0, path.stat().st_size) if count else ():
        at = -1
        while left and (at := chunk.find(line_end, at + 1)) >= 0:
            left -= 1
        if not left:
            return begin + at + 1
        begin += len(chunk)
    return begin


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


def _without_nul(chunks: Iterator[bytes]) -> Iterator[bytes]:
    mark = NUL_MARK.encode()
    for chunk in chunks:
        yield chunk.replace(b"\0", mark)
