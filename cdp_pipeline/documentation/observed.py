"""What the published warehouse shows: rows, types, newest days, examples, figures of models.

Examples never single anybody out: columns with personal data have none, and of a table about people
only values are shown that as many share as ``settings.privacy.smallest_count`` asks for; smaller
counts of people are withheld, as in reports. Large tables are sampled from their start, so
that the cost does not grow with the store and the same file gives the same examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import duckdb

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.privacy.small_counts import is_small
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.reporting.segment_sizes import withhold_sizes
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.versions import MANIFEST_FILE
from cdp_pipeline.storage.warehouse import (
    fetch_dicts,
    open_whole,
    quote_column,
    quote_identifier,
)

SAMPLE_ROWS = 5_000
EXAMPLES = 3
MODEL_ROWS = 40
"""Rows shown of a table about models."""

_LONGEST_EXAMPLE = 40

# All columns at once, a row for each cell: a query for each column would read the table again.
_EXAMPLES = """
with cells as (
    select {who} as who, unnest([{cells}], recursive := true)
    from (select * from {table} limit $sample)
)
select place, value, {people} as held
from cells
where value is not null
group by place, value
having held >= $least
qualify row_number() over (partition by place order by held desc, value) <= $examples
order by place, held desc, value
"""
_TIMES = ("DATE", "TIMESTAMP")


@dataclass
class Observed:
    """What was published last; everything is empty before the first night.

    Attributes:
        version: Name of the version, ``000012-2026-11-20``.
        business_date: Its night.
        fingerprint: Hash of everything that decided its bytes.
        rows: Row count of each published table.
        types: DuckDB type of each column.
        newest: Newest day up to the business date in any column of a table.
        examples: A few values of a column, by table and column.
        deliveries: Rows of ``marts.source_health`` by source.
        segments: Rows of ``segments.definitions`` by segment.
        models: First rows of tables about models, by table.
    """

    version: str = ""
    business_date: date | None = None
    fingerprint: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    newest: dict[str, date] = field(default_factory=dict)
    examples: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    deliveries: dict[str, dict[str, Any]] = field(default_factory=dict)
    segments: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def is_about_models(name: str) -> bool:
    """Return whether a table says what models are and how good they have been.

    >>> is_about_models("features.clv_backtest"), is_about_models("core.fct_sales")
    (True, False)
    """
    words = set(name.rpartition(".")[2].split("_"))
    return bool(words & {"model", "backtest", "calibration", "accuracy", "contest", "drift"})


def observe(settings: Settings, tables: Mapping[str, TableSpec]) -> Observed:
    """Read the current version; an empty result if nothing has been published.

    Args:
        settings: Data folder, keys, memory and threads.
        tables: Declared tables by ``schema.table``; others are not looked at.
    """
    link = settings.data_dir / "warehouse" / "current"
    if not link.exists():
        return Observed()
    manifest = read_json(link.resolve() / MANIFEST_FILE)
    seen = Observed(
        version=str(manifest["version"]),
        business_date=date.fromisoformat(str(manifest["business_date"])),
        fingerprint=str(manifest["fingerprint"]),
    )
    smallest = settings.privacy.smallest_count
    with open_whole(settings) as con:
        _read_types(con, tables, seen)
        for name in sorted(seen.types):
            _read_table(con, tables[name], seen, smallest)
        if "marts.source_health" in seen.types:
            health = fetch_dicts(con, "select * from marts.source_health order by source")
            seen.deliveries = {str(row["source"]): row for row in health}
        if "segments.definitions" in seen.types:
            defined = fetch_dicts(con, "select * from segments.definitions order by segment")
            shown = withhold_sizes(
                defined,
                tables["segments.definitions"].header,
                link.resolve(),
                smallest=smallest,
                night=str(manifest["business_date"]),
            )
            seen.segments = {str(row["segment"]): row for row in shown}
    return seen


def _read_types(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, TableSpec], seen: Observed
) -> None:
    rows = con.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns() "
        "where database_name in ('cdp', 'vault') and not internal order by 1, column_index"
    ).fetchall()
    for table, column, sql_type in rows:
        if table in tables:
            seen.types.setdefault(table, {})[column] = sql_type


def _read_table(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, seen: Observed, smallest: int
) -> None:
    name, table = spec.full_name, quote_identifier(spec.full_name)
    moments = [
        quote_column(column)
        for column, sql_type in seen.types[name].items()
        if sql_type.startswith(_TIMES)
    ]
    newest = ", ".join(f"max({moment}) filter ({moment}::date <= $1::date)" for moment in moments)
    select = f"select count(*){', ' if newest else ''}{newest} from {table}"  # noqa: S608 - quoted
    count, *found = con.execute(select, [seen.business_date] if moments else None).fetchall()[0]
    seen.rows[name] = int(count)
    days = [moment.date() if isinstance(moment, datetime) else moment for moment in found if moment]
    if days:
        seen.newest[name] = max(days)
    _read_examples(con, spec, seen, smallest)
    if is_about_models(name) and not spec.header.subject_key:
        # Not by the key: the declarations may be newer than the version.
        first = f"select * from {table} order by all limit {MODEL_ROWS}"  # noqa: S608 - quoted
        seen.models[name] = [
            {
                column: f"<{smallest}"
                if spec.header.counts_people(column) and is_small(value, smallest)
                else value
                for column, value in row.items()
            }
            for row in fetch_dicts(con, first)
        ]


def _read_examples(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, seen: Observed, smallest: int
) -> None:
    name, subject = spec.full_name, spec.header.subject_key
    shown = [
        column
        for column in seen.types[name]
        if column in spec.header.columns
        and column != subject
        and not spec.header.columns[column].pii
    ]
    if not shown or not seen.rows[name] or (subject and subject not in seen.types[name]):
        return
    # Where every row is another person, counting rows counts people.
    is_one_each = not subject or spec.header.key == (subject,)
    cells = ", ".join(
        f"{{'place': {place}, 'value': {_shown_value(spec, column)}}}"
        for place, column in enumerate(shown)
    )
    select = _EXAMPLES.format(
        who=quote_column(subject) if subject else "null",
        cells=cells,
        table=quote_identifier(name),
        people="count(*)" if is_one_each else "count(distinct who)",
    )
    values = {"sample": SAMPLE_ROWS, "least": smallest if subject else 1, "examples": EXAMPLES}
    if any(map(spec.header.counts_people, shown)):
        values["smallest"] = smallest
    rows = con.execute(select, values).fetchall()
    for place, value, _ in rows:
        key = (name, shown[place])
        seen.examples[key] = (*seen.examples.get(key, ()), _shortened(value))


def _shown_value(spec: TableSpec, column: str) -> str:
    """Return SQL of a column's value as text; null for a count of few people."""
    value = f"{quote_column(column)}::varchar"
    if not spec.header.counts_people(column):
        return value
    number = f"abs(try_cast({quote_column(column)} as double))"
    return f"case when {number} = 0 or {number} >= $smallest then {value} end"


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST_EXAMPLE else plain[: _LONGEST_EXAMPLE - 1] + "…"
