"""What operators decided about identities that a night held back, and where those are kept.

``data/stewardship/releases.jsonl`` is append-only: accepted or rejected, by whom, when, why; the
last word on a run counts. A held proposal lies in ``data/proposals/<run>/`` as Parquet with a
summary. Whether a night is held belongs in ``gate``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError, IdentityError
from cdp_pipeline.storage.files import read_json, remove_folder, write_json
from cdp_pipeline.storage.journal import Journal, append_lines, read_journal
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import quote_literal

JOURNAL = "releases.jsonl"
MAP_FILE = "customer_map.parquet"
CHANGES_FILE = "changes.parquet"
SUMMARY_FILE = "summary.json"
DECISIONS = ("accepted", "rejected")

_MAP = "select source, record_key, customer_id from identity.customer_map order by all"
_CHANGES = "select * from identity_tonight order by customer_id, change, source, record_key"


@dataclass(frozen=True)
class Decision:
    """One line of the journal.

    Attributes:
        run: Run whose proposal it is about.
        decision: ``accepted`` or ``rejected``.
        by: Who decided.
        at: When, in UTC, as text.
        reason: Why, in the operator's words.
    """

    run: str
    decision: str
    by: str
    at: str
    reason: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return plain data for the journal and for JSON output."""
        return dict(vars(self))


def read_decisions(folder: Path) -> dict[str, Decision]:
    """Return the last decision about each run, from the journal in a folder.

    Raises:
        ConfigError: A line of the journal is no decision.
    """
    return _last_words(read_journal(folder / JOURNAL))


def _last_words(journal: Journal) -> dict[str, Decision]:
    found: dict[str, Decision] = {}
    for number, line in journal.lines:
        try:
            decision = Decision(**line)
        except TypeError as error:
            raise _no_decision(journal.place(number)) from error
        if decision.decision not in DECISIONS or not all(
            isinstance(value, str) for value in decision.as_dict().values()
        ):
            raise _no_decision(journal.place(number))
        found[decision.run] = decision
    return found


def _no_decision(place: str) -> ConfigError:
    return ConfigError(
        "this line is no decision about identities",
        where=place,
        hint="Write decisions with `cdp identity accept RUN` or `cdp identity reject RUN` only.",
    )


def decide(
    paths: DataPaths, run: str, decision: str, *, by: str, now: datetime, reason: str = ""
) -> Decision:
    """Append a decision about a held run to the journal; return it as it stands there.

    One that is the last word on the run already is not written twice: whoever asked before died
    without being told.

    Raises:
        ConfigError: That run holds no proposal.
    """
    if run not in held_runs(paths):
        known = ", ".join(held_runs(paths)) or "none"
        raise ConfigError(
            f"no identities of {run!r} are held back",
            where=str(paths.proposals),
            hint=f"Name a held run (held: {known}); `cdp identity status` lists them.",
        )
    made = Decision(run, decision, by, now.astimezone(UTC).isoformat(timespec="seconds"), reason)

    def compose(journal: Journal) -> list[dict[str, str]]:
        before = _last_words(journal).get(run)
        return [] if before and replace(before, at=made.at) == made else [made.as_dict()]

    return _last_words(append_lines(paths.stewardship / JOURNAL, compose))[run]


def held_runs(paths: DataPaths) -> list[str]:
    """Return the runs whose proposals are kept, oldest first."""
    return sorted(path.parent.name for path in paths.proposals.glob(f"*/{SUMMARY_FILE}"))


def read_summary(paths: DataPaths, run: str) -> dict[str, Any]:
    """Return what a held run would have changed."""
    return read_json(paths.proposals / run / SUMMARY_FILE)


def keep_proposal(con: duckdb.DuckDBPyConnection, folder: Path, summary: dict[str, Any]) -> None:
    """Write tonight's ``identity.customer_map`` and changes for the operator.

    The summary is written last: a folder without one is no proposal.
    """
    remove_folder(folder)
    folder.mkdir(parents=True, mode=0o750)
    for name, select in ((MAP_FILE, _MAP), (CHANGES_FILE, _CHANGES)):
        target = quote_literal(str(folder / name))
        con.execute(f"copy ({select}) to {target} (format parquet, compression zstd)")
        (folder / name).chmod(0o640)
    write_json(folder / SUMMARY_FILE, summary)


def drop_proposal(folder: Path) -> None:
    """Forget the proposal of an earlier try of the run that is not held any more."""
    remove_folder(folder)


def load_proposal(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Create ``identity_proposed_map`` (source, record_key, customer_id) from a held proposal.

    Raises:
        IdentityError: Its file is gone.
    """
    path = folder / MAP_FILE
    if not path.is_file():
        raise IdentityError(
            "the identities that were accepted are gone",
            where=str(path),
            hint=f"Restore the file, or `cdp identity reject {folder.name}` and run again.",
        )
    con.execute(
        "create or replace temp table identity_proposed_map as "
        f"from read_parquet({quote_literal(str(path))})"
    )
