"""A person with a past is erased: no table, journal or proposal of identity knows her any more."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.erasure.journals import erase_lines
from cdp_pipeline.identity.erasure.subjects import Subject, find_subjects
from cdp_pipeline.identity.erasure.tables import erase_rows
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.identity.stewardship.judgements import read_judgements, record_judgements
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Query, Store, Village

pytest.importorskip("recordlinkage")

SECOND, THIRD, FOURTH = (date(2026, 11, day) for day in (21, 22, 23))
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HERS = ("loyalty:0971", "shop:ANNA1", "orders:W1", "till:t9")
HUSBAND = {
    "source": "shop",
    "record_kind": "account",
    "record_key": "B1",
    "given_name": "Barnaby",
    "family_name": "Quillfeather",
    "street": "1 Old Road",
    "city": "York",
    "postcode": "YO1 1AA",
    "email": "barnaby@quillfeather.example",
    "phone": "07700 900123",
}
RECEIPT = {"source": "till", "record_kind": "receipt", "record_key": "t9", "loyalty_id": "0971"}
WORDS = ("obrien", "o'brien", "annaobrien", "anna.obrien", "900999", "gift lane", "push-1")
EXACT = ("0971", "971", "ANNA1", "W1", "t9", *HERS)
FOLLOWING = {
    "map": "select source, record_key, customer_id from identity.customer_map",
    "changes": "select * from identity.changes",
}


@dataclass
class Erased:
    """The store before and after.

    Attributes:
        store: It builds upon the version without her.
        people: Everybody, Anna and her receipt among them.
        subject: Who was erased.
        rows: Rows deleted or blanked, by table.
        lines: Lines changed, by file below the data folder.
        marks: Values of hers in tables of the version before that are hashes or numbers.
        tables: Where she was before.
    """

    store: Store
    people: list[Person]
    subject: Subject
    rows: dict[str, int]
    lines: dict[str, int]
    marks: set[str]
    tables: set[str]

    @property
    def paths(self) -> DataPaths:
        return DataPaths.of(self.store.context(THIRD))


def judge(store: Store, *drafts: dict[str, Any]) -> None:
    folder = store.folder / "data" / "stewardship"
    record_judgements(folder, drafts, who="ines", now=NOW)


def propose(store: Store, made: Path) -> None:
    """Leave a held proposal in which a neighbour would become part of Anna."""
    folder = DataPaths.of(store.context(THIRD)).proposals / "night-x"
    folder.mkdir(parents=True)
    with duckdb.connect(str(made), read_only=True) as con:
        anna = con.execute(
            "select customer_id from identity.customer_map where record_key = '0971'"
        ).fetchall()[0][0]
        for name, select in FOLLOWING.items():
            names = {"map": "customer_map", "changes": "changes"}
            con.execute(f"copy ({select}) to '{folder / names[name]}.parquet'")
        con.execute(
            f"copy (select * replace (case when record_key = '0001' then '{anna}' "
            f"else customer_id end as customer_id) from '{folder}/customer_map.parquet') "
            f"to '{folder}/customer_map.parquet.new' (format parquet)"
        )
    (folder / "customer_map.parquet.new").replace(folder / "customer_map.parquet")
    rows = [{"customer_id": anna, "records": 9}, {"customer_id": "C1", "records": 2}]
    (folder / "summary.json").write_text(json.dumps({"largest_changes": rows}))


@pytest.fixture(scope="module")
def erased(
    village: Village, make_store: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory
) -> Erased:
    folder = tmp_path_factory.mktemp("erased")
    store = make_store(folder)
    store.base = folder / "first.duckdb"
    shutil.copyfile(village.made, store.base)
    people = [*village.people, HUSBAND, RECEIPT]
    judge(
        store,
        {"verdict": "different", "a": "loyalty:0971", "b": "shop:ANNA1", "reason": "two O'Briens"},
        {"verdict": "different", "a": "shop:0002", "b": ["loyalty:0971", "loyalty:0005"]},
        {"verdict": "same", "a": "loyalty:0008", "b": "shop:0008",
         "reason": "says her friend Anna O'Brien, 07700-900999"},
        {"verdict": "same", "a": "loyalty:0010", "b": "shop:0010", "reason": "same mailbox"},
    )  # fmt: skip
    store.base = _kept(store.night(people, day=SECOND), folder / "second.duckdb")
    judge(store, {"verdict": "withdraw", "withdraws": "J1", "reason": "one Mrs O'Brien"})
    made = store.night(people, day=THIRD)
    propose(store, made)
    context = store.context(THIRD)
    with open_build(context) as con:
        (subject,) = find_subjects(con, ["Anna.OBrien@web.de"])
        marks = set(_marks(con, subject))
        arguments = {"business_date": THIRD.isoformat(), "memory": Memory()}
        paths = DataPaths.of(context)
        tables = {table for table, _ in traces(con, subject, marks)}
        rows = erase_rows(con, subject, **arguments)
        lines = erase_lines(paths, subject)
        assert erase_rows(con, subject, **arguments) == {}, "again, without harm"
        assert erase_lines(paths, subject) == {}, "again, without harm"
        con.execute(f"attach '{folder / 'fresh.duckdb'}' as fresh")
        con.execute("copy from database vault to fresh; detach fresh")
    store.base = folder / "fresh.duckdb"
    return Erased(store, people, subject, rows, lines, marks, tables)


def _kept(made: Path, path: Path) -> Path:
    shutil.copyfile(made, path)
    return path


def _marks(con: duckdb.DuckDBPyConnection, subject: Subject) -> Iterator[str]:
    """Return hashes that stand for her: of what she says, her names, identifiers and keys."""
    rows = con.execute(
        "select raw_hash, evidence_head, evidence_tail, hash(family_name), hash(email), "
        "hash(street), hash(loyalty_id), md5(email), sha256(email), sha256(record_key), "
        "sha256(source || ':' || record_key), left(sha256('email:' || email), 16) "
        "from identity.records where source || ':' || record_key in (select unnest(?))",
        [list(HERS)],
    ).fetchall()
    for row in rows:
        yield from (str(value) for value in row if value is not None)
    for customer in subject.customers:
        for made in (hashlib.md5, hashlib.sha256):
            yield made(customer.encode()).hexdigest()


def test_the_person_is_found_with_all_records_and_ids(erased: Erased) -> None:
    assert erased.subject.record_names == set(HERS)
    assert len(erased.subject.customers) == 2, "the retired id as well"
    assert len(erased.subject.records) == 4
    rows = erased.rows
    assert {"records", "customer_map", "edges", "redirects", "changes", "golden_records",
            "golden_sources", "judgements", "scored_pairs", "household_changes", "households",
            "model_frequencies"} <= set(rows)  # fmt: skip
    assert rows["records"] == 4


def test_no_value_of_any_table_is_hers(erased: Erased) -> None:
    # The search finds what is there: she was in nearly every table before.
    assert {"records", "customer_map", "edges", "golden_records", "golden_sources",
            "changes", "household_changes", "redirects", "judgements",
            "model_frequencies", "cluster_quality"} <= erased.tables  # fmt: skip
    with duckdb.connect(str(erased.store.base), read_only=True) as con:
        assert list(traces(con, erased.subject, erased.marks)) == []


def traces(
    con: duckdb.DuckDBPyConnection, subject: Subject, marks: set[str]
) -> Iterator[tuple[str, object]]:
    """Yield table and value for every value of a database that is hers."""
    tables = con.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name in (current_database(), 'vault') order by all"
    ).fetchall()
    assert len(tables) > 25
    for schema, table in tables:
        for row in con.execute(f"from {schema}.{table}").fetchall():
            yield from ((table, value) for value in row if is_hers(value, subject, marks))


def is_hers(value: object, subject: Subject, marks: set[str]) -> bool:
    text = str(value)
    plain = text.casefold()
    return (
        text in EXACT
        or text in marks
        or any(word in plain for word in WORDS)
        or any(customer in text for customer in subject.customers)
    )


def test_no_byte_of_the_version_journals_and_proposals_is_hers(erased: Erased) -> None:
    assert erased.store.base is not None
    files = [
        erased.store.base,
        *erased.paths.stewardship.rglob("*.jsonl"),
        *(path for path in erased.paths.proposals.rglob("*") if path.is_file()),
    ]
    assert len(files) >= 5
    telling = (*WORDS, *erased.subject.customers, *HERS, *(m for m in erased.marks if len(m) > 18))
    for path in files:
        data = path.read_bytes().decode("latin-1").casefold()
        assert [word for word in telling if word.casefold() in data] == [], path
        if path.suffix == ".parquet":
            for row in duckdb.execute(f"from '{path}'").fetchall():
                assert not any(is_hers(v, erased.subject, erased.marks) for v in row), path


def test_other_peoples_judgements_stay_and_numbers_stay_taken(erased: Erased) -> None:
    lines = {line.id: line for line in read_judgements(erased.paths.stewardship).lines}
    assert [(name, line.verdict) for name, line in lines.items()] == [
        ("J1", "erased"), ("J2", "different"), ("J3", "same"), ("J4", "same"), ("J5", "withdraw"),
    ]  # fmt: skip
    assert (lines["J2"].pairs, lines["J3"].reason, lines["J4"].reason) == (
        (("loyalty:0005", "shop:0002"),), "", "same mailbox",
    )  # fmt: skip
    assert erased.lines["stewardship/judgements.jsonl"] == 4


def test_a_proposal_no_longer_joins_anybody_to_her(erased: Erased) -> None:
    folder = erased.paths.proposals / "night-x"
    held = duckdb.execute(f"select record_key from '{folder}/customer_map.parquet'").fetchall()
    assert ("0001",) not in held
    assert ("0002",) in held
    assert json.loads((folder / "summary.json").read_text())["largest_changes"] == [
        {"customer_id": "C1", "records": 2}
    ]


def test_who_lived_with_her_is_alone_now(erased: Erased, read: Query) -> None:
    assert erased.store.base is not None
    found = read(
        erased.store.base,
        "select h.member_count, h.head_given_name, h.head_customer_id = g.customer_id "
        "from identity.households as h inner join identity.golden_records as g "
        "using (household_id) where g.family_name = 'Quillfeather'",
    )
    assert found == [(1, "Barnaby", True)]


def test_the_next_night_works_and_never_gives_her_ids_again(erased: Erased, read: Query) -> None:
    store = erased.store
    assert store.base is not None
    hers = {name: person for person in erased.people if (name := _name(person)) in HERS}
    rest = [person for person in erased.people if _name(person) not in HERS]
    before = dict(read(store.base, "select record_key, customer_id from identity.customer_map"))
    made = _kept(store.night(rest, day=FOURTH), store.folder / "fourth.duckdb")
    after = dict(read(made, "select record_key, customer_id from identity.customer_map"))
    assert after == before
    # Without a tombstone an old file brings her back, as somebody new.
    store.base = made
    again = store.night([*rest, *hers.values()], day=date(2026, 11, 24))
    ids = {row[0] for row in read(again, "select customer_id from identity.customer_map")}
    assert ids.isdisjoint(erased.subject.customers)
    assert ids > set(after.values())


def _name(person: Person) -> str:
    return f"{person['source']}:{person['record_key']}"


@pytest.mark.parametrize(
    "asked",
    ["ANNA.obrien@web.de", "loyalty:0971", "000971", "ANNA1", "orders:W1", "customer", "retired"],
)
def test_any_name_of_hers_finds_her(village: Village, tmp_path: Path, asked: str) -> None:
    context = _opened(village, tmp_path)
    with open_build(context) as con:
        anna = con.execute(
            "select customer_id from identity.customer_map where record_key = '0971'"
        ).fetchall()[0][0]
        con.execute("insert into identity.redirects values ('C00000000000000AA', ?, null)", [anna])
        known = {"customer": anna, "retired": "C00000000000000AA"}
        (found,) = find_subjects(con, [known.get(asked, asked)])
        assert found.customers == (anna, "C00000000000000AA")
        assert {"loyalty:0971", "shop:ANNA1", "orders:W1"} <= found.record_names


def test_a_record_that_went_with_its_customer_leaves_no_id_behind(
    village: Village, tmp_path: Path
) -> None:
    gone = "C00000000000000BB"
    with open_build(_opened(village, tmp_path)) as con:
        find_subjects(con, [])  # makes the secrets
        con.execute(
            "insert into identity.dormant_ids "
            "select $id, identity_keyed(secret, 'shop/OLD1'), null from identity_secrets",
            {"id": gone},
        )
        con.execute(
            "insert into identity.changes by name "
            "select $id as customer_id, 'gone' as change, $id as previous_customer_id",
            {"id": gone},
        )
        subject = Subject(records=(("shop", "OLD1"),))
        rows = erase_rows(con, subject, business_date=THIRD.isoformat(), memory=Memory())
        assert rows["changes"] == 1
        assert rows["dormant_ids"] == 1
        assert gone not in {value for _, value in traces(con, Subject(customers=(gone,)), set())}


def test_many_are_found_as_each_alone_is(village: Village, tmp_path: Path) -> None:
    with open_build(_opened(village, tmp_path)) as con:
        held = con.execute("select distinct customer_id from identity.customer_map order by all")
        asked = ["orders:W1", *(customer for (customer,) in held.fetchall()), "loyalty:0971"]
        assert len(asked) > 20
        assert find_subjects(con, asked) == [find_subjects(con, [one])[0] for one in asked]
        assert find_subjects(con, []) == []


def test_a_shared_or_unknown_name_is_refused(village: Village, tmp_path: Path) -> None:
    with open_build(_opened(village, tmp_path)) as con:
        family = village.people[0]["email"]
        with pytest.raises(ConfigError, match="2 customers hold this identifier: C"):
            find_subjects(con, [family])
        for nobody in ("nobody@example.com", "C" + "0" * 16, "crm:none", "'; drop table x; --"):
            with pytest.raises(ConfigError, match="nobody is known"):
                find_subjects(con, [nobody])
            with pytest.raises(ConfigError) as error:
                find_subjects(con, ["loyalty:0971", "orders:W1", nobody])
            assert error.value.where == "erasure, number 3 of 3 asked for"
            assert nobody not in str(error.value), "it may name a person"


def _opened(village: Village, folder: Path) -> Any:
    context = village.store.context(date(2026, 11, 20))
    moved = context.settings.model_copy(update={"data_dir": folder / "data"})
    copied = type(context)(context.business_date, "copy", context.project_root, moved)
    paths = DataPaths.of(copied)
    paths.ensure(paths.work)
    paths.build_db.unlink(missing_ok=True)
    shutil.copyfile(village.made, paths.build_db)
    return copied
