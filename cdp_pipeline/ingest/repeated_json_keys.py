"""JSON objects in which one key stands twice: which of its values holds cannot be known.

Readers take the first or the last one without a word (RFC 8259, section 4), so that such records
are set aside. All keys of the objects that a contract reads from are looked at; other objects are
not, and neither are the elements that a path finds by their key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cdp_pipeline.project.record_paths import Step
from cdp_pipeline.storage.warehouse import quote_literal

RULE = "repeated_key"
MEANING = "a key stands twice in the record, so that which value holds cannot be known"

_MOST_USUAL = 3


def usual_lists(
    documents: Iterable[Mapping[str, Any]], objects: Iterable[Sequence[Step]]
) -> list[str]:
    """Return SQL of the lists of keys that most of some records have.

    Args:
        documents: Records in which no key stands twice.
        objects: Steps to the objects whose keys are listed.
    """
    found = Counter(
        tuple(_keys(document, steps) for steps in objects) for document in map(dict, documents)
    )
    return [_listed(lists) for lists, _ in found.most_common(_MOST_USUAL)]


def _keys(value: Any, steps: Sequence[Step]) -> tuple[str, ...] | None:  # noqa: ANN401 - any JSON value
    """Return the keys of an object; none of what is no object, None where there is nothing."""
    for step in steps:
        if not isinstance(value, dict) or step.name not in value:
            return None
        value = value[step.name]
        if step.index is not None:
            if not isinstance(value, list) or not -len(value) <= step.index < len(value):
                return None
            value = value[step.index]
    return tuple(value) if isinstance(value, dict) else ()


def _listed(lists: Iterable[tuple[str, ...] | None]) -> str:
    written = (
        "null" if keys is None else f"[{', '.join(quote_literal(key) for key in keys)}]"
        for keys in lists
    )
    return f"cast([{', '.join(written)}] as varchar[][])"


def has_repeats(lists: str, usual: Sequence[str] = ()) -> str:
    """Return SQL that is TRUE if one of some lists of keys holds a key twice.

    Args:
        lists: A column of lists of keys.
        usual: What ``usual_lists`` gave: to compare with them is cheaper than to look for twins.
    """
    twice = f"list_bool_or(list_transform({lists}, lambda k: len(k) <> list_unique(k)))"
    if not usual:
        return f"coalesce({twice}, false)"
    return f"case when {lists} in ({', '.join(usual)}) then false else coalesce({twice}, false) end"
