"""What every draft begins with, and how words of people get into YAML and SQL safely."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cdp_pipeline.core.errors import ConfigError

_LONGEST_LINE = 100
_LONGEST_NAME = 41
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]|\*/|/\*")


@dataclass(frozen=True)
class Words:
    """Name, title and owner of a declaration.

    Attributes:
        name: The file's stem.
        title: What people call it.
        owner: Who answers questions about it.
    """

    name: str
    title: str
    owner: str


def choose_words(name: str, title: str | None, owner: str | None) -> Words:
    """Return the words of a draft; a title that was not given is made from the name.

    Args:
        name: Lower case, digits, underscores.
        title: What people call it.
        owner: Who answers questions about it.

    Raises:
        ConfigError: The name cannot be a file's; says which could.

    >>> choose_words("quiet_gold", None, None)
    Words(name='quiet_gold', title='Quiet gold', owner='analytics')
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ConfigError(
            f"{name!r} cannot be a name",
            where="NAME",
            hint=f"Lower-case letters, digits and _, at most {_LONGEST_NAME}"
            + (f": `{near}`." if (near := _near_name(name)) else "."),
        )
    shown = title or name.replace("_", " ").capitalize()
    return Words(name, shown, owner or "analytics")


def _near_name(name: str) -> str:
    near = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_0123456789")
    return near[:_LONGEST_NAME].strip("_")


def as_scalar(text: str, option: str) -> str:
    """Return a text as YAML takes it, in quotes where it would be read as something else.

    Args:
        text: What somebody typed.
        option: Where, for the error.

    Raises:
        ConfigError: It has line breaks or marks of comments, which no declaration could hold.

    >>> as_scalar("Quiet gold", "--title"), as_scalar("a: b", "--title")
    ('Quiet gold', '"a: b"')
    """
    if _BREAKS.search(text) or not text.strip():
        raise ConfigError(
            f"{text!r} cannot stand in a declaration",
            where=option,
            hint="Write one line of text, without /* and */.",
        )
    is_plain = re.fullmatch(r"[A-Za-z][\w ,.()-]*(?<! )", text) and not _is_word_of_yaml(text)
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _is_word_of_yaml(text: str) -> bool:
    return text.casefold() in {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def as_comments(meanings: Mapping[str, str], *, indent: str = "#   ") -> Iterator[str]:
    """Yield a comment line for each name with its meaning, cut to the width of a line."""
    width = max((len(name) for name in meanings), default=0)
    for name, meaning in meanings.items():
        line = f"{indent}{name:<{width}}  {' '.join(meaning.split())}"
        yield line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3].rstrip()}..."


def as_text(lines: Iterable[str]) -> str:
    """Return the lines of a draft as the text of a file."""
    return "\n".join(lines) + "\n"
