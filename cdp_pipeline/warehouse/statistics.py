"""Aggregates by day that stay when the rows they were counted from are past their time.

A header declares them (``statistics:``). Days that its sources still keep whole are counted anew;
days before are taken from the version built upon, as they were last counted.
"""

from __future__ import annotations

from datetime import date

import duckdb

from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import base_columns, quote_column, quote_identifier


def counted_from(project: Project, spec: TableSpec, night: date) -> date | None:
    """Return the first day that can be counted anew; None if every day can."""
    kept = spec.header.statistics
    sources = [project.sources[name] for name in kept.of if name in project.sources] if kept else []
    days = [c.retention.kept_from(night) for c in sources if c.retention]
    return max(days, default=None)


def with_earlier_days(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, select: str, first: date | None
) -> str:
    """Return a model's SELECT with the days before ``first`` as the version built upon has them.

    Args:
        con: Connection to the build.
        spec: The model.
        select: Its rendered SELECT.
        first: The first day to count anew; None for all.
    """
    kept = spec.header.statistics
    columns = [*spec.header.columns]
    if kept is None or first is None:
        return select
    names, day = ", ".join(map(quote_column, columns)), quote_column(kept.day)
    limit = f"date '{first.isoformat()}'"
    anew = f"select {names} from ({select}\n) where {day} >= {limit}"  # noqa: S608 - quoted
    if not base_columns(con, spec.full_name) >= {*columns}:
        return f"select {names} from ({select}\n)"  # noqa: S608 - quoted
    earlier = f"base.{quote_identifier(spec.full_name)}"
    return f"{anew} union all select {names} from {earlier} where {day} < {limit}"  # noqa: S608 - quoted
