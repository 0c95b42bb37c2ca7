from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.reader import open_snapshot
from tests.unit.storage.nights import day, publish_night

MakeContext = Callable[..., RunContext]


def test_a_snapshot_stays_with_its_night(make_context: MakeContext) -> None:
    paths = publish_night(make_context(day(0)), 3)
    with open_snapshot(paths.data_dir) as snapshot:
        publish_night(make_context(day(1)), 5)
        count = snapshot.con.execute("select count(*) from core.numbers").fetchall()
        files = [str(path) for path in snapshot.parquet("core.numbers")]
        in_parquet = duckdb.execute("select count(*) from read_parquet(?)", [files]).fetchall()
        assert count == in_parquet == [(3,)]
        assert snapshot.business_date == day(0)
        assert snapshot.database.is_file()
        assert (snapshot.folder / "exports" / "crm" / "audience.csv").read_text() == "n\n3\n"
        with pytest.raises(ConfigError, match="no table"):
            snapshot.parquet("core.letters")
    with open_snapshot(paths.data_dir) as snapshot:
        assert snapshot.version.name == "000002-2026-11-21"
    with open_snapshot(str(paths.data_dir), as_of=str(day(0))) as snapshot:
        assert snapshot.version.name == "000001-2026-11-20"


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing has been published"), open_snapshot(tmp_path):
        pass
