"""Rows of marts for blocks and sentences.

The only module of this package that runs SQL. Conditions come from declarations and are vetted;
order is total (the mart's key breaks ties), so the same warehouse gives the same page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_dicts,
    quote_column,
    quote_identifier,
)

RowDict = dict[str, Any]


def read_rows(
    con: duckdb.DuckDBPyConnection,
    spec: TableSpec,
    *,
    where: str | None = None,
    sort: Sequence[str] = (),
    limit: int = 400,
) -> list[RowDict]:
    """Return rows of a mart, sorted by ``sort`` and then by the mart's key.

    Args:
        con: Connection whose main catalog holds the marts.
        spec: Declaration of the mart.
        where: Predicate over the mart's columns; all rows without one.
        sort: Columns; a leading ``-`` sorts downwards. NULL comes last.
        limit: Rows at most.

    Raises:
        WarehouseError: The mart has not been built.
        ConfigError: ``where`` is not a predicate over the mart's columns.
    """
    try:
        columns = {name: kind.lower() for name, kind in describe(con, spec.full_name).items()}
    except duckdb.CatalogException as error:
        raise WarehouseError(
            f"{spec.full_name} has not been built",
            where=str(spec.path),
            hint="Run the step build_marts before the reports.",
        ) from error
    condition = ""
    if where:
        condition = f"where {vet_predicate(where, columns=columns, where=spec.full_name)}"
    table = quote_identifier(spec.full_name)
    order = ", ".join(_order([*sort, *spec.header.key])) or "all"
    return fetch_dicts(
        con,
        f"select * from {table} {condition} order by {order} limit {limit:d}",  # noqa: S608 - vetted
    )


def _order(names: Sequence[str]) -> list[str]:
    seen: dict[str, str] = {}
    for name in names:
        column = name.removeprefix("-")
        direction = "desc" if name.startswith("-") else "asc"
        seen.setdefault(column, f"{quote_column(column)} {direction} nulls last")
    return list(seen.values())
