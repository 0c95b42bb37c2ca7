"""What a destination was last told, so that only differences go out and removals reach it.

A removal carries the identifiers that were sent, hashed or not, since that is how the receiver
knows the person; a person whose identifiers changed is therefore removed under the old ones and
added under the new. Receivers apply ``removed`` before ``added``. Who is in tonight's rows is
decided before, in the temporary table ``export_rows``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.activation.projection import file_columns, identifier_columns
from cdp_pipeline.project.marketing import DestinationSpec
from cdp_pipeline.storage.warehouse import has_base_table, place_of, quote_literal

_COLUMNS = (
    "(destination varchar, segment varchar, customer_id varchar, identifiers varchar, "
    "row_sha256 varchar)"
)

_ADDED = """
select {columns}
from export_rows
where not exists (
    select 1
    from told_before
    where told_before.destination = {destination}
        and told_before.segment = {segment}
        and told_before.identifiers = export_rows.identifiers
        and told_before.row_sha256 = export_rows.row_sha256
)
order by customer_id
"""

_REMOVED = """
select distinct {columns}
from told_before
where destination = {destination}
    and segment = {segment}
    and identifiers not in (select identifiers from export_rows)
order by all
"""

_REMEMBER = """
insert into ops.export_members
select $destination, $segment, customer_id, identifiers, row_sha256
from export_rows
where not $only_known or identifiers in (
    select identifiers from told_before where destination = $destination and segment = $segment
)
order by customer_id
"""


def open_memory(con: duckdb.DuckDBPyConnection) -> None:
    """Lay out what destinations were told before, and ``ops.export_members`` for tonight."""
    con.execute(f"create or replace temp table told_before {_COLUMNS}")
    con.execute(f"create or replace table {place_of(con, 'ops.export_members')} {_COLUMNS}")
    if has_base_table(con, "ops.export_members"):
        con.execute("insert into told_before select * from base.ops.export_members")


def segments_held(con: duckdb.DuckDBPyConnection, spec: DestinationSpec) -> list[str]:
    """Return the segments that a destination holds since an earlier night, in name order."""
    sql = "select distinct segment from told_before where destination = ? order by segment"
    return [row[0] for row in con.execute(sql, [spec.name]).fetchall()]


def added_sql(spec: DestinationSpec, *, segment: str) -> str:
    """Return SQL of tonight's rows that the destination lacks or holds with other values."""
    return _ADDED.format(
        columns=file_columns(spec),
        destination=quote_literal(spec.name),
        segment=quote_literal(segment),
    )


def removed_sql(spec: DestinationSpec, *, segment: str) -> str:
    """Return SQL of the identifiers that the destination holds and must forget."""
    return _REMOVED.format(
        columns=identifier_columns(spec),
        destination=quote_literal(spec.name),
        segment=quote_literal(segment),
    )


def remember(
    con: duckdb.DuckDBPyConnection, spec: DestinationSpec, *, segment: str, only_known: bool
) -> None:
    """Note in ``ops.export_members`` what the destination holds after tonight's files.

    Args:
        con: The build.
        spec: The destination.
        segment: Segment of the files.
        only_known: Nobody was added tonight, so only people told earlier are held.
    """
    values = {"destination": spec.name, "segment": segment, "only_known": only_known}
    con.execute(_REMEMBER, values)
