"""Stage bytes against a contract, and run whole nights over a landing folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.ingest import entities, landing, staging
from cdp_pipeline.ingest.deliveries import Delivery, StagedFile, staged_places
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.warehouse import connect, fetch_dicts, open_build

NIGHT = date(2026, 11, 20)
REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    notes: StagedFile
    rows: list[dict[str, Any]]
    aside: list[dict[str, Any]]

    @property
    def status(self) -> str:
        return self.notes.status


Stage = Callable[..., Outcome]


def make_contract(columns: dict[str, Any], **parts: object) -> SourceContract:
    """Return a contract of an append source keyed by its first column."""
    return SourceContract.model_validate(
        {
            "name": "orders",
            "title": "Orders",
            "owner": "tests",
            "delivery": {"path": "orders/*", "format": "csv", **dict(parts.pop("delivery", {}))},
            "load": {"mode": "append", "key": [next(iter(columns))]},
            "columns": columns,
            "feeds": [{"entity": "products", "columns": {}}],
            **parts,
        }
    )


@pytest.fixture(scope="session")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return one connection for all cases, as staging has one for all files of a source."""
    connection = connect(EngineSettings(threads=1))
    yield connection
    connection.close()


@pytest.fixture
def stage(context: RunContext, tmp_path: Path, con: duckdb.DuckDBPyConnection) -> Stage:
    """Return a function that stages bytes against a contract."""

    def run(
        data: bytes, contract: SourceContract, *, name: str = "orders.csv", **changed: object
    ) -> Outcome:
        settings = context.settings.model_copy(update=changed)
        run_context = replace(context, settings=settings)
        digest = hashlib.sha256(data).hexdigest()
        path = tmp_path / digest[:12] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        delivery = Delivery(
            digest[:16], contract.name, str(path), f"orders/{name}", digest, len(data), NIGHT, "new"
        )
        places = staged_places(run_context, delivery, contract)
        notes = staging.stage_delivery(run_context, delivery, contract, con=con, scratch=tmp_path)
        return Outcome(notes, _read(con, places.rows), _read(con, places.quarantine))

    return run


def _read(con: duckdb.DuckDBPyConnection, path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return fetch_dicts(con, "select * from read_parquet(?)", [str(path)])


@dataclass
class Store:
    """A project with contracts and a landing folder, run night by night."""

    root: Path
    make_context: Callable[..., RunContext]

    def declare(self, name: str, document: dict[str, Any]) -> None:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        (self.root / "expectations" / f"{name}.yml").write_text(text, encoding="utf-8")

    def deliver(self, name: str, text: str | bytes) -> Path:
        path = self.root / "data" / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def context(self, day: date = NIGHT, **settings: object) -> RunContext:
        return self.make_context(day, root=self.root, **settings)

    def night(self, day: date = NIGHT, **settings: object) -> StepResult:
        """Discover, stage every source and load; what was built for the day is thrown away."""
        context = self.context(day, **settings)
        shutil.rmtree(context.data_dir / "work", ignore_errors=True)
        landing.run(context)
        for path in sorted((self.root / "expectations").glob("*.yml")):
            staging.run(context, source=path.stem)
        return entities.run(context)

    def publish(self, day: date = NIGHT) -> None:
        """Publish what the night of a day built, so that the next one goes on from it."""
        versions.run(self.context(day))

    def query(self, sql: str, day: date = NIGHT) -> list[tuple[Any, ...]]:
        with open_build(self.context(day)) as con:
            return con.execute(sql).fetchall()

    def ledger(self, day: date = NIGHT) -> list[tuple[Any, ...]]:
        """Return status, records, loaded, quarantined, duplicates, excluded by file name."""
        return self.query(
            "select file_name, status, records, loaded, quarantined, duplicates, excluded "
            "from ops.deliveries order by source, business_date, file_name",
            day,
        )


@pytest.fixture
def store(project_root: Path, make_context: Callable[..., RunContext]) -> Store:
    """Return an empty store; of sql it has what loading needs, so that it is read quickly."""
    sql = project_root / "sql"
    shutil.copytree(REPOSITORY / "sql" / "staging", sql / "staging")
    for name in (
        "macros/business_date.sql",
        "ops/arrivals.yml",
        "ops/deliveries.yml",
        "ops/quarantine_summary.yml",
        "ops/privacy_actions.yml",
        "ops/retention.yml",
        "identity/consent_statements.yml",
    ):
        (sql / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "sql" / name, sql / name)
    (project_root / "reports").mkdir()
    return Store(project_root, make_context)
