"""How one text may stand in a file: in what case, Unicode form, encoding and escape."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from html.entities import codepoint2name
from urllib.parse import quote

_CASES = 8
"""As written, lower, upper and title case, each composed and decomposed."""

_UNQUOTED = " '-"
_UNESCAPED = re.compile(r"[a-z0-9 '._~-]*")
"""Texts that neither JSON nor a URL escapes."""
_ENTITIES = {code: f"&{name};" for code, name in codepoint2name.items() if not chr(code).isascii()}
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


_NOT_WRITTEN = {"Cc", "Cn", "Co", "Cs"}
"""Categories of characters in no text of people: controls, and what is not assigned."""

_FEW = 128
"""Of so many bytes of a text in UTF-16 one is zero at least: half of a blank or a line's end."""


def wide_encoding(head: bytes) -> str | None:
    r"""Return which UTF-16 a text is in, by its mark or its zeros; None if it is in none.

    Args:
        head: Its first bytes, an even number.

    Examples:
        >>> wide_encoding("Anna".encode("utf-16-be")), wide_encoding(b"Anna")
        ('utf-16-be', None)
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = {"utf-16-be": head[::2].count(0), "utf-16-le": head[1::2].count(0)}
    if max(zeros.values()) * _FEW < len(head) or not head:
        return None
    if min(zeros.values()):  # letters as U+4E00 or U+3000 have zeros, too, on the other side
        zeros = {name: count for name, count in zeros.items() if _is_writing(head, name)}
    return max(zeros, key=lambda name: zeros[name]) if zeros else None


def _is_writing(head: bytes, encoding: str) -> bool:
    """Return whether bytes are letters, digits and signs that people write, and nothing else."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return all(unicodedata.category(c) not in _NOT_WRITTEN or c in "\t\r\n" for c in text)


def lower_ascii(data: bytes) -> bytes:
    """Return bytes with A to Z in lower case, as everything is compared; the rest as it is."""
    return data.lower()


def byte_forms(text: str) -> tuple[bytes, ...]:
    r"""Return the forms of a text in lower-case bytes; the same count and order for every text.

    Letters beyond ASCII have an upper case of their own, are composed or not, and are written as
    UTF-8, as Windows-1252 (which UTF-16 without its zeros is alike), or escaped in JSON, in a URL,
    in HTML by their numbers or names, or in a mail (quoted-printable).

    Args:
        text: A name, an address, any word.

    Examples:
        >>> byte_forms("Zoë")[0]
        b'zo\xc3\xab'
        >>> len(set(byte_forms("zoe")))
        1
    """
    # As digests are, of which there are many: case and composition change nothing.
    if text.isascii():
        return _ascii_forms(text.lower()) * _CASES
    forms = []
    # Lower case from upper case: a sigma that ends a word is another letter, and an ß is two.
    for cased in (text, text.upper().lower(), text.upper(), text.title()):
        for form in ("NFC", "NFD"):
            spelt = unicodedata.normalize(form, cased)
            forms += [
                spelt.encode("utf-8", "surrogateescape"),
                _windows(spelt),
                json.dumps(spelt)[1:-1].encode(),
                quote(spelt, safe=_UNQUOTED, errors="replace").encode(),
                spelt.encode("ascii", "xmlcharrefreplace"),
                spelt.translate(_ENTITIES).encode("ascii", "xmlcharrefreplace"),
                _BEYOND_ASCII.sub(_in_mail, spelt.encode("utf-8", "surrogateescape")),
            ]
    return tuple(lower_ascii(form) for form in forms)


def _ascii_forms(text: str) -> tuple[bytes, ...]:
    """Return a lower-case ASCII text in the seven forms: only JSON and URLs escape any of it."""
    plain = text.encode()
    if _UNESCAPED.fullmatch(text):
        return (plain,) * 7
    quoted = quote(text, safe=_UNQUOTED).encode()
    return plain, plain, json.dumps(text)[1:-1].encode(), lower_ascii(quoted), plain, plain, plain


def _in_mail(byte: re.Match[bytes]) -> bytes:
    return b"=%02x" % byte[0][0]


def _windows(text: str) -> bytes:
    """Return a text in Windows-1252; in UTF-8 if that has not all its letters."""
    try:
        return text.encode("cp1252")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
