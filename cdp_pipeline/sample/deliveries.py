"""Writes rows as the deliveries of a store: one folder per source and date.

File names and formats belong here; what stands in the rows does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.orders import DatedRows
from cdp_pipeline.sample.seasons import Timeline

JSON_SOURCES = frozenset({"ecommerce_accounts", "web_events", "social_events"})
_CSV = "(format csv, header true, delimiter ',', quote '\"', escape '\"')"
_JSON = "(format json)"


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
        target = str(path).replace("'", "''")
        self._con.execute(f"copy (select * from delivered_rows) to '{target}' {options}")  # noqa: S608 - quotes doubled
        self._con.unregister("delivered_rows")

    def append_lines(self, source: str, day: int, lines: list[str]) -> None:
        """Append raw lines to a file written before; for rows no writer would produce."""
        with self.path_of(source, day).open("a", encoding="utf-8", newline="") as file:
            file.writelines(f"{line}\n" for line in lines)
