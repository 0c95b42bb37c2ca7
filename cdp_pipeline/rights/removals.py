"""What recipients are told when somebody is erased: the identifiers that they were sent.

Whoever handed data on must tell those who got it (GDPR, Article 19). The files hold what the
destination knows the person by, as it was sent, and nothing else. They lie in clear for whoever
picks them up, and go once the time is over within which a request must be done.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from cdp_pipeline.storage.files import read_json, write_atomic
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import CERTIFICATES
from cdp_pipeline.storage.warehouse import has_table

FOLDER = "erasures"


@dataclass(frozen=True)
class Removal:
    """A person as a destination knows them.

    Attributes:
        destination: Receiving system.
        identifiers: Columns and values as they were sent.
    """

    destination: str
    identifiers: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def find_removals(con: duckdb.DuckDBPyConnection, customers: Sequence[str]) -> tuple[Removal, ...]:
    """Return what each destination was told of people, each identity once."""
    if not has_table(con, "ops.export_members"):
        return ()
    found = con.execute(
        "select distinct destination, identifiers from ops.export_members "
        "where customer_id in (select unnest($customers::varchar[])) order by all",
        {"customers": list(customers)},
    ).fetchall()
    return tuple(Removal(str(d), json.loads(i)) for d, i in found if i)


def write_removals(paths: DataPaths, erasure: str, removals: Sequence[Removal]) -> None:
    """Write ``outbox/<destination>/erasures/<erasure>.csv``; again gives the same bytes."""
    for name in sorted({removal.destination for removal in removals}):
        rows = [removal.identifiers for removal in removals if removal.destination == name]
        columns = list(dict.fromkeys(column for row in rows for column in row))
        target = io.StringIO(newline="")
        writer = csv.DictWriter(target, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
        folder = paths.ensure(paths.outbox / name / FOLDER)
        path = folder / f"{erasure}.csv"
        write_atomic(path, target.getvalue().encode())
        path.chmod(0o640)


def drop_old_removals(paths: DataPaths, *, night: date, days: int) -> int:
    """Delete lists of people whose erasure is older than some days; returns how many went.

    Args:
        paths: The data folder.
        night: Business date.
        days: How long recipients have to act on a list.
    """
    gone = 0
    for path in sorted(paths.outbox.glob(f"*/{FOLDER}/*.csv")):
        done = read_json(paths.privacy / CERTIFICATES / f"{path.stem}.json").get("business_date")
        if done and date.fromisoformat(done) < night - timedelta(days=days):
            path.unlink()
            gone += 1
    return gone
