"""A night whose deliveries would shuffle hundreds of customers, through the whole pipeline."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings, load_settings
from cdp_pipeline.identity.release.decided import MAP_FILE
from cdp_pipeline.orchestration.runner import NightOutcome, run_night
from cdp_pipeline.sample.generate import StoreSpec, generate_store
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_dicts, open_whole
from tests.integration.store import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]

Records = dict[tuple[str, str], str]

CUSTOMERS = 600
POISONED, BORROWING = 300, 60
"""Members who state the identity of the one before, and who state only her mailbox and phone."""

WHO = ("first_name", "last_name", "birth_date", "sex", "street", "city", "postcode")
CONTACTS = ("email", "mobile")


@dataclass(frozen=True)
class Town:
    """A store on the eve of a bad delivery, in a data folder of its own."""

    settings: Settings
    day: date

    @property
    def data(self) -> Path:
        return self.settings.data_dir

    @property
    def run(self) -> str:
        return f"night-{self.day}"

    def night(self, day: date) -> NightOutcome:
        outcome = run_night(RunContext(day, f"night-{day}", ROOT, self.settings))
        assert outcome.error is None, outcome.error
        assert outcome.status == "published", "the rest of the night goes on"
        return outcome

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with open_whole(self.settings) as con:
            return fetch_dicts(con, sql)

    def customers(self) -> Records:
        rows = self.rows("select source, record_key, customer_id from identity.customer_map")
        return {(row["source"], row["record_key"]): row["customer_id"] for row in rows}

    def ids(self, table: str) -> set[str]:
        return {row["customer_id"] for row in self.rows(f"select customer_id from {table}")}

    def cdp(self, *words: str) -> None:
        assert run_app(["--project", str(ROOT), "--data-dir", str(self.data), *words]) == 0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Deliver loyalty members of whom every second one states somebody else's identity."""
    data = tmp_path_factory.mktemp("town") / "data"
    settings = load_settings(ROOT, data_dir=data)
    landing = DataPaths.of_settings(settings).landing
    first, bad = generate_store(
        StoreSpec(customers=CUSTOMERS, nights=2), landing, data / "truth"
    ).dates[:2]
    Town(settings, first).night(first)
    with min((landing / "loyalty_members").rglob("*.csv")).open(newline="") as stream:
        members = list(csv.DictReader(stream))[: POISONED + BORROWING]
    for place in range(1, len(members), 2):
        stated = (*WHO, *CONTACTS) if place < POISONED else CONTACTS
        members[place] |= {name: members[place - 1][name] for name in stated}
        members[place]["updated_at"] = f"{bad}T23:00:00Z"
    folder = landing / "loyalty_members" / bad.isoformat()
    folder.mkdir(exist_ok=True)
    with (folder / f"loyalty_members_{bad:%Y%m%d}_mended.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(members[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(members[1::2])
    return Town(settings, bad)


def test_a_bad_night_is_held_decided_upon_and_followed_by_all_else(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    """One test, since each night builds upon the one before."""
    before = town.customers()
    held = town.night(town.day)
    _is_held(town, held, capsys)
    _is_as_before(town, before)
    assert set(before) - _proposed(town), "the bad night would leave some receipts to nobody"
    kept = town.data.with_name("kept")
    shutil.copytree(town.data, kept, symlinks=True)

    following = town.day + timedelta(days=1)
    town.cdp("identity", "reject", town.run, "--reason", "the till mixed up two lines")
    town.night(following)
    _is_as_before(town, before)

    shutil.rmtree(town.data)
    kept.rename(town.data)
    town.cdp("identity", "accept", town.run, "--reason", "it is so")
    town.night(following)
    _follows(town, before, following)


def _proposed(town: Town) -> set[tuple[str, str]]:
    """Return the records that the bad night would give to somebody."""
    path = DataPaths.of_settings(town.settings).proposals / town.run / MAP_FILE
    with duckdb.connect() as con:
        sql = "select source, record_key from read_parquet(?)"
        return set(con.execute(sql, [str(path)]).fetchall())


def _is_as_before(town: Town, before: Records) -> None:
    after = town.customers()
    assert {record: after.get(record) for record in before} == before
    assert set(before.values()) <= town.ids("identity.golden_records")
    redirected = town.rows("select old_customer_id from identity.redirects")
    assert {row["old_customer_id"] for row in redirected}.isdisjoint(before.values())
    assert town.ids("ops.export_members") <= set(after.values())


def _is_held(town: Town, held: NightOutcome, capsys: pytest.CaptureFixture[str]) -> None:
    result = held.steps["resolve_customers"].result
    assert result is not None
    assert result.facts["release"] == "held"
    assert any("held back" in message for message in result.messages)
    capsys.readouterr()
    town.cdp("identity", "status")
    assert f"{town.run} waits for a decision" in capsys.readouterr().out
    town.cdp("identity", "status", "--json")
    found = json.loads(capsys.readouterr().out)
    metrics = {row["metric"]: row for row in found["published"]}
    assert metrics["moved_share"]["is_exceeded"]
    for effect in ("segment_share", "export_share"):
        assert metrics[effect]["affected"] > 0, effect
    assert found["held"][0]["run"] == town.run
    assert "moved" in " ".join(found["held"][0]["why"])
    assert "changed evidence" in {row["cause"] for row in found["held"][0]["causes"]}


def _follows(town: Town, before: Records, day: date) -> None:
    """All tables speak of the identities that were accepted."""
    after = town.customers()
    moved = {record for record in before if after.get(record) != before[record]}
    assert len(moved) >= POISONED // 4
    gone = set(before.values()) - set(after.values())
    redirects = {
        row["old_customer_id"]: row["customer_id"] for row in town.rows("from identity.redirects")
    }
    assert gone <= set(redirects)
    for table in ("identity.golden_records", "ops.export_members", "segments.membership"):
        assert town.ids(table).isdisjoint(gone), table
    causes = town.rows(
        "select distinct cause from identity.changes "
        f"where change = 'merged' and changed_on = '{day}'"
    )
    assert causes == [{"cause": "released"}]
