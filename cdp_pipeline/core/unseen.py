"""Characters that nobody sees: where people declare texts, they are mistakes or traps.

A control character moves a terminal's cursor, a directional one shows a line otherwise than it is
read, a lone surrogate cannot be written to any file. Who must not hold them is decided by callers.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

LONGEST_LINE = 200
"""Characters of a name, a subject or an address; mail servers refuse much longer headers."""

_UNSEEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def find_unseen(text: str) -> str | None:
    r"""Return the first character of a text that is not shown, by number and name.

    Tabs and line feeds are shown.

    >>> find_unseen("a\u202eb"), find_unseen("a\tb\n")
    ('U+202E (right-to-left override)', None)
    """
    found = _UNSEEN.search(text)
    if found is None:
        return None
    number = f"U+{ord(found[0]):04X}"
    name = unicodedata.name(found[0], "").lower()
    return f"{number} ({name})" if name else number


def show_unseen(text: str) -> str:
    r"""Return a text with the number of each character that is not shown in its place.

    >>> show_unseen("a\u202eb\x85")
    'a\\u202Eb\\u0085'
    """
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04X}", text)


def one_line(text: str) -> str:
    """Return a text that stands in a line of its own, such as a header of a mail.

    Raises:
        ValueError: It holds line ends or characters that are not shown, or is too long for that.
    """
    found = find_unseen(text) or next((f"U+{ord(c):04X}" for c in text if c in "\n\t"), None)
    if found:
        message = f"it holds {found}, which is not shown in a line"
        raise ValueError(message)
    if len(text) > LONGEST_LINE:
        message = f"it has more than {LONGEST_LINE} characters"
        raise ValueError(message)
    return text


OneLine = Annotated[str, AfterValidator(one_line)]
"""Text of a setting that is shown in one line."""
