"""Nights one after the other, as life brings them, held against their own history and a rebuild.

Whatever comes, changes, goes, returns, is judged or taken back: every record has one customer, ids
are never given twice, what is told is what happened, and a rebuild finds nearly the same people.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cdp_pipeline.identity.grouping import cluster
from cdp_pipeline.identity.grouping.changes import CAUSES
from cdp_pipeline.identity.stewardship.judgements import read_judgements, record_judgements
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.basis import decide
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_dicts, open_build
from cdp_pipeline.warehouse import increment
from cdp_pipeline.warehouse.build import bring_up_to_date
from tests.unit.identity.conftest import REPOSITORY
from tests.whole import join_build

if TYPE_CHECKING:
    from cdp_pipeline.core.context import RunContext
    from tests.unit.identity.conftest import Person, Store, Village

pytest.importorskip("recordlinkage")
pytestmark = pytest.mark.slow  # whole nights of a village

FIRST = date(2026, 11, 20)
STAGES = ("standard.records", "scoring.model", "grouping.cluster")
TABLES = ("customer_map", "redirects", "changes", "dormant_ids", "spent_ids")
LEAST_F1 = 0.99
"""Pairwise, between nights of a small store and its rebuild, which fits the model anew."""

BRIDGE = load_project(REPOSITORY).table("core.bridge_identity")
FOLLOWED: Counter[str] = Counter()
"""Nights by the reason for which the bridge was built in one scan; empty if it followed."""

Record = tuple[str, str]

HOMES = st.integers(0, 59)
ACTIONS = st.one_of(
    st.tuples(st.just("another record"), HOMES),
    st.tuples(st.just("stranger"), HOMES),
    st.tuples(st.just("late stranger"), HOMES),
    st.tuples(st.just("moves house"), HOMES),
    st.tuples(st.just("takes a neighbour's identity"), HOMES),
    st.tuples(st.just("as at first"), HOMES),
    st.tuples(st.just("is gone"), HOMES),
    st.tuples(st.just("person is gone"), HOMES),
    st.tuples(st.just("is back"), HOMES),
    st.tuples(st.just("judged different"), HOMES),
    st.tuples(st.just("judged same"), HOMES),
    st.tuples(st.just("judgement withdrawn"), HOMES),
)
NIGHTS = st.lists(st.lists(ACTIONS, min_size=2, max_size=5), min_size=3, max_size=3)


@dataclass
class Life:
    """A store whose deliveries change from night to night.

    Attributes:
        store: Runs its nights.
        first: Rows of the first night by record.
        rows: Rows delivered tonight.
    """

    store: Store
    first: dict[Record, Person]
    rows: dict[Record, Person] = field(default_factory=dict)
    day: date = FIRST

    def __post_init__(self) -> None:
        self.rows = dict(self.first)

    def act(self, action: str, home: int) -> None:
        number = f"{home * 2:04d}"
        key: Record = ("shop", number)
        if action == "another record":
            none = {"loyalty_id": None, "first_delivered_on": None}
            self._add(f"c{number}", self.first["loyalty", number] | none)
        elif action.endswith("stranger"):
            late = {"first_delivered_on": date(2026, 11, 1)} if action.startswith("late") else {}
            self._add(f"z{number}", self._stranger(home) | late)
        elif action == "moves house":
            self._change(key, {"street": f"{home} New Close", "postcode": "YO1 1AA", "phone": None})
        elif action == "takes a neighbour's identity":
            names = ("given_name", "family_name", "email", "phone", "street", "postcode")
            other = self.first["shop", f"{(home * 2 + 2) % 120:04d}"]
            self._change(key, {name: other[name] for name in names})
        elif action.startswith("judge"):
            self._judge(action, number)
        else:
            self._come_and_go(action, number)

    def _come_and_go(self, action: str, number: str) -> None:
        keys: list[Record] = [("shop", number), ("loyalty", number)]
        if action == "as at first" and keys[0] in self.rows:
            self.rows[keys[0]] = self.first[keys[0]]
        elif action == "is gone":
            self.rows.pop(keys[0], None)
        elif action == "person is gone":
            for key in (*keys, ("crm", f"c{number}")):
                self.rows.pop(key, None)
        elif action == "is back":
            for key in keys:
                self.rows.setdefault(key, self.first[key])

    @staticmethod
    def _stranger(home: int) -> Person:
        vowels = "aeiou"
        name = f"Qu{vowels[home % 5]}x{vowels[home // 5 % 5]}nd{vowels[home // 25]}rf"
        return {"full_name": f"{name[::-1].title()} {name}", "email": f"{name}@mail.example"}

    def _add(self, record_key: str, values: Person) -> None:
        row = values | {"source": "crm", "record_kind": "contact", "record_key": record_key}
        self.rows["crm", record_key] = row

    def _change(self, key: Record, values: Person) -> None:
        if key in self.rows:
            self.rows[key] = self.rows[key] | values

    def _judge(self, action: str, number: str) -> None:
        folder = DataPaths.of(self.store.context(self.day)).stewardship
        standing = read_judgements(folder).standing
        if action == "judgement withdrawn":
            drafts = [{"verdict": "withdraw", "withdraws": line.id} for line in standing[:1]]
        elif action == "judged different":
            pair = {"a": f"shop:{number}", "b": f"loyalty:{number}"}
            drafts = [{"verdict": "different"} | pair]
        else:
            other = f"{(int(number) + 40) % 120:04d}"
            drafts = [{"verdict": "same", "a": f"shop:{number}", "b": f"shop:{other}"}]
        now = datetime(2026, 11, 20, 9, tzinfo=UTC)
        record_judgements(folder, drafts, who="ann", now=now)

    def night(self) -> Path:
        self.day += timedelta(days=1)
        for row in self.rows.values():
            row["first_delivered_on"] = row.get("first_delivered_on") or self.day
        made = run(self.store, self.rows.values(), self.day)
        kept = self.store.folder / f"{self.day}.duckdb"
        shutil.copyfile(made, kept)
        self.store.base = kept
        return kept


def run(store: Store, people: Iterable[Person], day: date) -> Path:
    """Run the stages that decide who is who; people without golden records are enough here."""
    context = store.stage([dict(person) for person in people], day=day)
    with open_build(context) as con:
        decide(con, "")
    for stage in STAGES:
        import_module(f"cdp_pipeline.identity.{stage}").run(context)
    follow_bridge(context)
    return join_build(DataPaths.of(context))


def follow_bridge(context: RunContext) -> None:
    """Bring ``core.bridge_identity`` up to date, which ends as one scan would make it."""
    with open_build(context) as con, pytest.MonkeyPatch.context() as patch:
        patch.setattr(increment, "MOST_SHARE", 1000)
        con.execute(f"set variable personal_tables = ['{BRIDGE.full_name}']")
        _, made = bring_up_to_date(con, BRIDGE, str(BRIDGE.sql))
        FOLLOWED[made.reason] += 1
        now, whole = f"from {BRIDGE.full_name}", f"select * from ({BRIDGE.sql}\n)"
        wrong = f"(({now}) except all ({whole})) union all (({whole}) except all ({now}))"
        assert con.execute(wrong).fetchall() == []


@dataclass
class Seen:
    """What a version says."""

    customers: dict[Record, str]
    redirects: dict[str, str]
    dormant: set[str]
    changes: list[dict[str, Any]]
    usable: set[Record]

    @classmethod
    def of(cls, path: Path, day: date) -> Seen:
        with duckdb.connect(str(path), read_only=True) as con:
            rows = con.execute(
                "select source, record_key, customer_id from identity.customer_map"
            ).fetchall()
            assert len({row[:2] for row in rows}) == len(rows), "one customer a record"
            return cls(
                {(source, key): customer for source, key, customer in rows},
                dict(
                    con.execute(
                        "select old_customer_id, customer_id from identity.redirects"
                    ).fetchall()
                ),
                {row[0] for row in con.execute("select id from identity.dormant_ids").fetchall()},
                fetch_dicts(con, "from identity.changes where changed_on = $d", {"d": day}),
                set(
                    con.execute(
                        "select source, record_key from identity.records where is_comparable"
                    ).fetchall()
                ),
            )


def check_history(before: Seen, now: Seen, ever: set[str]) -> None:
    """Hold a night against the one before it."""
    living = set(now.customers.values())
    assert now.usable <= set(now.customers), "every record that says anything has a customer"
    assert set(now.redirects.values()) <= living
    assert not set(now.redirects) & living
    assert not now.dormant & (living | set(now.redirects))
    known = set(before.customers.values())
    assert not (living - known) & (ever - before.dormant), "an id was given twice"
    assert known <= living | set(now.redirects) | now.dormant, "an id was lost"
    retired = set(now.redirects) - set(before.redirects)
    told = Counter((c["change"], c["previous_customer_id"], c["customer_id"]) for c in now.changes)
    assert retired == {previous for (change, previous, _) in told if change == "merged"}
    assert {c["cause"] for c in now.changes} <= set(CAUSES)
    moved = {
        record: (before.customers[record], customer)
        for record, customer in now.customers.items()
        if record in before.customers and before.customers[record] != customer
    }
    by_record = defaultdict(list)
    for change in now.changes:
        by_record[change["source"], change["record_key"]].append(change)
    for record, (old, new) in moved.items():
        said = by_record[record]
        assert [(c["previous_customer_id"], c["customer_id"]) for c in said] == [(old, new)]
        expected = "merged" if old not in living else "moved" if new in known else "split"
        assert said[0]["change"] == expected
    fresh = living - known
    split = {new for _, new in moved.values()}
    begun = {c["customer_id"] for c in now.changes if c["change"] in {"created", "returned"}}
    assert fresh - split == begun - split, "whoever is new was created or is back"
    check_moves(before, now)


def check_moves(before: Seen, now: Seen) -> None:
    """Make tonight's customers from those of the night before by what is told."""
    customers = dict(before.customers)
    for change in now.changes:
        record = change["source"], change["record_key"]
        if change["change"] == "gone":
            gone = change["customer_id"]
            customers = {key: customer for key, customer in customers.items() if customer != gone}
        elif change["change"] == "left":
            assert customers.pop(record) == change["customer_id"]
        else:
            assert customers.get(record) != change["customer_id"], "nothing is told that is not"
            customers[record] = change["customer_id"]
    assert customers == now.customers


def pairs(customers: dict[Record, str]) -> set[tuple[Record, Record]]:
    groups = defaultdict(list)
    for record, customer in sorted(customers.items()):
        groups[customer].append(record)
    return {pair for members in groups.values() for pair in combinations(members, 2)}


def likeness(one: dict[Record, str], other: dict[Record, str]) -> float:
    left, right = pairs(one), pairs(other)
    return 2 * len(left & right) / max(len(left) + len(right), 1)


@pytest.fixture(scope="module")
def begin(village: Village, make_store: Callable[[Path], Store]) -> Callable[[Path], Life]:
    def made(folder: Path) -> Life:
        store = make_store(folder)
        store.base = folder / "first.duckdb"
        with duckdb.connect() as con:
            con.execute(f"attach '{village.made}' as old (read_only)")
            con.execute(f"attach '{store.base}' as new; create schema new.identity")
            for (table,) in con.execute(
                "select table_name from duckdb_tables() where database_name = 'old' "
                "and schema_name = 'identity' and table_name <> 'golden_records'"
            ).fetchall():
                con.execute(f"create table new.identity.{table} as from old.identity.{table}")
        people = [{"first_delivered_on": FIRST} | person for person in village.people]
        return Life(store, {(row["source"], row["record_key"]): row for row in people})

    return made


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(nights=NIGHTS)
def test_nights_keep_their_promises_and_agree_with_a_rebuild(
    begin: Callable[[Path], Life],
    make_store: Callable[[Path], Store],
    nights: list[list[tuple[str, int]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = begin(Path(folder) / "nights")
        assert life.store.base is not None
        before = Seen.of(life.store.base, FIRST)
        ever = set(before.customers.values())
        unsettled: set[str] = set()
        for actions in nights:
            for action, home in actions:
                life.act(action, home)
            now = Seen.of(life.night(), life.day)
            check_history(before, now, ever)
            unsettled |= {
                customer
                for change in now.changes
                if change["change"] not in {"created", "joined"}
                for customer in (change["customer_id"], change["previous_customer_id"])
            }
            unsettled |= {
                customer
                for record, customer in before.customers.items()
                if record not in now.customers
            }
            ever |= set(now.customers.values())
            before = now
        rebuilt = make_store(Path(folder) / "rebuilt")
        journal = DataPaths.of(life.store.context(life.day)).stewardship
        if journal.exists():
            shutil.copytree(journal, DataPaths.of(rebuilt.context(life.day)).stewardship)
        again = Seen.of(run(rebuilt, life.rows.values(), life.day), life.day)
    assert again.usable == before.usable
    assert likeness(before.customers, again.customers) >= LEAST_F1
    check_ids(before, again, unsettled)


def check_ids(nightly: Seen, rebuilt: Seen, unsettled: set[str]) -> None:
    """A rebuild gives the same ids, but to those whose history it cannot know."""
    groups: dict[str, set[Record]] = defaultdict(set)
    for record, customer in rebuilt.customers.items():
        groups[customer].add(record)
    mine: dict[str, set[Record]] = defaultdict(set)
    for record, customer in nightly.customers.items():
        mine[customer].add(record)
    settled = [customer for customer in mine if customer not in unsettled]
    assert len(settled) > 90
    for customer in settled:
        other = rebuilt.customers[min(mine[customer])]
        assert other == customer or groups[other] != mine[customer]


def test_nights_replayed_give_the_same_ids(begin: Callable[[Path], Life], tmp_path: Path) -> None:
    found = []
    for name in ("once", "again"):
        life = begin(tmp_path / name)
        for actions in (
            [("another record", 3), ("takes a neighbour's identity", 7), ("person is gone", 9)],
            [("as at first", 7), ("is back", 9), ("judged same", 4), ("late stranger", 1)],
        ):
            for action, home in actions:
                life.act(action, home)
            made = life.night()
        with duckdb.connect(str(made), read_only=True) as con:
            found.append(
                {t: con.execute(f"from identity.{t} order by all").fetchall() for t in TABLES}
            )
    assert found[0] == found[1]
    assert {row[1] for row in found[0]["changes"]} >= {"created", "joined", "returned"}


def test_whom_nothing_touched_stands_as_if_everybody_was_considered(
    begin: Callable[[Path], Life], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("touched", "all"):
        life = begin(tmp_path / name)
        monkeypatch.setattr(cluster, "keeps_former", lambda _, name=name: name == "all")
        for actions in (
            [("another record", 3), ("takes a neighbour's identity", 7), ("person is gone", 9)],
            [("as at first", 7), ("is back", 9), ("judged same", 4), ("is gone", 30)],
            [("judgement withdrawn", 4), ("stranger", 2), ("moves house", 3)],
        ):
            for action, home in actions:
                life.act(action, home)
            made = life.night()
        with duckdb.connect(str(made), read_only=True) as con:
            tables = [*TABLES, "edges", "release"]
            found.append(
                {t: con.execute(f"from identity.{t} order by all").fetchall() for t in tables}
            )
    assert found[0] == found[1]


def test_records_keep_their_numbers_and_what_is_new_follows_behind(
    begin: Callable[[Path], Life], tmp_path: Path
) -> None:
    life = begin(tmp_path / "nights")
    seen = [_numbers(life.store.base)]
    for actions in (
        [("another record", 3), ("takes a neighbour's identity", 7), ("person is gone", 9)],
        [("as at first", 7), ("is back", 9), ("late stranger", 1), ("is gone", 30)],
    ):
        for action, home in actions:
            life.act(action, home)
        seen.append(_numbers(life.night()))
    for before, now in pairwise(seen):
        assert {r: now[r] for r in now if r in before} == {r: before[r] for r in before if r in now}
        fresh = [now[r] for r in sorted(set(now) - set(before))]
        assert fresh == list(range(1 + max(before.values()), 1 + max(before.values()) + len(fresh)))
    first, second, third = seen
    gone = {first["shop", "0018"], first["loyalty", "0018"]}
    assert gone.isdisjoint(second.values()), "a number of somebody who is gone is free"
    assert gone.isdisjoint(third.values()), "nor has it anybody else, not even the same who is back"


def test_the_bridge_follows_what_happened(begin: Callable[[Path], Life], tmp_path: Path) -> None:
    life = begin(tmp_path / "nights")
    life.night()
    for action, home in (("another record", 3), ("is gone", 5), ("judged same", 7)):
        life.act(action, home)
    followed = FOLLOWED[""]
    life.night()
    assert FOLLOWED[""] == followed + 1, FOLLOWED


def test_who_says_the_same_has_the_number_of_the_first(
    begin: Callable[[Path], Life], tmp_path: Path
) -> None:
    life = begin(tmp_path / "nights")
    shop, later = life.rows["shop", "0010"], {"source": "aaa", "record_key": "1"}
    life.rows["aaa", "1"] = shop | later | {"first_delivered_on": None}
    made = [life.night()]
    del life.rows["shop", "0010"]
    made.append(life.night())
    stands = []
    for path in made:
        with duckdb.connect(str(path), read_only=True) as con:
            found = con.execute(
                "select r.record_id = r.evidence_id, s.source from identity.records as r "
                "inner join identity.records as s on s.record_id = r.evidence_id "
                "where r.source = 'aaa'"
            ).fetchall()
            stands.append(found)
            assert con.execute(_MISLED).fetchall() == [(0,)]
    assert stands == [[(False, "shop")], [(True, "aaa")]]


def _numbers(path: Path | None) -> dict[Record, int]:
    with duckdb.connect(str(path), read_only=True) as con:
        rows = con.execute("select source, record_key, record_id from identity.records").fetchall()
    numbers = [number for *_, number in rows]
    assert len(set(numbers)) == len(rows), "a number for each"
    assert numbers == sorted(numbers), "one order of rows, whatever the threads did"
    return {(source, key): number for source, key, number in rows}


_MISLED = """
select count(*)
from (
    select *, min(record_id) over (partition by evidence_head, evidence_tail) as first_id
    from identity.records
)
where evidence_id <> first_id
"""
