"""Stage one hostile file and say what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.ingest import staging
from cdp_pipeline.ingest.deliveries import Delivery, StagedFile, staged_places
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import connect
from tests.hostile.orders import CONTRACT, NIGHT, Row
from tests.unit.ingest.conftest import store

__all__ = ("store",)


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    notes: StagedFile
    rows: list[Row]
    lines: list[int]
    aside: list[tuple[int, str, str]]


Feed = Callable[..., Outcome]


@pytest.fixture(scope="session")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return one connection for all cases, as staging has one for all files of a source."""
    connection = connect(EngineSettings(threads=1))
    yield connection
    connection.close()


@pytest.fixture
def feed(context: RunContext, tmp_path: Path, con: duckdb.DuckDBPyConnection) -> Feed:
    """Return a function that stages the bytes of a file."""

    def run(data: bytes, *, name: str = "orders.csv", **delivery: object) -> Outcome:
        contract = SourceContract.model_validate(
            {**CONTRACT, "delivery": {**CONTRACT["delivery"], **delivery}}
        )
        digest = hashlib.sha256(data).hexdigest()
        path = tmp_path / name
        path.write_bytes(data)
        delivered = Delivery(
            digest[:16], "orders", str(path), f"orders/{name}", digest, len(data), NIGHT, "new"
        )
        notes = staging.stage_delivery(context, delivered, contract, con=con, scratch=tmp_path)
        places = staged_places(context, delivered, contract)
        return Outcome(notes, *_read_rows(con, places.rows), _read_aside(con, places.quarantine))

    return run


def _read_rows(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[Row], list[int]]:
    if not path.is_file():
        return [], []
    found = con.execute(
        "select order_id, strftime(ordered_at, '%Y-%m-%d %H:%M:%S'), customer_id, email, name, "
        "quantity::varchar, amount::varchar, note, _line from read_parquet(?)",
        [str(path)],
    ).fetchall()
    return [tuple(v or "" for v in row[:-1]) for row in found], [row[-1] for row in found]


def _read_aside(con: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[int, str, str]]:
    if not path.is_file():
        return []
    return con.execute("select line, rule, raw from read_parquet(?)", [str(path)]).fetchall()
