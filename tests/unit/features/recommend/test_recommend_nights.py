"""Lists that a night makes anew for some, and leaves for others, are those made for everybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.recommend_settings import RecommendSettings
from cdp_pipeline.features.recommend import touched
from cdp_pipeline.features.recommend.learned import load_learned, save_learned
from cdp_pipeline.features.recommend.night import _CREATE, Level, _file_of, _recall, make_levels
from cdp_pipeline.features.recommend.versions import judge, make_version
from cdp_pipeline.features.registry import admit
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.basis import changes_of, decide
from cdp_pipeline.storage.warehouse import create_macros_of
from tests.integration.store import ROOT

FIRST = date(2026, 11, 16)
SETTINGS = RecommendSettings(minimum_customers=20, list_length=3, rule_support=2)
TABLES = {
    "core.dim_customer": "customer_id varchar, home_store_id varchar",
    "core.dim_store": "store_id varchar, store_name varchar",
    "core.dim_product": "sku varchar, product_name varchar, category varchar, "
    "is_active boolean, is_in_stock boolean",
    "core.fct_sales": "source varchar, sale_id varchar, sku varchar, customer_id varchar, "
    "sold_on date, sold_at timestamp, quantity integer, is_return boolean, line_kind varchar",
    "features.popular_items": "store_id varchar, item_kind varchar, rank_no integer, "
    "item_id varchar, item_name varchar, receipt_count bigint",
    "features.shopping_habits": "customer_id varchar, favourite_store_id varchar",
    "features.customer_day": "customer_id varchar, purchased_on date, is_store_visit boolean, "
    "is_web_visit boolean",
}
GOODS = [f"G{n}" for n in range(8)]
PEOPLE = [f"C{n:02d}" for n in range(40)]
STRANGERS = ["X1", "X2", "X3"]


@dataclass(frozen=True)
class Night:
    """What changes between two nights.

    Attributes:
        bought: Person, article, days before the night, and whether it was given back.
        withdrawn: Receipts that are taken back.
        stock: Articles that come into stock or run out.
        renamed: Articles with a new name, or in another category.
        refused: Who refuses to be profiled, from now on until another night says otherwise.
        homes: Home stores of strangers.
        popular: Receipts of the most sold article of each store.
    """

    bought: list[tuple[str, str, int, bool]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    stock: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    homes: dict[str, str | None] = field(default_factory=dict)
    popular: dict[str, int] = field(default_factory=dict)


people, goods = st.sampled_from([*PEOPLE[:6], "X1", "N1"]), st.sampled_from([*GOODS, "NEW"])
nights = st.builds(
    Night,
    bought=st.lists(st.tuples(people, goods, st.integers(-1, 40), st.booleans()), max_size=4),
    withdrawn=st.lists(st.sampled_from([f"{name}-0" for name in PEOPLE[:8]]), max_size=2),
    stock=st.lists(st.sampled_from(GOODS), max_size=1),
    renamed=st.dictionaries(st.sampled_from(GOODS), st.sampled_from(["even", "odd"]), max_size=1),
    refused=st.frozensets(people, max_size=2),
    homes=st.dictionaries(st.sampled_from(STRANGERS), st.sampled_from(["S1", "S2", None])),
    popular=st.dictionaries(st.sampled_from(["S1", "all"]), st.integers(5, 7), max_size=1),
)


class Shop:
    """The tables that lists follow from, night after night."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        for catalog in ("cdp", "base", "staging"):
            self.con.execute(f"attach ':memory:' as {catalog}")
        for catalog in ("cdp", "base"):
            self.con.execute(f"create schema {catalog}.core; create schema {catalog}.features")
        self.con.execute("use cdp")
        create_macros_of(self.con, load_project(ROOT).macros, time_zone="Europe/London")
        for name, columns in TABLES.items():
            self.con.execute(f"create table {name} ({columns})")
        self.con.execute(_CREATE)
        self.refuse(frozenset())
        self.night = FIRST
        self.receipts = 0
        self._stock()
        self._sell_history()
        self.levels, reason = self.make({})
        assert reason == "the models are new"
        self.publish()

    def _stock(self) -> None:
        self.con.execute("insert into core.dim_store values ('S1', 'North'), ('S2', 'South')")
        for number, sku in enumerate(GOODS):
            category = "odd" if number % 2 else "even"
            self.con.execute(
                "insert into core.dim_product values (?, ?, ?, true, ?)",
                [sku, f"Good {sku}", category, number != 7],
            )
        for store, count in (("S1", 9), ("all", 20)):
            for kind, item in (("product", "G0"), ("category", "even")):
                self.con.execute(
                    "insert into features.popular_items values (?, ?, 1, ?, ?, ?)",
                    [store, kind, item, item, count],
                )

    def _sell_history(self) -> None:
        draw = np.random.default_rng(5)
        for number, name in enumerate(PEOPLE):
            for visit in range(3):
                kind = GOODS[number % 2 :: 2]
                for sku in draw.choice(kind, 2, replace=False).tolist():
                    self.sell(name, sku, 10 + 20 * visit, receipt=f"{name}-{visit}")
        for name in STRANGERS:
            self.con.execute("insert into core.dim_customer values (?, null)", [name])
        self.derive()

    def sell(
        self, name: str, sku: str, age: int, *, is_return: bool = False, receipt: str = ""
    ) -> None:
        self.receipts += 1
        day = self.night - timedelta(days=age)
        self.con.execute(
            "insert into core.fct_sales values ('till', ?, ?, ?, ?, ?, ?, ?, 'product')",
            [receipt or f"R{self.receipts}", sku, name, day,
             datetime.combine(day, time(12)), -1 if is_return else 1, is_return],
        )  # fmt: skip

    def derive(self) -> None:
        self.con.execute(
            """
            insert into core.dim_customer
            select distinct customer_id, null from core.fct_sales
            where customer_id not in (select customer_id from core.dim_customer);
            delete from features.customer_day;
            """
        )
        self.con.execute(
            "insert into features.customer_day "
            "select customer_id, sold_on, bool_or(not is_return), false from core.fct_sales "
            "where sold_on <= ? group by all",
            [self.night],
        )

    def refuse(self, names: frozenset[str]) -> None:
        self.con.execute("create or replace temp table refused (customer_id varchar)")
        for name in sorted(names):
            self.con.execute("insert into refused values (?)", [name])

    def make(self, known: dict[str, Level]) -> tuple[dict[str, Level], str]:
        levels, reason = make_levels(
            self.con,
            SETTINGS,
            known,
            refused="refused",
            since=self.night - timedelta(days=1),
            as_of=self.night,
        )
        return {level.name: level for level in levels}, reason

    def publish(self) -> None:
        for name in (*TABLES, touched.TABLE):
            self.con.execute(f"create or replace table base.{name} as from {name}")

    def bring(self, night: Night) -> None:
        self.night += timedelta(days=1)
        for name, sku, age, is_return in night.bought:
            self.sell(name, sku, age, is_return=is_return)
        self.con.execute("delete from core.fct_sales where sale_id in ?", [night.withdrawn])
        for sku in night.stock:
            self.con.execute(
                "update core.dim_product set is_in_stock = not is_in_stock where sku = ?", [sku]
            )
        for sku, category in night.renamed.items():
            self.con.execute(
                "update core.dim_product set category = ?, product_name = ? where sku = ?",
                [category, f"{sku} of {self.night}", sku],
            )
        self.refuse(night.refused)
        for name, store in night.homes.items():
            self.con.execute(
                "update core.dim_customer set home_store_id = ? where customer_id = ?",
                [store, name],
            )
        for store, count in night.popular.items():
            self.con.execute(
                "update features.popular_items set receipt_count = ? where store_id = ?",
                [count, store],
            )
        self.derive()
        decide(self.con, "")
        self.con.execute(
            f"create table {changes_of('core.fct_sales')} as "
            "(from core.fct_sales except from base.core.fct_sales) union all "
            "(from base.core.fct_sales except from core.fct_sales)"
        )

    def lists(self) -> list[tuple[object, ...]]:
        return self.con.execute(f"from {touched.TABLE} order by all").fetchall()


@pytest.fixture(autouse=True)
def _any_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched, "MOST_SHARE", 1.0)


def in_full(shop: Shop) -> list[tuple[object, ...]]:
    decide(shop.con, "a full build was asked for")
    assert shop.make(shop.levels)[1] == "a full build was asked for"
    return shop.lists()


UNHURRIED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
}


@settings(max_examples=4, **UNHURRIED)
@given(brought=st.lists(nights, min_size=2, max_size=4))
def test_lists_of_some_are_those_of_everybody(brought: list[Night]) -> None:
    assert_alike(brought)


@pytest.mark.long
@settings(max_examples=15, **UNHURRIED)
@given(brought=st.lists(nights, min_size=2, max_size=4))
def test_lists_of_some_are_those_of_everybody_on_many_nights(brought: list[Night]) -> None:
    assert_alike(brought)


def assert_alike(brought: list[Night]) -> None:
    shop = Shop()
    for night in brought:
        shop.bring(night)
        _, reason = shop.make(shop.levels)
        assert reason in {"", "what was not on offer last night is now"}
        of_some = shop.lists()
        assert of_some == in_full(shop)
        shop.publish()


def test_only_lists_of_the_touched_are_made_anew() -> None:
    shop = Shop()
    shop.bring(Night(bought=[("C01", "G1", 0, False)], homes={"X1": "S1"}))
    assert shop.make(shop.levels)[1] == ""
    found = shop.con.execute(f"select customer_id from {touched.TOUCHED} order by 1").fetchall()
    assert found == [("C01",), ("X1",)]
    before = shop.con.execute(f"from base.{touched.TABLE}").fetchall()
    assert {row[0] for row in set(shop.lists()) ^ set(before)} == {"C01", "X1"}
    assert shop.lists() == in_full(shop)


def test_who_refuses_sees_what_sells_and_who_agrees_again_a_list() -> None:
    shop = Shop()
    for refused, kinds in ((frozenset({"C02"}), {False}), (frozenset[str](), {True})):
        shop.bring(Night(refused=refused))
        assert shop.make(shop.levels)[1] == ""
        rows = [row for row in shop.lists() if row[0] == "C02"]
        assert {row[-1] for row in rows} == kinds
        shop.publish()


def test_a_sale_of_a_day_to_come_counts_when_the_day_has_come() -> None:
    shop = Shop()
    shop.bring(Night(bought=[("N1", "G2", -1, False)]))
    shop.make(shop.levels)
    assert not [row for row in shop.lists() if row[0] == "N1" and row[-1]]
    shop.publish()
    shop.bring(Night())
    assert shop.make(shop.levels)[1] == ""
    assert [row for row in shop.lists() if row[0] == "N1" and row[-1]]
    assert shop.lists() == in_full(shop)


def test_who_had_nothing_to_discover_is_shown_what_begins_to_sell() -> None:
    """C01 knows both categories, and of her store no category had been sold till then."""
    shop = Shop()
    insert = "insert into features.popular_items values ('S2', ?, 1, ?, ?, 4)"
    shop.con.execute(insert, ["product", "G1", "Good G1"])
    shop.con.execute("insert into features.shopping_habits values ('C01', 'S2')")
    shop.bring(Night(bought=[("C01", "G0", 0, False), ("C01", "G1", 0, False)]))
    shop.make(shop.levels)
    assert not [row for row in shop.lists() if row[0] == "C01" and not row[-1]]
    shop.publish()
    shop.bring(Night())
    shop.con.execute(insert, ["category", "odd", "odd"])
    assert shop.make(shop.levels)[1] == ""
    assert [row for row in shop.lists() if row[0] == "C01" and not row[-1]]
    assert shop.lists() == in_full(shop)


def test_what_was_learned_is_read_as_it_was_written(tmp_path: Path) -> None:
    shop = Shop()
    assert load_learned(tmp_path / "none.npz") is None
    for name, level in shop.levels.items():
        for copy in ("one", "two"):
            save_learned(tmp_path / f"{copy}.npz", level.learned)
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
        found = load_learned(tmp_path / "one.npz")
        assert found is not None
        assert (found.items, found.in_range) == (level.learned.items, level.learned.in_range)
        shop.levels[name] = Level(name, level.contests, found)
    before = shop.lists()
    assert in_full(shop) == before


def test_a_damaged_file_is_learned_anew_and_never_half_believed(tmp_path: Path) -> None:
    """Whichever byte is wrong and wherever it ends, the file is whole or it is none."""
    path, damaged = tmp_path / "one.npz", tmp_path / "damaged.npz"
    save_learned(path, next(iter(Shop().levels.values())).learned)
    whole, kept = path.read_bytes(), load_learned(path)
    assert kept is not None
    for place in range(0, len(whole), max(1, len(whole) // 300)):
        wrong = bytes([whole[place] ^ 0x55])
        for content in (whole[:place], whole[:place] + wrong + whole[place + 1 :]):
            damaged.write_bytes(content)
            found = load_learned(damaged)
            assert found is None or (found.items, found.learned_by, found.in_range) == (
                kept.items,
                kept.learned_by,
                kept.in_range,
            )


@pytest.mark.parametrize(
    ("changed", "holds"),
    [({"list_length": 4}, True), ({"rule_support": 3}, False), ({"in_range_days": 30}, False)],
)
def test_what_was_learned_holds_for_the_settings_it_followed_from(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, int],
    holds: bool,  # noqa: FBT001 - a table
) -> None:
    shop = Shop()
    contests = {name: level.contests for name, level in shop.levels.items()}
    version = make_version(contests, SETTINGS.window_days, as_of=FIRST)
    versions = admit((), version, judge(contests))
    (tmp_path / "models").mkdir()
    for name, level in shop.levels.items():
        save_learned(_file_of(tmp_path / "models", name), level.learned)
    monkeypatch.setattr("cdp_pipeline.features.recommend.night.can_carry", lambda *_: True)
    tomorrow = FIRST + timedelta(days=1)
    assert set(_recall(shop.con, versions, SETTINGS, tomorrow, tmp_path)) == set(shop.levels)
    now = SETTINGS.model_copy(update=changed)
    assert bool(_recall(shop.con, versions, now, tomorrow, tmp_path)) is holds
