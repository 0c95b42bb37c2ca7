"""Mails as they are kept: what their parts and headers say once their encoding is undone.

A name over the end of a quoted-printable line, and everything in Base64, stands in no bytes of a
mail. What changes is written again as it was encoded; no other byte is touched, as signatures of
what was forwarded, and attachments that are not encoded, hold for these bytes only.
"""

from __future__ import annotations

import base64
import quopri
import re
import textwrap
from collections.abc import Callable, Iterator
from email.header import Header
from io import BytesIO
from itertools import islice
from pathlib import Path

from cdp_pipeline.rights.mail_parts import Part, find_parts

_LARGEST = 1 << 26
"""Bytes of a mail that is taken apart; servers accept none of the size."""
_MOST_BLOCKS = 10_000
_SHORTEST_BLOCK = 8

_FIELD = re.compile(rb"^[!-9;-~]+:[^\n]*(?:\n[ \t][^\n]*)*", re.MULTILINE)
_PIECE = r"(?:\"[^\"]*\"|[^;\"\s]*)"
_PIECES = re.compile(
    rf"\b(name|filename)\*0(\*?)=({_PIECE}(?:\s*;\s*\1\*\d+\*?={_PIECE})*)", re.IGNORECASE
)
_NEXT_PIECE = re.compile(r"\s*;\s*(?:file)?name\*\d+\*?=", re.IGNORECASE)
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_WORDS = re.compile(rf"(?:{_WORD.pattern})+")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)\s+(?==\?)")
_IN_WORD = r"[^\s\"=<>,;()]*[^\x00-\x7f][^\s\"=<>,;()]*"
_BEYOND_ASCII = re.compile(rf"{_IN_WORD}(?:\s+{_IN_WORD})*")
_LINE = 76

_BASE64_LINES = re.compile(
    rb"(?:^[A-Za-z0-9+/]+[ \t]*\r?\n)*^[A-Za-z0-9+/]+={0,2}[ \t]*\r?(?:\n|\Z)", re.MULTILINE
)
_NO_BASE64 = bytes(set(range(256)) - set(b"=+/") - set(base64.b64encode(bytes(range(256)) * 9)))
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949"}
"""Letters that mail readers take texts to be in which name an older set of them."""
_NO_LETTERS = {"punycode", "idna", "unicode_escape", "raw_unicode_escape"}
"""What Python decodes and no mail is in; the first takes hours for a long text."""

Clean = Callable[[bytes], bytes]


def mail_text(path: Path) -> bytes:
    """Return a mail without what is in Base64, whose letters are nobody's name.

    Args:
        path: A mail.

    Raises:
        ValueError: It is larger than any mail, or has more parts.
    """
    data, gaps, last = _read(path), [], 0
    for part in find_parts(data):
        for start, end in _blocks_of(data, part):
            gaps.append(data[last:start])
            last = end
    return b"".join([*gaps, data[last:]])


def mail_parts(path: Path) -> Iterator[tuple[str, BytesIO]]:
    """Yield number and content of the parts that are encoded, and texts in other letters in UTF-8.

    Args:
        path: A mail.

    Raises:
        ValueError: It is larger than any mail, or has more parts.
    """
    data = _read(path)
    for number, part in enumerate(find_parts(data), start=1):
        content = data[part.body : part.end] if part.encoding or part.charset else b""
        contents = [content]
        if part.encoding == "base64":
            blocks = [_unbase64(data[start:end]) for start, end in _blocks_of(data, part)]
            contents = [_unbase64(content), b"\n".join(blocks)]  # readers pass over what is none
        elif part.encoding:
            contents = [quopri.decodestring(content)]
        texts = [(_text_of(content, part.charset) or "") for content in contents]
        shown = contents if part.encoding else []
        shown = [*shown, *(text.encode("utf-8", "surrogateescape") for text in texts)]
        for said in dict.fromkeys(filter(None, shown)):
            yield f"part {number}", BytesIO(said)


def mail_labels(path: Path) -> Iterator[str]:
    """Yield the headers that are encoded (RFC 2047), in pieces (RFC 2231) or lines, as they read.

    Args:
        path: A mail.

    Raises:
        ValueError: It is larger than any mail, or has more parts.
    """
    data = _read(path)
    for part in find_parts(data):
        for field in _FIELD.finditer(data, part.start, part.body):
            if _is_encoded(field[0]):
                yield header_text(_as_text(field[0]))


def cleaned_mail(
    path: Path, *, clean_text: Clean, clean_part: Clean, clean_label: Callable[[str], str]
) -> bytes | None:
    """Return a mail without what must go; None if there is nothing of it.

    Args:
        path: A mail.
        clean_text: Gives a text in clear without what must go.
        clean_part: Gives the content of an encoded part, which may be a file of any kind, so.
        clean_label: Gives a header so.

    Raises:
        ValueError: It is larger than any mail, or has more parts.
    """
    data = _read(path)
    ends = b"\r\n" if data[: data.find(b"\n") + 1].endswith(b"\r\n") else b"\n"
    done: list[bytes] = []
    clear: list[bytes] = []
    last = 0
    for part in find_parts(data):
        for start, end, now in _changes(data, part, ends, clean_text, clean_part, clean_label):
            clear.append(data[last:start])
            if part.encoding == "base64" and start >= part.body:
                done += [clean_text(b"".join(clear)), now]
                clear = []
            else:
                clear.append(now)
            last = end
    done.append(clean_text(b"".join([*clear, data[last:]])))
    cleaned = b"".join(done)
    return cleaned if cleaned != data else None


def _changes(
    data: bytes,
    part: Part,
    ends: bytes,
    clean_text: Clean,
    clean_part: Clean,
    clean_label: Callable[[str], str],
) -> Iterator[tuple[int, int, bytes]]:
    """Yield start and end of what is in Base64, or changes, and what stands there then."""
    for field in _FIELD.finditer(data, part.start, part.body):
        if _is_encoded(field[0]) and (now := _clean_field(field[0], clean_label, ends)):
            yield field.start(), field.end(), now
    if part.encoding == "base64":
        for start, end in _blocks_of(data, part):
            content = _unbase64(data[start:end])
            cleaned = _clean_letters(clean_part(content), part.charset, clean_text)
            now = base64.encodebytes(cleaned).replace(b"\n", ends)
            yield start, end, now if cleaned != content else data[start:end]
    elif part.encoding or part.charset:
        kept = len(data[part.body : part.end].rstrip(b"\r\n")) + part.body
        said = data[part.body : kept]
        content = quopri.decodestring(said) if part.encoding else said
        cleaned = clean_part(content) if part.encoding else content
        cleaned = _clean_letters(cleaned, part.charset, clean_text)
        if cleaned != content:
            again = quopri.encodestring(cleaned) if part.encoding else cleaned
            yield part.body, kept, re.sub(rb"\r?\n", ends, again) if part.encoding else again


def _clean_field(field: bytes, clean_label: Callable[[str], str], ends: bytes) -> bytes:
    """Return a field without what must go, encoded where it must be; empty if all may stay."""
    name, _, value = _as_text(field).partition(":")
    text = header_text(value)
    cleaned = clean_label(text)
    if cleaned == text:
        return b""
    # Words beyond ASCII only: the addresses and file names beside them have a form of their own.
    encoded = _BEYOND_ASCII.sub(lambda found: Header(found[0], "utf-8").encode(), cleaned)
    lines = textwrap.wrap(
        encoded.strip(), _LINE, expand_tabs=False, break_long_words=False, break_on_hyphens=False
    )
    folded = (ends + b" ").join(line.encode() for line in lines)
    return name.encode() + b": " + folded + (b"\r" if field.endswith(b"\r") else b"")


def header_text(value: str) -> str:
    """Return what a header says: on one line, encoded words (RFC 2047) decoded, pieces joined.

    Examples:
        >>> header_text("=?utf-8?q?Zo=C3=AB?= <zoe@example.com>")
        'Zoë <zoe@example.com>'
    """
    value = _PIECES.sub(_join_pieces, _FOLD.sub("", value))
    return _WORDS.sub(_decode_words, _BETWEEN_WORDS.sub("", value))


def _join_pieces(found: re.Match[str]) -> str:
    """Join the pieces of a long file name (RFC 2231)."""
    name, star, pieces = found.groups()
    whole = "".join(piece.strip('"') for piece in _NEXT_PIECE.split(pieces))
    return f"{name}{star}={whole}" if star else f'{name}="{whole}"'


def _decode_words(words: re.Match[str]) -> str:
    """Decode words side by side; a letter of several bytes may begin in one and end in another."""
    held: list[tuple[str, bytes]] = []
    for charset, encoding, said in _WORD.findall(words[0]):
        raw = said.encode("utf-8")
        content = _unbase64(raw) if encoding in "bB" else quopri.decodestring(raw, header=True)
        before = held.pop()[1] if held and held[-1][0] == charset.lower() else b""
        held.append((charset.lower(), before + content))
    return "".join(_decoded(content, charset) for charset, content in held)


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(_letters(charset), "replace")
    except (LookupError, ValueError):  # letters that nobody knows
        return content.decode("utf-8", "replace")


def _letters(charset: str) -> str:
    return "utf-8" if charset.replace("-", "_") in _NO_LETTERS else _WIDER.get(charset, charset)


def _text_of(content: bytes, charset: str | None) -> str | None:
    """Return a text in letters that are not searched as bytes; None if it is in no such."""
    try:
        text = content.decode(_letters(charset or "ascii"), "surrogateescape")
    except (LookupError, ValueError):
        return None
    return None if text.encode("utf-8", "surrogateescape") == content else text


def _clean_letters(content: bytes, charset: str | None, clean_text: Clean) -> bytes:
    """Return a text without what must go, in the letters that it was in."""
    text = _text_of(content, charset)
    if text is None or charset is None:
        return content
    narrow = text.encode("utf-8", "surrogateescape")
    cleaned = clean_text(narrow)
    try:
        letters = _letters(charset)
        was, now = (
            said.decode("utf-8", "surrogateescape").encode(letters, "surrogateescape")
            for said in (narrow, cleaned)
        )
    except ValueError:
        return content
    return now if was == content and cleaned != narrow else content


def _blocks_of(data: bytes, part: Part) -> list[tuple[int, int]]:
    """Return start and end of the lines in Base64; footers of mailing lists stand behind them."""
    if part.encoding != "base64":
        return []
    found = _BASE64_LINES.finditer(data, part.body, part.end)
    blocks = list(islice((lines.span() for lines in found), _MOST_BLOCKS + 1))
    if len(blocks) > _MOST_BLOCKS:
        raise ValueError("it is in more pieces than any mail")
    return [(start, end) for start, end in blocks if end - start >= _SHORTEST_BLOCK]


def _unbase64(said: bytes) -> bytes:
    """Return what a text in Base64 stands for, as far as it goes if it was cut off."""
    pieces = re.split(rb"=+", said.translate(None, _NO_BASE64))
    whole = (piece[: len(piece) - (len(piece) % 4 == 1)] for piece in pieces)
    return b"".join(base64.b64decode(piece + b"=" * (-len(piece) % 4)) for piece in whole)


def _is_encoded(field: bytes) -> bool:
    return b"=?" in field or b"\n" in field or b"name*0" in field.lower()


def _as_text(field: bytes) -> str:
    try:
        return field.rstrip(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        return field.rstrip(b"\r").decode("latin-1")


def _read(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is larger than any mail")
    return path.read_bytes()
