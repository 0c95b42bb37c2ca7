"""Turns whole columns of numbers into the texts that files hold: ids, money, moments.

Only the look of values belongs here, as Arrow columns; which values there are does not.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp_pipeline.sample.arrays import Bools, Days, Ints, Texts

SECONDS_PER_DAY = 86_400
_CLOCK = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(SECONDS_PER_DAY)]


def text_column(values: Texts, present: Bools | None = None) -> pa.Array:
    """Return texts as an Arrow column; empty texts, and those not present, are null."""
    filled = np.strings.str_len(values) > 0
    shown = filled if present is None else filled & present
    return pa.array(values.astype(object), type=pa.string(), mask=~shown)


def lookup_column(texts: Texts | list[str], index: Ints) -> pa.Array:
    """Return the text at each index; a negative index gives null."""
    # Indices repeat: one dictionary of texts and a gather is far cheaper than joining strings.
    positions = pa.array(index, mask=index < 0)
    return pc.take(pa.array([str(text) for text in texts], type=pa.string()), positions)


def number_column(numbers: Ints) -> pa.Array:
    """Return numbers as texts; negative numbers give null."""
    return pc.cast(pa.array(numbers, mask=numbers < 0), pa.string())


def money_column(pence: Ints) -> pa.Array:
    """Return pence as pounds with two decimals, for example ``-12.50``."""
    distinct, index = np.unique(pence, return_inverse=True)
    size = np.abs(distinct)
    texts = [
        f"{'-' if value < 0 else ''}{whole}.{rest:02d}"
        for value, whole, rest in zip(
            distinct.tolist(), (size // 100).tolist(), (size % 100).tolist(), strict=True
        )
    ]
    return lookup_column(texts, index.astype(np.int64))


def moment_column(
    dates: Days,
    seconds: Ints,
    *,
    divider: str = "T",
    ending: str = "Z",
) -> pa.Array:
    """Return moments as texts, for example ``2026-11-20T14:03:22Z``.

    Args:
        dates: Calendar of the timeline; day 0 first.
        seconds: Seconds since the start of day 0; may be negative.
        divider: Character between date and clock.
        ending: Text after the clock.

    Returns:
        One text for each moment.
    """
    days, clocks = np.divmod(seconds, SECONDS_PER_DAY)
    clock_texts = lookup_column([text + ending for text in _CLOCK], clocks)
    return pc.binary_join_element_wise(day_column(dates, days), clock_texts, divider)


def day_column(dates: Days, days: Ints) -> pa.Array:
    """Return day numbers as texts like ``2026-11-20``; days before day 0 are allowed."""
    if len(days) == 0:
        return pa.array([], type=pa.string())
    first = int(days.min())
    span = np.arange(first, int(days.max()) + 1)
    calendar = np.datetime_as_string(dates[0] + span.astype("timedelta64[D]"))
    return lookup_column(calendar.tolist(), days - first)


def choice_column(choices: list[str], index: Ints) -> pa.Array:
    """Return one of a few words by its position; an empty word becomes null."""
    blank = np.array([word == "" for word in choices])
    return lookup_column(choices, np.where(blank[index], -1, index))
