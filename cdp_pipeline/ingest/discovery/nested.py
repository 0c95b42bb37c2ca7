"""Samples of nested deliveries: paths into records become columns, one array becomes rows.

Pairs such as ``[{key, value}]`` become a column for each key. Which array makes rows is chosen by
what it holds; the others are named, so that people can choose otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from cdp_pipeline.ingest.discovery.content import Content, sample_size
from cdp_pipeline.ingest.discovery.elements import Choice, choose_elements, mark_of, take
from cdp_pipeline.ingest.discovery.records import Record, Records
from cdp_pipeline.ingest.discovery.sample import Field, Sample
from cdp_pipeline.ingest.discovery.wording import tag_of_field
from cdp_pipeline.ingest.json_sql import XML_TEXT
from cdp_pipeline.project.column_names import plain_header

_KEYS = ("key", "name", "attribute_code", "code", "id", "label", "Key", "Name", "@name", "@key")
_VALUES = ("value", "Value", "val", "#", "text")
_KEYS_OF_ELEMENTS = frozenset({"id", "customer_id", "entity_id", "parent_id"})
"""What elements have that tell them apart: of one that is read, they tell nothing."""
_LINES_OF_STREETS = 3
_MOST_KEYS = 60
_DEEPEST = 6
_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@ :#$/")


def look_at_records(found: Records, content: Content) -> Sample:
    """Return a sample of nested records."""
    is_xml = found.format == "xml"
    arrays = _arrays(found.records, is_xml=is_xml)
    none = dict.fromkeys(arrays, "")
    heads = {p for record in found.records for p, _ in _leaves(record, "", none, is_xml=is_xml)}
    choice = choose_elements(sorted(heads), arrays, of=found.place)
    chosen = choice.rows
    cut = [list(_rows(record, choice, is_xml=is_xml)) for record in found.records]
    rows = [row for parts in cut for row in parts]
    names = list(dict.fromkeys(name for row in rows for name in row))
    questions = {
        next((name for name in names if name.startswith(f"{path}[")), ""): question
        for path, question in choice.questions.items()
    }
    fields = tuple(
        Field(
            name,
            [row.get(name, "") for row in rows],
            is_partial=any(name not in row for row in rows),
            question=questions.get(name, ""),
        )
        for name in names
    )
    delivery: dict[str, object] = {"format": found.format}
    if found.place:
        delivery["records"] = found.place
    others = sorted(set(arrays) - {chosen, *choice.taken})
    said = [f"each element of {chosen}[] becomes a row"] if chosen else []
    said += [f"of {path}[] one is read: {step}" for path, step in choice.taken.items()]
    said += [f"not read: {', '.join(f'{other}[]' for other in others)}"] if others else []
    some = f"the first {len(found.records)} records"
    return Sample(
        delivery=delivery,
        fields=fields,
        looked_at=sample_size(content) if found.is_whole else some,
        is_whole=found.is_whole,
        notes={"": "; ".join(said)} if said else {},
        parts=tuple(n for parts in cut for n, _ in enumerate(parts, 1)) if chosen else (),
    )


def step_name(name: str) -> str:
    """Return a key as a step of a path; odd ones in double quotes."""
    return name if set(name) <= _PLAIN else f'"{name}"'


def _arrays(records: list[Record], *, is_xml: bool) -> dict[str, list[list[Any]]]:
    """Return the arrays of objects that a record may become rows by: elements of each record."""
    found: dict[str, list[list[Any]]] = {}
    repeated: set[str] = set()
    for record in records:
        for path, elements in _lists(record, "", is_xml=is_xml):
            if _pair_keys(elements) is None:
                found.setdefault(path, []).append(elements)
                if len(elements) > 1 or not is_xml:
                    repeated.add(path)
    return {path: elements for path, elements in found.items() if path in repeated}


def _lists(
    value: Any,  # noqa: ANN401 - any JSON value
    path: str,
    *,
    is_xml: bool,
    depth: int = 0,
) -> Iterator[tuple[str, list[Any]]]:
    """Yield every array of objects with its path, but none within another."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return
    for key, child in value.items():
        below = f"{path}.{step_name(key)}".lstrip(".")
        if isinstance(child, list) and child and isinstance(child[0], dict):
            is_leaf = is_xml and all(set(c) <= {XML_TEXT} for c in child)
            if not is_leaf or len(child) > 1:
                yield below, child
            if is_xml:
                yield from _lists(child[0], below, is_xml=True, depth=depth + 1)
        elif not is_xml:
            yield from _lists(child, below, is_xml=False, depth=depth + 1)


def _pair_keys(elements: list[Any]) -> tuple[str, str] | None:
    """Return the names of key and value if the elements are pairs."""
    if not all(isinstance(e, dict) and 1 <= len(e) <= 3 for e in elements):  # noqa: PLR2004 - pairs
        return None
    for key in _KEYS:
        for value in _VALUES:
            texts = [_text(e.get(key)) for e in elements if key in e]
            if len(texts) == len(elements) == len(set(texts)) and all(value in e for e in elements):
                return key, value
    return None


def _rows(record: Record, choice: Choice, *, is_xml: bool) -> Iterator[dict[str, str]]:
    """Yield a record's rows: paths with their texts."""
    array = choice.rows
    taken = {**choice.taken, array: ""} if array else choice.taken
    whole = dict(_leaves(record, "", taken, is_xml=is_xml))
    elements = dict(_lists(record, "", is_xml=is_xml)).get(array, []) if array else []
    if not elements:
        yield whole
        return
    for element in elements:
        part = _leaves(element, f"{array}[]", {}, is_xml=is_xml)
        yield {**whole, **dict(part)}


def _leaves(
    value: Any,  # noqa: ANN401 - any JSON value
    path: str,
    taken: Mapping[str, str],
    *,
    is_xml: bool,
    depth: int = 0,
) -> Iterator[tuple[str, str]]:
    """Yield the paths to texts and numbers with what stands there.

    Of an array in ``taken`` the element that its step takes is read, and none if it is empty.
    """
    if depth > _DEEPEST:
        return
    for key, child in value.items():
        below = f"{path}.{step_name(key)}".lstrip(".")
        if key == XML_TEXT and is_xml:
            yield path, _text(child)
        elif below in taken:
            yield from _taken_leaves(child, below, taken[below], is_xml=is_xml)
        elif is_xml and isinstance(child, list):
            yield from _xml_leaves(child, below, taken, depth=depth)
        elif isinstance(child, dict):
            yield from _leaves(child, below, taken, is_xml=is_xml, depth=depth + 1)
        elif isinstance(child, list):
            yield from _list_leaves(child, below, is_xml=is_xml)
        else:
            yield below, _text(child)


def _taken_leaves(
    children: list[Any], path: str, step: str, *, is_xml: bool
) -> Iterator[tuple[str, str]]:
    """Yield what one element says, but neither its mark nor whose it is."""
    if not step or not children:
        return
    element = take(children, step)
    kept = {
        key: child
        for key, child in element.items()
        if key != mark_of(step) and plain_header(key) not in _KEYS_OF_ELEMENTS
    }
    yield from _leaves(kept, f"{path}{step}", {}, is_xml=is_xml)


def _list_leaves(children: list[Any], path: str, *, is_xml: bool) -> Iterator[tuple[str, str]]:
    if children and isinstance(children[0], dict):
        yield from _pair_leaves(children, path, is_xml=is_xml)
    elif children:
        # A street may stand in several lines, its number in one of its own.
        read = children[:_LINES_OF_STREETS] if tag_of_field(path) == "street" else children[:1]
        yield from ((f"{path}[{n}]", _text(child)) for n, child in enumerate(read))


def _xml_leaves(
    children: list[Any], path: str, taken: Mapping[str, str], *, depth: int
) -> Iterator[tuple[str, str]]:
    if len(children) > 1 and _pair_keys(children):
        yield from _pair_leaves(children, path, is_xml=True)
    elif children and isinstance(children[0], dict):
        yield from _leaves(children[0], path, taken, is_xml=True, depth=depth + 1)


def _pair_leaves(children: list[Any], path: str, *, is_xml: bool) -> Iterator[tuple[str, str]]:
    names = _pair_keys(children)
    if names is None:
        return
    key, value = names
    for child in children[:_MOST_KEYS]:
        told = _text(child[key])
        if not told or "]" in told or "=" in told:
            continue
        below = f"{path}[{key}={told}]" + ("" if is_xml and value == XML_TEXT else f".{value}")
        found = child[value]
        if isinstance(found, dict):
            yield from _leaves(found, below, {}, is_xml=is_xml)
        elif not isinstance(found, list):
            yield below, _text(found)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _text(value[0].get(XML_TEXT))
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str) else str(value)
