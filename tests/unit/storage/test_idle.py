"""A file that nights copy on stays near what it holds, and its rows stay as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.storage.basis import begin_build
from cdp_pipeline.storage.idle import MOST_IDLE, measure_idle, write_whole
from cdp_pipeline.storage.warehouse import VAULT

NIGHTS = 10
CARRIED = {"core.facts"}


def publish(path: Path, *, night: int) -> None:
    """Change some carried rows and make another table anew, as a night does."""
    (path.parent / VAULT).mkdir(exist_ok=True)  # of a version whose file holds no people
    with duckdb.connect(str(path)) as con:
        con.execute("create schema if not exists core")
        con.execute("create table if not exists core.facts (id bigint, text varchar)")
        con.execute(
            "create or replace temp table made as from core.facts where id % 50 = ?", [night]
        )
        con.execute("delete from core.facts where id % 50 = ?", [night])
        con.execute("insert into core.facts from made order by id")
        con.execute("insert into core.facts select ? + range, md5(range::varchar) from range(?)",
                    [night * 1_000_000, 1_000 if night else 120_000])  # fmt: skip
        con.execute("create table core.made_anew as select md5(range::varchar) as text "
                    "from range(?)", [40_000])  # fmt: skip
        con.execute("comment on table core.facts is 'Facts.'")


def rows(path: Path, *, order: str = "") -> list[tuple[int, str]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(f"from core.facts {order}").fetchall()


@pytest.mark.slow
def test_nights_do_not_let_the_file_grow_beyond_its_bound(tmp_path: Path) -> None:
    base, build, copied = (tmp_path / name for name in ("base.duckdb", "build.duckdb", "c.duckdb"))
    publish(base, night=0)
    shutil.copyfile(base, copied)
    for night in range(1, NIGHTS + 1):
        begin_build(build, base, CARRIED)
        publish(build, night=night)
        build.replace(base)
        with duckdb.connect(str(copied)) as con:  # the same without the bound
            con.execute("drop table core.made_anew")
        publish(copied, night=night)
    assert rows(base, order="order by all") == rows(copied, order="order by all")
    assert base.stat().st_size < copied.stat().st_size
    write_whole(build, base, {*CARRIED, "core.made_anew"})
    # What a night leaves idle on top of what it may find: the tables that it makes anew.
    assert base.stat().st_size < build.stat().st_size / (1 - MOST_IDLE) * 1.2


def test_tables_written_whole_keep_their_rows_in_order(tmp_path: Path) -> None:
    base, build = tmp_path / "base.duckdb", tmp_path / "build.duckdb"
    publish(base, night=0)
    with duckdb.connect(str(base)) as con:
        con.execute(
            "create table core.large as select md5(range::varchar) as text from range(300000)"
        )
        con.execute("checkpoint")
        con.execute("drop table core.large")
    assert measure_idle(base) > MOST_IDLE
    begin_build(build, base, {*CARRIED, "core.not_there"})
    assert measure_idle(build) == 0
    assert rows(build) == rows(base)
    assert build.stat().st_mode & 0o777 == 0o640
    with duckdb.connect(str(build), read_only=True) as con:
        assert con.execute("select table_name from duckdb_tables()").fetchall() == [("facts",)]
