"""SQL that takes the texts of columns out of records held as JSON, one record a line.

XML becomes such records too: there every element is an array of its repetitions, each an object
with its text under ``#`` and its attributes under ``@name``. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp_pipeline.ingest.headers import spellings
from cdp_pipeline.ingest.repeated_json_keys import has_repeats, usual_lists
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.record_paths import Step, array_of, array_parts, parse_path
from cdp_pipeline.storage.warehouse import quote_literal

XML_TEXT = "#"
LONGEST_TEXT = 10_000
"""Characters that are kept of a record that is none."""

_NOTHING = "[cast(null as json)]"
_TEXT = (
    "case when doc is not null and not _is_twofold then null when doc is null and json_valid(line) "
    f"then left(json_extract_string(line, '$'), {LONGEST_TEXT}) else left(line, {LONGEST_TEXT}) end"
)

NO_NUMBERS = ("nan", "inf", "infinity")
"""What DuckDB's reader of JSON takes for numbers, whatever their case, and hands out as texts."""

_HAS_NO_NUMBER = (
    r"""regexp_matches(line, '(?i)"\s*:\s*(?:\[(?:[^\]{]*,)?\s*)?"""
    rf"""-?(?:{"|".join(NO_NUMBERS)})\s*[,}}\]]')"""
)
"""Tells NaN from a text that says so: it stands in no quotes, alone or in a list."""

_LONG_NUMBER = r"""-?[0-9][0-9.]{16,}(?:[eE][+-]?[0-9]+)?"""
"""Of 16 digits and more with a fraction: JSON's binary fraction keeps 15 of them for sure."""

_HAS_LONG_NUMBER = rf"regexp_matches(line, '[:,\[]\s*{_LONG_NUMBER}')"
_QUOTED = rf"""regexp_replace(part, '{_LONG_NUMBER}', '"\0"', 'g')"""
_BUT_BINARY = rf"""regexp_replace({_QUOTED}, '"(-?[0-9.]+[eE][^"]+)"', '\1', 'g')"""
_EXACT_PART = rf"""regexp_replace({_BUT_BINARY}, '"(-?[0-9]+)\.0+"', '"\1"', 'g')"""
"""What stands outside quotes, its long numbers as texts. What has an exponent was a binary fraction
and stays a number, which no longer has one as a text; what is whole needs no ``.0``."""

_EXACT_LINE = (
    """array_to_string(list_transform(regexp_extract_all(line, '"(?:[^"\\\\]|\\\\.)*"|[^"]+'), """
    """lambda part: case when starts_with(part, '"') or strlen(part) < 17 then part """
    f"""else {_EXACT_PART} end), '')"""
)
"""A record whose long numbers are texts; what stands in quotes is left as it is."""

_WHOLE_TYPES = frozenset({"text", "integer"})
"""Types of columns in which identifiers and counts stand: tools make 17850.0 of 17850."""


@dataclass
class _Fields:
    """Paths that one call extracts from a JSON value: a list costs what a single path does.

    Attributes:
        name: Column of the texts.
        source: The value.
        paths: Paths of the texts, as DuckDB spells them.
        objects: Steps to every object on the way, the value itself first.
    """

    name: str
    source: str
    paths: list[str] = field(default_factory=list)
    objects: dict[tuple[Step, ...], None] = field(default_factory=lambda: {(): None})

    def add(self, steps: Sequence[Step], *, is_xml: bool) -> str:
        self.paths.append(json_path(steps, is_xml=is_xml))
        self.pass_by(steps)
        return f"{self.name}[{len(self.paths)}]"

    def pass_by(self, steps: Sequence[Step]) -> None:
        self.objects.update({tuple(steps[:end]): None for end in range(1, len(steps))})

    @property
    def sql(self) -> str:
        if not self.paths:
            return f"cast(null as varchar[]) as {self.name}"
        listed = ", ".join(quote_literal(path) for path in self.paths)
        return f"json_extract_string({self.source}, [{listed}]) as {self.name}"

    def keys(self, source: str) -> str:
        """Return SQL of the keys of every object on the way, a list for each."""
        listed = ", ".join(quote_literal(json_path(steps)) for steps in self.objects)
        return f"json_keys({source}, [{listed}])"


def paths_of(contract: SourceContract) -> dict[str, list[tuple[Step, ...]]]:
    """Return the paths of every column that is read, preferred first."""
    return {
        name: [parse_path(spelling) for spelling in spellings(name, column)]
        for name, column in contract.read_columns.items()
    }


def array_path(contract: SourceContract) -> tuple[Step, ...]:
    """Return the innermost array whose elements become rows; empty if every record is one row."""
    arrays = [array_of(steps) for paths in paths_of(contract).values() for steps in paths]
    return max(arrays, key=len, default=())


def record_relation(
    lines: str, contract: SourceContract, *, first: Iterable[Mapping[str, Any]] | None = None
) -> tuple[str, dict[str, str]]:
    """Return a relation of text columns over a relation of records, and each column's SQL in it.

    ``_text`` holds what is no record, and records in which ``_is_twofold``: a key stands twice.
    Of a record in which ``_has_no_number``, a value is NaN or Infinity.

    Args:
        lines: FROM clause with one column ``line``: a record as JSON.
        contract: The source's contract.
        first: Some records, to tell which keys are usual; None if no key can stand twice.
    """
    is_xml = contract.delivery.format == "xml"
    arrays = array_parts(array_path(contract))
    inner = {1: ["item"], 2: ["outer_item", "item"]}.get(len(arrays), [])
    levels = [_Fields("whole_fields", "doc"), *(_Fields(f"{name}_fields", name) for name in inner)]
    for fields, array in zip(levels, arrays, strict=False):
        fields.pass_by(array)
    extra: list[str] = []
    texts: dict[str, str] = {}
    for name, paths in paths_of(contract).items():
        found = []
        for steps in paths:
            within = steps[len(array_of(steps)) :]
            fields = levels[len(array_parts(steps))]
            is_whole = not is_xml and contract.columns[name].type in _WHOLE_TYPES
            extra.append(_text_of(fields, within, is_xml=is_xml, is_whole=is_whole))
            found.append(f"x{len(extra) - 1}")
        texts[name] = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
    records = _documents(lines, levels[0].keys("line") if first is not None else "")
    selected = ["doc", "line", *(fields.sql for fields in levels)]
    selected += [f"{sql} as x{number}" for number, sql in enumerate(extra)]
    selected += [f"{'false' if is_xml else _HAS_NO_NUMBER} as _has_no_number"]
    if arrays:
        records = _repeated(records, arrays, is_xml=is_xml)
        selected += [f"case when {levels[1].source} is not null then n end as _item"]
        selected += ["n = 1 as _is_first"]
    tests = ["false"]
    if first is not None:
        tests = [has_repeats("keys", usual_lists(first, levels[0].objects))]
        tests += [has_repeats(fields.keys(fields.source)) for fields in levels[1:]]
    selected += [f"{' or '.join(tests)} as _is_twofold"]
    relation = f"(select {', '.join(selected)} from {records})"  # noqa: S608 - literals quoted
    return f"(select *, {_TEXT} as _text from {relation})", texts  # noqa: S608 - literals quoted


def _text_of(fields: _Fields, steps: Sequence[Step], *, is_xml: bool, is_whole: bool) -> str:
    """Return SQL of the text at a path; ``is_whole``: 17850.0 as 17850, as it was meant."""
    source, rest = _select(fields.source, steps, is_xml=is_xml)
    if source == fields.source:
        text = fields.add(steps, is_xml=is_xml)
    else:
        text = f"json_extract_string({source}, {quote_literal(json_path(rest, is_xml=is_xml))})"
    return _whole(text, source, rest) if is_whole else text


def _whole(text: str, source: str, steps: Sequence[Step]) -> str:
    """Return SQL of a text; of a bare number such as 17850.0, which was whole, its digits."""
    kind = f"json_type({source}, {quote_literal(json_path(steps))})"
    return (
        f"case when ends_with({text}, '.0') and {kind} = 'DOUBLE' then {text}[:-3] else {text} end"
    )


def _documents(lines: str, keys: str) -> str:
    """Return a relation of lines, of those that are JSON objects as ``doc``, and of their keys.

    To list keys costs little more than to see whether a line is JSON, and tells that, too.
    """
    listed = f"try({keys})" if keys else "if(json_valid(line), [], null)"
    return (
        "(select line, keys, "  # noqa: S608 - literals quoted
        "case when keys is null or not starts_with(ltrim(line), '{') then null "
        f"when {_HAS_LONG_NUMBER} then {_EXACT_LINE} else line end as doc "
        f"from (select line, {listed} as keys from {lines} where line is not null))"
    )


def _repeated(records: str, arrays: Sequence[Sequence[Step]], *, is_xml: bool) -> str:
    """Return a relation with a row for each element of an array, at least one a record.

    Of two arrays, one within the other, with a row for each element of each element.
    """
    items = _elements("doc", arrays[0], is_xml=is_xml)
    columns = "part as item"
    if len(arrays) > 1:
        inner = _elements("o", arrays[1], is_xml=is_xml)
        pairs = f"list_transform({inner}, lambda i: {{'o': o, 'i': i}})"
        items = f"flatten(list_transform({items}, lambda o: {pairs}))"
        columns = "part.o as outer_item, part.i as item"
    return (
        f"(select doc, line, keys, {columns}, n from (select doc, line, keys, "  # noqa: S608 - literals quoted
        "unnest(items) as part, generate_subscripts(items, 1) as n from "
        f"(select doc, line, keys, {items} as items "
        f"from {records})))"
    )


def _elements(source: str, array: Sequence[Step], *, is_xml: bool) -> str:
    """Return SQL of the elements of an array in a JSON value, or of one that is nothing."""
    *before, last = array
    path = json_path((*before, Step(last.name)), is_xml=is_xml, wants_text=False)
    path = path.removesuffix("[0]") if is_xml else path
    found = f"json_extract({source}, {quote_literal(path)})"
    return (
        f"case when json_type({found}) = 'ARRAY' and json_array_length({found}) > 0 "
        f"then json_extract({found}, '$[*]') "
        f"when json_type({found}) = 'OBJECT' then [{found}] else {_NOTHING} end"
    )


def json_path(steps: Sequence[Step], *, is_xml: bool = False, wants_text: bool = True) -> str:
    """Return steps as DuckDB spells a JSON path.

    >>> json_path(parse_path("consent.email"))
    '$."consent"."email"'
    """
    path = "$"
    for step in steps:
        path += '."' + step.name + '"'
        if step.index is not None:
            path += f"[{step.index}]"
        elif is_xml and not step.name.startswith("@"):
            path += "[0]"
    ends_in_text = is_xml and wants_text and (not steps or not steps[-1].name.startswith("@"))
    return f'{path}."{XML_TEXT}"' if ends_in_text else path


def _select(source: str, steps: Sequence[Step], *, is_xml: bool) -> tuple[str, Sequence[Step]]:
    """Return SQL of where the last selector of a path leads, and the steps from there.

    A selector leads to the first element whose key has the value.
    """
    value, rest = source, list(steps)
    while any(step.selector for step in rest):
        place = next(i for i, step in enumerate(rest) if step.selector)
        key, wanted = rest[place].selector or ("", "")
        before = json_path(rest[:place], is_xml=is_xml, wants_text=False)
        elements = f'{before}."{rest[place].name}"[*]'
        told = json_path(parse_path(key), is_xml=is_xml)
        value = (
            f"list_filter(json_extract({value}, {quote_literal(elements)}), "
            f"lambda e: json_extract_string(e, {quote_literal(told)}) = "
            f"{quote_literal(wanted)})[1]"
        )
        rest = rest[place + 1 :]
    return value, rest
