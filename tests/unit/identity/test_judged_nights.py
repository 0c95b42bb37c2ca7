"""Random judgements, night after night: what is grouped again ends as if everybody was."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.grouping import cluster
from cdp_pipeline.identity.stewardship import decisions
from cdp_pipeline.identity.stewardship.judgements import read_judgements, record_judgements
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.identity.test_nights import FIRST, Life, run

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Store, Village

pytest.importorskip("recordlinkage")

NIGHTS = 5
OF_LIFE = ("another record", "late stranger", "moves house", "takes a neighbour's identity",
           "as at first", "is gone", "person is gone", "is back")  # fmt: skip
JUDGED = ("same", "different", "chain", "freeze", "thaw", "unmerge", "withdraw")
KEPT = {
    "customer_map": "select source, record_key, customer_id, round(match_prob, 9)",
    "edges": "select source_a, record_key_a, source_b, record_key_b, rule, round(match_prob, 9)",
    "changes": "select change, customer_id, previous_customer_id, source, record_key",
    "redirects": "select *",
}
"""What a night tells; the cause of a change is left out, as nothing caused a grouping of all."""


class Judged:
    """A life in which stewards judge records at random."""

    def __init__(self, life: Life, seed: int) -> None:
        self.life = life
        self.chance = random.Random(seed)  # noqa: S311 - no secrets

    def receipts(self) -> None:
        """Let people shop with numbers of their own, or with those of two."""
        for number in range(40):
            one, other = self.chance.sample(sorted(self.life.first), 2)
            told = {"email": self.life.first[one].get("email")}
            told |= {"phone": self.life.first[other].get("phone")} if number % 3 else {}
            row: Person = {"source": "till", "record_kind": "receipt", "first_delivered_on": FIRST}
            self.life.rows["till", f"t{number}"] = row | told | {"record_key": f"t{number}"}

    def act(self) -> None:
        if self.chance.random() < 0.4:
            self.life.act(self.chance.choice(OF_LIFE), self.chance.randrange(60))
            return
        folder = DataPaths.of(self.life.store.context(self.life.day)).stewardship
        try:
            drafts = list(self._drafts(self.chance.choice(JUDGED), folder))
        except ConfigError:  # of a customer with one record nothing can be taken
            return
        now = datetime(2026, 11, 20, 9, tzinfo=UTC)
        record_judgements(folder, drafts, who=self.chance.choice(("ann", "bob")), now=now)

    def _drafts(self, verdict: str, folder: Path) -> Iterator[Any]:
        a, b, c = (
            f"{source}:{key}" for source, key in self.chance.sample(sorted(self.life.rows), 3)
        )
        standing = read_judgements(folder).standing
        if verdict in {"same", "chain"}:
            yield {"verdict": "same", "a": a, "b": b}
        if verdict == "chain":
            yield {"verdict": "same", "a": b, "b": c}
            yield {"verdict": "different", "a": a, "b": c}
        if verdict == "different":
            home = self.chance.randrange(120)
            yield {"verdict": verdict, "a": f"shop:{home:04d}", "b": f"loyalty:{home:04d}"}
        if verdict == "withdraw" and standing:
            yield {"verdict": verdict, "withdraws": self.chance.choice(standing).id}
        if verdict == "thaw":
            frozen = [line.id for line in standing if line.verdict == "freeze"]
            yield from ({"verdict": "withdraw", "withdraws": number} for number in frozen[:1])
        if verdict in {"freeze", "unmerge"}:
            yield from self._of_a_customer(verdict, folder)

    def _of_a_customer(self, verdict: str, folder: Path) -> Iterator[Any]:
        with duckdb.connect(str(self.life.store.base), read_only=True) as con:
            found = con.execute(
                "select distinct customer_id from identity.customer_map order by all"
            ).fetchall()
            (customer,) = self.chance.choice(found)
            if verdict == "freeze":
                made = decisions.freeze(con, read_judgements(folder), customer, "")
            else:
                made = decisions.unmerge(con, customer, [], "")
        yield from made.drafts


def told(made: Path) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(made), read_only=True) as con:
        return {
            table: con.execute(f"{select} from identity.{table} order by all").fetchall()
            for table, select in KEPT.items()
        }


def live_on(village: Village, store: Store) -> Life:
    """Return the life of the village's people from its first night on, in a store of its own."""
    store.base = store.folder / "first.duckdb"
    shutil.copyfile(village.made, store.base)
    people: list[Person] = [{"first_delivered_on": FIRST} | one for one in village.people]
    return Life(store, {(one["source"], one["record_key"]): one for one in people})


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_whatever_is_judged_a_night_ends_as_if_everybody_was_grouped(
    village: Village, make_store: Callable[[Path], Store], tmp_path: Path, seed: int
) -> None:
    life = live_on(village, make_store(tmp_path))
    judged = Judged(life, seed)
    judged.receipts()
    grouped: list[date] = []
    for _ in range(NIGHTS):
        for _ in range(4):
            judged.act()
        tonight = life.day + timedelta(days=1)
        for row in life.rows.values():
            row["first_delivered_on"] = row.get("first_delivered_on") or tonight
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cluster, "touched_nodes", lambda *_, **__: grouped.append(tonight))  # noqa: B023 - called at once
            of_all = told(run(life.store, life.rows.values(), tonight))
        assert told(life.night()) == of_all
    assert len(grouped) >= NIGHTS - 1, "hardly a night was incremental"


@pytest.mark.slow
def test_copies_of_who_is_judged_stay_on_the_map(
    village: Village, make_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    life = live_on(village, make_store(tmp_path))
    for number in (1, 2):
        key = ("crm", f"copy{number}")
        life.rows[key] = life.rows["shop", "0016"] | {"source": "crm", "record_key": key[1]}
    life.night()
    life.act("judged different", 8)
    tonight = life.day + timedelta(days=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "touched_nodes", lambda *_, **__: None)
        of_all = told(run(life.store, life.rows.values(), tonight))
    now = told(life.night())
    lost = set(life.rows) - {row[:2] for row in now["customer_map"]}
    assert not lost, "every record has a customer"
    assert now == of_all
