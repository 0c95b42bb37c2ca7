"""Columns of one source's current rows added to another's: header and lines in two files.

Every row of the joining source stays, once: the other side must have at most one row for it. Which
rows are current is decided in ``loading``, what they feed in ``feeds``.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from cdp_pipeline.core.errors import ConfigError, DataQualityError
from cdp_pipeline.ingest.loading import contract_columns, source_object
from cdp_pipeline.project.contracts import Join, SourceContract
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.storage.warehouse import fetch_value, quote_column


def feed_columns(
    contract: SourceContract, sources: Mapping[str, SourceContract], *, where: str
) -> dict[str, str]:
    """Return the columns that feeds of a source may use, with types: its own and joined ones.

    Raises:
        ConfigError: A join names a source or column that is not there, or compares unlike types.
    """
    columns = contract_columns(contract)
    for join in contract.join:
        columns.update(_joined_columns(contract, join, sources, where=where))
    return columns


def _joined_columns(
    contract: SourceContract, join: Join, sources: Mapping[str, SourceContract], *, where: str
) -> dict[str, str]:
    place = f"{where}: join of {join.source}"
    other = sources.get(join.source)
    if other is None or other.name == contract.name:
        raise ConfigError(
            f"joins unknown source {join.source!r}",
            where=where,
            hint=f"Known: {', '.join(n for n in sorted(sources) if n != contract.name)}.",
        )
    ours, theirs = contract_columns(contract), contract_columns(other)
    for name in (*join.by.values(), *join.columns.values()):
        if name not in theirs:
            raise ConfigError(
                f"{join.source} has no column {name!r}",
                where=place,
                hint=f"It has: {', '.join(theirs)}.",
            )
    for own, their in join.by.items():
        if ours[own] != theirs[their]:
            raise ConfigError(
                f"{own} is {ours[own]}, but {join.source}.{their} is {theirs[their]}",
                where=place,
                hint="Give both the same type.",
            )
    if join.where:
        vet_predicate(join.where, columns=theirs, where=place)
    return {name: theirs[their] for name, their in join.columns.items()}


def join_sources(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    sources: Mapping[str, SourceContract],
    *,
    view: str,
    where: str,
) -> str:
    """Make the view of a source's current rows with its joined columns and return its name.

    Args:
        con: Connection on which the current rows of all sources are views.
        contract: The source's contract.
        sources: All contracts by name.
        view: View of its current rows.
        where: Declaring file, for messages.

    Raises:
        DataQualityError: More than one row of the other source fits a row.
    """
    if not contract.join:
        return view
    selected, joined = ["v.*"], []
    for number, join in enumerate(contract.join):
        alias = f"j{number}"
        other = sources[join.source]
        rows = source_object("current", other.name)
        if join.where:
            wanted = vet_predicate(join.where, columns=contract_columns(other), where=where)
            rows = f"(select * from {rows} where {wanted})"  # noqa: S608 - vetted
        _require_one(con, join, other, rows, where=where)
        told = " and ".join(
            f"v.{quote_column(own)} = {alias}.{quote_column(their)}"
            for own, their in join.by.items()
        )
        joined.append(f" left join {rows} as {alias} on {told}")
        selected += [
            f"{alias}.{quote_column(their)} as {quote_column(name)}"
            for name, their in join.columns.items()
        ]
    name = source_object("joined", view.rpartition(".")[2])
    con.execute(
        f"create or replace view {name} as "  # noqa: S608 - quoted
        f"select {', '.join(selected)} from {view} as v{''.join(joined)}"
    )
    return name


def _require_one(
    con: duckdb.DuckDBPyConnection, join: Join, other: SourceContract, rows: str, *, where: str
) -> None:
    """Refuse a join that would multiply rows."""
    theirs = sorted(set(join.by.values()))
    if set(other.load.key) <= set(theirs):
        return
    key = ", ".join(map(quote_column, theirs))
    known = " and ".join(f"{quote_column(name)} is not null" for name in theirs)
    twice = fetch_value(
        con,
        f"select count(*) from (select 1 from {rows} where {known} group by {key} "  # noqa: S608 - quoted
        "having count(*) > 1)",
    )
    if twice:
        raise DataQualityError(
            f"{twice} values of {', '.join(theirs)} stand more than once in {join.source}",
            where=f"{where}: join of {join.source}",
            hint="Join on its whole key, or leave one row of each by `where:`.",
        )
