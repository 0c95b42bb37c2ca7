"""The ledger: every delivered file and what became of each of its records.

Conservation is checked here: records = loaded + quarantined + duplicates + excluded +
suppressed, for every file, or nothing is published. The ledger is made anew each night from the
plan and the notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import duckdb

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.ingest.deliveries import Delivery
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import (
    create_table,
    declare_table,
    fetch_dicts,
    has_base_table,
    quote_column,
)

EXPIRED: Final = "expired"
"""Status of a delivery past its time; its rows are left out, its files are deleted."""


@dataclass(frozen=True)
class LedgerEntry:
    """One delivered file in the ledger.

    Attributes:
        delivery: The file.
        status: loaded, duplicate_file, refused, superseded or expired.
        records: Physical records in it.
        loaded: Rows that count, or counted until a newer version of the row came.
        quarantined: Records set aside.
        duplicates: Rows that repeat one that was loaded before.
        excluded: Rows that a rule leaves out, or all of a superseded or expired file.
        suppressed: Rows about people who were erased.
        reason: Why it was not loaded.
        rules: Records set aside by rule.
    """

    delivery: Delivery
    status: str
    records: int = 0
    loaded: int = 0
    quarantined: int = 0
    duplicates: int = 0
    excluded: int = 0
    suppressed: int = 0
    reason: str = ""
    rules: dict[str, int] = field(default_factory=dict)

    @property
    def accounted(self) -> int:
        """Records whose fate is known."""
        return self.loaded + self.quarantined + self.duplicates + self.excluded + self.suppressed


def check_conservation(entries: Iterable[LedgerEntry]) -> None:
    """Raise unless every record of every file is accounted for.

    Raises:
        DataQualityError: Names the first file whose counts do not add up.
    """
    for entry in entries:
        if entry.records == entry.accounted and min(entry.loaded, entry.excluded) >= 0:
            continue
        raise DataQualityError(
            f"{entry.records} records were delivered, but {entry.loaded} loaded + "
            f"{entry.quarantined} quarantined + {entry.duplicates} duplicates + "
            f"{entry.excluded} excluded + {entry.suppressed} suppressed make {entry.accounted}",
            where=entry.delivery.file_name,
            hint="This is a fault of the pipeline: report it with the file's contract.",
        )


def write_ledger(
    con: duckdb.DuckDBPyConnection,
    entries: Sequence[LedgerEntry],
    *,
    deliveries: TableSpec,
    summary: TableSpec,
    night: date,
) -> None:
    """Make ``ops.deliveries`` and ``ops.quarantine_summary``.

    Args:
        con: Connection to the build.
        entries: All files.
        deliveries: Header of ``ops.deliveries``.
        summary: Header of ``ops.quarantine_summary``.
        night: Business date of the run, for files loaded for the first time.
    """
    first = _first_loaded(con)
    _create(con, deliveries, [_ledger_row(entry, first, night) for entry in entries])
    _create(con, summary, [row for entry in entries for row in _rule_rows(entry)])


def write_arrivals(
    con: duckdb.DuckDBPyConnection, arrivals: Iterable[Mapping[str, Any]], spec: TableSpec
) -> None:
    """Make ``ops.arrivals`` of what the plan says; the same of one file is said once."""
    rows = {(a["source"], a["kind"], a["file_name"]): dict(a) for a in arrivals}
    _create(con, spec, list(rows.values()))


def _ledger_row(
    entry: LedgerEntry, first: Mapping[tuple[str, str, str], date], night: date
) -> dict[str, Any]:
    d = entry.delivery
    return {
        "file_id": d.file_id,
        "source": d.source,
        "file_name": d.file_name,
        "sha256": d.sha256,
        "bytes": d.bytes,
        "business_date": d.business_date,
        "records": entry.records,
        "loaded": entry.loaded,
        "quarantined": entry.quarantined,
        "duplicates": entry.duplicates,
        "excluded": entry.excluded,
        "suppressed": entry.suppressed,
        "status": entry.status,
        "reason": entry.reason or None,
        "in_landing": d.path is not None and entry.status != EXPIRED,  # it is deleted now
        "first_loaded_on": first.get((d.source, d.file_name, d.sha256), night),
    }


def _rule_rows(entry: LedgerEntry) -> list[dict[str, Any]]:
    d = entry.delivery
    return [
        {
            "file_id": d.file_id,
            "source": d.source,
            "file_name": d.file_name,
            "rule": rule,
            "rows": count,
        }
        for rule, count in entry.rules.items()
        if count
    ]


def _first_loaded(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], date]:
    if not has_base_table(con, "ops.deliveries"):
        return {}
    rows = fetch_dicts(
        con,
        "select source, file_name, sha256, min(first_loaded_on) as first_loaded_on "
        "from base.ops.deliveries group by all order by all",
    )
    return {(r["source"], r["file_name"], r["sha256"]): r["first_loaded_on"] for r in rows}


def _create(con: duckdb.DuckDBPyConnection, spec: TableSpec, rows: list[dict[str, Any]]) -> None:
    """Make a table of its header's columns and types from plain rows, ordered by its key."""
    columns = spec.header.columns
    selected = ", ".join(
        f"cast(unnest(?::varchar[]) as {c.type}) as {quote_column(n)}" for n, c in columns.items()
    )
    order = ", ".join(map(quote_column, spec.header.key))
    values = [[None if row[n] is None else str(row[n]) for row in rows] for n in columns]
    con.execute(f"create or replace temp table ledger_rows as select {selected}", values)
    create_table(con, spec.full_name, f"select * from ledger_rows order by {order}")  # noqa: S608 - quoted
    con.execute("drop table ledger_rows")
    declare_table(con, spec)
