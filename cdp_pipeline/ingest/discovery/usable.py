"""Whether what a column holds suits what it is called: only then is anything made of it.

An amount that is always empty is none, nor is one that says "see note".
"""

from __future__ import annotations

from cdp_pipeline.ingest.casting import DECIMALS
from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.numbers import number_of

OF_NUMBERS = frozenset(
    {"quantity", "unit_price", "discount_amount", "net_amount", "order_amount", "gross_amount"}
)
"""Tags of columns that feeds reckon with."""


def is_usable(kind: Kind) -> bool:
    """Return whether a column holds more than signs of nothing, of a type that its tag can have."""
    if kind.field.counts.keys() <= set(kind.keys.get("null_values", ())):  # type: ignore[call-overload] # a list of texts
        return False
    if kind.tag in {"is_machine", "is_return"}:
        return kind.type == "boolean"
    if kind.tag not in OF_NUMBERS or kind.type in DECIMALS:
        return True
    # Numbers with zeros before them are read as texts, and cast where they are fed.
    return all(number_of(value, ".") is not None for value in kind.field.counts)
