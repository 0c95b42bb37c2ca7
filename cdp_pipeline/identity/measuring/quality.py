"""The part of ``resolve_customers`` that measures them every night, without knowing the truth.

How well each customer holds together, a sample for people to judge, precision and recall from it,
signs of wrong merges; all figures of all nights are kept. The parts live in ``members``,
``cohesion``, ``sampling``, ``accuracy`` and ``indicators``.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.identity.explaining.members import collect_members
from cdp_pipeline.identity.measuring.accuracy import Figure, measure_accuracy
from cdp_pipeline.identity.measuring.cohesion import measure_cohesion
from cdp_pipeline.identity.measuring.indicators import check_withheld, count_indicators
from cdp_pipeline.identity.measuring.sampling import draw_sample
from cdp_pipeline.identity.scoring.design import declared_design
from cdp_pipeline.identity.scoring.weights import load_parameters
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import declare_table, fetch_value, has_base_table

MADE_TABLES = ("cluster_quality", "clerical_sample", "clerical_strata", "quality_figures")


def measure(con: duckdb.DuckDBPyConnection, context: RunContext) -> StepResult:
    """Make ``identity.cluster_quality``, the clerical sample and ``identity.quality_figures``.

    Returns:
        Customers of several distinct records, and precision as far as it can be told.
    """
    project = load_project(context.project_root)
    settings = context.settings.identity
    day = context.business_date.isoformat()
    parameters = load_parameters(con, declared_design(project.linkage).comparisons)
    collect_members(con, parameters)
    measure_cohesion(con, accept=settings.accept_prob)
    draw_sample(con, accept=settings.accept_prob, review=settings.review_prob, business_date=day)
    figures = [
        *measure_accuracy(con),
        *count_indicators(con),
        *check_withheld(con, parameters, accept=settings.accept_prob),
    ]
    write_figures(con, figures, business_date=day)
    for name in MADE_TABLES:
        declare_table(con, project.table(f"identity.{name}"))
    customers = int(fetch_value(con, "select count(*) from identity.cluster_quality"))
    sampled = int(fetch_value(con, "select count(*) from identity.clerical_sample"))
    return StepResult(
        rows_in=customers,
        rows_out=len(figures),
        messages=(f"{sampled:,} pairs in this month's sample", *_told(figures)),
        facts={"quality": {figure.name: figure.estimate.value for figure in figures}},
    )


def _told(figures: list[Figure]) -> list[str]:
    words = {"judged": "by judged pairs", "model": "in the model's own opinion"}
    return [
        f"{figure.name.replace('_', ' ')} {figure.estimate.value:.4f} "
        f"({figure.estimate.low:.4f} to {figure.estimate.high:.4f}, {words[figure.basis]})"
        for figure in figures
        if figure.basis in words
    ]


def write_figures(
    con: duckdb.DuckDBPyConnection, figures: list[Figure], *, business_date: str
) -> None:
    """Write ``identity.quality_figures``: tonight's and those of earlier nights."""
    rows = {
        "figure": pa.array([figure.name for figure in figures], pa.string()),
        "value": pa.array([figure.estimate.value for figure in figures], pa.float64()),
        "low": pa.array([figure.estimate.low for figure in figures], pa.float64()),
        "high": pa.array([figure.estimate.high for figure in figures], pa.float64()),
        "basis": pa.array([figure.basis for figure in figures], pa.string()),
        "count": pa.array([figure.count for figure in figures], pa.int64()),
    }
    con.register("identity_figure_rows", pa.table(rows))
    earlier = ""
    if has_base_table(con, "identity.quality_figures"):
        earlier = (
            "union all select * from base.identity.quality_figures "
            "where business_date < cast($day as date)"
        )
    con.execute(
        f"""
        create or replace table identity.quality_figures as
        select
            cast($day as date) as business_date,
            figure,
            value,
            low,
            high,
            basis,
            "count" as case_count
        from identity_figure_rows
        {earlier}
        order by business_date, figure
        """,  # noqa: S608 - constant text
        {"day": business_date},
    )
    con.unregister("identity_figure_rows")
