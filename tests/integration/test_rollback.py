"""What went wrong is rolled back if it was published, and held back by the audit if not."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.orchestration.runner import RunOptions, run_night
from cdp_pipeline.storage.history import list_kept
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.rollback import roll_back
from cdp_pipeline.storage.warehouse import attach_whole, open_build
from tests.integration.store import ROOT, Store

OF_THE_RUN = {
    "identity.release",  # names the version that the night built upon
    "ops.exports",  # destinations know the files of the first try: differences are smaller
    "marts.files_tonight",  # shows ops.exports
}


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """Settings of a copy of the store, whose nights a test may spoil."""
    data = tmp_path / "data"
    shutil.copytree(store.data, data, symlinks=True)
    return store.settings.model_copy(update={"data_dir": data, "landing_dir": data / "landing"})


@pytest.mark.slow
def test_the_night_after_a_rollback_is_as_it_was(store: Store, settings: Settings) -> None:
    done = roll_back(settings, reason="the tills of one store had been sent twice")
    assert done.carried["ops.contact_log"] > 0
    night = store.last_night
    outcome = run_night(RunContext(night, f"night-{night}", ROOT, settings))
    assert outcome.error is None
    assert outcome.status == "published"
    before, after = done.left.path, DataPaths.of_settings(settings).current.resolve()
    con = duckdb.connect()
    for name, folder in (("a", before), ("b", after)):
        attach_whole(con, folder / "cdp.duckdb", name, KeySettings())
    tables = con.execute(
        "select schema_name || '.' || view_name from duckdb_views() "
        "where database_name = 'a' and not internal"
    ).fetchall()
    differing = {
        table
        for (table,) in tables
        if con.execute(
            f"select count(*) from ((from a.{table} except all from b.{table}) "
            f"union all (from b.{table} except all from a.{table}))"
        ).fetchall()
        != [(0,)]
    }
    assert differing <= OF_THE_RUN
    states = [kept.state for kept in list_kept(DataPaths.of_settings(settings))]
    assert states == ["current", "kept", "replaced", "replaced", "kept"]


@pytest.mark.slow
def test_a_failing_audit_leaves_yesterdays(store: Store, settings: Settings) -> None:
    context = RunContext(store.last_night, f"night-{store.last_night}", ROOT, settings)
    current = DataPaths.of_settings(settings).current.resolve()
    built = run_night(context, RunOptions(force=True, last="render_reports"))
    assert built.error is None
    with open_build(context) as con:
        con.execute(
            "update core.fct_sales set net_amount = net_amount + 0.01 "
            "where sale_line_key = (select min(sale_line_key) from core.fct_sales)"
        )
    audited = run_night(context, RunOptions(first="audit_warehouse"))
    assert audited.status == "failed"
    assert audited.error is not None
    assert "money_is_conserved" in str(audited.error)
    assert "publish" not in audited.steps
    assert DataPaths.of_settings(settings).current.resolve() == current
