"""The whole night under Airflow: `dag.test()` on a small store ends in a published version."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.steps import nightly_graph
from cdp_pipeline.sample.generate import StoreSpec, generate_store
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import current_version, verify

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import sys, warnings
warnings.simplefilter("ignore")
from airflow.dag_processing.dagbag import DagBag
dag = DagBag(dag_folder=sys.argv[1]).dags["cdp_nightly"]
run = dag.test(run_conf={"date": sys.argv[2]})
for task in run.get_task_instances():
    print("TASK", task.task_id, task.state)
print("RUN", run.state)
"""


@pytest.mark.slow
def test_dag_test_runs_the_night_to_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    spec = StoreSpec(customers=600, nights=0, first_night=date(2026, 11, 17))
    store = generate_store(spec, data / "landing", data / "truth")
    monkeypatch.setenv("CDP_DATA_DIR", str(data))
    for command in (
        ["db", "migrate"],
        ["pools", "set", "cdp_warehouse", "1", "one writer of the warehouse"],
    ):
        subprocess.run([sys.executable, "-m", "airflow", *command], capture_output=True, check=True)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT / "dags"), store.dates[0].isoformat()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    states = dict(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("TASK "))
    assert states == dict.fromkeys(nightly_graph(ROOT).steps, "success")
    assert "RUN success" in done.stdout
    monkeypatch.delenv("CDP_DATA_DIR")
    version = current_version(DataPaths.of_settings(load_settings(ROOT, data_dir=data)))
    assert version is not None
    assert version.business_date == store.dates[0]
    assert verify(version) == []
    assert list((data / "work").iterdir()) == []  # it names people, and nothing reads it any more
