"""Every path below the data folder, named once.

Nothing is read or written here apart from creating private folders on request.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings

PRIVATE_FOLDER_MODE = 0o750


@dataclass(frozen=True)
class DataPaths:
    """Places of one data folder and, for a run, of its work."""

    data_dir: Path
    landing: Path
    run_id: str = ""

    @classmethod
    def of(cls, context: RunContext) -> DataPaths:
        """Return the paths of a run."""
        return cls.of_settings(context.settings, run_id=context.run_id)

    @classmethod
    def of_settings(cls, settings: Settings, *, run_id: str = "") -> DataPaths:
        """Return the paths of a data folder outside any run."""
        landing = settings.landing_dir or settings.data_dir / "landing"
        return cls(settings.data_dir, landing, run_id)

    @property
    def staging(self) -> Path:
        """Staged Parquet, content-addressed, one folder a source."""
        return self.data_dir / "staging"

    @property
    def quarantine(self) -> Path:
        """Rows set aside, one folder a source."""
        return self.data_dir / "quarantine"

    @property
    def archive(self) -> Path:
        """Deliveries fetched from elsewhere, as they came, one folder a source."""
        return self.data_dir / "archive"

    @property
    def warehouse(self) -> Path:
        """Published versions and the link to the current one."""
        return self.data_dir / "warehouse"

    @property
    def versions(self) -> Path:
        """One immutable folder a published version."""
        return self.warehouse / "versions"

    @property
    def current(self) -> Path:
        """Symlink to the version that readers see."""
        return self.warehouse / "current"

    @property
    def rolling_back(self) -> Path:
        """The rollback that has begun and not ended (JSON)."""
        return self.warehouse / ".rollback.json"

    @property
    def lock(self) -> Path:
        """Lock file; never deleted, names its holder."""
        return self.data_dir / ".lock"

    @property
    def outbox(self) -> Path:
        """What was sent where, so that nothing is sent twice."""
        return self.data_dir / "outbox"

    @property
    def stewardship(self) -> Path:
        """What people decided: journals of JSON lines, inputs of every night."""
        return self.data_dir / "stewardship"

    @property
    def audit_log(self) -> Path:
        """Who did or saw what, on whom, when, why (JSON lines, signed)."""
        return self.data_dir / "audit" / "log.jsonl"

    @property
    def privacy(self) -> Path:
        """Tombstones, erasures and their certificates, answers to people's requests."""
        return self.data_dir / "privacy"

    @property
    def proposals(self) -> Path:
        """Identities that a night held back, one folder a run, until an operator decides."""
        return self.data_dir / "proposals"

    @property
    def written(self) -> list[Path]:
        """Folders that keep single files from night to night, apart from published versions."""
        kept = ("staging", "quarantine", "archive", "outbox", "stewardship", "privacy")
        return [self.data_dir / name for name in (*kept, "proposals", "runs", "audit")]

    @property
    def work(self) -> Path:
        """Private folder of this run."""
        return self.data_dir / "work" / self.run_id

    @property
    def rotation(self) -> Path:
        """Deliveries in clear, one at a time, while a key rotation encrypts them again."""
        return self.data_dir / "work" / "rotation"

    @property
    def run(self) -> Path:
        """Log, timings and results of this run; kept after the work is gone."""
        return self.data_dir / "runs" / self.run_id

    @property
    def hashes(self) -> Path:
        """Hashes of the files in landing, each with what changes when its file does (JSON)."""
        return self.data_dir / "runs" / "landing.json"

    @property
    def plan(self) -> Path:
        """What this run reads and builds upon (JSON)."""
        return self.work / "plan.json"

    @property
    def begun(self) -> Path:
        """On which run of the machine this run began (JSON)."""
        return self.work / "begun.json"

    @property
    def unsettled(self) -> Path:
        """Files in landing that were still being written when the run began (JSON)."""
        return self.work / "unsettled.json"

    @property
    def fetched(self) -> Path:
        """What was said of files at their origin that were not taken when the run began (JSON)."""
        return self.work / "fetched.json"

    @property
    def decisions(self) -> Path:
        """The journals of ``stewardship`` as they were when the run began."""
        return self.work / "decisions"

    @property
    def staged(self) -> Path:
        """Per delivery, what staging did in this run (JSON files)."""
        return self.work / "staged"

    @property
    def build_db(self) -> Path:
        """The warehouse being built."""
        return self.work / "cdp.duckdb"

    @property
    def vault_db(self) -> Path:
        """The tables with personal data of the warehouse being built."""
        return self.work / "vault.duckdb"

    @property
    def staging_db(self) -> Path:
        """Entity tables of this run; never published."""
        return self.work / "staging.duckdb"

    @property
    def tree(self) -> Path:
        """Files that are published beside the warehouse: exports, reports, docs, parquet."""
        return self.work / "tree"

    def ensure(self, folder: Path) -> Path:
        """Create a folder that only owner and group may enter, and return it."""
        folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)
        return folder
