"""Deliveries and rows past the time that their contract grants them: they count no more.

A delivery whose business date is past is not read again; its line in the ledger stays, with counts
that no longer change, so the same file is known should it come back. A row that is past before its
delivery is, by a date of its own, is left out like any other row that a rule excludes. Deleting
the files is ``sweeping``'s business, once the night is published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb

from cdp_pipeline.ingest.deliveries import Delivery
from cdp_pipeline.ingest.ledger import EXPIRED, LedgerEntry
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import (
    fetch_dicts,
    has_base_table,
    quote_column,
)

_COUNTS = ("records", "quarantined", "duplicates", "suppressed")


def mark_expired(
    deliveries: Iterable[Delivery], contract: SourceContract, *, night: date
) -> list[Delivery]:
    """Return deliveries of one source with those past their time marked as such.

    Of a source whose newest file replaces all before it, that file stays: it tells how things are.

    Args:
        deliveries: What is listed of the source, in loading order.
        contract: Its contract.
        night: Business date.
    """
    listed = list(deliveries)
    if contract.retention is None:
        return listed
    kept_from = contract.retention.kept_from(night)
    newest = None
    if contract.load.mode == "replace":
        newest = max((d for d in listed if d.is_loaded), key=lambda d: d.order, default=None)
    reason = f"kept for {contract.retention.days} days"
    return [
        replace(d, status=EXPIRED, reason=reason)
        if d.business_date < kept_from and d is not newest and d.status != "refused"
        else d
        for d in listed
    ]


def is_past(contract: SourceContract, *, night: date) -> str:
    """Return SQL that is true of rows past their time by a date of their own; empty if none can be.

    >>> from cdp_pipeline.project.retention import SourceRetention
    >>> is_past(SourceContract.model_construct(retention=None), night=date(2026, 11, 27))
    ''
    """
    kept = contract.retention
    if kept is None or kept.by is None:
        return ""
    first = kept.kept_from(night).isoformat()
    return f"cast({quote_column(kept.by)} as date) < date '{first}'"


def expired_entries(
    con: duckdb.DuckDBPyConnection, deliveries: Iterable[Delivery]
) -> list[LedgerEntry]:
    """Return the ledger's lines of deliveries past their time: what was loaded is left out now.

    Args:
        con: Connection to the build; the version built upon has counted their records.
        deliveries: Those that ``mark_expired`` marked.
    """
    known = _counted(con)
    entries = []
    for delivery in deliveries:
        row = known.get((delivery.source, delivery.file_name, delivery.sha256))
        records, quarantined, duplicates, suppressed = (
            int(row[name]) if row else 0 for name in _COUNTS
        )
        entry = LedgerEntry(
            delivery,
            EXPIRED,
            records,
            quarantined=quarantined,
            duplicates=duplicates,
            suppressed=suppressed,
            reason=delivery.reason,
        )
        entries.append(replace(entry, excluded=entry.records - entry.accounted))
    return entries


def _counted(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], dict[str, Any]]:
    if not has_base_table(con, "ops.deliveries"):
        return {}
    rows = fetch_dicts(
        con,
        "select source, file_name, sha256, records, quarantined, duplicates, suppressed "
        "from base.ops.deliveries order by source, business_date, file_name, file_id",
    )
    return {(r["source"], r["file_name"], r["sha256"]): r for r in rows}
