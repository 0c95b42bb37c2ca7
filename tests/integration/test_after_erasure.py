"""The night after an erasure is an ordinary night, and ends as one that builds every table anew."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.runner import RunOptions, run_night
from cdp_pipeline.orchestration.status import read_status
from cdp_pipeline.rights.erasure import erase_people, find_people, open_resolver
from cdp_pipeline.sample.generate import StoreSpec, generate_store
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import FOLDER, ended_erasures
from cdp_pipeline.storage.versions import Version, current_version
from cdp_pipeline.storage.warehouse import fetch_value, open_whole
from tests.integration.store import ROOT
from tests.integration.test_increment import hash_files, hash_tables

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]

HOUSEHOLDS = """
select customer_id from identity.golden_records
where household_id in (
    select household_id from identity.golden_records
    group by household_id having count(*) > 1
)
qualify row_number() over (partition by household_id order by customer_id) = 1
order by customer_id limit 4
"""
VISITORS = """
select customer_id from core.fct_web_events where customer_id is not null
group by customer_id order by count(*) desc, customer_id limit 3
"""


def context_of(data: Path, day: date, *, is_full: bool = False) -> RunContext:
    return RunContext(
        day, f"night-{day}", ROOT, load_settings(ROOT, data_dir=data), is_full=is_full
    )


def erase(context: RunContext, query: str) -> None:
    with open_whole(context.settings) as con:
        people = [customer for (customer,) in con.execute(query).fetchall()]
    with open_resolver(context) as con:
        subjects = find_people(con, context, people)
    erase_people(context, subjects, reason="asked at the desk")


def publish(context: RunContext) -> Version:
    outcome = run_night(context, RunOptions(last="publish"))
    assert outcome.error is None
    version = current_version(DataPaths.of(context))
    assert version is not None
    assert version.business_date == context.business_date
    return version


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sequence[date]]:
    """Return a store of two nights, erased from twice since, by requests and at the desk."""
    data = tmp_path_factory.mktemp("erased") / "data"
    spec = StoreSpec(customers=600, nights=2, seed=4713, history_days=150)
    days = generate_store(spec, data / "landing", data.parent / "truth").dates
    for day in days[:-1]:
        assert run_night(context_of(data, day)).error is None
    context = context_of(data, days[-2])
    served = len(ended_erasures(DataPaths.of(context)))
    assert served  # of the requests that were delivered
    erase(context, HOUSEHOLDS)
    erase(context, VISITORS)
    assert len(ended_erasures(DataPaths.of(context))) == served + 2
    return data, days


def copy_of(data: Path, place: Path) -> Path:
    shutil.copytree(data, place, symlinks=True)
    return place


def test_a_night_after_erasures_makes_anew_what_follows_from_them_and_no_more(
    erased: tuple[Path, Sequence[date]], tmp_path: Path
) -> None:
    data, days = erased
    night = context_of(copy_of(data, tmp_path / "changes"), days[-1])
    by_changes = publish(night)
    built = read_status(night.settings).built
    assert built
    assert "made anew" in built["core.fct_sales"]
    assert "made anew" in built["core.fct_web_events"]
    assert not [how for how in built.values() if "erasure" in how or "staged files" in how]
    in_full = publish(context_of(copy_of(data, tmp_path / "full"), days[-1], is_full=True))
    assert hash_tables(by_changes.path) == hash_tables(in_full.path)
    assert hash_files(by_changes.path) == hash_files(in_full.path)
    with open_whole(night.settings) as con:
        assert fetch_value(con, "select count(*) from core.dim_customer")


def test_a_night_whose_notes_of_an_erasure_are_not_whole_builds_every_table(
    erased: tuple[Path, Sequence[date]], tmp_path: Path
) -> None:
    data, days = erased
    night = context_of(copy_of(data, tmp_path / "lost"), days[-1])
    paths = DataPaths.of(night)
    notes = paths.privacy / FOLDER / ended_erasures(paths)[-1]
    min(notes.glob("units/*.parquet")).unlink()
    outcome = run_night(night, RunOptions(last="build_core"))
    made = outcome.steps["build_core"].result
    assert made is not None
    reasons = set(made.facts["incremental"].values())
    assert reasons == {"what an erasure changed since the version it builds upon is not proved"}
