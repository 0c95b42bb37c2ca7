"""Analytics of a file without a project: read, build the shipped models, ask.

The stages know nothing of each other; this is where commands on files bring them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from cdp_pipeline.core.settings import EngineSettings, RfmSettings, Settings
from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.files.days import Window, build_days
from cdp_pipeline.features.files.groups import (
    STATUS_WORDS,
    GroupOptions,
    GroupResult,
    Move,
    Part,
    Thresholds,
    collect_part,
    count_moves,
    keep_thresholds,
)
from cdp_pipeline.features.files.transactions import Columns, Transactions, read_transactions
from cdp_pipeline.features.files.value import ValueOptions, ValueResult, value_customers
from cdp_pipeline.storage.dates import Order
from cdp_pipeline.storage.warehouse import connect
from cdp_pipeline.warehouse.alone import build_alone

MOST_PARTS = 50
_GROUP_MODELS = (
    "features.rfm_segment_map",
    "features.rfm",
    "features.rfm_cutoffs",
    "features.rfm_thresholds",
)


def value_file(
    path: Path,
    columns: Columns,
    options: ValueOptions,
    *,
    as_of: date | None = None,
    order: Order | None = None,
    counts_free: bool = False,
) -> ValueResult:
    """Return what the customers of a file of transactions are worth.

    Args:
        path: CSV or Parquet file, one row a transaction or a line of one.
        columns: Names of its columns.
        options: Horizon, model, discount.
        as_of: Last day that counts; default: the last day of the file.
        order: Whether the day or the month comes first in dates that leave it open.
        counts_free: Whether a day on which everything cost nothing is a visit.

    Raises:
        ConfigError: A column is not there.
        ContractError: The file cannot be read.
        DataQualityError: Too many dates or amounts cannot be read.
    """
    with _workshop() as con:
        read = read_transactions(
            con, path, columns, as_of=as_of, order=order, counts_free=counts_free
        )
        build_days(con, read.as_of, counts_free=counts_free)
        build_alone(con, ("features.customer_purchases",), Settings(), read.as_of)
        return value_customers(con, read, options)


def group_file(
    path: Path,
    columns: Columns,
    options: GroupOptions,
    *,
    as_of: date | None = None,
    order: Order | None = None,
) -> GroupResult:
    """Return RFM scores and groups of the customers of a file of transactions.

    Args:
        path: CSV or Parquet file, one row a transaction or a line of one.
        columns: Names of its columns; with ``part``, each of its values is scored by itself.
        options: Window, scores, thresholds, earlier day.
        as_of: Last day that counts; default: the last day of the file.
        order: Whether the day or the month comes first in dates that leave it open.

    Raises:
        ConfigError: A column is not there.
        ContractError: The file cannot be read.
        DataQualityError: Too many dates or amounts cannot be read.
    """
    with _workshop() as con:
        read = read_transactions(con, path, columns, as_of=as_of, order=order)
        names: list[str | None] = list(read.parts[:MOST_PARTS]) if columns.part else [None]
        parts, tables = [], []
        for name in names:
            part, customers = _group(con, read, read.as_of, options, options.thresholds, part=name)
            parts.append(part)
            tables.append(customers)
        moves: tuple[Move, ...] = ()
        if options.since and parts[0].thresholds and not columns.part:
            _, before = _group(con, read, options.since, options, parts[0].thresholds)
            moves = count_moves(before, tables[0])
    return GroupResult(
        customers=pa.concat_tables(tables) if tables else pa.table({}),
        read=read,
        window_days=options.window_days,
        bins=options.bins,
        parts=tuple(parts),
        since=options.since if not columns.part else None,
        moves=moves,
        notes=(*read.notes, *_note_parts(parts, read.parts)),
    )


def _group(
    con: duckdb.DuckDBPyConnection,
    read: Transactions,
    as_of: date,
    options: GroupOptions,
    thresholds: Thresholds | None,
    *,
    part: str | None = None,
) -> tuple[Part, pa.Table]:
    """Build the night's models on the days up to ``as_of``, by thresholds if there are some."""
    lines_by_day = read.used_rows if read.is_by_day else 0
    window = Window(options.window_days, read.first_on, lines_by_day)
    build_days(con, as_of, part=part, window=window)
    keep_thresholds(con, thresholds, as_of)
    rfm = RfmSettings(
        window_days=options.window_days,
        bins=options.bins,
        freeze="month" if thresholds else "night",
    )
    build_alone(con, _GROUP_MODELS, Settings(rfm=rfm), as_of)
    return collect_part(con, part)


def _note_parts(parts: list[Part], known: tuple[str, ...]) -> list[str]:
    notes = []
    for part in parts:
        name = f"{part.name}: " if part.name is not None else ""
        if part.status != "ok":
            notes.append(f"{name}{STATUS_WORDS.get(part.status, part.status)}")
        if part.without_purchase:
            notes.append(
                f"{name}{counted(part.without_purchase, 'customer')} kept no purchase, as all was "
                "given back or cost nothing; all their scores are 1"
            )
    if len(known) > MOST_PARTS:
        notes.append(f"only the {MOST_PARTS} largest of {len(known):,} parts are scored")
    return notes


@contextmanager
def _workshop() -> Iterator[duckdb.DuckDBPyConnection]:
    with TemporaryDirectory() as folder:
        con = connect(EngineSettings(), spill=Path(folder))
        try:
            con.execute("create schema features")
            con.execute("attach ':memory:' as base")
            con.execute("create schema base.features")
            yield con
        finally:
            con.close()
