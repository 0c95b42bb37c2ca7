"""Columns by what they are about, for the feeds that are proposed of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cdp_pipeline.ingest.discovery.kinds import Kind

_EACH_ELEMENT = "[]"
"""Stands in the path of a column that an array within a record gives a value for each row."""


@dataclass
class Named:
    """Columns by what they are about.

    Attributes:
        by_tag: Our name of the first column with a tag.
        types: Type by our name.
        consents: Our names of consent columns.
        key: Our names of the key's columns.
        values: Values in lower case by our name, of columns with few of them.
        line_amount: Our name of the column with the amount of a line.
    """

    by_tag: dict[str, str]
    types: Mapping[str, str]
    consents: list[str] = field(default_factory=list)
    key: tuple[str, ...] = ()
    values: dict[str, set[str]] = field(default_factory=dict)
    line_amount: str | None = None

    def has(self, *tags: str) -> bool:
        """Return whether there is a column for each tag."""
        return all(tag in self.by_tag for tag in tags)

    def first(self, *tags: str) -> str | None:
        """Return the first column with one of the tags."""
        return next((self.by_tag[tag] for tag in tags if tag in self.by_tag), None)


def name_columns(kinds: Sequence[Kind], names: Sequence[str], key: tuple[str, ...]) -> Named:
    """Return columns by what they are about."""
    found = Named({}, {n: k.type for n, k in zip(names, kinds, strict=True)}, key=key)
    filled: dict[str, float] = {}
    for kind, name in zip(kinds, names, strict=True):
        if kind.special_category:
            continue
        if kind.tag == "consent":
            found.consents.append(name)
        elif kind.tag and not kind.is_clock and kind.field.share > filled.get(kind.tag, 0):
            filled[kind.tag] = kind.field.share
            found.by_tag[kind.tag] = name
        if len(kind.field.counts) <= 12:  # noqa: PLR2004 - a vocabulary
            found.values[name] = {value.lower() for value in kind.field.counts}
    found.line_amount = _line_amount(kinds, names, found)
    return found


def _line_amount(kinds: Sequence[Kind], names: Sequence[str], named: Named) -> str | None:
    """Return the column with the amount of a line, not that of the whole sale on each of its lines.

    A total that is repeated would be counted once a line. Where every sale has one line, nothing
    tells the two apart.
    """
    sale = named.first("sale_id", "order_id")
    if sale is None:
        return None
    sales = kinds[names.index(sale)].field.values
    is_of_array = any(_EACH_ELEMENT in kind.field.name for kind in kinds)
    for tag in ("net_amount", "order_amount", "gross_amount"):
        of_lines = [
            name
            for kind, name in zip(kinds, names, strict=True)
            if kind.tag == tag
            and (_EACH_ELEMENT in kind.field.name or not is_of_array)
            and (is_of_array or not _is_of_the_whole(kind.field.values, sales))
        ]
        if of_lines:
            return max(of_lines, key=lambda name: (name == named.by_tag[tag], name))
    return None


def _is_of_the_whole(values: Sequence[str], sales: Sequence[str]) -> bool:
    """Return whether all lines of each sale say the same, and there are sales of several lines."""
    lines = Counter(sales)
    several = {sale for sale, count in lines.items() if count > 1}
    said = {(sale, value) for sale, value in zip(sales, values, strict=True) if sale in several}
    return len(several) > 1 and len(said) == len(several)
