"""The DAG files load, hold the graph of `cdp plan`, and cost little to parse."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.orchestration.graph import Step
from cdp_pipeline.orchestration.steps import nightly_graph
from cdp_pipeline.storage.lease import GAP_SECONDS

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.filterwarnings("ignore")  # Airflow's own imports warn; ours are checked


@pytest.fixture(scope="module")
def bag() -> object:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(ROOT / "dags"))


def test_every_dag_loads_without_complaint(bag) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - Airflow's type
    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["cdp_nightly"]
    ours = [w for w in bag.captured_warnings.values() if "cdp" in str(w)]
    assert ours == []


def test_airflow_and_the_command_line_run_the_same_graph(bag) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - same
    graph = nightly_graph(ROOT)
    dag = bag.dags["cdp_nightly"]
    assert {task.task_id for task in dag.tasks} == set(graph.steps)
    edges = {(task.task_id, after) for task in dag.tasks for after in task.downstream_task_ids}
    assert edges == graph.edges


def test_a_run_takes_its_date_and_whether_to_build_anew_as_parameters(bag) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - same
    from cdp_pipeline.orchestration.airflow import run_context

    params = bag.dags["cdp_nightly"].params
    assert params.dump() == {"date": None, "full": False}
    asked = {"date": "2026-11-20", "full": True}
    context = run_context(ROOT, {"params": asked, "run_id": "manual__1"})
    assert (context.business_date.isoformat(), context.is_full) == ("2026-11-20", True)
    asked = {"date": "2026-11-20"}  # of a run that was triggered before the parameter was there
    assert not run_context(ROOT, {"params": asked, "run_id": "manual__1"}).is_full


def test_the_night_is_of_reviewable_size() -> None:
    assert 20 <= len(nightly_graph(ROOT).steps) <= 30


def test_tasks_say_what_they_do_and_writers_share_one_slot(bag) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - same
    dag = bag.dags["cdp_nightly"]
    graph = nightly_graph(ROOT)
    for task in dag.tasks:
        step = graph.steps[task.task_id]
        assert task.doc_md == step.summary
        assert task.retries == step.retries
        assert task.pool == ("cdp_warehouse" if step.writes_warehouse else "default_pool")
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_no_wait_before_a_further_try_is_so_long_that_the_night_counts_as_dead(bag) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - same
    tried_again = [task for task in bag.dags["cdp_nightly"].tasks if task.retries]
    assert tried_again
    for task in tried_again:
        longest = 2 * task.retry_delay * task.retry_exponential_backoff ** (task.retries - 1)
        assert min(longest, task.max_retry_delay).total_seconds() < GAP_SECONDS


def test_parsing_imports_no_engine() -> None:
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from airflow.sdk import DAG\n"
        "before = set(sys.modules)\n"
        "from cdp_pipeline.orchestration.airflow import build_nightly_dag\n"
        f"build_nightly_dag({str(ROOT / 'dags' / 'cdp_nightly.py')!r}, documentation='')\n"
        "heavy = {'pandas', 'sklearn', 'great_expectations', 'recordlinkage', 'pyarrow'}\n"
        "print('HEAVY', sorted(heavy & {m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "HEAVY []"


def test_tasks_take_the_keys_from_an_airflow_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import BaseHook, Connection
    from pydantic import SecretStr

    from cdp_pipeline.core.access_settings import KeySettings
    from cdp_pipeline.core.errors import ConfigError
    from cdp_pipeline.core.keys import load_keyring, new_key
    from cdp_pipeline.core.settings import load_settings
    from cdp_pipeline.orchestration import airflow

    passwords = {"cdp_keys": new_key(), "empty": None}
    monkeypatch.setattr(
        BaseHook, "get_connection", lambda name: Connection(conn_id=name, password=passwords[name])
    )
    settings = load_settings(ROOT)
    assert airflow.with_keys(settings) is settings
    named = settings.model_copy(update={"keys": KeySettings(airflow_connection="cdp_keys")})
    expected = load_keyring(KeySettings(master=SecretStr(str(passwords["cdp_keys"]))))
    assert load_keyring(airflow.with_keys(named).keys).current == expected.current
    empty = settings.model_copy(update={"keys": KeySettings(airflow_connection="empty")})
    with pytest.raises(ConfigError, match="no password"):
        airflow.with_keys(empty)


def test_a_step_counts_as_done_once_it_is_on_disk(  # type: ignore[no-untyped-def]
    bag,  # noqa: ANN001 - Airflow's type
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from cdp_pipeline.core.context import RunContext, StepResult
    from cdp_pipeline.core.settings import load_settings
    from cdp_pipeline.orchestration import airflow

    settings = load_settings(ROOT).model_copy(update={"data_dir": tmp_path})
    context = RunContext(date(2026, 11, 20), "airflow-x", ROOT, settings)
    called: list[str] = []

    def execute(_: RunContext, step: Step) -> StepResult:
        called.append(step.name)
        return StepResult()

    monkeypatch.setattr(airflow, "get_current_context", dict)
    monkeypatch.setattr(airflow, "run_context", lambda *_: context)
    monkeypatch.setattr(airflow, "execute_step", execute)
    monkeypatch.setattr(os, "sync", lambda: called.append("sync"))
    bag.dags["cdp_nightly"].get_task("discover").python_callable()
    assert called == ["discover", "sync"]
