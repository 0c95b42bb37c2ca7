"""Nights that carry rows over end as nights that build every table anew."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.runner import RunOptions, run_night
from cdp_pipeline.orchestration.status import read_status
from cdp_pipeline.sample.generate import StoreSpec, generate_store
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import current_version
from cdp_pipeline.storage.warehouse import DATABASE_FILE, attach_whole
from tests.integration.store import ROOT, Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]


def hash_tables(
    version: Path, keys: KeySettings | None = None
) -> dict[str, tuple[int, int | None]]:
    """Return rows and a hash of every table, its vault's too, whatever the order of its rows."""
    with duckdb.connect() as con:
        attach_whole(con, version / DATABASE_FILE, "w", keys or KeySettings())
        tables = con.execute(
            "select schema_name || '.' || view_name from duckdb_views() "
            "where database_name = 'w' and not internal order by 1"
        ).fetchall()
        return {
            table: con.execute(
                f"select count(*), bit_xor(hash(hash(t))) from w.{table} as t"
            ).fetchall()[0]
            for (table,) in tables
        }


def test_a_night_by_its_changes_equals_a_full_build(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(store.data, data, symlinks=True)
    settings = store.settings.model_copy(update={"data_dir": data, "landing_dir": data / "landing"})
    paths = DataPaths.of_settings(settings)
    night = replace(store.context(store.last_night), settings=settings)
    built = read_status(settings).built
    assert built
    assert {table: how for table, how in built.items() if "made anew" not in how} == {}
    by_changes = current_version(paths)
    outcome = run_night(replace(night, is_full=True))
    assert outcome.error is None
    in_full = current_version(paths)
    assert by_changes is not None
    assert in_full is not None
    assert in_full.sequence == by_changes.sequence + 1
    assert set(read_status(settings).built.values()) == {"a full build was asked for"}
    assert hash_tables(by_changes.path) == hash_tables(in_full.path)


def hash_files(version: Path) -> dict[str, str]:
    """Return a hash of every Parquet file of a version: its mirror and its vault."""
    return {
        path.relative_to(version).as_posix(): sha256_of(path)
        for folder in ("parquet", "vault")
        for path in (version / folder).rglob("*.parquet")
    }


def redate(landing: Path, before: date, after: date) -> None:
    """Let the deliveries of a business date be those of another."""
    for folder in sorted(landing.glob(f"*/{before}")):
        for path in sorted(folder.iterdir()):
            path.rename(path.with_name(path.name.replace(f"{before:%Y%m%d}", f"{after:%Y%m%d}")))
        folder.rename(folder.with_name(after.isoformat()))


@pytest.mark.long
def test_files_after_forty_skipped_nights_reach_what_a_full_build_reaches(tmp_path: Path) -> None:
    landing, held = tmp_path / "data" / "landing", tmp_path / "held"
    spec = StoreSpec(customers=200, nights=3, seed=4711, history_days=120)
    first, late, *rest = generate_store(spec, landing, tmp_path / "truth").dates
    nights = (first + timedelta(days=41), first + timedelta(days=42))
    for before, after in zip(reversed(rest), reversed(nights), strict=True):
        redate(landing, before, after)
    for source in ("pos_sales", "loyalty_members", "email_events"):
        (held / source).mkdir(parents=True)
        (landing / source / late.isoformat()).rename(held / source / late.isoformat())
    settings = load_settings(ROOT, data_dir=tmp_path / "data")
    found, files = [], []
    for day, is_full in ((first, False), (nights[0], False), (nights[1], False), (nights[1], True)):
        if day == nights[1]:
            for folder in sorted(held.glob("*/*")):
                folder.rename(landing / folder.parent.name / folder.name)
        context = RunContext(day, f"night-{day}", ROOT, settings, is_full=is_full)
        outcome = run_night(context, RunOptions(last="publish"))
        assert outcome.error is None
        built = read_status(settings).built
        assert built
        assert ("made anew" in built["core.fct_sales"]) == (day > first and not is_full)
        version = current_version(DataPaths.of_settings(settings))
        assert version is not None
        found.append(hash_tables(version.path))
        files.append(hash_files(version.path))
    assert found[-2]["core.fct_sales"][0] > found[-3]["core.fct_sales"][0]
    assert found[-1] == found[-2]
    assert files[-1] == files[-2]
