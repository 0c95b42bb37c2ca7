"""Nights that carry rows over end as nights that build every table anew."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.orchestration.runner import run_night
from cdp_pipeline.orchestration.status import read_status
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import current_version
from cdp_pipeline.storage.warehouse import DATABASE_FILE, attach_whole
from tests.integration.store import Store

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
