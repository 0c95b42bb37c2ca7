"""Whether tonight's inputs and scores still look like those a model was trained on.

Distributions are compared by the population stability index: below 0.1 nothing has happened, above
0.25 the model speaks of other customers than it was fitted to. The index and its bins belong here.

Source:
    Siddiqi (2006), Credit Risk Scorecards, chapter 7.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value, quote_column

BINS = 10
WATCH, ALARM = 0.1, 0.25

_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Stability:
    """How far one quantity has moved.

    Attributes:
        quantity: Its name.
        index: Population stability index against the training data.
        status: ``stable``, ``watch`` or ``drifted``.
    """

    quantity: str
    index: float
    status: str


def find_edges(con: duckdb.DuckDBPyConnection, relation: str, column: str) -> list[float]:
    """Return the borders that cut a column into tenths; equal borders count once."""
    shares = [i / BINS for i in range(1, BINS)]
    found = fetch_value(
        con,
        f"select quantile_disc({quote_column(column)}::double, {shares}) "  # noqa: S608 - quoted
        f"from {relation} where {column} is not null",
    )
    return sorted(set(found or []))


def count_shares(
    con: duckdb.DuckDBPyConnection, relation: str, column: str, edges: Sequence[float]
) -> list[float]:
    """Return the share of rows up to the first border, between borders, and above the last."""
    name = quote_column(column)
    borders = [f"{name}::double <= {edge!r}" for edge in map(float, edges)]
    counts = ", ".join(f"count(*) filter (where {border})" for border in borders)
    rows = con.execute(
        f"select count({name}){', ' if counts else ''}{counts} from {relation}"  # noqa: S608 - quoted
    ).fetchall()
    total, *below = rows[0]
    if not total:
        return []
    cumulative = [0, *below, total]
    return [(after - before) / total for before, after in pairwise(cumulative)]


def measure_shift(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the population stability index of two rows of shares; NaN if they do not compare.

    >>> measure_shift([0.5, 0.5], [0.5, 0.5])
    0.0
    """
    if len(expected) != len(actual) or not expected:
        return math.nan
    pairs = [
        (max(e, _LEAST_SHARE), max(a, _LEAST_SHARE)) for e, a in zip(expected, actual, strict=True)
    ]
    return math.fsum((a - e) * math.log(a / e) for e, a in pairs)


def take_picture(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, tuple[str, str]]
) -> dict[str, dict[str, list[float]]]:
    """Return borders and shares of each quantity, to keep with a model.

    Args:
        con: Connection that knows the tables.
        columns: Table and column of each quantity.
    """
    picture = {}
    for quantity, (relation, column) in columns.items():
        edges = find_edges(con, relation, column)
        shares = count_shares(con, relation, column, edges)
        picture[quantity] = {"edges": edges, "shares": shares}
    return picture


def compare_picture(
    con: duckdb.DuckDBPyConnection,
    columns: Mapping[str, tuple[str, str]],
    picture: Mapping[str, Mapping[str, Sequence[float]]],
) -> list[Stability]:
    """Return how far each quantity has moved since the picture was taken."""
    found = []
    for quantity, (relation, column) in columns.items():
        known = picture.get(quantity, {})
        shares = count_shares(con, relation, column, known.get("edges", ()))
        index = measure_shift(known.get("shares", ()), shares)
        status = "stable" if not index >= WATCH else "drifted" if index >= ALARM else "watch"
        found.append(Stability(quantity, index, status))
    return found
