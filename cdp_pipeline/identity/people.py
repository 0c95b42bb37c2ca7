"""The step from scored pairs to people: cluster, keep ids, choose the best values, measure.

One step, since a customer without a golden record would be of use to nobody.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.identity.golden import survivorship
from cdp_pipeline.identity.grouping import cluster
from cdp_pipeline.identity.measuring import quality
from cdp_pipeline.storage.warehouse import open_build, quote_column


def run(context: RunContext) -> StepResult:
    """Resolve customers, build golden records, measure both; the step ``resolve_customers``.

    Returns:
        Person records in, golden records out; records that belong to nobody are set aside.
    """
    with open_build(context, is_compressed=False) as con:
        resolved = cluster.resolve(con, context)
        _drop_temporary(con)
        golden = survivorship.choose_values(con, context)
        _drop_temporary(con)
        measured = quality.measure(con, context)
    return StepResult(
        rows_in=resolved.rows_in,
        rows_out=golden.rows_out,
        rows_set_aside=resolved.rows_set_aside,
        messages=(*resolved.messages, *golden.messages, *measured.messages),
        facts={**resolved.facts, **golden.facts, **measured.facts},
    )


def _drop_temporary(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what one part needed only for itself, and so give back its memory."""
    found = con.execute(
        "select 'view', view_name from duckdb_views() where temporary and not internal "
        "union all select 'table', table_name from duckdb_tables() where temporary order by all"
    ).fetchall()
    for kind, name in found:
        con.execute(f"drop {kind} temp.{quote_column(name)}")
