"""A tiny store whose nights can be run: declarations of the real project, invented people."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.journal import snapshot_journals
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build, quote_literal
from tests.whole import join_build

REPOSITORY = Path(__file__).resolve().parents[3]

STAGES = ("standard.records", "scoring.model", "people")

COLUMNS = {
    "source": "varchar",
    "delivered_on": "date",
    "first_delivered_on": "date",
    "record_key": "varchar",
    "record_kind": "varchar",
    "title": "varchar",
    "given_name": "varchar",
    "family_name": "varchar",
    "full_name": "varchar",
    "birth_date": "date",
    "sex": "varchar",
    "email": "varchar",
    "phone": "varchar",
    "street": "varchar",
    "city": "varchar",
    "postcode": "varchar",
    "country": "varchar",
    "loyalty_id": "varchar",
    "account_id": "varchar",
    "payment_token": "varchar",
    "middle_name": "varchar",
    "national_id": "varchar",
    "birth_place": "varchar",
    "birth_year": "varchar",
    "occupation": "varchar",
    "home_store_id": "varchar",
    "tier": "varchar",
    "push_token": "varchar",
    "joined_on": "date",
    "updated_at": "timestamp",
}

Person = dict[str, Any]


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


Query = Callable[..., list[tuple[Any, ...]]]


class Store:
    """Runs nights of identity resolution over invented person records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "project"
        for layer in ("macros", "identity"):
            shutil.copytree(REPOSITORY / "sql" / layer, self.root / "sql" / layer)
        for path in (self.root / "sql" / "macros").iterdir():
            if not path.name.startswith("identity_"):
                path.unlink()
        (self.root / "reports").mkdir()
        self.base: Path | None = None

    def context(self, day: date) -> RunContext:
        settings = Settings(data_dir=self.folder / "data", locale="en_GB")
        return RunContext(day, day.isoformat(), self.root, settings)

    def stage(self, people: Iterable[Person], *, day: date = date(2026, 11, 20)) -> RunContext:
        context = self.context(day)
        paths = DataPaths.of(context)
        shutil.rmtree(paths.work, ignore_errors=True)
        paths.ensure(paths.work)
        if self.base:
            paths.plan.write_text(json.dumps({"base_path": str(self.base)}))
        snapshot_journals(paths)
        rows = [
            {"source": "crm", "record_kind": "contact", "delivered_on": day} | person
            for person in people
        ]
        with open_build(context) as con:
            columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
            con.execute(f"create or replace table staging.person_records ({columns})")
            # A prepared insert costs milliseconds a row of so many columns; a column of texts none.
            said = {
                name: pa.array([_as_text(row.get(name)) for row in rows], pa.string())
                for name in COLUMNS
            }
            con.register("said", pa.table(said))
            con.execute("insert into staging.person_records from said")
            con.unregister("said")
        return context

    def night(self, people: Iterable[Person], *, day: date = date(2026, 11, 20)) -> Path:
        """Run all stages and return the warehouse; the next night builds upon it."""
        context = self.stage(people, day=day)
        for stage in STAGES:
            import_module(f"cdp_pipeline.identity.{stage}").run(context)
        made = join_build(DataPaths.of(context))
        self.base = made
        return made


@pytest.fixture(scope="session")
def make_store() -> Callable[[Path], Store]:
    """Return a maker of stores in a folder, for fixtures that live longer than a test."""
    return Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture(scope="session")
def read() -> Query:
    """Return rows of a query over a finished warehouse."""

    def query(path: Path, sql: str, *params: object) -> list[tuple[Any, ...]]:
        with duckdb.connect() as con:
            con.execute(f"attach {quote_literal(str(path))} as cdp (read_only)")
            con.execute("use cdp")
            return con.execute(sql, list(params) or None).fetchall()

    return query


@pytest.fixture
def macros() -> duckdb.DuckDBPyConnection:
    """A connection with the identity macros."""
    con = duckdb.connect()
    for path in sorted((REPOSITORY / "sql" / "macros").glob("identity_*.sql")):
        con.execute(path.read_text(encoding="utf-8"))
    return con


ANNA = {
    "given_name": "ANNA",
    "family_name": "O'BRIEN",
    "birth_date": date(1980, 2, 11),
    "email": "Anna.OBrien@web.de",
    "account_id": "ANNA1",
}
ANNAS_RECORDS = [
    ANNA
    | {
        "source": "loyalty",
        "record_kind": "loyalty",
        "record_key": "0971",
        "loyalty_id": "0971",
        "home_store_id": "S003",
        "tier": "gold",
        "phone": "07700 900123",
        "street": "1 Old Road",
        "city": "YORK",
        "postcode": "yo11aa",
        "joined_on": date(2019, 5, 1),
        "updated_at": datetime(2024, 1, 1, tzinfo=UTC),
    },
    ANNA
    | {
        "source": "shop",
        "record_kind": "account",
        "record_key": "ANNA1",
        "given_name": "Anna",
        "postcode": "YO2 2BB",
        "push_token": "push-1",
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
    },
    ANNA
    | {
        "source": "orders",
        "record_kind": "order",
        "record_key": "W1",
        "street": "9 Gift Lane",
        "city": "Hull",
        "postcode": "HU1 1AA",
        "phone": "07700 900999",
        "updated_at": datetime(2026, 6, 1, tzinfo=UTC),
    },
]
RECEIPTS = [
    {"source": "till", "record_kind": "receipt", "record_key": f"r{i}", "loyalty_id": "007000000"}
    for i in range(2)
]


@dataclass(frozen=True)
class Village:
    """A store after its first night: families, Anna's three records and two receipts."""

    store: Store
    people: list[Person]
    made: Path


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory, families: list[Person]) -> Village:
    store = Store(tmp_path_factory.mktemp("village"))
    people = [*families, *ANNAS_RECORDS, *RECEIPTS]
    return Village(store, people, store.night(people))


@pytest.fixture(scope="session")
def families() -> list[Person]:
    """Sixty households of two: one surname, address, landline and mailbox, two people.

    Each person has a loyalty and an account record; keys begin with the person's number.
    """
    surnames = ("Ashdown", "Birtwhistle", "Carmody", "Dunmore", "Eastcott", "Fairfax")
    first = [
        "Anna",
        "Beatrice",
        "Clara",
        "Dorothy",
        "Edith",
        "Florence",
        "Grace",
        "Harriet",
        "Imogen",
        "Judith",
        "Katherine",
        "Lucy",
        "Miriam",
        "Nora",
        "Olive",
        "Penelope",
        "Winifred",
        "Rosalind",
        "Sybil",
        "Tabitha",
    ]
    second = [
        "Arthur",
        "Bernard",
        "Cedric",
        "Douglas",
        "Edmund",
        "Frederick",
        "George",
        "Hugh",
        "Isaac",
        "Julian",
        "Kenneth",
        "Leonard",
        "Maurice",
        "Nigel",
        "Oswald",
        "Percival",
        "Quentin",
        "Rupert",
        "Sidney",
        "Theodore",
    ]
    people = []
    for home in range(60):
        names = first[home % 20], second[(home // 20 + home) % 20]
        family = surnames[home % 6] + ("", "by", "ton", "well", "ham")[home // 12]
        for place, given in enumerate(names):
            person = {
                "given_name": given,
                "family_name": family,
                "birth_date": date(
                    1950 + (home * 7 + place * 3) % 40,
                    1 + (home * 5 + place * 7) % 12,
                    1 + (home * 11 + place * 13) % 28,
                ),
                "sex": "FM"[place],
                "email": f"{family.lower()}.{home}@example.com",
                "phone": f"020 7946 {1000 + home * 37:04d}",
                "street": f"{home * 3 + 1} High Street",
                "city": "Harrow",
                "postcode": f"HA{home % 9 + 1} {home % 10}A{'BDEFGHJ'[home % 7]}",
            }
            number = f"{home * 2 + place:04d}"
            people += [
                person
                | {"source": "loyalty", "record_kind": "loyalty", "record_key": number}
                | {"loyalty_id": f"007{int(number) * 7919 % 100003:06d}", "home_store_id": "S001"},
                person
                | {"source": "shop", "record_kind": "account", "record_key": number}
                | {"account_id": f"A{number}", "birth_date": None, "sex": None},
            ]
    return people
