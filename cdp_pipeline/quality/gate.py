"""The two gates of a night: over what was delivered, and over the finished warehouse.

A check with severity ``stop`` that fails raises, so nothing is published and yesterday's version
stays. A rule that sets rows aside must hold for every accepted row: if it does not, staging and
Great Expectations disagree about the rule, and that stops the night as well. Everything else is
reported. How checks become expectations and how they are run belongs to the neighbouring modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.errors import ConfigError, DataQualityError
from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.checks import ROW_CHECKS, Check
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.quality.checkpoints import Checkpoints, Plan, open_checkpoints
from cdp_pipeline.quality.docs import (
    FIRST_PAGE,
    SITE,
    WAREHOUSE_SITE,
    build_site,
    describe_site,
)
from cdp_pipeline.quality.keys import check_keys, check_uniqueness, is_uniqueness
from cdp_pipeline.quality.reconcile import reconcile
from cdp_pipeline.quality.results import FOLDER, SUMMARY, CheckResult, summarise, write_results
from cdp_pipeline.quality.staged import StagedRows, read_staged
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import (
    VAULT,
    attach_whole,
    connect,
    create_macros,
    quote_identifier,
    quote_literal,
    read_plan,
    use_catalogs,
)

SHOWN_FAILURES = 5
"""Failures named in an error; the rest are counted."""


def run_sources(context: RunContext) -> StepResult:
    """Check tonight's staged rows: one suite per source; the step ``check_sources``.

    Only deliveries that are new tonight are checked. Writes ``quality/sources/<source>.json``,
    ``quality/summary.json`` and the Data Docs site into the run's tree, also when a rule failed.

    Returns:
        Rows looked at; ``facts`` has the number of suites, checks and failed checks, and the first
        page of the Data Docs below the run's tree.

    Raises:
        ConfigError: A check does not fit the staged columns.
        DataQualityError: A stop rule failed, or an accepted row breaks a quarantine rule.
    """
    paths = DataPaths.of(context)
    project = load_project(context.project_root)
    staged = {name: read_staged(paths, name) for name in project.sources}
    skipped = [name for name, rows in staged.items() if not rows.files]
    results: list[CheckResult] = []
    docs = paths.tree / FOLDER / SITE
    with (
        connect(context.settings.engine, spill=paths.ensure(paths.work / "spill")) as con,
        open_checkpoints(
            con, business_date=context.business_date, docs=describe_site(docs)
        ) as checkpoints,
    ):
        create_macros(con, context)
        plans: list[Plan] = []
        for name, rows in staged.items():
            if rows.files:
                results += _check_volume(project.sources[name], rows)
                plans += _plan_source(checkpoints, project, name, rows)
        results += checkpoints.run(plans, stage="sources")
        summaries = summarise(results, skipped=skipped)
        before = paths.current / FOLDER / SITE
        build_site(checkpoints.context, docs, summaries, before=before)
    write_results(
        paths.tree, "sources", results, business_date=context.business_date, skipped=skipped
    )
    _stop_on_failures(project, results, paths.tree)
    notes = [f"{name}: nothing new to check" for name in skipped]
    return _report(results, notes, docs=docs.relative_to(paths.tree))


def run_warehouse(context: RunContext) -> StepResult:
    """Check the finished warehouse before it is published; the step ``audit_warehouse``.

    Every declared table must exist, have a key that is unique and never NULL, and pass the checks
    of its header; rows and money must add up between layers. Reads the database only. Writes
    ``quality/warehouse.json``, ``quality/summary.json`` and a Data Docs site into the run's tree.

    Raises:
        ConfigError: A check does not fit its table.
        DataQualityError: A stop rule failed; the published version stays as it is.
    """
    paths = DataPaths.of(context)
    project = load_project(context.project_root)
    results: list[CheckResult] = []
    docs = paths.tree / FOLDER / WAREHOUSE_SITE
    with (
        connect(context.settings.engine, spill=paths.ensure(paths.work / "spill")) as con,
        open_checkpoints(
            con, business_date=context.business_date, docs=describe_site(docs)
        ) as checkpoints,
    ):
        attach_finished(con, context)
        create_macros(con, context)
        there = _list_made(con)
        made = [spec for spec in project.tables.values() if spec.full_name in there]
        results += [_absent(s) for s in project.tables.values() if s.full_name not in there]
        results += check_keys(con, made)
        for spec in made:
            results += check_uniqueness(con, spec, filter(is_uniqueness, _beside_key(spec)))
        plans = [plan for spec in made for plan in _plan_table(checkpoints, spec)]
        results += checkpoints.run(plans, stage="warehouse")
        before = paths.current / FOLDER / WAREHOUSE_SITE
        build_site(checkpoints.context, docs, summarise(results), before=before)
        results += reconcile(con, business_date=context.business_date)
    write_results(paths.tree, "warehouse", results, business_date=context.business_date)
    _stop_on_failures(project, results, paths.tree)
    return _report(results, [], docs=docs.relative_to(paths.tree))


def attach_finished(con: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Attach the built warehouse, its vault and the entity tables (``staging``), read-only.

    Some tables of the vault are rows of the version before but for a few, which is ``base``.
    """
    paths = DataPaths.of(context)
    base = read_plan(context).get("base_path")
    if base:
        attach_whole(con, Path(base), "base", context.settings.keys)
    con.execute(f"attach {quote_literal(str(paths.build_db))} as cdp (read_only)")
    for path, name in ((paths.vault_db, VAULT), (paths.staging_db, "staging")):
        if path.is_file():
            con.execute(f"attach {quote_literal(str(path))} as {name} (read_only)")
    use_catalogs(con)


def _list_made(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return ``schema.table`` of everything in the finished warehouse and its vault."""
    rows = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where database_name in ($cdp, $vault) union all "
        "select schema_name || '.' || view_name from duckdb_views() "
        "where database_name in ($cdp, $vault)",
        {"cdp": "cdp", "vault": VAULT},
    ).fetchall()
    return frozenset(name for (name,) in rows)


def _plan_source(
    checkpoints: Checkpoints, project: Project, name: str, rows: StagedRows
) -> list[Plan]:
    """Return the checks of tonight's rows of a source; nothing if it declares none."""
    contract, where = project.sources[name], str(project.path_of("source", name))
    checks = contract.all_checks()
    for check in checks:
        if check.expect == "exists_in":
            raise ConfigError(
                f"check {check.rule!r}: a delivery is judged before any table is built",
                where=where,
                hint="Move `exists_in` to the header of the table in sql/ that the rows reach.",
            )
    if not checks:
        return []
    select = _wanted_rows(contract, rows, where=where)
    return [(checkpoints.look_at(name, select, where=where), checks)]


def _wanted_rows(contract: SourceContract, rows: StagedRows, *, where: str) -> str:
    """Return a FROM clause over the staged rows without those that the contract excludes."""
    types = {name: column.sql_type for name, column in contract.columns.items()}
    types |= {"_file": "varchar", "_line": "bigint", "_item": "bigint", "_business_date": "date"}
    types["_file_name"] = "varchar"
    files = ", ".join(quote_literal(str(path)) for path in rows.files)
    names = " ".join(
        f"when {quote_literal(str(path))} then {quote_literal(name)}"
        for path, name in zip(rows.files, rows.names, strict=True)
    )
    named = f"select *, case filename {names} end as _file_name"
    conditions = [
        f"{vet_predicate(exclusion.where, columns=types, where=where)} is not true"
        for exclusion in contract.exclude
    ]
    wanted = " and ".join(conditions) or "true"
    return (
        f"from ({named} from read_parquet([{files}], union_by_name = true, filename = true)) "
        f"where {wanted}"
    )


def _check_volume(contract: SourceContract, rows: StagedRows) -> list[CheckResult]:
    """Return the result of the contract's limits on records, which hold for every delivery."""
    fewest, most = contract.delivery.minimum_rows, contract.delivery.maximum_rows
    too_few = sum(max(0, fewest - records) for records in rows.records)
    too_many = sum(max(0, records - most) for records in rows.records) if most else 0
    limits = [
        ("minimum_rows", Severity.STOP, too_few, fewest > 0),
        ("maximum_rows", Severity.WARN, too_many, most is not None),
    ]
    return [
        CheckResult(
            suite=contract.name,
            rule=rule,
            stage="sources",
            kind="row_count_between",
            columns="",
            severity=severity,
            success=outside == 0,
            evaluated_rows=sum(rows.records),
            unexpected_rows=outside,
        )
        for rule, severity, outside, is_declared in limits
        if is_declared
    ]


def _plan_table(checkpoints: Checkpoints, spec: TableSpec) -> list[Plan]:
    """Return the declared checks that Great Expectations runs on a table; nothing without any."""
    checks = [check for check in _beside_key(spec) if not is_uniqueness(check)]
    if not checks:
        return []
    source = f"from {quote_identifier(spec.full_name)}"
    return [(checkpoints.look_at(spec.full_name, source, where=str(spec.path)), checks)]


def _beside_key(spec: TableSpec) -> list[Check]:
    """Return the declared checks that say more than what every key is held to anyway."""
    return [check for check in spec.header.checks if not _repeats_key(check, spec)]


def _repeats_key(check: Check, spec: TableSpec) -> bool:
    """Return whether a declared check says only what every key is held to anyway."""
    key = spec.header.key
    if check.expect == "not_null":
        return check.column in key
    return check.expect == "unique" and (check.columns or (check.column,)) == key


def _absent(spec: TableSpec) -> CheckResult:
    return CheckResult(
        suite=spec.full_name,
        rule="table_exists",
        stage="warehouse",
        kind="table_exists",
        columns="",
        severity=Severity.STOP,
        success=False,
        evaluated_rows=0,
        unexpected_rows=0,
    )


def _is_disagreement(result: CheckResult) -> bool:
    """Return whether accepted rows break a rule by which staging sets rows aside."""
    sets_aside = result.severity == Severity.QUARANTINE and result.kind in ROW_CHECKS
    return result.stage == "sources" and sets_aside and result.unexpected_rows > 0


def _stop_on_failures(project: Project, results: Sequence[CheckResult], tree: Path) -> None:
    stopping = sorted(r for r in results if r.stops or _is_disagreement(r))
    if not stopping:
        return
    first = stopping[0]
    site = SITE if first.stage == "sources" else WAREHOUSE_SITE
    shown = "; ".join(result.describe() for result in stopping[:SHOWN_FAILURES])
    more = len(stopping) - SHOWN_FAILURES
    text = f"{shown}; and {more} more" if more > 0 else shown
    remedy = "Mend the delivery or the check, then run again; what is published stays."
    if not first.stops:
        remedy = "Staging let rows pass that the gate refuses: please report this as a bug."
    raise DataQualityError(
        f"quality gate failed: {text}",
        where=_declaring_file(project, first),
        hint=f"{remedy} Counts of every rule: {tree / FOLDER / SUMMARY}; as pages: "
        f"{tree / FOLDER / site / FIRST_PAGE}",
    )


def _declaring_file(project: Project, result: CheckResult) -> str:
    if result.stage == "sources":
        return str(project.path_of("source", result.suite))
    spec = project.tables.get(result.suite)
    return str(spec.path) if spec else f"{result.suite}: {result.rule}"


def _report(results: Sequence[CheckResult], notes: Iterable[str], *, docs: Path) -> StepResult:
    failed = sorted(result for result in results if not result.success)
    by_suite: dict[str, int] = {}
    for result in results:
        by_suite[result.suite] = max(by_suite.get(result.suite, 0), result.evaluated_rows)
    rows = sum(by_suite.values())
    return StepResult(
        rows_in=rows,
        rows_out=rows,
        messages=(*(result.describe() for result in failed), *notes),
        facts={
            "suites": len(by_suite),
            "checks": len(results),
            "failed_checks": len(failed),
            "data_docs": str(docs / FIRST_PAGE),
        },
    )
