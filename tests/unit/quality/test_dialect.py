from __future__ import annotations

import duckdb
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import CompileError

from cdp_pipeline.quality.dialect import lend


def test_a_loan_is_read_and_stays_open() -> None:
    with duckdb.connect() as con:
        con.execute('create temp view "seen" as select 1 as "order", 2.50::decimal(9,2) as price')
        with lend(con, "loan") as url:
            engine = sa.create_engine(url)
            with engine.connect() as connection:
                columns = sa.inspect(connection).get_columns("seen")
                assert [type(c["type"]) for c in columns] == [sa.Integer, sa.Numeric]
                table = sa.table("seen", sa.column("order"))
                assert connection.execute(sa.select(table.c.order)).scalar() == 1
            engine.dispose()
        assert con.execute("select 1").fetchall() == [(1,)]


def test_results_outlive_later_statements() -> None:
    with duckdb.connect() as con, lend(con, "loan") as url:
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            first = connection.execute(sa.text("select unnest([1, 2, 3])"))
            second = connection.execute(sa.text("select 9"))
            assert first.fetchone() == (1,)
            assert second.scalar() == 9
            assert first.fetchmany(1) == [(2,)]
            assert first.fetchall() == [(3,)]
        engine.dispose()


def test_a_pattern_is_found_anywhere_and_other_operators_are_refused() -> None:
    with duckdb.connect() as con, lend(con, "loan") as url:
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            text = sa.literal("abc")
            assert connection.execute(sa.select(text.op("~")("b"))).scalar() is True
            with pytest.raises(CompileError, match="'!~'"):
                connection.execute(sa.select(text.op("!~")("b")))
        engine.dispose()
