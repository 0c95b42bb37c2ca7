"""What an erasure tells the next night, so that it makes anew no more than the erased leave behind.

Rows of others may follow from somebody who goes: who is left of a household, what is left of a
visit to the web site. Every model says which of its rows a changed row of an input leads to; the
values at the beginning of these trails are noted here, as the version lost its rows, and the keys
of staged rows. Where and how long they lie is told in ``storage.renewal``. Notes only save work:
what is in doubt about them is settled by deleting them.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.ingest.person_traces import key_columns
from cdp_pipeline.ingest.suppressing import Suppressed
from cdp_pipeline.project.incremental import IncrementalInput
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.rights.looking import look_into
from cdp_pipeline.rights.pending import note_found
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.tables import rows_about
from cdp_pipeline.rights.versions import Keep
from cdp_pipeline.storage.basis import decide, read_basis
from cdp_pipeline.storage.container import size_of
from cdp_pipeline.storage.differences import has_keys_only, note_difference
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import (
    KEYS,
    UNITS,
    Sizes,
    add_rows,
    begin_notes,
    drop_notes,
    end_notes,
    known_erasures,
    note_folders,
)
from cdp_pipeline.storage.versions import Version, current_version, published_versions
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_value,
    has_base_table,
    has_table,
    quote_column,
    quote_identifier,
)
from cdp_pipeline.warehouse.increment import (
    changed_rows,
    leading_rows,
    name_trail,
    unit_parts,
)

_ROWS = "temp.main.renewal_rows"


class Renewing:
    """Notes of one erasure for the next night."""

    def __init__(self, context: RunContext, erasure: str) -> None:
        """Begin them, unless an earlier try of the erasure did."""
        self._context, self._erasure = context, erasure
        self._paths = DataPaths.of(context)
        begin_notes(self._paths, erasure, staged=self._staged(), version=self.version)

    @property
    def version(self) -> str:
        """The newest version, which the next night builds upon."""
        versions = published_versions(self._paths)
        return versions[-1].name if versions else ""

    def note_found(self, notes: str, found: Suppressed) -> None:
        """Write down what a file of deliveries tells, before it is replaced."""
        note_found(self._paths, self._erasure, notes, found.lines, sorted(found.spellings))
        if found.keys is not None:
            self.note_keys(notes.split("/", maxsplit=1)[0], found.keys)

    def note_keys(self, source: str, rows: pa.Table, changed: Collection[str] = ()) -> None:
        """Note the keys of changed rows of a source.

        Args:
            source: The source.
            rows: The rows as they are now, with their keys.
            changed: Columns that have changed. A key among them was another: nothing tells it.
        """
        contract = load_project(self._context.project_root).sources.get(source)
        key = key_columns(contract) if contract else []
        is_told = set(key).isdisjoint(changed) and set(key) <= set(rows.column_names)
        if not is_told:  # nor was the key staged before it was declared
            self._give_up()
        elif key:
            add_rows(self._paths, self._erasure, KEYS, source, rows.select(key))

    def keep_of(self, version: Version) -> Keep | None:
        """Return what writes down the changes of a version: only of the newest are they asked."""
        return self.note_units if version.name == self.version else None

    def note_units(self, con: duckdb.DuckDBPyConnection, changed: Collection[str]) -> None:
        """Note what the newest version's changed rows lead to.

        Args:
            con: Connection with the version (``published``, ``kept``), a copy without the people
                (``cdp``, ``vault``), and ``load_people``.
            changed: Tables that lost something.
        """
        project = load_project(self._context.project_root)
        changed = {*changed, *_identity_inputs(project)}
        _lay_out(con)
        try:
            for spec in project.tables.values():
                if spec.header.incremental and _is_in_both(con, spec.full_name):
                    self._note_model(con, spec, changed)
        finally:
            con.execute("detach base")
            con.execute("detach staging")

    def _note_model(
        self, con: duckdb.DuckDBPyConnection, spec: TableSpec, changed: Collection[str]
    ) -> None:
        plan = spec.header.incremental
        if plan is None:
            return
        units = []
        if spec.full_name in changed:
            rows = note_difference(con, spec.full_name)
            units.append(f"select {unit_parts(plan.unit)} from {rows}")  # noqa: S608 - declared
        for name, entry in plan.inputs.items():
            if name not in changed or has_keys_only(name) or entry.changes_with:
                continue
            if not _is_in_both(con, name):
                continue
            rows = changed_rows(con, name, entry)
            if entry.is_whole:
                self._give_up_over(con, rows)
                continue
            con.execute(f"create or replace temp table renewal_changed as {rows}")
            if not entry.found_in:
                units.append(f"select {unit_parts(entry.unit)} from ({rows})")  # noqa: S608 - declared
            self._note_trails(con, spec, name, entry)
        if units:
            self._note(con, spec.full_name, " union ".join(units))

    def _note_trails(
        self, con: duckdb.DuckDBPyConnection, spec: TableSpec, name: str, entry: IncrementalInput
    ) -> None:
        for step, trail in enumerate(entry.found_in):
            told = ", ".join(quote_column(column) for column in dict.fromkeys(trail.by.values()))
            leading = leading_rows("renewal_changed", trail)
            self._note(con, name_trail(spec.full_name, name, step), f"select {told} from {leading}")  # noqa: S608 - quoted

    def _note(self, con: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
        """Note values, but for those of the people: nothing is left that they lead to."""
        con.execute(
            f"create or replace temp table renewal_rows as select distinct * from ({select})"  # noqa: S608 - own parts
        )
        theirs = [
            f"cast({quote_column(column)} as varchar) in (select id from erased_ids)"  # noqa: S608 - quoted
            for column in describe(con, _ROWS)
        ]
        theirs += filter(None, [rows_about(con, _ROWS)])
        rows = con.sql(
            f"select * from renewal_rows where not coalesce({' or '.join(theirs)}, false) "  # noqa: S608 - quoted
            "order by all"
        ).to_arrow_table()
        if rows.num_rows:
            add_rows(self._paths, self._erasure, UNITS, name, rows)

    def _give_up_over(self, con: duckdb.DuckDBPyConnection, rows: str) -> None:
        """Let the next night make everything anew if there are rows that may change all."""
        if fetch_value(con, f"select count(*) from ({rows})"):  # noqa: S608 - quoted
            self._give_up()

    def _give_up(self) -> None:
        """Let the next night make everything anew: notes that were not begun are not believed."""
        drop_notes(self._paths, [self._erasure])

    def end(self, searcher: Searcher, *, is_proved: bool) -> None:
        """Tell that all is noted, before the erasure is certified.

        Args:
            searcher: Looks for the people: notes were also made after the search of all files.
            is_proved: Whether nothing is left; else somebody mends files, which no note tells of.
        """
        drop_telling(self._context, searcher)
        if not is_proved:
            self._give_up()
            return
        sources = load_project(self._context.project_root).sources.values()
        end_notes(
            self._paths,
            self._erasure,
            self._context.settings.keys,
            staged=self._staged(),
            version=self.version,
            keyless=[contract.name for contract in sources if not key_columns(contract)],
        )

    def _staged(self) -> Sizes:
        """Return rows and bytes of every staged file."""
        found: Sizes = {}
        for path in sorted(self._paths.staging.glob("*/[!.]*.parquet")):
            accepted = read_json(path.with_suffix(".json")).get("accepted", -1)
            found.setdefault(path.parent.name, {})[path.name] = (accepted, size_of(path))
        return found


def drop_telling(context: RunContext, searcher: Searcher) -> None:
    """Delete the notes of any erasure that hold somebody or cannot be looked into.

    An earlier one noted what others were to be made anew, and one of them may go now.

    Args:
        context: Settings; the caller holds the lock.
        searcher: Looks for the people.
    """
    paths = DataPaths.of(context)
    with duckdb.connect() as con:
        for folder in note_folders(paths):
            looked = (
                look_into(con, path, searcher, context.settings.keys, paths.work, figures=True)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            )
            if any(finds or is_broken for finds, is_broken in looked):
                drop_notes(paths, [folder.name])


def drop_known(paths: DataPaths) -> None:
    """Delete notes of erasures that the current version knows: no later night needs them."""
    version = current_version(paths)
    basis = read_basis(version.path if version else None)
    drop_notes(paths, set(basis.erasures if basis else ()) & set(known_erasures(paths)))


def _identity_inputs(project: Project) -> set[str]:
    """Return identity tables that models read: rows of others change there uncounted."""
    plans = [spec.header.incremental for spec in project.tables.values()]
    inputs = {name for plan in plans if plan for name in plan.inputs}
    return {name for name in inputs if name.startswith("identity.")}


def _is_in_both(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    return has_base_table(con, name) and has_table(con, name)


def _lay_out(con: duckdb.DuckDBPyConnection) -> None:
    """Let the version be ``base`` and give changed rows a place, as in the build of a night."""
    con.execute("attach ':memory:' as base")
    con.execute("attach ':memory:' as staging")
    decide(con, "")
    found = con.execute(
        "select database_name, schema_name, name from ("
        "select database_name, schema_name, table_name as name from duckdb_tables() union all "
        "select database_name, schema_name, view_name from duckdb_views() where not internal"
        ") where database_name in ('published', 'kept') order by all desc"
    ).fetchall()
    for catalog, schema, name in found:
        con.execute(f"create schema if not exists base.{quote_identifier(schema)}")
        view = quote_identifier(f"{schema}.{name}")
        con.execute(f"create or replace view base.{view} as from {catalog}.{view}")
