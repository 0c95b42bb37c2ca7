"""The step graph as an Airflow DAG; the only module that imports Airflow.

A task is a step. Data passes through the data folder; XCom carries the step's small result. The
lock of the data folder is the real guard against two writers; the pool only keeps tasks from
waiting for it.
"""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import (
    DAG,
    BaseHook,
    CronDataIntervalTimetable,
    Param,
    TaskGroup,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException
from pydantic import SecretStr

from cdp_pipeline.core.context import RunContext, keep_private
from cdp_pipeline.core.errors import CdpError, ConfigError
from cdp_pipeline.core.settings import (
    Settings,
    find_project_root,
    load_settings,
    project_from_environment,
)
from cdp_pipeline.orchestration.graph import Step, StepGraph
from cdp_pipeline.orchestration.runner import execute_step
from cdp_pipeline.orchestration.steps import nightly_graph
from cdp_pipeline.storage.files import remove_folder
from cdp_pipeline.storage.lease import GAP_SECONDS, hold_lease
from cdp_pipeline.storage.leftovers import clear_dead_work
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths

POOL = "cdp_warehouse"
"""Pool of one slot for steps that write the build; `cdp doctor` checks that it exists."""

_LAST = "deliver"
"""The step after which the work of a night, and of those before it, is deleted: it names people."""

_LOCK_WAIT_SECONDS = 3600.0


def build_nightly_dag(dag_file: str, *, documentation: str | None) -> DAG:
    """Return the DAG of the night.

    Args:
        dag_file: Path of the DAG file: the project is the folder above ``dags/``, unless
            ``CDP_PROJECT`` names another.
        documentation: Text shown in the user interface: the DAG file's docstring.
    """
    root = _project_root(Path(dag_file))
    settings = load_settings(root)
    dag = DAG(
        "cdp_nightly",
        schedule=CronDataIntervalTimetable(settings.schedule, timezone=settings.time_zone),
        start_date=pendulum.datetime(2026, 1, 1, tz=settings.time_zone),
        catchup=False,
        max_active_runs=1,
        params={
            "date": Param(
                None,
                type=["null", "string"],
                format="date",
                description="Business date; empty: the day before the run.",
            ),
            "full": Param(
                False,  # noqa: FBT003 - the default of a switch
                type="boolean",
                description="Build every table anew and publish, as `cdp run --full` does.",
            ),
        },
        default_args={
            "retry_delay": timedelta(minutes=5),
            "retry_exponential_backoff": True,
            # after a longer one the night is taken for dead
            "max_retry_delay": timedelta(seconds=GAP_SECONDS / 2),
        },
        doc_md=documentation,
        tags=["cdp"],
    )
    with dag:
        _add_tasks(nightly_graph(root), root)
    return dag


def _add_tasks(graph: StepGraph, root: Path) -> None:
    groups: dict[str, TaskGroup] = {}
    tasks: dict[str, Any] = {}
    for step in graph.order:
        if step.stage not in groups:
            groups[step.stage] = TaskGroup(step.stage, prefix_group_id=False)
        with groups[step.stage]:
            tasks[step.name] = _make_task(step, str(root))
        for before in graph.needs[step.name]:
            tasks[before] >> tasks[step.name]


def _make_task(step: Step, root: str) -> Any:  # noqa: ANN401 - Airflow's XComArg
    @task(
        task_id=step.name,
        retries=step.retries,
        pool=POOL if step.writes_warehouse else "default_pool",
        doc_md=step.summary,
    )
    def run_step() -> dict[str, Any]:
        keep_private()  # Airflow's own setting concerns its daemons only
        context = run_context(Path(root), get_current_context())
        paths = DataPaths.of(context)
        try:
            with hold_lease(paths, step.name):
                done = _execute(context, step)
                os.sync()  # it is not repeated, even if a power cut ends the night: see the runner
                return done
        except CdpError as error:
            if error.is_transient:
                raise
            raise AirflowFailException(str(error)) from error

    return run_step()


def _execute(context: RunContext, step: Step) -> dict[str, Any]:
    """Run a step, under the lock of the data folder if it writes what others read."""
    if not step.writes_warehouse:
        return execute_step(context, step).as_dict()
    paths = DataPaths.of(context)
    purpose = f"{step.name} of {context.run_id}"
    with hold_lock(paths.lock, purpose, wait_seconds=_LOCK_WAIT_SECONDS):
        result = execute_step(context, step).as_dict()
        if step.name == _LAST:
            clear_dead_work(paths, starting=context.business_date)
            remove_folder(paths.work)
        return result


def run_context(root: Path, airflow: Any) -> RunContext:  # noqa: ANN401 - Airflow's Context
    """Return the run that a DAG run asks for.

    Args:
        root: The project.
        airflow: Airflow's context of a task: parameters, data interval, run id.

    Raises:
        ConfigError: Nothing says for which date it is, or a setting is wrong.
    """
    settings = with_keys(load_settings(root))
    wanted = airflow["params"].get("date")
    end = airflow.get("data_interval_end")
    if wanted:
        day = date.fromisoformat(wanted)
    elif end is not None:
        # The interval ends on the morning after the business day that it covers.
        day = end.in_timezone(settings.time_zone).date() - timedelta(days=1)
    else:
        raise ConfigError(
            "a manual run has no data interval",
            where="cdp_nightly",
            hint='Trigger it with a date: {"date": "2026-11-20"}.',
        )
    run_id = re.sub(r"[^A-Za-z0-9.-]+", "_", str(airflow["run_id"]))
    is_full = bool(airflow["params"].get("full"))
    return RunContext(day, f"airflow-{run_id}", root, settings, is_full=is_full)


def with_keys(settings: Settings) -> Settings:
    """Return settings that hold the keys, fetched where they stand in an Airflow connection.

    Airflow masks what it hands out so in its logs.

    Raises:
        ConfigError: The connection has no password.
    """
    name = settings.keys.airflow_connection
    if not name:
        return settings
    held = BaseHook.get_connection(name).password
    if not held:
        raise ConfigError(
            f"the Airflow connection {name!r} has no password",
            where="CDP_KEYS__AIRFLOW_CONNECTION",
            hint="Put the keys into its password.",
        )
    keys = settings.keys.model_copy(update={"master": SecretStr(held), "airflow_connection": None})
    return settings.model_copy(update={"keys": keys})


def _project_root(dag_file: Path) -> Path:
    root = project_from_environment() or find_project_root(dag_file.resolve().parent)
    if root is None:
        raise ConfigError(
            "no project: no folder above holds a pyproject.toml with [tool.cdp]",
            where=str(dag_file),
            hint="Set CDP_PROJECT to the project's folder.",
        )
    return root.absolute()
