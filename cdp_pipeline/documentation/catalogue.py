"""Every table and column of a project, what each is made of and where it goes.

Edges come from the SQL (columns), from the feeds of contracts (columns) and, for tables that Python
makes, from what their steps read (tables). No data is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.orchestration.graph import Step, StepGraph
from cdp_pipeline.orchestration.steps import nightly_graph
from cdp_pipeline.project.column_lineage import Columns, Origin, trace_columns, trace_expression
from cdp_pipeline.project.contracts import PSEUDO_COLUMNS, SourceContract
from cdp_pipeline.project.lineage import find_tables
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.warehouse.build import plan_layer
from cdp_pipeline.warehouse.rehearsal import SQL_LAYERS
from cdp_pipeline.warehouse.rendering import Base, RenderValues

SOURCE = "source"
"""Pseudo schema of delivered files: the columns of ``source.pos_sales`` are its contract's."""

STAGING = "staging"
STAGED = "staged."
"""Beginning of the names of data sets that hold one source's rows."""

BUILD_ENTRY = "cdp_pipeline.warehouse.build:run"
FEATURES_TABLE = "features.customer_features"


@dataclass
class TableEntry:
    """One table and its place in the whole.

    Attributes:
        name: ``schema.table``.
        spec: Its declaration.
        step: Step of the night that makes it; empty if none does.
        reads: Tables and sources it is made of, in name order.
        reads_before: Tables of the night before that it carries on.
        read_by: Tables made of it.
        origins: What each column is made of; empty for tables that Python makes.
        select: The SQL with its values filled in; empty for tables that Python makes.
    """

    name: str
    spec: TableSpec
    step: str = ""
    reads: tuple[str, ...] = ()
    reads_before: tuple[str, ...] = ()
    read_by: tuple[str, ...] = ()
    origins: Columns = field(default_factory=dict)
    select: str = ""

    @property
    def schema(self) -> str:
        """Layer."""
        return self.name.split(".")[0]


@dataclass
class Catalogue:
    """All tables by ``schema.table``, and the columns that columns go into."""

    project: Project
    settings: Settings
    graph: StepGraph
    tables: dict[str, TableEntry]
    uses: dict[Origin, tuple[Origin, ...]] = field(default_factory=dict)

    def sources_of(self, origin: Origin) -> tuple[Origin, ...]:
        """Return the outermost columns that a column comes from, in name order.

        Those are columns of delivered files, and columns of tables that a Python step makes, where
        the trace by column ends.
        """
        found: set[Origin] = set()
        seen: set[Origin] = set()
        waiting = [origin]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            entry = self.tables.get(current[0])
            before = entry.origins.get(current[1], frozenset()) if entry else frozenset()
            if before:
                waiting += before
            elif current != origin:
                found.add(current)
        return tuple(sorted(found))


def build_catalogue(project: Project, settings: Settings, business_date: date) -> Catalogue:
    """Return every table of a project with its lineage.

    Args:
        project: The declarations.
        settings: Values for the Jinja of models.
        business_date: Night shown in the SQL.

    Raises:
        ConfigError: A model is not one SELECT.
        WarehouseError: The Jinja of a model is wrong.
    """
    entries = {f"{STAGING}.{name}": spec for name, spec in project.entities.items()}
    entries |= project.tables
    tables = {name: TableEntry(name, spec) for name, spec in entries.items()}
    graph = nightly_graph(project.root)
    catalogue = Catalogue(project, settings, graph, tables)
    makers = _add_models(catalogue, business_date)
    _add_python_tables(catalogue, makers)
    _add_feeds(catalogue)
    _turn_around(catalogue)
    return catalogue


def column_names(catalogue: Catalogue) -> dict[str, list[str]]:
    """Return the columns of every table and of every source."""
    names = {name: list(entry.spec.header.columns) for name, entry in catalogue.tables.items()}
    for source, contract in catalogue.project.sources.items():
        names[f"{SOURCE}.{source}"] = contract_columns(contract)
    return names


def contract_columns(contract: SourceContract) -> list[str]:
    """Return what feeds of a contract may speak of: its columns, joined ones, and the file's."""
    joined = [name for join in contract.join for name in join.columns]
    return [*contract.columns, *joined, *PSEUDO_COLUMNS]


def _add_models(catalogue: Catalogue, business_date: date) -> dict[str, set[str]]:
    """Trace every SQL model; return the tables that each building step makes."""
    project, settings = catalogue.project, catalogue.settings
    values = RenderValues(business_date, settings, tuple(project.sources), Base(project.tables))
    names = column_names(catalogue)
    selects: dict[str, str] = {}
    for layer in SQL_LAYERS:
        selects |= {s.full_name: text for s, text in plan_layer(project, layer, values)}
    for name, select in selects.items():
        entry = catalogue.tables[name]
        entry.select = select.strip()
        where, line = str(entry.spec.path), entry.spec.sql_line
        entry.reads = find_tables(select, where=where, first_line=line)
        entry.origins = trace_columns(select, names, where=where, first_line=line).columns
    makers: dict[str, set[str]] = {}
    for step in catalogue.graph.order:
        if step.entry == BUILD_ENTRY:
            makers[step.name] = _models_of(project, step, values)
    return makers


def _models_of(project: Project, step: Step, values: RenderValues) -> set[str]:
    """Return the models that a step builds: those of its layer, or of one of its two rounds."""
    layer, rest = str(step.params["layer"]), bool(step.params.get("rest", False))
    return {spec.full_name for spec, _ in plan_layer(project, layer, values, rest=rest)}


def _add_python_tables(catalogue: Catalogue, makers: dict[str, set[str]]) -> None:
    for name, entry in catalogue.tables.items():
        if entry.spec.header.made_by:
            makers.setdefault(entry.spec.header.made_by, set()).add(name)
    for step_name, made in makers.items():
        for name in made:
            catalogue.tables[name].step = step_name
    by_data_set = {data_set: step.name for step in catalogue.graph.order for data_set in step.makes}
    for entry in catalogue.tables.values():
        step = catalogue.graph.steps.get(entry.step)
        if step is not None and not entry.select and entry.schema != STAGING:
            entry.reads = tuple(sorted(_read_by_step(step, by_data_set, makers) - {entry.name}))


def _read_by_step(
    step: Step, by_data_set: Mapping[str, str], makers: Mapping[str, set[str]]
) -> set[str]:
    """Return the tables behind the data sets that a step reads."""
    found: set[str] = set()
    for data_set in step.reads:
        made = makers.get(by_data_set[data_set], set())
        if data_set.startswith(STAGED):
            found.add(f"{SOURCE}.{data_set.removeprefix(STAGED)}")
        else:
            found |= {data_set} if data_set in made else made
    return found


def _add_feeds(catalogue: Catalogue) -> None:
    feeds: dict[str, dict[str, set[Origin]]] = {}
    for source, contract in catalogue.project.sources.items():
        table, names = f"{SOURCE}.{source}", contract_columns(contract)
        for feed in contract.feeds:
            columns = feeds.setdefault(f"{STAGING}.{feed.entity}", {})
            for column, expression in feed.columns.items():
                where = str(catalogue.project.path_of("source", source))
                traced = trace_expression(expression, table, names, where=where)
                columns.setdefault(column, set()).update(traced.columns["value"])
    for name, columns in feeds.items():
        entry = catalogue.tables[name]
        entry.origins = {
            column: frozenset(columns.get(column, ())) for column in entry.spec.header.columns
        }
        entry.reads = _sources_feeding(catalogue.project, name)


def _sources_feeding(project: Project, entity: str) -> tuple[str, ...]:
    return tuple(
        f"{SOURCE}.{source}"
        for source, contract in sorted(project.sources.items())
        if any(f"{STAGING}.{feed.entity}" == entity for feed in contract.feeds)
    )


def _turn_around(catalogue: Catalogue) -> None:
    """Fill in the other direction of every edge."""
    read_by: dict[str, set[str]] = {}
    uses: dict[Origin, set[Origin]] = {}
    for name, entry in catalogue.tables.items():
        before = {read for read in entry.reads if read.startswith("base.")}
        entry.reads_before = tuple(sorted(read.removeprefix("base.") for read in before))
        entry.reads = tuple(sorted(set(entry.reads) - before - {name}))
        entry.origins = {
            column: _of_tonight(origins, name) for column, origins in entry.origins.items()
        }
        for read in entry.reads:
            read_by.setdefault(read, set()).add(name)
        for column, origins in entry.origins.items():
            for origin in origins:
                uses.setdefault(origin, set()).add((name, column))
    for name, readers in read_by.items():
        if name in catalogue.tables:
            catalogue.tables[name].read_by = tuple(sorted(readers))
    catalogue.uses = {origin: tuple(sorted(found)) for origin, found in uses.items()}


def _of_tonight(origins: Iterable[Origin], name: str) -> frozenset[Origin]:
    """Return origins without yesterday's rows of the same table, and those of others as theirs."""
    plain = {(table.removeprefix("base."), column) for table, column in origins}
    return frozenset((table, column) for table, column in plain if table != name)
