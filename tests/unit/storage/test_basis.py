"""The night's file begins as a copy of the published one, with nothing but what is carried over."""

from __future__ import annotations

from pathlib import Path

import duckdb

from cdp_pipeline.storage.basis import begin_build


def publish(path: Path) -> Path:
    (path.parent / "vault").mkdir()
    with duckdb.connect(str(path)) as con:
        con.execute("create schema core; create schema queries")
        con.execute("create table core.fct_sales as select unnest(range(3)) as line")
        con.execute("create table core.customer_contact as select 'a@b.c' as email")
        con.execute('create view queries."odd name" as from core.fct_sales')
        con.execute("create view queries.contacts as from core.customer_contact")
    return path


def tables(path: Path) -> list[tuple[str]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute("select table_name from information_schema.tables").fetchall()


def test_only_what_is_carried_stays(tmp_path: Path) -> None:
    base, build = publish(tmp_path / "base.duckdb"), tmp_path / "work" / "cdp.duckdb"
    begin_build(build, base, {"core.fct_sales", "core.fct_journey"})
    assert tables(build) == [("fct_sales",)]
    assert len(tables(base)) == 4
    assert build.stat().st_mode & 0o777 == 0o640


def test_a_full_build_begins_with_nothing_of_an_earlier_try(tmp_path: Path) -> None:
    build = publish(tmp_path / "cdp.duckdb")
    build.with_name("cdp.duckdb.wal").write_bytes(b"torn")
    begin_build(build, None, {"core.fct_sales"})
    assert [path.name for path in tmp_path.iterdir()] == ["vault"]
