"""Names of SQL macros: all files of ``sql/macros`` share one namespace.

DuckDB lets a later file replace the macro of an earlier one without a word. What macros compute is
checked below each of them and not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from cdp_pipeline.core.errors import CdpError, ConfigError

_NOT_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)

_MACRO = re.compile(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+)?(?:macro|function)\s+"
    r'(?:if\s+not\s+exists\s+)?(?:(?:"[^"]+"|\w+)\s*\.\s*)*(?:"(?P<quoted>[^"]+)"|(?P<plain>\w+))',
    re.IGNORECASE,
)


def check_macros(files: Iterable[Path]) -> list[CdpError]:
    """Return a mistake for each macro whose name another one has before it.

    Args:
        files: SQL files in the order in which they are executed.
    """
    first: dict[str, str] = {}
    found: list[CdpError] = []
    for path in files:
        for name, line in _defined(path.read_text(encoding="utf-8")):
            where = f"{path}:{line}"
            known = first.setdefault(name, where)
            if known != where:
                found.append(
                    ConfigError(
                        f"macro {name!r} is defined twice, and this one would replace the first",
                        where=where,
                        hint=f"Give it another name, or delete one; the first is at {known}.",
                    )
                )
    return found


def _defined(text: str) -> list[tuple[str, int]]:
    r"""Return the macros that a file creates, in lower case as DuckDB compares them, with lines.

    >>> _defined('-- create macro a(x) as x;\ncreate or replace temp macro "B"(x) as x;')
    [('b', 2)]
    """
    code = _NOT_CODE.sub(lambda found: "\n" * found[0].count("\n"), text)
    return [
        ((found["quoted"] or found["plain"]).lower(), code.count("\n", 0, found.start()) + 1)
        for found in _MACRO.finditer(code)
    ]
