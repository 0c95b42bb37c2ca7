"""From declared checks to Great Expectations suites: one check, one expectation.

``project.predicates`` says what a check means in SQL; this module says it to Great Expectations,
which judges. A kind without an expectation is an error, never skipped. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
from great_expectations.expectations.core.expect_column_value_lengths_to_be_between import (
    ExpectColumnValueLengthsToBeBetween,
)
from great_expectations.expectations.core.expect_column_values_to_be_between import (
    ExpectColumnValuesToBeBetween,
)
from great_expectations.expectations.core.expect_column_values_to_be_in_set import (
    ExpectColumnValuesToBeInSet,
)
from great_expectations.expectations.core.expect_column_values_to_be_unique import (
    ExpectColumnValuesToBeUnique,
)
from great_expectations.expectations.core.expect_column_values_to_match_regex import (
    ExpectColumnValuesToMatchRegex,
)
from great_expectations.expectations.core.expect_column_values_to_not_be_null import (
    ExpectColumnValuesToNotBeNull,
)
from great_expectations.expectations.core.expect_compound_columns_to_be_unique import (
    ExpectCompoundColumnsToBeUnique,
)
from great_expectations.expectations.core.expect_table_row_count_to_be_between import (
    ExpectTableRowCountToBeBetween,
)
from great_expectations.expectations.core.unexpected_rows_expectation import (
    UnexpectedRowsExpectation,
)
from great_expectations.expectations.expectation import Expectation

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
        view: Temporary view over what is checked.
        columns: Its columns and their DuckDB types.
        where: Declaring file, for messages.
    """

    suite: str
    view: str
    columns: Mapping[str, str]
    where: str

    def column_of(self, check: Check, name: str | None = None) -> tuple[str, str]:
        """Return the name and DuckDB type of a checked column; by default ``check.column``.

        Raises:
            ConfigError: There is no such column.
        """
        name = name or check.column or ""
        if name not in self.columns:
            raise ConfigError(
                f"check {check.rule!r} names column {name!r}, which {self.suite} lacks",
                where=self.where,
                hint=f"It has: {', '.join(self.columns)}.",
            )
        return name, self.columns[name]


def build_suite(subject: Subject, checks: Sequence[Check]) -> gx.ExpectationSuite:
    """Return a suite with one expectation per check, in the checks' order.

    Raises:
        ConfigError: A check names an unknown column, kind or value.
    """
    expectations = [build_expectation(check, subject) for check in checks]
    return gx.ExpectationSuite(name=subject.suite, expectations=expectations)


def build_expectation(check: Check, subject: Subject) -> Expectation:
    """Return the expectation that means what the check means.

    Its ``meta`` holds ``rule``, ``kind``, ``columns`` and ``severity`` in our words.

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
    meta = {
        "rule": check.rule,
        "kind": check.expect,
        "columns": ", ".join(unique_columns(check)),
        "severity": str(check.severity),
    }
    return make(check, subject, {"severity": SEVERITIES[check.severity], "meta": meta})


Options = dict[str, Any]


def _not_null(check: Check, subject: Subject, options: Options) -> Expectation:
    name, _ = subject.column_of(check)
    return ExpectColumnValuesToNotBeNull(column=name, mostly=check.mostly, **options)


def _unique(check: Check, subject: Subject, options: Options) -> Expectation:
    names = [subject.column_of(check, name)[0] for name in unique_columns(check)]
    if len(names) == 1:
        return ExpectColumnValuesToBeUnique(column=names[0], mostly=check.mostly, **options)
    # Rows that miss part of a key are left to not_null: engines differ on comparing NULLs.
    return ExpectCompoundColumnsToBeUnique(
        column_list=names,
        ignore_row_if="any_value_is_missing",
        mostly=check.mostly,
        **options,
    )


def _in_set(check: Check, subject: Subject, options: Options) -> Expectation:
    name, column_type = subject.column_of(check)
    values = [typed_value(value, column_type, where=subject.where) for value in check.values]
    return ExpectColumnValuesToBeInSet(
        column=name, value_set=values, mostly=check.mostly, **options
    )


def _between(check: Check, subject: Subject, options: Options) -> Expectation:
    name, column_type = subject.column_of(check)
    limits = _limits(check, column_type)
    return ExpectColumnValuesToBeBetween(column=name, mostly=check.mostly, **limits, **options)


def _matches(check: Check, subject: Subject, options: Options) -> Expectation:
    name, _ = subject.column_of(check)
    return ExpectColumnValuesToMatchRegex(
        column=name, regex=checked_pattern(check), mostly=check.mostly, **options
    )


def _length_between(check: Check, subject: Subject, options: Options) -> Expectation:
    name, column_type = subject.column_of(check)
    if not column_type.lower().startswith("varchar"):
        return _rows(row_predicate(check, column_type), check, options)
    limits = _limits(check, "bigint")
    return ExpectColumnValueLengthsToBeBetween(
        column=name, mostly=check.mostly, **limits, **options
    )


def _true(check: Check, subject: Subject, options: Options) -> Expectation:
    vetted = vet_predicate(check.where or "", columns=subject.columns, where=subject.where)
    return _rows(f"({vetted} is not false)", check, options)


def _row_count_between(check: Check, _: Subject, options: Options) -> Expectation:
    return ExpectTableRowCountToBeBetween(**_limits(check, "bigint"), **options)


def _exists_in(check: Check, subject: Subject, options: Options) -> Expectation:
    column = quoted(subject.column_of(check)[0])
    parts = (check.table or "").split(".")
    if len(parts) != _EXISTS_IN_PARTS:
        raise ConfigError(
            f"check {check.rule!r}: `table: {check.table}` is not schema.table.column",
            where=subject.where,
            hint="Write for example `table: core.dim_product.sku`.",
        )
    schema, table, key = (quoted(part) for part in parts)
    known = f"select {key} from {schema}.{table} where {key} is not null"  # noqa: S608 - identifiers quoted
    return _rows(f"({column} is null or {column} in ({known}))", check, options)


def _limits(check: Check, column_type: str) -> dict[str, Any]:
    lowest, highest = bounds(check, column_type)
    return {"min_value": lowest, "max_value": highest}


def _rows(predicate: str, check: Check, options: Options) -> Expectation:
    """Return the expectation that no row breaks a predicate.

    The query selects a constant: what stands in the rows never enters Great Expectations.
    """
    query = f"select 1 as unexpected from {{batch}} where not {_escape(predicate)}"  # noqa: S608 - vetted
    if check.mostly < 1:
        # A window over the whole table would say the same a hundred times slower.
        share = f"avg(case when {_escape(predicate)} then 0 else 1 end)"
        query += f" and (select {share} > {1 - check.mostly:f} from {{batch}})"  # noqa: S608 - vetted
    return UnexpectedRowsExpectation(unexpected_rows_query=query, **options)


def _escape(sql: str) -> str:
    # Great Expectations fills {batch} with str.format, SQLAlchemy reads :name as a parameter.
    return sql.replace("{", "{{").replace("}", "}}").replace(":", "\\:")


_MAKERS: dict[str, Callable[[Check, Subject, Options], Expectation]] = {
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
