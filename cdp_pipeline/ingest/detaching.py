"""What stays of a delivered record whose person is erased while its row, a sale, stays.

What the contract reads and what is not personal. All else goes: a remark, a column or a key that
nothing declares or that is ignored may hold a name, and nobody would ever look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cdp_pipeline.ingest.headers import find_names, plain_names
from cdp_pipeline.ingest.json_sql import paths_of
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.record_paths import Step, parse_path

Path = Sequence[Step]


def kept_places(header: Sequence[str] | None, contract: SourceContract) -> frozenset[int]:
    """Return the places of fields that stay, from 0.

    Args:
        header: Names of the columns as the file spells them; None if it has no header.
        contract: Its source's contract.
    """
    if header is None:
        found = [(name, place) for place, name in enumerate(contract.read_columns)]
    else:
        positions, repeated = find_names(plain_names(header, contract), contract)
        found = [pair for parts in (positions, *repeated.values()) for pair in parts.items()]
    personal = personal_columns(contract)
    theirs = {place for name, place in found if name in personal}
    return frozenset({place for _, place in found} - theirs)


def personal_columns(contract: SourceContract) -> set[str]:
    """Return the columns that are read and go; keys stay, since they tell rows from each other."""
    columns = contract.read_columns.items()
    return {name for name, c in columns if c.is_sensitive and name not in contract.load.key}


def is_needed_by_others(contract: SourceContract, *, loses_records: bool) -> bool:
    """Return whether what goes tells lines after it to which order they belong (``filling``).

    Args:
        contract: The source's contract.
        loses_records: Whether whole records go, of which others may have values.
    """
    filled = contract.delivery.fill_down
    if filled is None:
        return False
    kept = contract.read_columns.keys() - personal_columns(contract)
    return loses_records or (filled.starts is not None and filled.starts not in kept)


def without_person(document: Any, contract: SourceContract) -> Any:  # noqa: ANN401 - any JSON
    """Return what stays of a JSON record: values that are read, personal ones as nulls.

    >>> contract = SourceContract.model_validate({
    ...     "name": "orders", "title": "Orders", "owner": "web", "feeds": [],
    ...     "delivery": {"path": "*.jsonl", "format": "jsonl"}, "load": {"mode": "append",
    ...     "key": ["id"]}, "columns": {"id": {}, "mail": {"from": "by.mail", "pii": "email"}},
    ... })
    >>> without_person({"id": 7, "by": {"mail": "a@x.org", "name": "Ann"}, "note": "Ann"}, contract)
    {'id': 7, 'by': {'mail': None}}
    """
    paths, personal = paths_of(contract), personal_columns(contract)
    kept = _only(document, [path for spelt in paths.values() for path in spelt])
    for name in sorted(personal):
        for path in paths[name]:
            _empty(kept, path)
    return kept


def _only(value: Any, paths: Sequence[Path]) -> Any:  # noqa: ANN401 - any JSON
    """Return of a value what paths lead to; all of it where one ends."""
    if not all(paths):
        return value
    if not isinstance(value, dict):
        return None
    below: dict[str, list[Path]] = {}
    for path in paths:
        below.setdefault(path[0].name, []).append(path)
    return {key: _below(value[key], below[key]) for key in value if key in below}


def _below(value: Any, paths: Sequence[Path]) -> Any:  # noqa: ANN401 - any JSON
    """Return of a key's value what paths that begin with the key lead to."""
    direct = [path[1:] for path in paths if not _is_of_array(path[0])]
    if not all(direct):
        return value
    if isinstance(value, list):
        return [_only_element(value, place, paths) for place in range(len(value))]
    each = [path[1:] for path in paths if path[0].is_each]  # one element may stand without brackets
    return _only(value, [*direct, *each])


def _only_element(values: Sequence[Any], place: int, paths: Sequence[Path]) -> Any:  # noqa: ANN401 - any JSON
    """Return what stays of an element: its place, by which paths count, in any case."""
    found = [path for path in paths if _leads_to(path[0], values, place)]
    tells = [parse_path(path[0].selector[0]) for path in found if path[0].selector]
    return _only(values[place], [*(path[1:] for path in found), *tells]) if found else None


def _is_of_array(step: Step) -> bool:
    return step.is_each or step.index is not None or step.selector is not None


def _leads_to(step: Step, values: Sequence[Any], place: int) -> bool:
    """Return whether a step leads to an element of an array; a selector leads to the first."""
    if step.selector:
        return place == next((n for n, value in enumerate(values) if _is_told(step, value)), None)
    return step.is_each or step.index in {place, place - len(values)}


def _is_told(step: Step, value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether an element is of the kind that a step's selector names."""
    key, wanted = step.selector or ("", "")
    told = value
    for part in parse_path(key):
        told = told.get(part.name) if isinstance(told, Mapping) else None
    return (told if isinstance(told, str) else json.dumps(told)) == wanted


def _empty(value: Any, path: Path) -> None:  # noqa: ANN401 - any JSON
    """Put null where a path ends, if it leads to anything."""
    first, rest = path[0], path[1:]
    if not isinstance(value, dict) or first.name not in value:
        return
    held = value[first.name]
    if not _is_of_array(first) or not isinstance(held, list):
        if rest:
            _empty(held, rest)
        else:
            value[first.name] = None
        return
    for place in _places(first, held):
        if rest:
            _empty(held[place], rest)
        else:
            held[place] = None


def _places(step: Step, values: Sequence[Any]) -> Iterator[int]:
    yield from (place for place in range(len(values)) if _leads_to(step, values, place))
