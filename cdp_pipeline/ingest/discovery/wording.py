"""What a header, or the last steps of a path into nested records, speaks of."""

from __future__ import annotations

import re

from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.column_tags import tag_of
from cdp_pipeline.project.contracts import EACH

_VAGUE = frozenset(
    {"name", "id", "code", "number", "type", "value", "title", "status", "date", "time", "text",
     "key", "label"}
)  # fmt: skip
"""Last steps of paths that say nothing without the step before."""


def last_step(name: str) -> str:
    """Return the last step of a path, which is what it is about.

    >>> last_step("items[].sku"), last_step("Amount#2")
    ('sku', 'Amount')
    """
    bare = re.sub(r"\[[^\]]*\]|#\d+$", "", name)
    return bare.rpartition(".")[2].strip('"@') or bare


def last_two(name: str) -> str:
    """Return the last two steps of a path as one name, or a header as it is.

    >>> last_two("via.source.from.name"), last_two("Ship City")
    ('from_name', 'Ship City')
    """
    bare = _without_brackets(name)
    steps = [step.strip('"@') for step in bare.split(".")[-2:]]
    return "_".join(steps) if len(steps) > 1 else last_step(bare)


def _without_brackets(name: str) -> str:
    bare = re.sub(r"\[\w+=([^\]]*)\](\.\w+)*$", r".\1", name)
    return re.sub(r"\[[^\]]*\]", "", bare.replace(EACH, ""))


def tag_of_field(name: str) -> str | None:
    """Return what a header or path speaks of: its last step, or its last two.

    >>> tag_of_field("customer.email"), tag_of_field("items[].sku"), tag_of_field("address.city")
    ('email', 'sku', 'city')
    """
    bare = _without_brackets(name)
    last = last_step(bare)
    if "." not in bare:
        return tag_of(last)
    both = tag_of(last_two(name))
    return both if plain_header(last) in _VAGUE else tag_of(last) or both
