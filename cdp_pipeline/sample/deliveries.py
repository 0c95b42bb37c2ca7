"""Writes rows as the deliveries of a store: one folder per source and date.

File names and formats belong here; what stands in the rows does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import Ints, Texts
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.storage.warehouse import quote_literal

JSON_SOURCES = frozenset({"ecommerce_accounts", "web_events", "social_events"})
_CSV = "(format csv, header true, delimiter ',', quote '\"', escape '\"')"
_JSON = "(format json)"


@dataclass(frozen=True)
class DatedRows:
    """Rows of one source with the day of the delivery that holds each of them, ascending."""

    table: pa.Table
    delivered_day: Ints


@dataclass(frozen=True)
class OwnedRows:
    """Rows with the person behind each record key.

    Attributes:
        rows: The rows, by delivery.
        key: Record keys, each once.
        owner: Person behind each key.
    """

    rows: DatedRows
    key: Texts
    owner: Ints


@dataclass(frozen=True)
class Delivered:
    """What was written for one source.

    Attributes:
        rows: Rows written.
        files: Paths of the files, by date.
    """

    rows: int
    files: tuple[Path, ...]


class Landing:
    """The landing folder of one store."""

    def __init__(self, folder: Path, timeline: Timeline) -> None:
        """Open the folder; a private database renders the files."""
        self._folder = folder
        self._timeline = timeline
        self._con = duckdb.connect()

    def deliver(self, source: str, rows: DatedRows) -> Delivered:
        """Write one file for the initial load and for every night, empty ones included.

        Args:
            source: Name of the source.
            rows: Its rows, ascending by delivery.

        Returns:
            Number of rows and the files.
        """
        files = []
        for day in self._timeline.delivery_days:
            begin, end = np.searchsorted(rows.delivered_day, [day, day + 1])
            path = self.path_of(source, day)
            self._write(rows.table.slice(int(begin), int(end - begin)), path)
            files.append(path)
        return Delivered(rows.table.num_rows, tuple(files))

    def deliver_whole(self, source: str, tables: dict[int, pa.Table]) -> Delivered:
        """Write full replacements: a whole table on each day named."""
        files = []
        for day, table in tables.items():
            date = self._timeline.date_of(day)
            path = self._folder / source / date.isoformat() / f"{source}.csv"
            self._write(table, path)
            files.append(path)
        return Delivered(sum(table.num_rows for table in tables.values()), tuple(files))

    def path_of(self, source: str, day: int) -> Path:
        """Return the file of a source's delivery on a day."""
        date = self._timeline.date_of(day)
        ending = "jsonl" if source in JSON_SOURCES else "csv"
        return self._folder / source / date.isoformat() / f"{source}_{date:%Y%m%d}.{ending}"

    def close(self) -> None:
        """Release the database."""
        self._con.close()

    def _write(self, table: pa.Table, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        options = _JSON if path.suffix == ".jsonl" else _CSV
        self._con.register("delivered_rows", table)
        # COPY takes no bound parameter as its target.
        target = quote_literal(str(path))
        self._con.execute(f"copy delivered_rows to {target} {options}")
        self._con.unregister("delivered_rows")

    def append_lines(self, source: str, day: int, lines: list[str]) -> None:
        """Append raw lines to a file written before; for rows no writer would produce."""
        with self.path_of(source, day).open("a", encoding="utf-8", newline="") as file:
            file.writelines(f"{line}\n" for line in lines)
