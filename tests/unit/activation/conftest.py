"""Nights of a marketing project from segments to files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipeline.activation import export
from cdp_pipeline.segments import membership
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from cdp_pipeline.core.context import RunContext, StepResult
    from tests.unit.conftest import Marketing

DAY = date(2026, 11, 20)


@dataclass
class ExportNight:
    """What one night wrote."""

    context: RunContext
    result: StepResult
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = DataPaths.of(self.context).tree / "exports"

    def rows(self, destination: str, file_name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file."""
        path = self.folder / destination / file_name
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def customers(self, destination: str, file_name: str) -> list[str]:
        """Return whom a CSV file holds."""
        return [row["customer_id"] for row in self.rows(destination, file_name)]

    def manifest(self, destination: str) -> dict[str, Any]:
        """Return a destination's manifest."""
        text = (self.folder / destination / "manifest.json").read_text(encoding="utf-8")
        manifest: dict[str, Any] = json.loads(text)
        return manifest

    def excluded(self, destination: str, name: str) -> dict[str, int]:
        """Return who was left out of a full file, by reason, without zeros."""
        files = self.manifest(destination)["files"]
        file = next(f for f in files if f["name"] == name and f["kind"] == "full")
        return {reason: count for reason, count in file["excluded"].items() if count}

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the build."""
        with open_build(self.context) as con:
            return con.execute(sql).fetchall()


@pytest.fixture
def run_night(marketing: Marketing) -> Callable[..., ExportNight]:
    """Return a runner of nights: segments, exports; ``publish`` makes it the next one's base."""

    def run(day: date = DAY, *, publish: bool = False, **settings: object) -> ExportNight:
        context = marketing.start(day, **settings)
        membership.run(context)
        night = ExportNight(context, export.run(context))
        if publish:
            marketing.publish(context)
        return night

    return run
