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

_OLD_ENCODINGS = ("cp1252", "cp1250", "iso-8859-2", "cp1254", "cp1253", "cp1251", "koi8-r", "cp866")
"""Western, Central European, Turkish, Greek and Cyrillic; Windows-1252 is nearly Latin-1."""

_FEWEST_BYTES = 3

_UNQUOTED = " '-"
APOSTROPHES = (b"'", b";;;", b";;;;;", b";;;;;;", b"&#39;", b"&#x27;")
"""How an apostrophe stands in bytes whose escaped signs are opened; not all libraries escape it."""
_UNESCAPED = re.compile(r"[a-z0-9 '._~-]*")
"""Texts that neither JSON nor a URL escapes."""
_ENTITIES = {code: f"&{name};" for code, name in codepoint2name.items() if not chr(code).isascii()}
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


_SIGNS = "=&?\"':;,{}[]()<>|#$\t\n\r"
_CODES = "|".join(f"{ord(sign):02x}" for sign in _SIGNS)
_IN_URL = re.compile(rf"%(?:25)?(?:{_CODES})".encode())
_IN_JSON = re.compile(rf"\\(?:u00(?:{_CODES})|[nrt])".encode())
_IN_JSON_BY_NUMBER = re.compile(rf"\\u00(?:{_CODES})".encode())
"""Signs between words that are escaped; two patterns, each found by the byte it begins with."""

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


def open_signs(plain: bytes, *, has_letters: bool = True) -> bytes:
    r"""Return lower-case bytes, as many, in which escaped signs between words are signs.

    Of ``%3danna`` and of ``\\nanna`` in JSON the last letter or digit of the escape would otherwise
    be a part of the word.

    Args:
        plain: Any bytes.
        has_letters: Whether a backslash and a letter are a line's end or a tab, as in JSON, and not
            the letter that a word begins with, as in a path of Windows.

    Examples:
        >>> open_signs(b"?next=%3fm%3danna"), open_signs(rb"or\nanna")
        (b'?next=;;;m;;;anna', b'or;;anna')
    """
    in_json = _IN_JSON if has_letters else _IN_JSON_BY_NUMBER
    for mark, signs in ((b"%", _IN_URL), (b"\\", in_json)):
        if mark in plain:
            plain = signs.sub(lambda found: b";" * len(found[0]), plain)
    return plain


def byte_forms(text: str) -> tuple[bytes, ...]:
    r"""Return the forms of a text in lower-case bytes; the same count and order for every text.

    Letters beyond ASCII have an upper case of their own, are composed or not, and are written as
    UTF-8, in an encoding of one byte a letter (UTF-16 without its zeros is like Windows-1252), or
    escaped in JSON, in a URL or one within another, in HTML by their numbers or names, or in a mail
    (quoted-printable).

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
                *_old_encodings(spelt),
                json.dumps(spelt)[1:-1].encode(),
                *_quoted(spelt),
                spelt.encode("ascii", "xmlcharrefreplace"),
                spelt.translate(_ENTITIES).encode("ascii", "xmlcharrefreplace"),
                _BEYOND_ASCII.sub(_in_mail, spelt.encode("utf-8", "surrogateescape")),
            ]
    return tuple(lower_ascii(form) for form in forms)


def _ascii_forms(text: str) -> tuple[bytes, ...]:
    """Return a lower-case ASCII text in all forms: only JSON and URLs escape any of it."""
    plain, encoded = (text.encode(),), 1 + len(_OLD_ENCODINGS)
    if _UNESCAPED.fullmatch(text):
        return plain * (encoded + 6)
    escaped = json.dumps(text)[1:-1].encode(), *map(lower_ascii, _quoted(text))
    return (*plain * encoded, *escaped, *plain * 3)


def _quoted(text: str) -> tuple[bytes, bytes]:
    """Return a text as it stands in a URL, and in one that is a part of another."""
    once = quote(text, safe=_UNQUOTED, errors="replace")
    return once.encode(), quote(once, safe=_UNQUOTED).encode()


def _in_mail(byte: re.Match[bytes]) -> bytes:
    return b"=%02x" % byte[0][0]


def _old_encodings(text: str) -> list[bytes]:
    """Return a text in each encoding of one byte a letter; in UTF-8 where letters are lacking.

    Two bytes would stand somewhere in a large database by chance.
    """
    plain = text.encode("utf-8", "surrogateescape")
    found = []
    for encoding in _OLD_ENCODINGS:
        is_told = len(text) >= _FEWEST_BYTES or encoding == _OLD_ENCODINGS[0]
        try:
            found.append(text.encode(encoding) if is_told else plain)
        except UnicodeEncodeError:
            found.append(plain)
    return found
