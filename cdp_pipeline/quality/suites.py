"""From declared checks to Great Expectations suites: one check, one expectation.

``project.predicates`` says what a check means in SQL; this module says it to Great Expectations,
which judges. A kind without an expectation is an error, never skipped. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.project.predicates import (
    bounds,
    checked_pattern,
    quoted,
    row_predicate,
    typed_value,
    unique_columns,
)

SEVERITIES: dict[Severity, str] = {
    Severity.STOP: "critical",
    Severity.QUARANTINE: "warning",
    Severity.WARN: "warning",
}
"""Our severities in Great Expectations' words; ours also stand in an expectation's ``meta``."""

_EXISTS_IN_PARTS = 3


@dataclass(frozen=True)
class Subject:
    """What a suite is about.

    Attributes:
        suite: Name of the suite: a source, or ``schema.table``.
        schema: Schema of the table or view that is read.
        table: The table or view.
        columns: Its columns and their DuckDB types.
        where: Declaring file, for messages.
    """

    suite: str
    schema: str
    table: str
    columns: Mapping[str, str]
    where: str

    def type_of(self, column: str | None, check: Check) -> str:
        """Return the DuckDB type of a checked column.

        Raises:
            ConfigError: There is no such column.
        """
        if column not in self.columns:
            raise ConfigError(
                f"check {check.rule!r} names column {column!r}, which {self.suite} lacks",
                where=self.where,
                hint=f"It has: {', '.join(self.columns)}.",
            )
        return self.columns[column]


def build_suite(subject: Subject, checks: Sequence[Check]) -> gx.ExpectationSuite:
    """Return a suite with one expectation per check, in the checks' order.

    Raises:
        ConfigError: A check names an unknown column, kind or value.
    """
    expectations = [build_expectation(check, subject) for check in checks]
    return gx.ExpectationSuite(name=subject.suite, expectations=expectations)


def build_expectation(check: Check, subject: Subject) -> Any:  # noqa: ANN401 - GX ships no types
    """Return the expectation that means what the check means.

    Its ``meta`` holds ``rule``, ``kind`` and ``severity`` in our words.

    Raises:
        ConfigError: The check names an unknown column, kind or value.
    """
    make = _MAKERS.get(check.expect)
    if make is None:
        raise ConfigError(
            f"check {check.rule!r}: no expectation for kind {check.expect!r}",
            where=subject.where,
            hint=f"Known kinds: {', '.join(sorted(_MAKERS))}.",
        )
    meta = {"rule": check.rule, "kind": check.expect, "severity": str(check.severity)}
    return make(check, subject, {"severity": SEVERITIES[check.severity], "meta": meta})


Options = dict[str, Any]


def _not_null(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    subject.type_of(check.column, check)
    return gxe.ExpectColumnValuesToNotBeNull(column=check.column, mostly=check.mostly, **options)


def _unique(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    names = unique_columns(check)
    for name in names:
        subject.type_of(name, check)
    if len(names) == 1:
        return gxe.ExpectColumnValuesToBeUnique(column=names[0], mostly=check.mostly, **options)
    # Rows that miss part of a key are left to not_null: engines differ on comparing NULLs.
    return gxe.ExpectCompoundColumnsToBeUnique(
        column_list=list(names),
        ignore_row_if="any_value_is_missing",
        mostly=check.mostly,
        **options,
    )


def _in_set(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    column_type = subject.type_of(check.column, check)
    values = [typed_value(v, column_type, where=subject.where) for v in check.values]
    return gxe.ExpectColumnValuesToBeInSet(
        column=check.column, value_set=values, mostly=check.mostly, **options
    )


def _between(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    lowest, highest = bounds(check, subject.type_of(check.column, check))
    return gxe.ExpectColumnValuesToBeBetween(
        column=check.column, min_value=lowest, max_value=highest, mostly=check.mostly, **options
    )


def _matches(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    subject.type_of(check.column, check)
    return gxe.ExpectColumnValuesToMatchRegex(
        column=check.column, regex=checked_pattern(check), mostly=check.mostly, **options
    )


def _length_between(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    column_type = subject.type_of(check.column, check)
    if not column_type.lower().startswith("varchar"):
        return _rows(row_predicate(check, column_type), check, options)
    lowest, highest = bounds(check, "bigint")
    return gxe.ExpectColumnValueLengthsToBeBetween(
        column=check.column, min_value=lowest, max_value=highest, mostly=check.mostly, **options
    )


def _true(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    vetted = vet_predicate(check.where or "", columns=subject.columns, where=subject.where)
    return _rows(f"({vetted} is not false)", check, options)


def _row_count_between(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401, ARG001 - one shape for all makers
    lowest, highest = bounds(check, "bigint")
    return gxe.ExpectTableRowCountToBeBetween(min_value=lowest, max_value=highest, **options)


def _exists_in(check: Check, subject: Subject, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    subject.type_of(check.column, check)
    parts = (check.table or "").split(".")
    if len(parts) != _EXISTS_IN_PARTS:
        raise ConfigError(
            f"check {check.rule!r}: `table: {check.table}` is not schema.table.column",
            where=subject.where,
            hint="Write for example `table: core.dim_product.sku`.",
        )
    schema, table, key = (quoted(part) for part in parts)
    column = quoted(check.column or "")
    known = f"select {key} from {schema}.{table} where {key} is not null"  # noqa: S608 - identifiers quoted
    return _rows(f"({column} is null or {column} in ({known}))", check, options)


def _rows(predicate: str, check: Check, options: Options) -> Any:  # noqa: ANN401 - GX ships no types
    """Return the expectation that no row breaks a predicate.

    The query selects a constant: what stands in the rows never enters Great Expectations.
    """
    query = f"select 1 as unexpected from {{batch}} where not {_escape(predicate)}"  # noqa: S608 - vetted
    if check.mostly < 1:
        query = (
            "select 1 as unexpected from ("  # noqa: S608 - vetted predicate
            f"select {_escape(predicate)} as is_fine, count(*) over () as row_count, "
            f"count(*) filter (where not {_escape(predicate)}) over () as bad_count "
            f"from {{batch}}) where not is_fine and bad_count > {1 - check.mostly:f} * row_count"
        )
    return gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, **options)


def _escape(sql: str) -> str:
    # Great Expectations fills {batch} with str.format, SQLAlchemy reads :name as a parameter.
    return sql.replace("{", "{{").replace("}", "}}").replace(":", "\\:")


_MAKERS: dict[str, Callable[[Check, Subject, Options], Any]] = {
    "not_null": _not_null,
    "unique": _unique,
    "in_set": _in_set,
    "between": _between,
    "matches": _matches,
    "length_between": _length_between,
    "true": _true,
    "row_count_between": _row_count_between,
    "exists_in": _exists_in,
}
