"""Features of people brought up to date hold the rows of one scan, whatever day it has become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.basis import decide
from cdp_pipeline.warehouse import increment
from cdp_pipeline.warehouse.build import bring_up_to_date, build_model, plan_layer
from cdp_pipeline.warehouse.increment import check_declaration
from cdp_pipeline.warehouse.rehearsal import open_rehearsal
from cdp_pipeline.warehouse.rendering import RenderValues
from tests.integration.store import ROOT

FIRST = date(2026, 1, 4)
MODELS = ("core.dim_customer", "features.customer_day", "features.category_affinity",
          "features.department_affinity", "features.shopping_habits",
          "features.consent_state", "features.engagement")  # fmt: skip
TOUCHES = {"core.fct_web_events": ("occurred_on", "product_view"),
           "core.fct_email_events": ("occurred_on", "open"),
           "core.fct_social_events": ("occurred_on", "like"),
           "core.fct_service_contacts": ("opened_on", "complaint")}  # fmt: skip
INPUTS = (*TOUCHES, "core.fct_sales", "core.fct_consents", "core.dim_product", "core.dim_store",
          "identity.golden_records", "identity.households")  # fmt: skip

people = st.sampled_from(["C1", "C2", "C3", None])
goods = st.sampled_from(["A", "B", "D"])
ages = st.sampled_from([-1, 0, 1, 29, 30, 31, 89, 90, 364, 365, 366, 729, 730, 731])


@dataclass(frozen=True)
class Night:
    """What a night brings: lines that come or go, goods that change, and days gone by."""

    days: int = 1
    lines: list[tuple[str | None, str, int, int, bool, str]] = field(default_factory=list)
    gone: int = 0
    touches: list[tuple[str | None, str, int]] = field(default_factory=list)
    goods: dict[str, str] = field(default_factory=dict)
    statements: list[tuple[str, str, int]] = field(default_factory=list)
    known: dict[str, tuple[str, int, str | None]] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)


nights = st.builds(
    Night,
    days=st.sampled_from([1, 1, 2, 60]),
    lines=st.lists(
        st.tuples(people, goods, ages, st.integers(1, 9), st.booleans(),
                  st.sampled_from(["S1", "S2", "web"])),
        max_size=5,
    ),
    gone=st.integers(0, 2),
    touches=st.lists(st.tuples(people, st.sampled_from(sorted(TOUCHES)), ages), max_size=4),
    goods=st.dictionaries(goods, st.sampled_from(["tea", "tools"]), max_size=1),
    statements=st.lists(
        st.tuples(people.filter(bool), st.sampled_from(["granted", "withdrawn"]), ages), max_size=2
    ),
    known=st.dictionaries(
        people.filter(bool),
        st.tuples(st.sampled_from(["H1", "H2"]), ages, st.sampled_from(["S1", None])),
        max_size=2,
    ),
    heads=st.dictionaries(st.sampled_from(["H1", "H2"]), people.filter(bool), max_size=1),
)  # fmt: skip


class Warehouse:
    """The shipped feature models over a few sales, night after night."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.project, self.settings = load_project(ROOT), load_settings(ROOT)
        self.plan_on(FIRST)
        for layer in ("core", "features"):
            for spec, select in plan_layer(self.project, layer, self.values):
                build_model(con, spec, select)

    def plan_on(self, day: date) -> None:
        self.night, self.values = day, RenderValues(day, self.settings)
        plan = [
            model
            for layer in ("core", "features")
            for model in plan_layer(self.project, layer, self.values)
        ]
        self.models = {spec.full_name: (spec, select) for spec, select in plan}

    def begin(self) -> None:
        for table in INPUTS:
            self.con.execute(f"delete from {table}")
        self.plan_on(FIRST)
        self.lines = 0
        for sku, category in (("A", "tea"), ("B", "tea"), ("D", "tools")):
            self.insert("core.dim_product", {
                "sku": sku, "category": category, "department": category,
            })  # fmt: skip
        for store in ("S1", "S2"):
            self.insert("core.dim_store", {
                "store_id": store, "city": "York", "is_open": True, "postcode_area": "YO",
            })  # fmt: skip
        for number, name in enumerate(("C1", "C2", "C4")):
            self.know(name, "H1", number, None)
            self.insert("identity.households", {
                "household_id": f"H{number}", "head_customer_id": name, "member_count": number,
            })  # fmt: skip
        for age in (0, 29, 30, 89, 90, 364, 365, 729, 730):
            for name in ("C1", "C2", "C4", None):
                self.sell(name, "A", age, 5, is_return=False, place="S1")
        for age in (0, 29, 30, 89, 90):
            for table in TOUCHES:
                self.touch("C1", table, age)
        for name in MODELS:
            build_model(self.con, *self.models[name])
        self.publish()

    def publish(self) -> None:
        for name in (*MODELS, *INPUTS):
            self.con.execute(f"create or replace table base.{name} as from {name}")

    def know(self, name: str, home: str, days: int, store: str | None) -> None:
        """Know a person born some days after a tenth of February in a leap year."""
        self.con.execute("delete from identity.golden_records where customer_id = ?", [name])
        self.insert("identity.golden_records", {
            "customer_id": name, "household_id": home, "home_store_id": store, "city": "York",
            "birth_date": date(1980, 2, 10) + timedelta(days=days), "postcode": "YO1 1AA",
        })  # fmt: skip

    def sell(
        self, name: str | None, sku: str, age: int, amount: int, *, is_return: bool, place: str
    ) -> None:
        self.lines += 1
        self.insert("core.fct_sales", {
            "source": "tills", "sale_id": f"S{self.lines}", "line_no": 1, "customer_id": name,
            "sku": sku, "sold_on": self.night - timedelta(days=age), "line_kind": "product",
            "net_amount": -amount if is_return else amount, "quantity": 1,
            "is_return": is_return, "channel": "web" if place == "web" else "store",
            "store_id": None if place == "web" else place, "discount_amount": 0,
        })  # fmt: skip

    def touch(self, name: str | None, table: str, age: int) -> None:
        self.lines += 1
        day, kind = TOUCHES[table]
        is_call = table == "core.fct_service_contacts"
        self.insert(table, {
            "source": "web", "contact_id" if is_call else "event_id": f"E{self.lines}",
            "customer_id": name, day: self.night - timedelta(days=age),
            "topic" if is_call else "event_type": kind,
        } | ({"is_machine": age == 89} if "email" in table else {})
          | ({"session_id": f"W{age}", "device": "tablet"} if "web" in table else {}))  # fmt: skip

    def deliver(self, night: Night) -> None:
        decide(self.con, "")
        self.plan_on(self.night + timedelta(days=night.days))
        for name, sku, age, amount, is_return, place in night.lines:
            self.sell(name, sku, age, amount, is_return=is_return, place=place)
        for name, table, age in night.touches:
            self.touch(name, table, age)
        for table in TOUCHES:
            self.con.execute(
                f"delete from {table} where rowid in "
                f"(select rowid from {table} order by hash(rowid) limit ?)",
                [min(night.gone, 1)],
            )
        self.con.execute(
            "delete from core.fct_sales where sale_id in "
            "(select sale_id from core.fct_sales order by hash(sale_id) limit ?)",
            [night.gone],
        )
        for sku, category in night.goods.items():
            self.con.execute(
                "update core.dim_product set category = ?, department = ? where sku = ?",
                [category, category, sku],
            )
        for name, (home, days, store) in night.known.items():
            self.know(name, home, days, store)
        for home, head in night.heads.items():
            self.con.execute(
                "update identity.households set head_customer_id = ? where household_id = ?",
                [head, home],
            )
        for name, status, age in night.statements:
            self.lines += 1
            self.insert("core.fct_consents", {
                "source": "loyalty", "statement_id": f"T{self.lines}", "customer_id": name,
                "purpose": "marketing", "channel": "email", "status": status,
                "captured_at": f"{self.night - timedelta(days=age)} 23:30",
            })  # fmt: skip

    def insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ", ".join("?" * len(values))
        self.con.execute(
            f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values())
        )

    def difference(self, name: str) -> list[tuple[Any, ...]]:
        made, whole = f"from {name}", f"select * from ({self.models[name][1]}\n)"
        return self.con.execute(
            f"(({made}) except all ({whole})) union all (({whole}) except all ({made}))"
        ).fetchall()


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    with (
        open_rehearsal(load_project(ROOT), load_settings(ROOT)) as con,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(increment, "MOST_SHARE", 1000)  # a few rows are all touched
        yield Warehouse(con)


def differing(warehouse: Warehouse, brought: list[Night]) -> list[str]:
    found = []
    warehouse.begin()
    for number, night in enumerate(brought, start=1):
        before = warehouse.night
        warehouse.deliver(night)
        for name in MODELS:
            dates = (before, warehouse.night)
            _, made = bring_up_to_date(warehouse.con, *warehouse.models[name], dates)
            if made.reason and not made.reason.endswith("of 0 rows"):
                found.append(f"night {number}, {name}: {made.reason}")
            if rows := warehouse.difference(name):
                found.append(f"night {number}, {name}: {rows}")
        warehouse.publish()
    return found


UNHURRIED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
}


@settings(max_examples=3, **UNHURRIED)
@given(brought=st.lists(nights, min_size=2, max_size=3))
def test_nights_end_as_a_rebuild_does(warehouse: Warehouse, brought: list[Night]) -> None:
    assert differing(warehouse, brought) == []


@pytest.mark.long
@settings(max_examples=15, **UNHURRIED)
@given(brought=st.lists(nights, min_size=2, max_size=3))
def test_many_nights_end_as_a_rebuild_does(warehouse: Warehouse, brought: list[Night]) -> None:
    assert differing(warehouse, brought) == []


def test_who_did_nothing_changes_as_days_go_by(warehouse: Warehouse) -> None:
    assert differing(warehouse, [Night(), Night(days=365)]) == []
    counts = "select sum(visit_count_90d), sum(visit_count_365d) from features.shopping_habits"
    assert warehouse.con.execute(counts).fetchall() == [(0, 0)]


def test_what_a_person_looked_at_is_forgotten_by_the_day(warehouse: Warehouse) -> None:
    assert differing(warehouse, [Night(), Night(days=60)]) == []
    counts = (
        "select product_look_count_30d, main_device, email_open_count_90d, social_event_count_90d, "
        "complaint_count_90d from features.engagement"
    )
    # Of five days only the first night's own lies within 90 days; 29 days before it is the 91st.
    assert warehouse.con.execute(counts).fetchall() == [(0, "tablet", 1, 1, 1)]


def test_years_pass_on_their_day(warehouse: Warehouse) -> None:
    warehouse.begin()
    warehouse.know("C1", "H1", 19, None)  # on the last day of a leap year's February
    warehouse.publish()
    spec = "core.dim_customer"
    build_model(warehouse.con, *warehouse.models[spec])
    ages = []
    for days in (54, 1, 1, 365, 366):
        warehouse.publish()
        before = warehouse.night
        warehouse.deliver(Night(days=days))
        dates = (before, warehouse.night)
        _, made = bring_up_to_date(warehouse.con, *warehouse.models[spec], dates)
        assert (made.reason, warehouse.difference(spec)) == ("", [])
        ages += warehouse.con.execute(
            "select age_years from core.dim_customer where customer_id = 'C1'"
        ).fetchall()
    assert [age for (age,) in ages] == [45, 46, 46, 47, 48]


def test_a_changed_store_makes_all_anew(warehouse: Warehouse) -> None:
    warehouse.begin()
    warehouse.deliver(Night())
    warehouse.con.execute("update core.dim_store set is_open = false where store_id = 'S2'")
    spec, select = warehouse.models["core.dim_customer"]
    _, made = bring_up_to_date(warehouse.con, spec, select, (FIRST, warehouse.night))
    assert made.reason == "rows of core.dim_store have changed, which may change all"
    assert warehouse.difference("core.dim_customer") == []


def test_without_the_day_of_the_version_one_scan_is_made(warehouse: Warehouse) -> None:
    warehouse.begin()
    warehouse.deliver(Night())
    spec, select = warehouse.models["features.shopping_habits"]
    for dates in (None, (FIRST + timedelta(days=9), FIRST)):
        _, made = bring_up_to_date(warehouse.con, spec, select, dates)
        assert "which earlier day" in made.reason


def test_a_dated_model_says_at_what_age_its_inputs_turn(warehouse: Warehouse) -> None:
    spec, _ = warehouse.models["features.category_affinity"]
    plan = spec.header.incremental
    assert plan is not None
    ageless = {name: entry.model_copy(update={"turns": {}}) for name, entry in plan.inputs.items()}
    told = plan.model_copy(update={"inputs": ageless})
    wrong = replace(spec, header=spec.header.model_copy(update={"incremental": told}))
    with pytest.raises(WarehouseError, match="at what age"):
        check_declaration(wrong, frozenset(ageless))
    lost = plan.inputs["core.fct_sales"].model_copy(update={"unit": {}})
    found = plan.model_copy(update={"inputs": {**plan.inputs, "core.fct_sales": lost}})
    assert "lead nowhere without `unit:`" in found.mistakes(spec.full_name, frozenset(ageless))[0]
