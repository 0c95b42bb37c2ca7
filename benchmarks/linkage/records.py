"""The shape all generated populations have: person records as sources deliver them, and the truth.

Two files a population: ``records.parquet`` holds what a linkage may see, ``truth.parquet`` who it
was. Nothing but an evaluation reads the second.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.linkage.wordlists import Floats, Integers, Texts

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("record_key", pa.string()),
        ("record_kind", pa.string()),
        ("given_name", pa.string()),
        ("family_name", pa.string()),
        ("full_name", pa.string()),
        ("birth_date", pa.date32()),
        ("sex", pa.string()),
        ("email", pa.string()),
        ("phone", pa.string()),
        ("street", pa.string()),
        ("city", pa.string()),
        ("postcode", pa.string()),
        ("country", pa.string()),
        ("loyalty_id", pa.string()),
        ("account_id", pa.string()),
        ("payment_token", pa.string()),
        ("updated_at", pa.timestamp("us")),
    ]
)
TRUTH = pa.schema(
    [
        ("source", pa.string()),
        ("record_key", pa.string()),
        ("record_kind", pa.string()),
        ("person_id", pa.string()),
        ("household_id", pa.string()),
    ]
)

LONG_AGO = np.datetime64("1900-01-01")


def write_population(
    columns: dict[str, np.ndarray], people: Integers, households: Integers, folder: Path
) -> None:
    """Write a population's two files, in an order that tells nothing.

    Args:
        columns: Columns of ``SCHEMA``; those left out are null.
        people: Person of each row.
        households: Household of each row.
        folder: Where the files go; made if need be.
    """
    size = len(people)
    arrays = {
        field.name: pa.array(columns[field.name], field.type, from_pandas=True)
        if field.name in columns
        else pa.nulls(size, field.type)
        for field in SCHEMA
    }
    truth = {
        **{name: arrays[name] for name in ("source", "record_key", "record_kind")},
        "person_id": pa.array([f"p{person}" for person in people.tolist()]),
        "household_id": pa.array([f"h{household}" for household in households.tolist()]),
    }
    order = [("source", "ascending"), ("record_key", "ascending")]
    folder.mkdir(parents=True, exist_ok=True)
    for name, found, schema in (("records", arrays, SCHEMA), ("truth", truth, TRUTH)):
        table = pa.table(found, schema=schema).sort_by(order)
        pq.write_table(table, folder / f"{name}.parquet")


def numbered(prefix: str, numbers: Integers, *, digits: int) -> Texts:
    """Return identifiers such as ``L000123``, all of one length."""
    return np.array([f"{prefix}{number:0{digits}d}" for number in numbers.tolist()], dtype=object)


def pick_by_row(choices: Floats, draw: np.random.Generator) -> Integers:
    """Return one column number a row, drawn with the probabilities in that row."""
    limits = np.cumsum(choices, axis=1)
    return (draw.random(len(choices))[:, None] > limits).sum(axis=1).astype(np.int64)


def emptied(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the column without its values in the chosen rows."""
    kept = values.astype(object)
    kept[chosen] = None
    return kept


def slip_dates(dates: np.ndarray, draw: np.random.Generator, factor: float) -> np.ndarray:
    """Return birth dates with day and month exchanged, digits wrong, or a clerk's placeholder."""
    years = dates.astype("datetime64[Y]")
    months = (dates.astype("datetime64[M]") - years.astype("datetime64[M]")).astype(np.int64)
    days = (dates - dates.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    size = len(dates)
    turned = (draw.random(size) < 0.015 * factor) & (days < 12)
    months[turned], days[turned] = days[turned], months[turned].copy()
    wrong_year = draw.random(size) < 0.012 * factor
    years[wrong_year] += draw.choice([-10, -1, 1, 10], wrong_year.sum())
    wrong_day = draw.random(size) < 0.012 * factor
    moved = days[wrong_day] + draw.choice([-10, -2, -1, 1, 10], wrong_day.sum())
    days[wrong_day] = np.clip(moved, 0, 27)
    days = np.minimum(days, 27 + (months != 1))
    months_at = years.astype("datetime64[M]") + months
    slipped = months_at.astype("datetime64[D]") + days
    unchanged = ~(turned | wrong_year | wrong_day)
    return np.where(unchanged, dates, slipped)
