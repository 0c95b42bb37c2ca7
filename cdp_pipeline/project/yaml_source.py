"""Read a YAML declaration strictly and say where its mistakes are.

Duplicate keys, unknown keys, wrong types and files over 1 MB are refused with ``file:line:column``
and, for misspelt keys, the key that was probably meant. So is ``!ask a question``, which stands
where `cdp new` could not know an answer, and text with characters that nobody sees (of control, of
direction, half of a pair) or without end. What a declaration means is decided by the models that
are passed in.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from cdp_pipeline.core.errors import CombinedConfigError, ConfigError
from cdp_pipeline.core.unseen import find_unseen
from cdp_pipeline.project.mistakes import explain_invalid
from cdp_pipeline.project.positions import Positions

MAXIMUM_BYTES = 1_000_000
ASK = "!ask"
"""Tag of a value that nobody has declared yet; its text is the question."""

LONGEST_TEXT = 20_000
"""Characters of one text; longer ones are no description, name or query."""

_VERBATIM = frozenset(
    {"delimiter", "quote", "escape", "split", "strip", "pattern", "from", "aliases"}
    | {"values", "null_values", "true_values", "false_values"}
)
"""Keys whose text, or list of texts, is bytes of deliveries, of which some are not shown."""

Model = TypeVar("Model", bound=BaseModel)


class _StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # the C parser is ten times faster where PyYAML was built with it
    """SafeLoader that refuses duplicate keys, which YAML would resolve silently."""


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(
                None, None, "a key is a list or a mapping", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} stands twice", key_node.start_mark
            )
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


def _construct_date(loader: _StrictLoader, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - a date or a moment
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value} is no date: {error}", node.start_mark
        ) from error


_StrictLoader.add_constructor("tag:yaml.org,2002:timestamp", _construct_date)
_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
    _construct_mapping,
)


def read_model(kind: type[Model], path: Path) -> Model:
    """Read one YAML file into a model, whose ``name`` is the file's stem.

    Args:
        kind: Pydantic model of the declaration.
        path: The file.

    Raises:
        ConfigError: With ``file:line:column``, what is wrong and how to mend it.
    """
    if path.is_file() and path.stat().st_size > MAXIMUM_BYTES:
        raise ConfigError("declaration is larger than 1 MB", where=str(path), hint="Split it.")
    return parse_model(kind, read_declared(path), path=path, name=path.stem)


def read_declared(path: Path) -> str:
    """Return the text of a declaration.

    Raises:
        ConfigError: It is not UTF-8, or no file: a pipe or device could be read for ever.
    """
    if path.exists() and not path.is_file():
        raise ConfigError("is no file", where=str(path), hint="Put a regular file in its place.")
    data = path.read_bytes()
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise ConfigError(
            f"not UTF-8: {error.reason}",
            where=f"{path}:{line}:{column}",
            hint="Save the file as UTF-8.",
        ) from error


def parse_model(
    kind: type[Model], text: str, *, path: Path, name: str, first_line: int = 1
) -> Model:
    """Parse YAML text into a model; ``first_line`` is the text's line within the file.

    Raises:
        ConfigError: Something is wrong or not declared yet; ``parts`` holds every mistake.
    """
    return cast("Model", _parse(kind, text, path, name, first_line))


@lru_cache(maxsize=1_000)  # a project is read again whenever one of its files changed
def _parse(kind: type[BaseModel], text: str, path: Path, name: str, first_line: int) -> BaseModel:
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        positions = Positions(path, node, first_line)
        _refuse_unseen(node, path, first_line)
        _refuse_questions(node, path, first_line)
        document = loader.construct_document(node) if node else None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _explain_syntax(error, path, first_line - 1) from error
    if not isinstance(document, dict):
        raise ConfigError(
            "a declaration is a mapping of keys to values",
            where=f"{path}:{first_line}:1",
            hint="Begin with `title:`; see the README beside the file.",
        )
    if "name" in kind.model_fields and "name" not in document:
        document = {"name": name, **document}
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise explain_invalid(error, kind, positions) from error


def _refuse_questions(root: yaml.Node | None, path: Path, first_line: int) -> None:
    """Refuse a declaration with questions that nobody has answered yet.

    Raises:
        ConfigError: There are some; ``parts`` holds each.
    """
    found = [
        ConfigError(
            f"`{dotted}` is not declared yet: {question.value or 'it cannot be known from files'}",
            where=f"{path}:{question.start_mark.line + first_line}:"
            f"{question.start_mark.column + 1}",
            hint=f"Write the answer in place of `{ASK} ...`.",
        )
        for dotted, question in _questions(root)
    ]
    if found:
        raise found[0] if len(found) == 1 else CombinedConfigError(found)


def _questions(root: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    return [(dotted, node) for dotted, node in _nodes(root) if node.tag == ASK]


def _refuse_unseen(root: yaml.Node | None, path: Path, first_line: int) -> None:
    """Refuse texts that do not show what they are, or that are no texts for people.

    Raises:
        ConfigError: The first of them.
    """
    for dotted, node in _nodes(root):
        if not isinstance(node, yaml.ScalarNode):
            continue
        *_, above, key = ("", *dotted.split("."))
        key = above if key.isdigit() else key
        found = None if key in _VERBATIM else find_unseen(node.value)
        is_long = len(node.value) > LONGEST_TEXT
        if not (found or is_long):
            continue
        what = f"a character that is not shown: {found}" if found else "more than anybody reads"
        raise ConfigError(
            f"{'a text' if found else f'a text of {len(node.value):,} characters'} holds {what}",
            where=f"{path}:{node.start_mark.line + first_line}:{node.start_mark.column + 1}",
            hint="Remove the character." if found else f"Keep to {LONGEST_TEXT:,} characters.",
        )


def _nodes(root: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """Yield each node of a document once, keys included, in order, with its dotted place."""
    waiting: list[tuple[str, yaml.Node]] = [("", root)] if root else []
    seen: set[int] = set()
    while waiting:
        dotted, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield dotted, node
        if isinstance(node, yaml.MappingNode):
            for key, value in reversed(node.value):
                place = f"{dotted}.{key.value}".lstrip(".")
                waiting += [(place, value), (place, key)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(f"{dotted}.{i}", v) for i, v in reversed([*enumerate(node.value)])]


def _explain_syntax(error: Exception, path: Path, offset: int) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1 + offset}:{mark.column + 1}" if mark else str(path)
    # Errors of the parser name a problem, others are one: a number of 5,000 digits, say.
    other = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    problem = getattr(error, "problem", None) or other
    hints = {
        "cannot start any token": "YAML is indented with blanks, not tabs; quote texts that "
        "begin with @, ` or %.",
        "mapping values are not allowed": "Quote texts that hold a colon and a blank.",
        "undefined alias": "Quote texts that begin with *.",
        "could not determine a constructor": f"The only tag is {ASK}; quote texts that begin "
        "with !.",
        "stands twice": "Keep one of them.",
        "is no date": "Dates are written year-month-day, such as 2027-03-31; quote texts.",
        "did not find expected": "Look at the indentation, brackets and quotes of this line and "
        "the one before.",
    }
    hint = next((h for words, h in hints.items() if words in problem), None)
    return ConfigError(
        f"not valid YAML: {problem}",
        where=where,
        hint=hint or "Quote texts that hold : # or quotes.",
    )
