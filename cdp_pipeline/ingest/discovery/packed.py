"""Cells that hold several values, each with its name: `sku:A1|quantity:2|total:5.00`.

Shops pack the lines of an order so. Each value that an entity needs becomes a computed column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cdp_pipeline.ingest.discovery.kinds import Kind, find_kinds
from cdp_pipeline.ingest.discovery.sample import Field
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.column_tags import tag_of

_PACKED = re.compile(r"[A-Za-z]\w*:[^|]*(?:\|[A-Za-z]\w*:[^|]*)+")
_PART = re.compile(r"(?:^|\|)([A-Za-z]\w*):([^|]*)")
_WANTED = frozenset(
    {"sku", "product_name", "quantity", "unit_price", "discount_amount", "net_amount"}
)
_SAID = {"name": "product_name", "total": "net_amount", "sub_total": None, "subtotal": None}
"""What a part of a line is about, where its name alone would say something else."""
_PLAIN_KEYS = frozenset({"decimals"})
_MOSTLY = 0.9


def unpack(named: Sequence[tuple[str, Kind]]) -> list[Kind]:
    """Return a computed column for each value of packed cells that lines need.

    Args:
        named: Columns with our names of them; those of packed cells lose their tags.
    """
    found: list[Kind] = []
    for name, kind in named:
        if is_packed(kind):
            kind.tag, kind.note = None, "packed: its parts are taken out below"
            found += _parts(name, kind)
    return found


def is_packed(kind: Kind) -> bool:
    """Return whether nearly all values of a column are several, each with its name."""
    values = list(kind.field.counts)
    packed = sum(bool(_PACKED.fullmatch(value)) for value in values)
    return kind.type == "text" and bool(values) and packed >= _MOSTLY * len(values)


def _parts(name: str, kind: Kind) -> list[Kind]:
    cells = [dict(reversed(_PART.findall(value))) for value in kind.field.values]
    keys = dict.fromkeys(key for cell in cells for key in cell)
    tags = {key: _tag(key) for key in keys}
    if "sku" in keys:
        tags = {key: tag for key, tag in tags.items() if tag != "sku" or key == "sku"}
    found = []
    for key, tag in tags.items():
        values = [cell.get(key, "") for cell in cells]
        if tag not in _WANTED or not any(values):
            continue
        ((read,), _) = find_kinds([Field(tag, values)])
        sql = f"nullif(regexp_extract({name}, '(?:^|\\|){key}:([^|]*)', 1), '')"
        part = Kind(Field(f"{name}_{plain_header(key)}", values), tag, read.type, {"value": sql})
        part.numbers = read.numbers
        if read.question or read.keys.keys() - _PLAIN_KEYS:
            asked = f"SQL of the number in {sql}: how is it written?"
            part.question = ("value", asked, sql)
            part.keys = {}
        found.append(part)
    return found


def _tag(key: str) -> str | None:
    plain = plain_header(key)
    return _SAID[plain] if plain in _SAID else tag_of(f"line_item_{plain}")
