"""What a pair looks like to a steward: both records side by side, field by field.

Reads a published version. Which pairs are asked about is decided in ``review``, how they are
printed in the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from cdp_pipeline.identity.explaining.explain import explain_pair
from cdp_pipeline.identity.scoring.compare import unpack
from cdp_pipeline.identity.scoring.design import Design
from cdp_pipeline.identity.scoring.weights import load_parameters
from cdp_pipeline.identity.stewardship.review import ReviewPair
from cdp_pipeline.storage.warehouse import fetch_dicts

STRONG_BITS, WEAK_BITS = 4.0, 1.0


@dataclass(frozen=True)
class FieldView:
    """One field of a pair, as a steward sees it."""

    field: str
    left: str
    right: str
    level: str
    mark: str


@dataclass(frozen=True)
class PairView:
    """Both records side by side.

    Attributes:
        pair: The pair.
        fields: Compared fields of which at least one record holds a value.
        left: Name of the record, of its person, its kind and date; its customer's id and size,
            name and birth date.
        right: The same.
    """

    pair: ReviewPair
    fields: tuple[FieldView, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def agreement(self) -> str:
        """Return how the fields agree, in one line."""
        return "; ".join(f"{f.field}: {f.level}" for f in self.fields if f.level)


def describe_pair(con: duckdb.DuckDBPyConnection, design: Design, pair: ReviewPair) -> PairView:
    """Return both records side by side, with how each field agrees.

    Args:
        con: Read-only connection to the version the pair is from.
        design: What the project compares.
        pair: A pair of the queue.
    """
    records = [_read_record(con, name) for name in (pair.record_a, pair.record_b)]
    captions = [_caption(record) for record in records]
    if pair.pattern is None:
        found = explain_pair(con, pair.record_a, pair.record_b, design=design)
        views = tuple(
            FieldView(
                f.field, _value(f.left), _value(f.right), _level(f.level), _mark(f.match_bits)
            )
            for f in found.fields
            if _value(f.left) or _value(f.right)
        )
        return PairView(pair, views, captions[0], captions[1])
    parameters = load_parameters(con, design.comparisons)
    fields: list[FieldView] = []
    if parameters is not None:
        outcomes = unpack(np.array([pair.pattern], dtype=np.int64), parameters.comparisons)[0]
        for place, comparison in enumerate(parameters.comparisons):
            left, right = (_shown(record, comparison.fields) for record in records)
            if not left and not right:
                continue
            outcome = int(outcomes[place])
            bits = float(parameters.level_bits(place)[0][outcome]) if outcome >= 0 else 0.0
            level = _level(comparison.level_name(outcome))
            fields.append(FieldView(comparison.name, left, right, level, _mark(bits)))
    return PairView(pair, tuple(fields), captions[0], captions[1])


_RECORD = """
select
    r.*, m.customer_id, c.records,
    g.given_name as golden_given, g.family_name as golden_family, g.birth_date as golden_birth
from identity.records as r
left join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
left join (
    select customer_id, count(*) as records from identity.customer_map group by customer_id
) as c on c.customer_id = m.customer_id
left join identity.golden_records as g on g.customer_id = m.customer_id
where r.source = ? and r.record_key = ?
"""


def _read_record(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    source, _, record_key = name.partition(":")
    return fetch_dicts(con, _RECORD, [source, record_key])[0]


def _caption(record: dict[str, Any]) -> tuple[str, ...]:
    updated, born = record["updated_at"], record["golden_birth"]
    return (
        f"{record['source']}:{record['record_key']}",
        _joined(record["printed_given"], record["printed_family"]) or "no name",
        record["record_kind"] + (f", {updated:%Y-%m-%d}" if updated else ""),
        f"{record['customer_id'] or 'no customer'}, {record['records'] or 0} records",
        _joined(record["golden_given"], record["golden_family"])
        + (f", born {born}" if born else ""),
    )


def _joined(*names: str | None) -> str:
    return " ".join(filter(None, names))


def _shown(record: dict[str, Any], fields: Sequence[str]) -> str:
    return ", ".join(str(record[name]) for name in fields if record.get(name) is not None)


def _value(shown: str) -> str:
    return "" if shown == "-" else shown


def _level(name: str) -> str:
    return "" if name == "missing" else name


def _mark(bits: float) -> str:
    if abs(bits) < WEAK_BITS:
        return ""
    sign = "+" if bits > 0 else "-"
    return sign * 2 if abs(bits) >= STRONG_BITS else sign
