"""What is wrong with a declaration, in words: each mistake with its place and what was meant.

Models raise ``MistakeError`` where they know better than pydantic which part is wrong and what
would be right; everything else that pydantic finds is put into plain English here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from cdp_pipeline.core.errors import CdpError, CombinedConfigError, ConfigError
from cdp_pipeline.project.positions import Positions

_PLAIN = {
    "tuple_type": "must be a list, such as [a, b]",
    "list_type": "must be a list, such as [a, b]",
    "dict_type": "must be keys and values, indented below it",
    "model_type": "must be keys and values, indented below it",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    **dict.fromkeys(
        ("date_from_datetime_parsing", "date_parsing", "date_type"),
        "must be a date such as 2027-03-31",
    ),
    "string_type": "must be a text",
    "too_short": "must not be empty",
}
_MOST_KNOWN = 40
_SYNONYMS = {
    "datetime": "timestamp", "string": "text", "str": "text", "varchar": "text", "char": "text",
    "int": "integer", "bigint": "integer", "float": "number", "double": "number",
    "numeric": "decimal", "money": "decimal", "bool": "boolean", "xlsx": "excel", "xls": "excel",
    "ndjson": "jsonl", "tsv": "csv", "error": "stop", "fail": "stop", "warning": "warn",
}  # fmt: skip
_WORD = re.compile(r"'([^']+)'")
_KNOWN = re.compile(r"; known: (.+)$", re.DOTALL)


class MistakeError(ValueError):
    """A mistake that a model finds by itself.

    Args:
        message: What is wrong.
        at: Path from the model to the part concerned.
        hint: What to do about it.
    """

    def __init__(self, message: str, *at: int | str, hint: str | None = None) -> None:
        """Keep the parts apart."""
        super().__init__(message)
        self.at, self.hint = at, hint


def suggest(word: str, known: Iterable[str], *, else_: str = "Known: {}.") -> str:
    """Return a hint: the known word that was probably meant, or all of them.

    >>> suggest("emial", ["email", "phone"])
    'Did you mean `email`?'
    >>> suggest("x", ["email", "phone"])
    'Known: email, phone.'
    """
    words = list(known)
    by_case = {each.casefold(): each for each in words}
    meant = _SYNONYMS.get(word.casefold(), word).casefold()
    near = difflib.get_close_matches(meant, by_case, 1)
    if near:
        return f"Did you mean `{by_case[near[0]]}`?"
    more = ", ..." if len(words) > _MOST_KNOWN else ""
    return else_.format(", ".join(words[:_MOST_KNOWN]) + more if words else "none")


def explain_invalid(
    error: ValidationError, kind: type[BaseModel], positions: Positions
) -> ConfigError:
    """Return what pydantic found as one error of ours; several mistakes are kept apart.

    Args:
        error: What pydantic raised.
        kind: The model.
        positions: Places in the declaration.
    """
    found: dict[str, CdpError] = {}
    # What models say themselves comes first: the members of a union all complain at one place.
    for each in sorted(_without_echoes(error.errors(), kind), key=_is_general):
        explained = _explain(each, kind, positions)
        found.setdefault(f"{explained.where} {_place_key(each)}", explained)
    errors = sorted(found.values(), key=_order)
    if len(errors) == 1 and isinstance(errors[0], ConfigError):
        return errors[0]
    return CombinedConfigError(errors)


def _order(error: CdpError) -> tuple[int, int, bool]:
    """Order by place; what is written wrong comes before what is missing there."""
    line, column = (error.where or "").split(":")[-2:]
    return int(line), int(column), error.message.endswith("is missing")


def _is_general(found: Any) -> bool:  # noqa: ANN401 - pydantic's error details
    return str(found["type"]) != "value_error"


def _place_key(found: Any) -> str:  # noqa: ANN401 - pydantic's error details
    """Tell mistakes at one place apart by their missing or unknown key; unions repeat the rest."""
    return str(found["loc"]) if found["type"] in {"missing", "extra_forbidden"} else ""


def _without_echoes(errors: Sequence[Any], kind: type[BaseModel]) -> list[Any]:
    """Leave out what a mistake also makes: the key that was meant is missing, a list is empty."""
    meant: set[tuple[int | str, ...]] = set()
    for each in errors:
        if each["type"] == "extra_forbidden":
            *above, word = each["loc"]
            near = difflib.get_close_matches(str(word), field_names(kind, above), 1)
            meant.update((*above, name) for name in near)
    above = {tuple(e["loc"][:end]) for e in errors for end in range(len(e["loc"]))}
    echoes = {"missing": meant, "too_short": above}
    return [e for e in errors if tuple(e["loc"]) not in echoes.get(e["type"], ())]


def _explain(found: Any, kind: type[BaseModel], positions: Positions) -> ConfigError:  # noqa: ANN401 - pydantic's error details
    own = found.get("ctx", {}).get("error")
    loc = tuple(found["loc"]) + (own.at if isinstance(own, MistakeError) else ())
    where, dotted = positions(*loc), ".".join(str(part) for part in loc)
    if own is not None:
        return _explain_own(own, loc, positions)
    if found["type"] == "extra_forbidden":
        known = field_names(kind, loc[:-1])
        hint = suggest(str(loc[-1]), known, else_="Known here: {}.")
        return ConfigError(f"unknown key `{dotted}`", where=where, hint=hint)
    return _explain_value(found, kind, loc, positions)


def _explain_value(
    found: Any,  # noqa: ANN401 - pydantic's error details
    kind: type[BaseModel],
    loc: tuple[int | str, ...],
    positions: Positions,
) -> ConfigError:
    where, dotted = positions(*loc), ".".join(str(part) for part in loc)
    if found["type"] == "missing":
        return ConfigError(f"`{dotted}` is missing", where=where, hint=f"Add `{loc[-1]}:`.")
    if loc and loc[-1] == "[key]":
        above = ".".join(str(part) for part in loc[:-2])
        return ConfigError(
            f"`{above}`: YAML reads one of its keys as {found['input']!r}",
            where=positions(*loc[:-2]),
            hint="Put keys such as no, on, yes, y and numbers in quotes.",
        )
    if found["input"] is None:
        return ConfigError(
            f"`{dotted}` has no value", where=where, hint="Write one behind the colon, or drop it."
        )
    if found["type"] in {"literal_error", "enum"}:
        known = [w.strip("' ") for w in found["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return ConfigError(
            f"`{dotted}` cannot be {found['input']!r}; it is one of: {', '.join(known)}",
            where=where,
            hint=suggest(str(found["input"]), known, else_="Choose one of them."),
        )
    message = _PLAIN.get(found["type"], found["msg"].removeprefix("Value error, "))
    message = message.replace("Input should", "must").replace("String should", "must")
    return ConfigError(f"`{dotted}`: {message}", where=where, hint=_hint(found, kind, loc))


def _explain_own(own: ValueError, loc: Sequence[int | str], positions: Positions) -> ConfigError:
    """Return what a model said itself; the word that it complains about tells the place."""
    dotted, message = ".".join(str(part) for part in loc), str(own)
    words, known = _WORD.findall(_KNOWN.sub("", message)), _KNOWN.search(message)
    hint = own.hint if isinstance(own, MistakeError) else None
    if known and words:
        message = message[: known.start()]
        hint = suggest(words[-1], known[1].split(", "))
    where = positions.of_word(loc, words[-1]) if words else positions(*loc)
    prefix = f"`{dotted}`: " if dotted else ""
    return ConfigError(
        f"{prefix}{message}", where=where, hint=hint or "See the README beside the file."
    )


def _hint(found: Any, kind: type[BaseModel], loc: Sequence[int | str]) -> str | None:  # noqa: ANN401 - pydantic's error details
    if found["type"] == "string_type" and isinstance(found["input"], bool | int | float):
        return "YAML read this as a number or yes/no; put it in quotes."
    if found["type"] == "model_type":
        return f"Its keys: {', '.join(field_names(kind, loc))}."
    about = _description(kind, loc)
    return f"It means: {about}" if about else "See the README beside the file."


def field_names(kind: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """Return the keys that a declaration may have at a place."""
    fields = getattr(_model_at(kind, loc), "model_fields", {})
    return sorted(field.alias or name for name, field in fields.items())


def _description(kind: type[BaseModel], loc: Sequence[int | str]) -> str | None:
    names = [part for part in loc if isinstance(part, str)]
    if not names:
        return None
    fields = getattr(_model_at(kind, loc[: list(loc).index(names[-1])]), "model_fields", {})
    by_key = {field.alias or name: field.description for name, field in fields.items()}
    return by_key.get(names[-1])


def _model_at(kind: type[BaseModel], loc: Sequence[int | str]) -> Any:  # noqa: ANN401 - any model or nothing
    current: Any = kind
    for part in loc:
        fields = getattr(current, "model_fields", {})
        by_key = {field.alias or name: field for name, field in fields.items()}
        current = _inner_model(by_key[str(part)].annotation) if part in by_key else current
    return current


def _inner_model(annotation: Any) -> Any:  # noqa: ANN401 - any typing construct
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None
