"""What a version rests on besides its data, so that the next night can build upon its tables.

A night may carry rows of the published version forward only if the same declarations, settings and
package would make them again. That is noted beside the version, with the staged files that it read;
the entity rows that tonight's files may have changed are listed in the build's staging catalog.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb

from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.storage.files import read_json, write_json
from cdp_pipeline.storage.idle import MOST_IDLE, measure_idle, write_whole
from cdp_pipeline.storage.warehouse import (
    VAULT,
    connect,
    fetch_value,
    quote_column,
    quote_identifier,
    quote_literal,
)

BASIS_FILE = "basis.json"
CHANGES = "staging.changes"
"""Schema with a table of keys for each entity or table whose changed rows are known."""

_DECISION = f"{CHANGES}._decision"

Staged = dict[str, dict[str, tuple[int, int]]]
"""Rows and bytes of each staged file, by source and file."""


@dataclass(frozen=True)
class Basis:
    """What decides the rows of a version besides its deliveries and its date.

    Attributes:
        package: Version of this package.
        declarations: Hash of all declarations.
        settings: Hash of the settings that matter.
        staged: Staged files that were read.
        erasures: Erasures that had ended by then.
    """

    package: str
    declarations: str
    settings: str
    staged: Staged = field(default_factory=dict)
    erasures: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Note it in a run's tree, which is published with the version."""
        write_json(folder / BASIS_FILE, asdict(self))

    def differs_from(self, base: Basis | None) -> str:
        """Return why tables of a version on another basis cannot be carried forward; or nothing."""
        if base is None:
            return "there is no earlier version that says what it rests on"
        for name, words in _WORDS.items():
            if getattr(self, name) != getattr(base, name):
                return f"{words} since the version it builds upon"
        return ""


_WORDS = {
    "package": "the package has been updated",
    "declarations": "contracts, models or other declarations have changed",
    "settings": "settings have changed",
}


def read_basis(version: Path | None) -> Basis | None:
    """Return what a version rests on; None without a version, or if it does not say."""
    document = read_json(version / BASIS_FILE) if version else {}
    if not document:
        return None
    staged = {
        source: {name: (rows, size) for name, (rows, size) in files.items()}
        for source, files in document["staged"].items()
    }
    erasures = tuple(document.get("erasures", ()))
    return Basis(**{**document, "staged": staged, "erasures": erasures})


def begin_build(build: Path, base: Path | None, carried: Collection[str]) -> None:
    """Begin the night's file: as a copy of the published one, or with nothing.

    Copying costs a fraction of writing the tables again, since nothing is compressed anew. Blocks
    that dropped tables and replaced rows leave idle stay in a copied file, so once they are too
    many of it, the tables that stay are written into a new one.

    Args:
        build: The file; what an earlier try left of it goes.
        base: The published file; None if every table is built anew.
        carried: Tables of it that stay; everything else is dropped.
    """
    for path in (build, build.with_name(f"{build.name}.wal")):
        path.unlink(missing_ok=True)
    # Pages that a dropped table leaves keep its bytes, so a file that ever held people is no base.
    if base is None or not (base.parent / VAULT).is_dir():
        return
    build.parent.mkdir(parents=True, exist_ok=True)
    if measure_idle(base) > MOST_IDLE:
        write_whole(build, base, carried)
        return
    shutil.copyfile(base, build)
    build.chmod(0o640)
    con = connect(EngineSettings())
    try:
        con.execute(f"attach {quote_literal(str(build))} as cdp")
        for kind in ("view", "table"):
            found = con.execute(
                f"select schema_name || '.' || {kind}_name from duckdb_{kind}s() "  # noqa: S608 - fixed
                "where database_name = 'cdp' and not internal order by 1"
            ).fetchall()
            for (name,) in found:
                if kind == "view" or name not in carried:
                    con.execute(f"drop {kind} cdp.{quote_identifier(name)}")
        con.execute("checkpoint cdp")
    finally:
        con.close()


def decide(con: duckdb.DuckDBPyConnection, reason: str) -> None:
    """Note for later steps whether tables are carried forward.

    Args:
        con: Connection to the build.
        reason: Why everything is rebuilt; empty if the night's changes are enough.
    """
    con.execute(f"drop schema if exists {CHANGES} cascade")
    con.execute(f"create schema {CHANGES}")
    con.execute(f"create table {_DECISION} as select ?::varchar as reason", [reason])


def rebuild_reason(con: duckdb.DuckDBPyConnection) -> str:
    """Return why everything is rebuilt tonight; empty if the night's changes are enough."""
    if not has_changes(con, "_decision"):
        return "what has changed was not recorded"
    return str(fetch_value(con, f"select reason from {_DECISION}"))  # noqa: S608 - fixed


def changes_of(table: str) -> str:
    """Return the quoted name of the table with the changed rows of an entity or table."""
    return f"{CHANGES}.{quote_column(table)}"


def has_changes(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Return whether the changed rows of an entity or table are known."""
    return has_staged(con, "changes", table)


def has_staged(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Return whether the staging file has a table, whose name may hold dots."""
    count = fetch_value(
        con,
        "select count(*) from duckdb_tables() where database_name = 'staging' "
        "and schema_name = ? and table_name = ?",
        [schema, table],
    )
    return bool(count)
