"""The small store that the integration tests share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.orchestration.demo import DemoOutcome

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Store:
    """A store whose nights have been run.

    Attributes:
        settings: Of the repository's project, with a data folder of its own.
        outcome: What the demo measured.
    """

    settings: Settings
    outcome: DemoOutcome

    @property
    def data(self) -> Path:
        return self.settings.data_dir

    @property
    def last_night(self) -> date:
        return self.outcome.business_dates[-1]

    def context(self, day: date) -> RunContext:
        return RunContext(day, f"night-{day}", ROOT, self.settings)
