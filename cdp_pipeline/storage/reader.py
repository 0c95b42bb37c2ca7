"""A published version for Python programs, chosen once: database, Parquet and files of one night.

Whoever opens ``warehouse/current`` twice may get two nights, if one is published in between. A
snapshot looks once and stays with what it found. Reading only; versions are made in ``versions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.history import find_version
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import Version, current_version
from cdp_pipeline.storage.warehouse import DATABASE_FILE, open_published


@dataclass(frozen=True)
class Snapshot:
    """One published version, opened.

    Attributes:
        version: Which.
        con: Read-only connection; tables are ``schema.table``.
    """

    version: Version
    con: duckdb.DuckDBPyConnection

    @property
    def business_date(self) -> date:
        """The night it holds."""
        return self.version.business_date

    @property
    def folder(self) -> Path:
        """Folder of the version: exports, reports, Parquet, manifest."""
        return self.version.path

    @property
    def database(self) -> Path:
        """The DuckDB file, by the path that stays the same night's."""
        return self.version.path / DATABASE_FILE

    def parquet(self, table: str) -> list[Path]:
        """Return the Parquet files of ``schema.table``: one, or one a month.

        Raises:
            ConfigError: The version has no such table.
        """
        place = self.version.path / "parquet" / Path(*table.split("."))
        found = sorted(place.rglob("*.parquet")) or [place.with_suffix(".parquet")]
        if not found[0].is_file():
            raise ConfigError(
                f"{self.version.name} has no table {table!r}",
                where=str(self.version.path / "parquet"),
                hint="Write it as schema.table, such as core.fct_sales.",
            )
        return found


@contextmanager
def open_snapshot(data_dir: Path | str, *, as_of: str | None = None) -> Iterator[Snapshot]:
    """Open the current version, or the one as of a date, and stay with it.

    Args:
        data_dir: Data folder, such as ``data``.
        as_of: Date or name of a version, see ``find_version``; default: the current one.

    Raises:
        ConfigError: Nothing has been published, or no such version is kept.
    """
    folder = Path(data_dir).absolute()
    paths = DataPaths(folder, folder / "landing")
    version = find_version(paths, as_of) if as_of else current_version(paths)
    if version is None:
        raise ConfigError(
            "nothing has been published yet",
            where=str(paths.current),
            hint="Run `cdp run` (or `cdp demo`) first.",
        )
    with open_published(folder, version=version.path) as con:
        yield Snapshot(version, con)
