"""THE list of steps of a night. The local runner and the Airflow DAG both read it.

A step per source follows from the contracts; all other steps are the same for every project. Only
declarations belong here; entries are imported when they run.
"""

from __future__ import annotations

from pathlib import Path

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.orchestration.graph import Step, StepGraph
from cdp_pipeline.project.loader import load_project

SOURCE_NAMES_FROM = "expectations"


def source_names(project_root: Path) -> list[str]:
    """Return the declared sources by file name alone, so that parsing a DAG stays cheap."""
    return sorted(path.stem for path in (project_root / SOURCE_NAMES_FROM).glob("*.yml"))


def nightly_graph(project_root: Path, *, check: bool = False) -> StepGraph:
    """Return the graph of the night.

    Args:
        project_root: Project whose contracts give the staging steps.
        check: Also parse every declaration, so that mistakes show before anything runs.

    Raises:
        ConfigError: A declaration is wrong or there is no source (both with ``check``), or the
            graph is inconsistent.
    """
    if check and not load_project(project_root).sources:
        raise ConfigError(
            "no source is declared, so there is nothing to run",
            where=str(project_root / SOURCE_NAMES_FROM),
            hint="Describe a delivery in expectations/<source>.yml; the README beside it says how.",
        )
    sources = source_names(project_root)
    return StepGraph(
        [
            *_arrival(sources),
            *_people(),
            *_warehouse(),
            *_predictions(),
            *_activation(),
            *_publication(),
        ]
    )


def _arrival(sources: list[str]) -> list[Step]:
    staged = tuple(f"staged.{source}" for source in sources)
    return [
        Step(
            "discover",
            "cdp_pipeline.ingest.arrival:run",
            makes=("plan",),
            stage="arrival",
            retries=3,
            summary="fetch and find deliveries, recognise them by content, decide what is new",
        ),
        *(
            Step(
                f"stage_{source}",
                "cdp_pipeline.ingest.staging:run",
                reads=("plan",),
                makes=(f"staged.{source}",),
                stage="arrival",
                params={"source": source},
                summary=f"read {source}, cast by contract, set bad rows aside",
            )
            for source in sources
        ),
        Step(
            "check_sources",
            "cdp_pipeline.quality.gate:run_sources",
            reads=("plan", *staged),
            makes=("quality.sources",),
            stage="arrival",
            summary="one Great Expectations suite a source, and Data Docs",
        ),
        Step(
            "load_staging",
            "cdp_pipeline.ingest.entities:run",
            reads=("plan", *staged),
            makes=("staging", "ops.deliveries"),
            stage="arrival",
            writes_warehouse=True,
            summary="current rows by key; every delivered row accounted for",
        ),
    ]


def _people() -> list[Step]:
    return [
        Step(
            "collect_person_records",
            "cdp_pipeline.identity.standard.records:run",
            reads=("staging", "quality.sources"),
            makes=("identity.records",),
            stage="identity",
            writes_warehouse=True,
            summary="person records of all sources, standardised",
        ),
        Step(
            "score_pairs",
            "cdp_pipeline.identity.scoring.model:run",
            reads=("identity.records",),
            makes=("identity.edges",),
            stage="identity",
            writes_warehouse=True,
            summary="block, compare, estimate, score",
        ),
        Step(
            "resolve_customers",
            "cdp_pipeline.identity.people:run",
            reads=("identity.edges",),
            makes=("identity.customer_map", "identity.golden_records"),
            stage="identity",
            writes_warehouse=True,
            summary="cluster records to people, keep yesterday's ids, best value per field",
        ),
    ]


_BUILD = "cdp_pipeline.warehouse.build:run"


def _warehouse() -> list[Step]:
    return [
        Step(
            "build_core",
            _BUILD,
            reads=("identity.golden_records", "ops.deliveries"),
            makes=("core",),
            stage="warehouse",
            params={"layer": "core"},
            writes_warehouse=True,
            summary="dimensions, facts, journey",
        ),
        Step(
            "build_features",
            _BUILD,
            reads=("core",),
            makes=("features.base",),
            stage="warehouse",
            params={"layer": "features"},
            writes_warehouse=True,
            summary="visits, RFM, interests",
        ),
    ]


def _predictions() -> list[Step]:
    return [
        Step(
            "predict",
            "cdp_pipeline.features.predictions:run",
            reads=("features.base",),
            makes=("features.predictions",),
            stage="warehouse",
            writes_warehouse=True,
            summary="value, recommendations, propensities; each tested on past days",
        ),
        Step(
            "build_profiles",
            _BUILD,
            reads=("features.predictions",),
            makes=("features.customer_features",),
            stage="warehouse",
            params={"layer": "features", "rest": True},
            writes_warehouse=True,
            summary="one wide row a customer",
        ),
    ]


def _activation() -> list[Step]:
    return [
        Step(
            "build_segments",
            "cdp_pipeline.segments.membership:run",
            reads=("features.customer_features",),
            makes=("segments",),
            stage="activation",
            writes_warehouse=True,
            summary="members, joiners, leavers, holdouts",
        ),
        Step(
            "export_audiences",
            "cdp_pipeline.activation.export:run",
            reads=("segments",),
            makes=("exports", "ops.contact_log"),
            stage="activation",
            writes_warehouse=True,
            summary="consent, caps, holdouts; segment and trigger files",
        ),
        Step(
            "build_marts",
            "cdp_pipeline.warehouse.build:run",
            reads=("exports",),
            makes=("ops.retention", "marts"),
            stage="reporting",
            params={"layer": "marts"},
            writes_warehouse=True,
            summary="rows past their time go; one table per question",
        ),
        Step(
            "render_reports",
            "cdp_pipeline.reporting.render:run",
            reads=("marts",),
            makes=("reports",),
            stage="reporting",
            writes_warehouse=True,
            summary="HTML pages and e-mails",
        ),
    ]


def _publication() -> list[Step]:
    return [
        Step(
            "audit_warehouse",
            "cdp_pipeline.quality.gate:run_warehouse",
            reads=("reports", "exports"),
            makes=("audit",),
            stage="publication",
            writes_warehouse=True,
            summary="Great Expectations on every table, reconciliation to the penny",
        ),
        Step(
            "publish",
            "cdp_pipeline.storage.versions:run",
            reads=("audit",),
            makes=("version",),
            stage="publication",
            writes_warehouse=True,
            summary="one rename makes it visible",
        ),
        Step(
            "deliver",
            "cdp_pipeline.documentation.handover:run",
            reads=("version",),
            makes=("outbox",),
            stage="publication",
            retries=3,
            writes_warehouse=True,
            summary="files and reports, each once; people's requests; the documentation",
        ),
    ]
