"""Where the parts of a YAML declaration stand in its file, as ``file:line:column``.

Only places are told here; what is wrong there is said by those who ask.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import yaml

SQL_HEADER = re.compile(r"\A\s*/\*\n(?P<yaml>.*?)\*/\n?", re.DOTALL)
"""The comment in YAML with which a SQL model begins."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Positions:
    """Places within one declaration.

    Args:
        path: The file.
        node: Its root, if it is composed already.
        first_line: Line of the file on which the YAML text begins.
    """

    def __init__(self, path: Path, node: yaml.Node | None = None, first_line: int = 1) -> None:
        """Read nothing before it is asked for."""
        self.path, self.node, self.first_line = path, node, first_line

    def __call__(self, *loc: int | str) -> str:
        """Return the place of the deepest part of a path that the file has.

        Args:
            loc: Keys and positions in lists, from the root.
        """
        _, line, column = self.find(loc)
        return f"{self.path}:{line}:{column}"

    def find(self, loc: Sequence[int | str]) -> tuple[bool, int, int]:
        """Return whether the file has the whole path, and line and column of its deepest part."""
        if self.node is None:
            self.node, self.first_line = _compose(self.path, _stamp(self.path))
        node = self.node
        if node is None:
            return False, self.first_line, 1
        mark, found = node.start_mark, True
        for part in loc:
            key, following = _step(node, part)
            if following is None:
                found = False
                break
            mark = (key or following).start_mark
            node = following
        return found, mark.line + self.first_line, mark.column + 1

    def of_word(self, loc: Sequence[int | str], word: str) -> str:
        """Return the place of a word at or below a path; of the path if the word is not there."""
        place = self(*loc)
        node = self.node
        for part in loc:
            node = _step(node, part)[1] if node is not None else None
        waiting = [node] if node is not None else []
        while waiting:
            node = waiting.pop()
            if isinstance(node, yaml.ScalarNode) and node.value == word:
                mark = node.start_mark
                return f"{self.path}:{mark.line + self.first_line}:{mark.column + 1}"
            if isinstance(node, yaml.MappingNode):
                waiting += [n for pair in reversed(node.value) for n in reversed(pair)]
            elif isinstance(node, yaml.SequenceNode):
                waiting += reversed(node.value)
        return place


def _step(node: yaml.Node, part: int | str) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Return the key, if there is one, and the value of a part of a node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None, None


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=256)
def _compose(path: Path, _stamp: int) -> tuple[yaml.Node | None, int]:
    """Return the root of a declaration and its first line; no root if it cannot be read."""
    if not path.is_file():
        return None, 1
    text, first_line = path.read_text(encoding="utf-8"), 1
    if path.suffix == ".sql":
        header = SQL_HEADER.match(text)
        if header is None:
            return None, 1
        first_line = text[: header.start("yaml")].count("\n") + 1
        text = header["yaml"]
    try:
        return yaml.compose(text, Loader=_LOADER), first_line
    except yaml.YAMLError:
        return None, first_line
