"""The step that predicts: value, recommendations, propensities, one after the other.

They are one step because each reads what the one before made and none is worth a retry alone. Each
is trained and tested once a week; on the other nights it only scores.
"""

from __future__ import annotations

import duckdb
from threadpoolctl import threadpool_limits

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.features import clv
from cdp_pipeline.features.profiling import REFUSED, list_refusals
from cdp_pipeline.features.propensity import night as propensity
from cdp_pipeline.features.recommend import night as recommend
from cdp_pipeline.features.registry import read_tonight, write_files
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build, quote_identifier


def run(context: RunContext) -> StepResult:
    """Make all tables of predictions, and a file of each model that serves.

    Returns:
        Rows of all of them, and everything that each has to say.

    Raises:
        DataQualityError: A purchase history is impossible.
        PrivacyError: The consent ledger is missing.
        WarehouseError: A table differs from its header.
    """
    rules = load_project(context.project_root).consent
    # On matrices as small as these, threads of linear algebra cost more than they save.
    with threadpool_limits(1), open_build(context) as con:
        results = [clv.predict(con, context)]
        list_refusals(con, context.business_date, rules)
        for predict in (recommend.predict, propensity.predict):
            _forget_scratch(con)
            results.append(predict(con, context, refused=REFUSED))
        versions = read_tonight(con)
    paths = DataPaths.of(context)
    write_files(paths.ensure(paths.tree / "models"), versions)
    return StepResult(
        rows_in=results[0].rows_in,
        rows_out=sum(result.rows_out for result in results),
        messages=tuple(message for result in results for message in result.messages),
        facts={name: fact for result in results for name, fact in result.facts.items()},
    )


def _forget_scratch(con: duckdb.DuckDBPyConnection) -> None:
    """Drop temporary tables that the prediction before has left: what is next needs the memory."""
    found = con.execute(
        "select table_name from duckdb_tables() where temporary and table_name <> ?", [REFUSED]
    ).fetchall()
    for (name,) in found:
        con.execute(f"drop table if exists temp.{quote_identifier(name)}")
