"""Running suites: one Great Expectations context, data source and checkpoint for a gate.

Stores live in memory and results carry counts only. A check that cannot be evaluated is an error
and is never taken for a pass. What results mean for the night is ``quality.gate``'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import great_expectations as gx
from great_expectations.core import ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource, TableAsset

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.project.checks import Check
from cdp_pipeline.quality.dialect import lend
from cdp_pipeline.quality.results import CheckResult, Stage
from cdp_pipeline.quality.suites import Subject, build_suite
from cdp_pipeline.storage.warehouse import describe, fetch_value, quote_column

COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
"""The one result format that keeps counts and drops every value (Great Expectations #8780)."""

WHOLE_TABLE = "all"
"""Name of the only batch of each table."""

Plan = tuple[Subject, Sequence[Check]]
"""Something to check, and its checks."""

_TEXTS_WITHOUT_VALUES = ("Binder Error", "Catalog Error", "Parser Error")


class Checkpoints:
    """Checkpoints over tables of one DuckDB connection; made by ``open_checkpoints``."""

    def __init__(
        self,
        context: AbstractDataContext,
        con: duckdb.DuckDBPyConnection,
        url: str,
        *,
        business_date: date,
    ) -> None:
        """Keep the context and the URL under which SQLAlchemy finds the connection."""
        self.context = context
        self._con = con
        self._url = url
        moment = datetime(business_date.year, business_date.month, business_date.day, tzinfo=UTC)
        self._run_id = gx.RunIdentifier(run_name=business_date.isoformat(), run_time=moment)

    def look_at(self, suite: str, select: str, *, where: str) -> Subject:
        """Put a temporary view over a SELECT and return it as something to check.

        Great Expectations reads views only: it wants no schemas in table names.

        Args:
            suite: Name of the suite to come.
            select: What is checked, from ``from`` clauses with quoted names.
            where: Declaring file, for messages.
        """
        view = f"checked_{suite.replace('.', '__')}"
        self._con.execute(f"create or replace temporary view {quote_column(view)} as {select}")
        return Subject(suite, view, describe(self._con, view), where)

    def run(self, plans: Sequence[Plan], *, stage: Stage) -> list[CheckResult]:
        """Run all checks of all subjects as one checkpoint; once for each opening.

        Args:
            plans: Subjects as ``look_at`` returned them, each with at least one check.
            stage: Gate named in the results; names the checkpoint.

        Returns:
            One result per check, in no particular order; none without subjects.

        Raises:
            ConfigError: A check does not fit its subject.
            DataQualityError: A check could not be evaluated.
        """
        if not plans:
            return []
        suites = [build_suite(subject, checks) for subject, checks in plans]
        source = self._register([subject for subject, _ in plans])
        definitions = [
            gx.ValidationDefinition(
                name=suite.name,
                data=source.get_asset(suite.name).get_batch_definition(WHOLE_TABLE),
                suite=self.context.suites.add(suite),
            )
            for suite in suites
        ]
        checkpoint = gx.Checkpoint(
            name=stage,
            validation_definitions=[
                self.context.validation_definitions.add(d) for d in definitions
            ],
            result_format=COUNTS_ONLY,
        )
        outcome = self.context.checkpoints.add(checkpoint).run(run_id=self._run_id)
        validations = {v.suite_name: v for v in outcome.run_results.values()}
        return [
            _read_result(result, subject, stage=stage, rows=rows)
            for subject, _ in plans
            for rows in [self._count(subject)]
            for result in validations[subject.suite].results
        ]

    def _register(self, subjects: Sequence[Subject]) -> SQLDatasource:
        """Make the connection the context's data source, with one asset for each subject.

        All at once: the context writes its whole configuration anew for each asset that is added
        to a source it has already.
        """
        assets = [
            TableAsset(
                name=subject.suite,
                table_name=subject.view,
                batch_definitions=[BatchDefinition(name=WHOLE_TABLE)],
            )
            for subject in subjects
        ]
        source = SQLDatasource(name="duckdb", connection_string=self._url, assets=assets)
        return self.context.data_sources.add_sql(source)

    def _count(self, subject: Subject) -> int:
        view = quote_column(subject.view)
        return int(fetch_value(self._con, f"select count(*) from {view}"))  # noqa: S608 - quoted


@contextmanager
def open_checkpoints(
    con: duckdb.DuckDBPyConnection, *, business_date: date, docs: Mapping[str, Any] | None = None
) -> Iterator[Checkpoints]:
    """Make a context without files, analytics or progress bars, and yield its checkpoints.

    Args:
        con: Connection to read from; lent until the context closes.
        business_date: Names the run and stands for its time in every result.
        docs: Data Docs sites, as ``quality.docs`` describes them; default: none.
    """
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        data_docs_sites=dict(docs or {}),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    with lend(con, f"loan{id(con)}") as url:
        context = gx.get_context(mode="ephemeral", project_config=config)
        yield Checkpoints(context, con, url, business_date=business_date)


def _read_result(
    result: ExpectationValidationResult, subject: Subject, *, stage: Stage, rows: int
) -> CheckResult:
    config = result.expectation_config
    if config is None:
        raise DataQualityError("a result without its expectation", where=subject.where)
    meta, counts = config.meta, result.result or {}
    problem = _find_exception(result.exception_info or {})
    if problem is not None:
        raise DataQualityError(
            f"{subject.suite}: rule {meta['rule']!r} could not be evaluated: {problem}",
            where=subject.where,
            hint="Mend the check, or the type of the column it names.",
        )
    evaluated = int(counts.get("element_count", rows))
    unexpected = counts.get("unexpected_count", counts.get("observed_value", 0))
    if meta["kind"] == "row_count_between":
        unexpected = _rows_outside(rows, config.kwargs)
    return CheckResult(
        suite=subject.suite,
        rule=meta["rule"],
        stage=stage,
        kind=meta["kind"],
        columns=meta["columns"],
        severity=meta["severity"],
        success=bool(result.success),
        evaluated_rows=evaluated,
        unexpected_rows=int(unexpected or 0),  # GX leaves it out on empty tables
    )


def _rows_outside(rows: int, limits: Mapping[str, Any]) -> int:
    lowest, highest = limits.get("min_value"), limits.get("max_value")
    too_few = max(0, int(lowest) - rows) if lowest is not None else 0
    too_many = max(0, rows - int(highest)) if highest is not None else 0
    return too_few + too_many


def _find_exception(info: Mapping[str, Any]) -> str | None:
    """Return what went wrong, without the values that database errors quote."""
    entries = [info, *(entry for entry in info.values() if isinstance(entry, Mapping))]
    for entry in entries:
        if entry.get("raised_exception"):
            text = str(entry.get("exception_message") or "")
            known = [
                line for line in text.splitlines() if any(t in line for t in _TEXTS_WITHOUT_VALUES)
            ]
            return known[0].strip() if known else "the database refused the query"
    return None
