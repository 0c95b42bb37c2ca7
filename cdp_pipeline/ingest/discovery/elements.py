"""Arrays within records: which of them makes rows, and which element of the others is read.

Lines of a sale are rows. Addresses of a customer are not: a row for each would be that customer
several times, under a key of addresses. One of them is read: the one that is marked as the main
one, or people are asked which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp_pipeline.ingest.discovery.codes import says_consent
from cdp_pipeline.ingest.discovery.wording import last_step, tag_of_field
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.column_tags import PII_OF_TAG

_OF_ARTICLES = frozenset({"sku", "quantity", "product_name"})
_OF_LINES = _OF_ARTICLES | {"unit_price"}
_OF_HAPPENINGS = frozenset(
    {"sale_id", "order_id", "event_id", "event_type", "net_amount", "order_amount", "consent"}
)
_OF_PEOPLE = frozenset({tag for tag in PII_OF_TAG if tag != "free_text"} | {"country"})
_TELLS_WHO = frozenset(
    {"email", "phone", "given_name", "family_name", "full_name", "birth_date", "loyalty_id"}
)
_MAIN = ("default", "primary", "main", "preferred", "current", "default_billing", "billing")
"""What a mark of the element that counts is called, the surest first."""
_LOOKED_AT = 500
_DEEPEST = 2

Elements = Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]
"""Elements of each array, by its path, a list for each record that holds any."""


@dataclass(frozen=True)
class Choice:
    """What becomes of the arrays within records.

    Attributes:
        rows: Path of the array whose elements become rows; empty if none do.
        taken: Which element of other arrays is read, by path: the step in brackets.
        questions: What is to be asked, by path of an array.
    """

    rows: str
    taken: Mapping[str, str]
    questions: Mapping[str, str]


def choose_elements(heads: Sequence[str], arrays: Elements, *, of: str) -> Choice:
    """Return what becomes of the arrays within records.

    Args:
        heads: Paths of what stands in records beside their arrays.
        arrays: Elements by path.
        of: Place of the records, which may say what they are.
    """
    tags = {path: _tags(path, found) for path, found in arrays.items()}
    of_record = {tag_of_field(head, of=of) for head in heads}
    is_person = bool(of_record & _TELLS_WHO) and not of_record & (_OF_HAPPENINGS | _OF_LINES)
    ranked = sorted(
        arrays,
        key=lambda path: (
            -_rank(tags[path], arrays[path]),
            -sum(map(len, arrays[path])),
            path.count("."),
        ),
    )
    rows = next(
        (
            path
            for path in ranked
            if not _is_about_people(tags[path])
            and (not is_person or _rank(tags[path], arrays[path]))
        ),
        "",
    )
    taken: dict[str, str] = {}
    questions: dict[str, str] = {}
    for path in arrays:
        # What a record itself says of somebody counts more than what is listed below it.
        if path != rows and _is_about_people(tags[path]) and "street" not in of_record:
            taken[path], question = _taken(path, arrays[path])
            questions.update({path: question} if question else {})
    return Choice(rows, taken, questions)


def take(elements: Sequence[Any], step: str) -> Mapping[str, Any]:
    """Return the element that a step in brackets takes; none if there is no such one."""
    if "=" not in step:
        return elements[0]  # type: ignore[no-any-return] # an object
    key = step[1:-1].partition("=")[0]
    return next((one for one in elements if _is_true(one.get(key))), {})


def mark_of(step: str) -> str:
    """Return the key by which a step takes an element; empty if it takes the first."""
    return step[1:-1].partition("=")[0] if "=" in step else ""


def _tags(path: str, found: Sequence[Sequence[Mapping[str, Any]]]) -> frozenset[str]:
    below = {key for elements in found[:_LOOKED_AT] for one in elements for key in _paths(one)}
    return frozenset(tag for key in below if (tag := tag_of_field(f"{path}[0].{key}")))


def _paths(element: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the keys of an element, and of the objects in it that lie in no array.

    Of XML, every object lies in an array of its repetitions.
    """
    for key, value in element.items():
        yield key
        held = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(held, dict) and depth < _DEEPEST:
            yield from (f"{key}.{below}" for below in _paths(held, depth + 1))


def _rank(tags: frozenset[str], found: Sequence[Sequence[Mapping[str, Any]]]) -> int:
    if tags & _OF_ARTICLES:
        return 2
    return 1 if tags & (_OF_HAPPENINGS | _OF_LINES) or _are_statements(found) else 0


def _are_statements(found: Sequence[Sequence[Mapping[str, Any]]]) -> bool:
    """Return whether elements say who agreed to what: one of their keys holds words of consent."""
    elements = [one for part in found[:_LOOKED_AT] for one in part]
    keys = {key for one in elements for key in one}
    return any(
        says_consent({str(one[key]) for one in elements if isinstance(one.get(key), str)})
        for key in keys
    )


def _is_about_people(tags: frozenset[str]) -> bool:
    return bool(tags & _OF_PEOPLE) and not tags & (_OF_LINES | _OF_HAPPENINGS)


def _taken(path: str, found: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[str, str]:
    """Return the step that takes the element that counts, and what is to be asked about it."""
    keys = dict.fromkeys(key for elements in found for one in elements for key in one)
    marks = [key for key in keys if _is_mark(key, found)]
    step = f"[{min(marks, key=_surest)}=true]" if marks else "[0]"
    are_all_marked = all(any(_is_true(e.get(mark_of(step))) for e in part) for part in found)
    if (marks and are_all_marked) or max(map(len, found)) == 1:
        return step, ""
    what = last_step(path)
    how = (
        f"{path}{step} is missing in some records, {path}[0] is the first of them"
        if marks
        else f"{path}[0] is the first, {path}[-1] the last, {path}[type=home] the one so called"
    )
    return step, f"which of several {what} counts, here and in the columns below? {how}"


def _is_mark(key: str, found: Sequence[Sequence[Mapping[str, Any]]]) -> bool:
    """Return whether a key marks at most one element of each record."""
    if _plain_mark(key) not in _MAIN:
        return False
    marked = [sum(_is_true(one.get(key)) for one in elements) for elements in found]
    return max(marked) == 1


def _plain_mark(key: str) -> str:
    return re.sub(r"^is_|_(address|phone|email)$", "", plain_header(key))


def _surest(key: str) -> int:
    return _MAIN.index(_plain_mark(key))


def _is_true(value: object) -> bool:
    return value is True or value == "true"
