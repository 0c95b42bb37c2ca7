"""Read a YAML declaration strictly and say where its mistakes are.

Duplicate keys, unknown keys, wrong types and files over 1 MB are refused with ``file:line:column``
and, for misspelt keys, the key that was probably meant. What a declaration means is decided by the
models that are passed in.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from cdp_pipeline.core.errors import ConfigError

MAXIMUM_BYTES = 1_000_000
Model = TypeVar("Model", bound=BaseModel)


class _StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # the C parser is ten times faster where PyYAML was built with it
    """SafeLoader that refuses duplicate keys, which YAML would resolve silently."""


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} stands twice", key_node.start_mark
            )
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
    _construct_mapping,
)


def read_model(kind: type[Model], path: Path, *, name: str | None = None) -> Model:
    """Read one YAML file into a model.

    Args:
        kind: Pydantic model of the declaration.
        path: The file.
        name: Value for the model's ``name`` field; default: the file's stem.

    Raises:
        ConfigError: With ``file:line:column``, what is wrong and how to mend it.
    """
    if path.stat().st_size > MAXIMUM_BYTES:
        raise ConfigError("declaration is larger than 1 MB", where=str(path), hint="Split it.")
    text = path.read_text(encoding="utf-8")
    return parse_model(kind, text, path=path, name=name or path.stem)


def parse_model(
    kind: type[Model], text: str, *, path: Path, name: str, first_line: int = 1
) -> Model:
    """Parse YAML text into a model; ``first_line`` is the text's line within the file."""
    offset = first_line - 1
    try:
        node = yaml.compose(text, Loader=_StrictLoader)
        document = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - derives from SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise _explain_syntax(error, path, offset) from error
    if not isinstance(document, dict):
        raise ConfigError(
            "a declaration is a mapping of keys to values",
            where=f"{path}:{first_line}",
            hint="Begin with `title:`; see the README beside the file.",
        )
    if "name" in kind.model_fields and "name" not in document:
        document = {"name": name, **document}
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise _explain_invalid(error, kind, node, path, offset) from error


def _explain_syntax(error: Exception, path: Path, offset: int) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1 + offset}:{mark.column + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or "nested too deeply"
    return ConfigError(
        f"not valid YAML: {problem}", where=where, hint="Quote texts that hold : # or quotes."
    )


def _explain_invalid(
    error: ValidationError, kind: type[BaseModel], node: yaml.Node | None, path: Path, offset: int
) -> ConfigError:
    # A misspelt key is also a missing one; the misspelling is what to show.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    found, line, column = _find(node, first["loc"])
    where = f"{path}:{line + 1 + offset}:{column + 1}"
    dotted = ".".join(str(part) for part in first["loc"]) or "declaration"
    if first["type"] == "extra_forbidden":
        allowed = _field_names(kind, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), allowed, 1)
        meant = f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(allowed)}."
        return ConfigError(f"unknown key `{dotted}`", where=where, hint=meant)
    if first["type"] == "missing":
        return ConfigError(
            f"`{dotted}` is missing", where=where, hint=f"Add `{first['loc'][-1]}:`."
        )
    message = first["msg"].removeprefix("Value error, ")
    hint: str | None = None if found else "See the README beside the file."
    if first["type"] == "string_type" and isinstance(first["input"], bool | int | float):
        hint = "YAML read this as a number or yes/no; put it in quotes."
    return ConfigError(f"`{dotted}`: {message}", where=where, hint=hint)


def _find(node: yaml.Node | None, loc: Sequence[int | str]) -> tuple[bool, int, int]:
    """Return whether the whole path was found, and the line and column of its deepest part."""
    line, column = (node.start_mark.line, node.start_mark.column) if node else (0, 0)
    for part in loc:
        following: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if key_node.value == str(part):
                    following = value_node
                    line, column = key_node.start_mark.line, key_node.start_mark.column
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and _has(node, part):
            following = node.value[part]
            line, column = following.start_mark.line, following.start_mark.column
        if following is None:
            return False, line, column
        node = following
    return True, line, column


def _has(node: yaml.SequenceNode, position: int) -> bool:
    return position < len(node.value)


def _field_names(kind: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    current: Any = kind
    for part in loc:
        fields = getattr(current, "model_fields", {})
        current = _inner_model(fields[part].annotation) if part in fields else current
    fields = getattr(current, "model_fields", {})
    return sorted(field.alias or name for name, field in fields.items())


def _inner_model(annotation: Any) -> Any:  # noqa: ANN401 - any typing construct
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None
