"""The index that the site's own search reads: a script that assigns one array.

A script rather than JSON, since a page opened from disk may not fetch files. Every ``<`` is written
as an escape, so that no text can end the script.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

Entry = tuple[str, str, str, str]
"""Kind, title, text, address from the site's root."""


def write_index(entries: Iterable[Entry]) -> str:
    """Return the script.

    >>> write_index([("word", "basket", "what is bought", "a.html")]).splitlines()[1]
    '["word","basket","what is bought","a.html"]'
    """
    lines = [_line(entry) for entry in entries]
    return "window.cdpIndex = [\n" + ",\n".join(lines) + "\n];\n"


def _line(entry: Sequence[str]) -> str:
    text = json.dumps(list(entry), ensure_ascii=False, separators=(",", ":"))
    # U+2028 and U+2029 end a line in old scripts.
    for character in ("<", "\u2028", "\u2029"):
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
