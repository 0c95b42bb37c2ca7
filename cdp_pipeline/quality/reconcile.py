"""Conservation between layers: rows, money and people that went in must come out.

One file of ``reconciliation/`` is one rule: a SELECT that returns how many rows it looked at and
how many (or how many groups) do not add up. Its header says why, how severe a failure is and which
tables it reads. Nothing is written, and checks of single tables belong to their headers.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import duckdb
from pydantic import Field

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.checks import Declaration
from cdp_pipeline.project.predicates import literal
from cdp_pipeline.project.yaml_source import parse_model
from cdp_pipeline.quality.results import CheckResult
from cdp_pipeline.storage.warehouse import fetch_value, has_table, quote_identifier

SUITE = "reconciliation"

_FOLDER = Path(__file__).parent / "reconciliation"
_HEADER = re.compile(r"\A/\*\n(?P<yaml>.*?)\*/\n", re.DOTALL)
_PEOPLE = "core.dim_customer"
_LAYERS_OF_PEOPLE = ("core", "features")


class Reconciliation(Declaration):
    """Header of one rule."""

    name: str = Field(description="Name of the rule: the file's stem.")
    description: str = Field(description="What must add up.")
    severity: Severity = Field(default=Severity.STOP, description="What a failure does.")
    reads: tuple[str, ...] = Field(min_length=1, description="Tables that are compared.")


def reconcile(con: duckdb.DuckDBPyConnection, *, business_date: date) -> list[CheckResult]:
    """Return the result of every rule, in rule order.

    Args:
        con: Connection on which the finished warehouse is the current catalog and ``staging`` is
            attached.
        business_date: The night's business day.

    Raises:
        ConfigError: A rule's file has no header.
    """
    results = [_judge(con, path, business_date) for path in sorted(_FOLDER.glob("*.sql"))]
    return results + find_unknown_people(con)


def find_unknown_people(con: duckdb.DuckDBPyConnection) -> list[CheckResult]:
    """Return one result per table of core and features that names customers.

    Every ``customer_id`` must be one of ``core.dim_customer``; tables are found in the catalog, so
    that a new fact is covered on its first night.
    """
    if not has_table(con, _PEOPLE):
        return []
    tables = con.execute(
        "select distinct schema_name || '.' || table_name from duckdb_columns() "
        "where database_name in (current_database(), 'vault') and column_name = 'customer_id' "
        "and schema_name in (select unnest($layers)) "
        "and schema_name || '.' || table_name <> $people order by 1",
        {"layers": list(_LAYERS_OF_PEOPLE), "people": _PEOPLE},
    ).fetchall()
    if not tables:
        return []
    # All tables at once, so that who is known is laid out one time.
    named = " union all ".join(
        f"select {literal(table)} as place, customer_id from {quote_identifier(table)} "  # noqa: S608 - quoted
        "where customer_id is not null"
        for (table,) in tables
    )
    counts = con.execute(
        "select place, count(*), count(*) filter (where people.customer_id is null) "  # noqa: S608 - quoted
        f"from ({named}) as named "
        f"left join (select distinct customer_id from {quote_identifier(_PEOPLE)}) as people "
        "on named.customer_id = people.customer_id group by place"
    ).fetchall()
    found = {place: (evaluated, unexpected) for place, evaluated, unexpected in counts}
    return [
        _result(f"{table}_names_known_people", Severity.STOP, *found.get(table, (0, 0)))
        for (table,) in tables
    ]


def _judge(con: duckdb.DuckDBPyConnection, path: Path, business_date: date) -> CheckResult:
    rule, sql = read_rule(path)
    missing = [table for table in rule.reads if not _exists(con, table)]
    if missing:
        # Nothing went in, nothing comes out; but rows without their counterpart are lost rows.
        lost = sum(_count(con, table) for table in rule.reads if table not in missing)
        return _result(rule.name, rule.severity, lost, lost)
    sql = sql.replace("{{ business_date }}", literal(business_date))
    evaluated, unexpected = con.execute(sql).fetchall()[0]
    return _result(rule.name, rule.severity, evaluated, unexpected)


def read_rule(path: Path) -> tuple[Reconciliation, str]:
    """Return a rule's header and its SELECT.

    Raises:
        ConfigError: The header is missing or wrong.
    """
    text = path.read_text(encoding="utf-8")
    match = _HEADER.match(text)
    if match is None:
        raise ConfigError(
            "a reconciliation begins with a /* header */ in YAML",
            where=f"{path}:1",
            hint="Copy the header of a neighbouring file.",
        )
    rule = parse_model(Reconciliation, match.group("yaml"), path=path, name=path.stem, first_line=2)
    return rule, text[match.end() :]


def _exists(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    schema, name = table.split(".")
    return has_table(con, name, catalog=schema) if schema == "staging" else has_table(con, table)


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(fetch_value(con, f"select count(*) from {quote_identifier(table)}"))  # noqa: S608 - quoted


def _result(
    rule: str, severity: Severity, evaluated: int | None, unexpected: int | None
) -> CheckResult:
    # count_if over no rows is NULL, which here means that nothing failed to add up.
    return CheckResult(
        suite=SUITE,
        rule=rule,
        stage="warehouse",
        kind=SUITE,
        columns="",
        severity=severity,
        success=not unexpected,
        evaluated_rows=int(evaluated or 0),
        unexpected_rows=int(unexpected or 0),
    )
