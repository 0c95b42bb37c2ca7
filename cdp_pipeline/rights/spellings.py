"""How one text may stand in a file: in what case, Unicode form, encoding and escape."""

from __future__ import annotations

import json
import unicodedata
from urllib.parse import quote

_LOWER = bytes(b + 32 if 65 <= b <= 90 else b for b in range(256))  # noqa: PLR2004 - A to Z


def lower_ascii(data: bytes) -> bytes:
    """Return bytes with A to Z in lower case, as everything is compared; the rest as it is."""
    return data.translate(_LOWER)


def byte_forms(text: str) -> tuple[bytes, ...]:
    r"""Return the forms of a text in lower-case bytes; the same count and order for every text.

    Letters beyond ASCII have an upper case of their own, are composed or not, and are written as
    UTF-8, as Windows-1252 (which UTF-16 without its zeros is alike), or escaped in JSON or a URL.

    Args:
        text: A name, an address, any word.

    Examples:
        >>> byte_forms("Zoë")[0]
        b'zo\xc3\xab'
        >>> len(set(byte_forms("zoe")))
        1
    """
    forms = []
    for cased in (text, text.lower(), text.upper(), text.title()):
        for form in ("NFC", "NFD"):
            spelt = unicodedata.normalize(form, cased)
            forms += [
                spelt.encode("utf-8", "surrogateescape"),
                _windows(spelt),
                json.dumps(spelt)[1:-1].encode(),
                quote(spelt, safe=" '-", errors="replace").encode(),
            ]
    return tuple(lower_ascii(form) for form in forms)


def _windows(text: str) -> bytes:
    """Return a text in Windows-1252; in UTF-8 if that has not all its letters."""
    try:
        return text.encode("cp1252")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
