"""Rows pass in one stream: equal bytes whatever the batches, and each row its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.ingest import splitting
from cdp_pipeline.ingest.judging import judge_rows
from cdp_pipeline.ingest.readers import open_reading
from cdp_pipeline.ingest.splitting import RowWriter, Split, split_rows
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import connect
from tests.unit.ingest.conftest import NIGHT, make_contract

COLUMNS = {"order_id": {"required": True}, "amount": {"type": "decimal", "min": 0}}


def split(folder: Path, data: bytes, contract: SourceContract, *, threads: int = 1) -> Split:
    folder.mkdir(exist_ok=True)
    path = folder / "orders.csv"
    path.write_bytes(data)
    con = connect(EngineSettings(threads=threads))
    reading = open_reading(con, path, contract, folder)
    judgement = judge_rows(con, reading, contract, file_id="f" * 16, business_date=NIGHT)
    target = folder / "rows.parquet"
    return split_rows(con, reading, contract, judgement, target=target, scratch=folder)


def delivery(rows: int, broken: Callable[[int], bool]) -> bytes:
    lines = (f"o{n},{'-' if broken(n) else ''}{n % 97}.50" for n in range(rows))
    return ("order_id,amount\n" + "\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("every", [1, 3, 1000])
def test_every_row_goes_one_way_in_file_order(tmp_path: Path, every: int) -> None:
    data = delivery(5_000, lambda n: n % every == 1 % every and n % 97 > 0)
    found = split(tmp_path, data, make_contract(COLUMNS))
    rows = duckdb.execute(
        "select order_id, _line from read_parquet(?)", [str(found.target)]
    ).fetchall()
    fine = [n for n in range(5_000) if not (n % every == 1 % every and n % 97 > 0)]
    assert rows == [(f"o{n}", n + 2) for n in fine]
    aside = duckdb.execute("select _row from read_parquet(?)", [str(found.aside)]).fetchall()
    assert [row[0] for row in aside] == sorted(set(range(5_000)) - set(fine))
    assert (found.rows, found.read, found.accepted) == (5_000, 5_000, len(fine))


def test_rows_keep_their_order_whatever_their_values_are_compared_with(tmp_path: Path) -> None:
    """DuckDB joins values to long lists of constants, and joins promise no order."""
    columns = {
        "order_id": {"required": True},
        "is_gift": {"type": "boolean"},
        "state": {"values": [f"state {n}" for n in range(40)]},
    }
    lines = (f"o{n},{'yes' if n % 3 else 'no'},state {n % 40}," + "x" * 80 for n in range(200_000))
    data = ("order_id,is_gift,state,note\n" + "\n".join(lines) + "\n").encode()
    assert len(data) > 2 * 8_000_000, "as much as two threads read at a time"
    found = split(tmp_path, data, make_contract(columns, ignore=["note"]), threads=4)
    (held,) = duckdb.execute(
        "select count(*) from read_parquet(?) where order_id = 'o' || (_line - 2)",
        [str(found.target)],
    ).fetchall()
    assert held == (200_000,)


def test_equal_rows_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = delivery(300_000, lambda n: n % 5_000 == 77)
    files = []
    for number, (batch, threads) in enumerate([(32_768, 1), (5_000, 2), (122_880, 2)]):
        monkeypatch.setattr(splitting, "_BATCH_ROWS", batch)
        contract = make_contract(COLUMNS)
        found = split(tmp_path / str(number), data, contract, threads=threads)
        files.append(found.target.read_bytes())
    assert files[0] == files[1] == files[2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sizes=st.lists(st.integers(0, 40), max_size=12))
def test_row_groups_are_full_whatever_comes(tmp_path: Path, sizes: list[int]) -> None:
    schema = pa.schema([("n", pa.int64())])
    path = tmp_path / "rows.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "GROUP_ROWS", 16)
        with RowWriter(path, schema) as writer:
            for size in sizes:
                writer.write(pa.record_batch([pa.array(range(size), pa.int64())], schema=schema))
    metadata = pa.parquet.ParquetFile(path).metadata
    groups = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert sum(groups) == sum(sizes)
    assert all(rows == 16 for rows in groups[:-1])


def fail_within(writer: RowWriter) -> None:
    with writer:
        raise ZeroDivisionError


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    with pytest.raises(ZeroDivisionError):
        fail_within(RowWriter(path, pa.schema([("n", pa.int64())])))
    assert not path.exists()


def test_what_goes_wrong_while_a_group_is_written_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        message = "no space left on device"
        raise OSError(message)

    def write_three() -> None:
        with RowWriter(path, schema) as writer:
            writer.write(pa.record_batch([[1, 2, 3]], schema=schema))

    path, schema = tmp_path / "rows.parquet", pa.schema([("n", pa.int64())])
    monkeypatch.setattr(splitting, "GROUP_ROWS", 2)
    monkeypatch.setattr(splitting.parquet.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="no space left"):
        write_three()
    assert not path.exists()
