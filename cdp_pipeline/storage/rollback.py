"""Going back to an earlier version, by publishing a new one that copies it.

The link never moves backwards. What was sent to people and destinations meanwhile cannot be unsent,
so the contact log and the memory of destinations are those of the version that is left: the next
night neither repeats an offer nor forgets to take somebody off a list. Deliveries of the nights
that are undone count as new again, and the next night loads them: mend or remove them first.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.context import Clock, operating_user
from cdp_pipeline.core.errors import ConfigError, WarehouseError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.audit import Deed, note
from cdp_pipeline.storage.cipher import read_vault_key
from cdp_pipeline.storage.files import read_json, write_json
from cdp_pipeline.storage.history import find_lineage, find_version
from cdp_pipeline.storage.lease import refuse_beside_living
from cdp_pipeline.storage.leftovers import clear_dead_work
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.mirror import FOLDER, copy_table
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.vault import file_of, write_personal
from cdp_pipeline.storage.versions import (
    MANIFEST_FILE,
    Version,
    current_version,
    finish_publication,
    next_build,
    parse_version,
    publish_build,
    published_versions,
    recover,
    verify,
)
from cdp_pipeline.storage.warehouse import (
    DATABASE_FILE,
    STORAGE_VERSION,
    VAULT,
    attach_whole,
    connect,
    describe,
    fetch_value,
    has_table,
    quote_column,
    quote_literal,
)

SENT_TABLES = {
    "ops.contact_log": ("customer_id", "offer", "destination", "sent_on"),
    "ops.export_members": ("destination", "segment", "customer_id"),
}
"""Tables that tell what went out, with their keys: they are not rolled back."""

_ADDED = {"files", "audit", "seal"}
"""What publishing adds to a manifest."""


@dataclass(frozen=True)
class Rollback:
    """What a rollback did.

    Attributes:
        version: The new version, which is current now.
        copied: The version that it copies.
        left: The version that was current before.
        carried: Rows by table that tell what was sent since, taken from ``left``.
    """

    version: Version
    copied: Version
    left: Version
    carried: dict[str, int]


def roll_back(
    settings: Settings, *, to: str | None = None, reason: str, clock: Clock | None = None
) -> Rollback:
    """Publish a copy of an earlier version.

    A crash leaves the present version or the new one, never a mixture; what was asked for then and
    is asked for again is finished, and goes back no further.

    Args:
        settings: Of the project; name the data folder.
        to: Date or name of a version, see ``find_version``; default: the night before the current.
        reason: Why, in words; kept in the manifest and the audit log.
        clock: For the moment that is noted.

    Raises:
        ConfigError: There is no such version, or it is the current one, or no reason is given.
        WarehouseError: The version's files are not what was published.
        LockedError: A run holds the data folder.
    """
    if not reason.strip():
        raise ConfigError(
            "a rollback needs a reason", where="--reason", hint="Say why, in a few words."
        )
    paths = DataPaths.of_settings(settings)
    with hold_lock(paths.lock, "rollback"):
        refuse_beside_living(paths, clock=clock)
        begun = _published_before(paths, to)
        if begun:
            note(settings, Deed("rollback", f"{begun.version.name}, to its end", why=reason))
            finish_publication(settings, paths)
            recover(paths)
            return begun
        recover(paths)
        clear_dead_work(paths)
        left, copied = _choose(paths, to)
        wrong = verify(copied)
        if wrong:
            raise WarehouseError(
                f"{copied.name} cannot be published again: {wrong[0]}",
                where=str(copied.path),
                hint="Choose another version: `cdp status` lists them.",
            )
        at = (clock or Clock()).now().isoformat(timespec="seconds")
        noted = {"to": copied.name, "from": left.name, "who": operating_user(), "at": at}
        noted["why"] = reason.strip()
        name, carried = _publish_copy(settings, copied, left, noted, asked=to)
    return Rollback(parse_version(paths.versions / name), copied, left, carried)


def _publish_copy(
    settings: Settings, copied: Version, left: Version, noted: dict[str, str], *, asked: str | None
) -> tuple[str, dict[str, int]]:
    """Make a copy current; return its name, and rows by table of what was sent since."""
    paths = DataPaths.of_settings(settings)
    name, build = next_build(paths, copied.business_date)
    carried = _copy(paths, copied, left, build, settings)
    deed = Deed("rollback", f"{left.name} to {copied.name}, as {name}", why=noted["why"])
    note(settings, deed)
    rows = _count(build, carried, settings)
    begun = {"asked": asked, "version": name, "copied": copied.name, "left": left.name}
    write_json(paths.rolling_back, {**begun, "carried": carried})
    publish_build(settings, paths, build, _describe(copied, name, noted, rows))
    paths.rolling_back.unlink()  # the last that is done: whoever dies before has not ended
    return name, carried


def _published_before(paths: DataPaths, to: str | None) -> Rollback | None:
    """Return the same rollback if it was begun and died once readers had its version."""
    begun, current = read_json(paths.rolling_back), current_version(paths)
    if current is None or (begun.get("version"), begun.get("asked")) != (current.name, to):
        return None
    copied, left = (parse_version(paths.versions / begun[name]) for name in ("copied", "left"))
    return Rollback(current, copied, left, begun["carried"])


def _describe(
    copied: Version, name: str, noted: dict[str, str], carried: dict[str, int]
) -> dict[str, Any]:
    """Return the manifest of the new version, without what publishing adds to it."""
    old = {key: value for key, value in copied.manifest.items() if key not in _ADDED}
    rows = {**old.get("rows", {}), **carried}
    if "mirror" in old:  # a later night must not take such a table's file for the copied one's
        months = old["mirror"].get("months", {})
        kept = {table: found for table, found in months.items() if table not in carried}
        old["mirror"] = {**old["mirror"], "months": kept}
    return {**old, "version": name, "rows": rows, "rollback": noted}


def _choose(paths: DataPaths, to: str | None) -> tuple[Version, Version]:
    """Return the current version and the one to copy."""
    current = current_version(paths)
    if current is None:
        raise ConfigError(
            "nothing has been published yet",
            where=str(paths.current),
            hint="Run `cdp run` (or `cdp demo`) first.",
        )
    if to is None:
        earlier = find_lineage(published_versions(paths))[:-1]
        if not earlier:
            raise ConfigError(
                f"no night before {current.business_date} is kept",
                where=str(paths.versions),
                hint="`cdp status` lists the versions; name one with --to.",
            )
        return current, earlier[-1]
    chosen = find_version(paths, to)
    if chosen == current:
        raise ConfigError(
            f"{chosen.name} is the current version already",
            where="--to",
            hint="`cdp status` lists the versions; a version that was left is reached by name.",
        )
    return current, chosen


def _copy(
    paths: DataPaths, copied: Version, left: Version, build: Path, settings: Settings
) -> dict[str, int]:
    """Gather the new version: hard links, but for what tells what was sent since."""
    paths.ensure(build)
    for path in sorted(copied.path.rglob("*")):
        target = build / path.relative_to(copied.path)
        if path.is_dir():
            target.mkdir(mode=path.stat().st_mode & 0o777)
        elif path.name != MANIFEST_FILE:
            os.link(path, target)
    return _carry_sent(copied, left, build, settings)


def _carry_sent(copied: Version, left: Version, build: Path, settings: Settings) -> dict[str, int]:
    """Give the new version the tables of what was sent, if they differ; return rows by table."""
    database = build / DATABASE_FILE
    con = connect(settings.engine)
    try:
        attach_whole(con, left.path / DATABASE_FILE, "left_db", settings.keys)
        attach_whole(con, copied.path / DATABASE_FILE, "copied", settings.keys)
        missing = {table: _count_missing(con, table) for table in SENT_TABLES}
        carried = {table: rows for table, rows in missing.items() if rows}
        personal = {table for table in carried if file_of(build, table).is_file()}
        key = read_vault_key(build / VAULT, settings.keys)
        for table in sorted(personal):
            write_personal(con, _rows_of(con, table), build, table, key, SENT_TABLES[table])
        if carried.keys() == personal:
            return carried
        database.unlink()  # it is a hard link: the old version must not change
        shutil.copyfile(copied.path / DATABASE_FILE, database)
        con.execute(
            f"attach {quote_literal(str(database))} as cdp (storage_version '{STORAGE_VERSION}')"
        )
        con.execute("use cdp")
        for table in sorted(carried.keys() - personal):
            _fill(con, table)
            _parquet_of(build, table).unlink(missing_ok=True)  # a hard link as well
            copy_table(con, table, build / FOLDER, order=SENT_TABLES[table])
        con.execute("checkpoint cdp")
    finally:
        con.close()
    return carried


def _parquet_of(build: Path, table: str) -> Path:
    schema, name = table.split(".")
    return build / FOLDER / schema / f"{name}.parquet"


def _count_missing(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return how many rows of the version that is left the copy lacks or has otherwise."""
    if not all(has_table(con, table, catalog=name) for name in ("copied", "left_db")):
        return 0
    columns = _shared_columns(con, table)
    return int(
        fetch_value(
            con,
            f"select count(*) from (select {columns} from left_db.{table} "  # noqa: S608 - own names
            f"except select {columns} from copied.{table})",
        )
    )


def _shared_columns(con: duckdb.DuckDBPyConnection, table: str) -> str:
    held = describe(con, f"left_db.{table}")
    return ", ".join(quote_column(c) for c in describe(con, f"copied.{table}") if c in held)


def _rows_of(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return SQL of a table of the version that is left, with the columns of the copy."""
    shared = _shared_columns(con, table)
    empty = f"from copied.{table} limit 0"
    return f"select * from (({empty}) union all by name select {shared} from left_db.{table})"  # noqa: S608 - own names


def _fill(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Fill a table of the copy with the rows of the version that is left, in the order of its key.

    The rows of that version hold all of the earlier one, under the ids that people had last.
    """
    columns = _shared_columns(con, table)
    order = ", ".join(quote_column(column) for column in SENT_TABLES[table])
    con.execute(f"delete from cdp.{table}")  # noqa: S608 - own names
    con.execute(
        f"insert into cdp.{table} ({columns}) "  # noqa: S608 - own names
        f"select {columns} from left_db.{table} order by {order}"
    )


def _count(build: Path, carried: dict[str, int], settings: Settings) -> dict[str, int]:
    """Return the rows of the tables that were carried."""
    con = connect(settings.engine)
    try:
        attach_whole(con, build / DATABASE_FILE, "whole", settings.keys)
        return {
            table: int(fetch_value(con, f"select count(*) from whole.{table}"))  # noqa: S608 - own names
            for table in carried
        }
    finally:
        con.close()
