"""Two-night stores: an ordinary night passes, a poisoned one waits for a word."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_pipeline.cli.identity import _show
from cdp_pipeline.core.errors import ConfigError, IdentityError
from cdp_pipeline.core.settings import IdentitySettings
from cdp_pipeline.identity.release import effects
from cdp_pipeline.identity.release.decided import (
    MAP_FILE,
    decide,
    held_runs,
    read_decisions,
    read_summary,
)
from cdp_pipeline.identity.release.effects import measure_effects
from cdp_pipeline.identity.stewardship.judgements import record_judgements
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.identity.conftest import Person, Query, Store, Village

pytest.importorskip("recordlinkage")
pytestmark = pytest.mark.slow  # whole nights of a village

SECOND, THIRD, FOURTH = (date(2026, 11, day) for day in (21, 22, 23))
IDS = "select source, record_key, customer_id from identity.customer_map order by all"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def poison(people: list[Person]) -> list[Person]:
    """Give every two neighbouring families one identity: below every hub threshold, and wrong."""
    spoilt = []
    for place, person in enumerate(people):
        key = person["record_key"]
        if person["source"] in {"loyalty", "shop"} and key.isdigit() and len(key) == 4:
            twin = people[place - 4] if int(key) // 2 % 2 else person
            spoilt.append(person | {k: v for k, v in twin.items() if k not in KEPT})
        else:
            spoilt.append(person)
    return spoilt


KEPT = {"source", "record_key", "record_kind", "loyalty_id", "account_id"}


@pytest.fixture
def town(village: Village, tmp_path: Path) -> Store:
    """The village's store after its first night, with a data folder of its own."""
    store = Store(tmp_path)
    store.base = tmp_path / "first.duckdb"
    shutil.copyfile(village.made, store.base)
    return store


@pytest.fixture(scope="module")
def spoilt(village: Village, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The village's store after a second night whose deliveries are poisoned; to be copied."""
    store = Store(tmp_path_factory.mktemp("spoilt"))
    store.base = village.made
    store.base = night(store, poison(village.people), SECOND)
    return store


@pytest.fixture
def held(spoilt: Store, tmp_path: Path) -> Store:
    """A store whose second night was held, and is what the next one builds upon."""
    store = Store(tmp_path)
    shutil.copytree(spoilt.folder / "data", tmp_path / "data", symlinks=True)
    assert spoilt.base is not None
    store.base = Path(shutil.copy(spoilt.base, tmp_path))
    return store


def night(store: Store, people: list[Person], day: date) -> Path:
    """Run a night and keep its result apart; the next one builds upon the same version."""
    base, kept = store.base, store.folder / f"{day}.duckdb"
    shutil.copyfile(store.night(people, day=day), kept)
    store.base = base
    return kept


def verdict(read: Query, made: Path) -> set[Any]:
    return {row[0] for row in read(made, "select verdict from identity.release")}


def customers(read: Query, made: Path) -> dict[tuple[str, str], str]:
    return {(source, key): customer for source, key, customer in read(made, IDS)}


def test_a_first_night_has_nothing_to_compare(village: Village, read: Query) -> None:
    assert verdict(read, village.made) == {"first"}


def test_an_ordinary_night_passes(village: Village, town: Store, read: Query) -> None:
    newcomer = {"record_key": "c1", "full_name": "Zachary Quill", "email": "zq@example.com"}
    made = night(town, [*village.people, newcomer], SECOND)
    assert verdict(read, made) == {"released"}
    assert held_runs(DataPaths.of(town.context(SECOND))) == []


def test_a_poisoned_night_is_held_and_explained(village: Village, town: Store, read: Query) -> None:
    newcomer = {"record_key": "c1", "full_name": "Zachary Quill", "email": "zq@example.com"}
    again = village.people[0] | {"source": "crm", "record_key": "c0", "record_kind": "contact"}
    *people, missing = poison(village.people)
    made = night(town, [*people, newcomer, again], SECOND)
    assert verdict(read, made) == {"held"}
    before, after = customers(read, village.made), customers(read, made)
    lost = before.pop((missing["source"], missing["record_key"]))
    assert ("left", lost) in read(made, "select change, customer_id from identity.changes")
    assert {key: after[key] for key in before} == before
    assert after["crm", "c1"] not in before.values()
    assert after["crm", "c0"] == before["loyalty", "0000"]
    assert read(made, "select count(*) from identity.redirects") == [(0,)]
    paths = DataPaths.of(town.context(SECOND))
    summary = read_summary(paths, SECOND.isoformat())
    assert "moved" in " ".join(summary["why"])
    assert summary["largest_changes"][0]["customers_before"] >= 2
    assert {row["cause"] for row in summary["causes"]} == {"changed evidence"}


def test_customers_that_are_gone_are_not_called_records(
    capsys: pytest.CaptureFixture[str],
) -> None:
    causes = [{"change": change, "cause": "regrouped", "records": 2} for change in ("gone", "left")]
    _show({"run": "night-x", "why": [], "causes": causes, "largest_changes": []}, "held")
    said = capsys.readouterr().out
    assert "2 customers gone: regrouped" in said
    assert "2 records left: regrouped" in said


def test_accepted_identities_are_taken_over(village: Village, held: Store, read: Query) -> None:
    paths = DataPaths.of(held.context(SECOND))
    decide(paths, SECOND.isoformat(), "accepted", by="ines", now=NOW, reason="it is so")
    made = night(held, poison(village.people), THIRD)
    assert verdict(read, made) == {"released"}
    causes = "select change, cause from identity.changes where changed_on = ? group by all"
    assert {cause for _, cause in read(made, causes, THIRD)} == {"released"}
    after = customers(read, made)
    assert len(set(after.values())) < len(set(customers(read, village.made).values()))
    redirects = read(made, "select old_customer_id, customer_id from identity.redirects")
    assert {old for old, _ in redirects}.isdisjoint(after.values())
    assert {now for _, now in redirects} <= set(after.values())


def test_a_rerun_of_the_held_night_obeys_as_well(
    village: Village, held: Store, read: Query
) -> None:
    people = poison(village.people)
    assert held.base is not None
    before = customers(read, held.base)
    held.base = village.made
    paths = DataPaths.of(held.context(SECOND))
    decide(paths, SECOND.isoformat(), "rejected", by="ines", now=NOW)
    rejected = night(held, people, SECOND)
    assert verdict(read, rejected) == {"rejected"}
    assert customers(read, rejected) == before
    decide(paths, SECOND.isoformat(), "accepted", by="ines", now=NOW)
    accepted = night(held, people, SECOND)
    assert verdict(read, accepted) == {"accepted"}
    assert customers(read, accepted) != before


def test_rejected_identities_stay_away_until_evidence_changes(
    village: Village, held: Store, read: Query
) -> None:
    decide(DataPaths.of(held.context(SECOND)), SECOND.isoformat(), "rejected", by="i", now=NOW)
    made = night(held, poison(village.people), THIRD)
    assert customers(read, made) == customers(read, village.made)
    assert verdict(read, made) == {"released"}


def test_an_undecided_night_is_asked_again_and_healing_releases_it(
    village: Village, held: Store, read: Query
) -> None:
    assert verdict(read, night(held, poison(village.people), THIRD)) == {"held"}
    made = night(held, village.people, THIRD)
    assert verdict(read, made) == {"released"}
    assert customers(read, made) == customers(read, village.made)


def test_decisions_are_checked(held: Store) -> None:
    paths = DataPaths.of(held.context(SECOND))
    with pytest.raises(ConfigError, match="no identities of 'night-1' are held"):
        decide(paths, "night-1", "accepted", by="ines", now=NOW)
    made = decide(paths, SECOND.isoformat(), "accepted", by="ines", now=NOW, reason="so")
    assert made.at == "2026-11-23T08:00:00+00:00"
    assert read_decisions(paths.stewardship)[SECOND.isoformat()] == made
    later = NOW + timedelta(hours=1)
    run = SECOND.isoformat()
    again = decide(paths, run, "accepted", by="ines", now=later, reason="so")
    assert again == made, "asked again by whoever died before being told"
    assert decide(paths, run, "rejected", by="ines", now=later, reason="so").at > made.at
    assert decide(paths, run, "accepted", by="ines", now=later, reason="so").at > made.at
    assert len((paths.stewardship / "releases.jsonl").read_text().splitlines()) == 3
    with (paths.stewardship / "releases.jsonl").open("a") as stream:
        stream.write(json.dumps({"run": "x", "decision": "perhaps", "by": "y", "at": "z"}) + "\n")
    with pytest.raises(ConfigError, match="no decision"):
        read_decisions(paths.stewardship)


def test_an_accepted_proposal_that_is_gone_is_an_error(village: Village, held: Store) -> None:
    paths = DataPaths.of(held.context(SECOND))
    decide(paths, SECOND.isoformat(), "accepted", by="ines", now=NOW)
    (paths.proposals / SECOND.isoformat() / "customer_map.parquet").unlink()
    with pytest.raises(IdentityError, match="are gone"):
        night(held, poison(village.people), THIRD)


def test_a_record_that_would_be_nobodys_counts_as_moved() -> None:
    """One keeps its customer, one moves, one is left without; one is not delivered any more."""
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as base; create schema identity")
        con.execute(
            "create table identity.records as select unnest([1, 2, 3, 4]) as record_id, "
            "'till' as source, unnest(['kept', 'moved', 'left', 'new']) as record_key"
        )
        con.execute(
            "create temp table identity_before as select unnest([1, 2, 3]) as record_id, "
            "unnest(['C1', 'C2', 'C3']) as reference_id"
        )
        con.execute("create temp table identity_placing as select unnest([1, 2, 4]) as record_id")
        con.execute(
            "create temp table identity_placed as select 'till' as source, "
            "unnest(['kept', 'moved', 'new']) as record_key, "
            "unnest(['C1', 'C1', 'C9']) as customer_id, unnest(['C1', 'C2', null]) as reference_id"
        )
        con.execute("create temp table identity_settled (group_id integer, records bigint)")
        con.execute(
            "create temp table identity_tonight (source varchar, record_key varchar, cause varchar)"
        )
        metrics = {m.name: m for m in measure_effects(con, IdentitySettings())}
        affected = con.execute("select customer_id from identity_affected order by all").fetchall()
    assert (metrics["moved_share"].affected, metrics["moved_share"].of_all) == (2, 3)
    assert metrics["merged_share"].affected == 1
    assert affected == [("C1",), ("C2",), ("C3",)]


def test_on_a_held_night_nobody_new_joins_whom_a_steward_kept_apart(
    village: Village, town: Store, read: Query
) -> None:
    """A record like those of a frozen customer, and one that was judged to be another person's."""
    before = customers(read, village.made)
    frozen = before["loyalty", "0000"]
    kept = {key for key, customer in before.items() if customer == frozen}
    record_judgements(
        DataPaths.of(town.context(SECOND)).stewardship,
        [
            {"verdict": "freeze", "customer": frozen, "records": sorted(map(":".join, kept))},
            {"verdict": "different", "a": "crm:c1", "b": ["loyalty:0001", "shop:0001"]},
        ],
        who="ines",
        now=NOW,
    )
    copies = [
        village.people[place] | {"source": "crm", "record_key": key, "record_kind": "contact"}
        for place, key in ((0, "c0"), (2, "c1"), (8, "c4"))
    ]
    made = night(town, [*poison(village.people), *copies], SECOND)
    assert verdict(read, made) == {"held"}
    after = customers(read, made)
    assert {key for key, customer in after.items() if customer == frozen} == kept
    assert after["crm", "c1"] not in {before["loyalty", "0001"], before["shop", "0001"]}
    assert after["crm", "c4"] == before["loyalty", "0004"], "whom nobody judged joins as ever"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_of_segments_with_the_same_share_the_largest_is_named(order: str) -> None:
    con = duckdb.connect()
    con.execute("attach ':memory:' as base; create schema base.segments")
    con.execute(
        "create table base.segments.membership as "
        "select 'S' || n as segment, n * 100 + i as customer_id "
        f"from range(1, 9) as a(n), lateral range(n) as b(i) order by n {order}"
    )
    con.execute("create table identity_affected (customer_id bigint)")
    found = con.execute(effects.SEGMENTS, {"minimum": 1}).fetchone()
    assert found == ("segment_share", 0, 8)


def proposed(store: Store, day: date) -> dict[tuple[str, str], str]:
    """Return the customers that a held night would have made."""
    file = DataPaths.of(store.context(day)).proposals / day.isoformat() / MAP_FILE
    with duckdb.connect() as con:
        rows = con.read_parquet(str(file)).project("source, record_key, customer_id").fetchall()
    return {(source, key): customer for source, key, customer in rows}


@pytest.mark.parametrize("word", ["accepted", None])
def test_after_a_held_night_nameless_records_are_attached_anew_as_well(
    village: Village, town: Store, read: Query, word: str | None
) -> None:
    """Two receipts, each alone, and on the held night a third with the identifiers of both."""
    contacts = {"n1": {"email": "zq.wx@mail.example"}, "n2": {"phone": "01904 555987"}}
    contacts["n3"] = contacts["n1"] | contacts["n2"]
    n1, n2, n3 = (
        values | {"source": "till", "record_kind": "receipt", "record_key": key}
        for key, values in contacts.items()
    )
    town.base = night(town, [*village.people, n1, n2], SECOND)
    people = [*poison(village.people), n1, n2, n3]
    town.base = night(town, people, THIRD)
    assert verdict(read, town.base) == {"held"}
    accepted = proposed(town, THIRD)
    assert len({accepted["till", key] for key in contacts}) == 1
    if word:
        decide(DataPaths.of(town.context(THIRD)), THIRD.isoformat(), word, by="i", now=NOW)
    made = night(town, people, FOURTH)
    assert (customers(read, made) if word else proposed(town, FOURTH)) == accepted


def test_after_a_rejected_night_copies_of_two_customers_are_not_lost(
    village: Village, town: Store, read: Query
) -> None:
    """A record that came to say what another customer's says stays, and then its customer moves."""
    members = {p["record_key"]: p for p in village.people if p["source"] == "loyalty"}
    crm = {"source": "crm", "record_kind": "contact", "loyalty_id": None}
    one, other = (
        members[number] | crm | {"record_key": key}
        for number, key in (("0040", "a"), ("0050", "b"))
    )
    town.base = night(town, [*village.people, one, other], SECOND)
    people = [*poison(village.people), one, one | {"record_key": "b"}]
    town.base = night(town, people, THIRD)
    held = customers(read, town.base)
    assert held["crm", "a"] != held["crm", "b"]
    decide(DataPaths.of(town.context(THIRD)), THIRD.isoformat(), "rejected", by="i", now=NOW)
    moved = next(p for p in people if (p["source"], p["record_key"]) == ("loyalty", "0050"))
    people[people.index(moved)] = moved | {"phone": "01904 555123"}
    after = customers(read, night(town, people, FOURTH))
    assert after["crm", "a"] == after["crm", "b"] == held["crm", "a"]
