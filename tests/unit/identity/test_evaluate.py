from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.measuring.evaluate import score_against_truth


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Four profiles and an order of two people: one true pair found, one missed, one wrong."""
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as cdp; use cdp; create schema identity; create schema core")
        con.execute(
            "create table identity.records as select * from (values "
            "('l', '1', 'loyalty', true), ('l', '2', 'loyalty', true), "
            "('a', '1', 'account', true), ('a', '2', 'account', true), ('o', '1', 'order', true), "
            "('t', 'r1', 'receipt', false)"
            ") as t (source, record_key, record_kind, is_comparable)"
        )
        con.execute("alter table identity.records add column is_usable boolean default true")
        con.execute(
            "create table identity.customer_map as select * from (values "
            "('l', '1', 'C1'), ('a', '1', 'C1'), ('l', '2', 'C2'), ('o', '1', 'C1'), "
            "('t', 'r1', 'C1')) as t (source, record_key, customer_id)"
        )
        con.execute(
            "create table core.fct_sales as select * from (values ('t', 'r1', 'C1', 'store'), "
            "('t', 'r2', 'C2', 'store'), ('t', 'r3', null, 'store'), ('w', 'r4', 'C2', 'web')"
            ") as t (source, sale_id, customer_id, channel)"
        )
        yield con


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    with duckdb.connect() as con:
        con.execute(
            "copy (select * from (values ('l', '1', 'p1'), ('a', '1', 'p1'), ('l', '2', 'p2'), "
            "('a', '2', 'p2'), ('o', '1', 'p2'), ('t', 'r1', 'p1'), ('t', 'r2', 'p1'), "
            "('t', 'r3', 'p2')) as t (source, record_key, person_id)) "
            f"to '{tmp_path / 'person_records.parquet'}' (format parquet)"
        )
    return tmp_path


def test_hand_counted_pairs(con: duckdb.DuckDBPyConnection, truth: Path) -> None:
    score = score_against_truth(con, truth)
    # Profiles: C1 = {l1, a1} right; l2 and a2 are one person, found apart.
    assert (score.precision, score.recall) == (1.0, 0.5)
    assert score.f1 == pytest.approx(2 / 3)
    # With the order, C1 has three pairs of which one is right; truth has four.
    assert score.named.precision == pytest.approx(1 / 3)
    assert score.named.recall == pytest.approx(1 / 4)
    assert score.named.mixed_customers == 1
    assert set(score.by_kind) == {"loyalty", "account", "order"}


def test_receipts_are_judged_by_their_buyer(con: duckdb.DuckDBPyConnection, truth: Path) -> None:
    receipts = score_against_truth(con, truth).receipts
    # r1 is p1's; C2 is p2, so r2 went wrong; r3 went to nobody; r4 is no store receipt.
    assert (receipts.receipts, receipts.attributed, receipts.right) == (3, 2, 1)


def test_without_sales_there_is_no_receipt_score(
    con: duckdb.DuckDBPyConnection, truth: Path
) -> None:
    con.execute("drop table core.fct_sales")
    assert score_against_truth(con, truth).receipts is None


def test_a_folder_without_truth_is_told(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no truth"):
        score_against_truth(con, tmp_path)
