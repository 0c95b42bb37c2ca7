"""A table brought up to date by the night's changes holds the rows of one built in one scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.basis import changes_of, decide, has_changes
from cdp_pipeline.storage.differences import forget_differences, note_difference
from cdp_pipeline.storage.renewal import lay_out_units
from cdp_pipeline.warehouse import increment
from cdp_pipeline.warehouse.build import bring_up_to_date, build_model, plan_layer
from cdp_pipeline.warehouse.increment import apply_changes, check_declaration, name_trail
from cdp_pipeline.warehouse.rehearsal import REHEARSAL_DATE, open_rehearsal
from cdp_pipeline.warehouse.rendering import RenderValues
from tests.integration.store import ROOT

ORDER = ("core.bridge_identity_masked", "core.fct_consents", "core.fct_consent_changes",
         "core.fct_sales", "core.fct_email_events", "core.fct_web_identifications",
         "core.bridge_cookie", "core.bridge_returns", "core.fct_orders", "core.fct_web_events",
         "core.fct_journey", "core.customer_contact")  # fmt: skip
INPUTS = ("core.bridge_identity", "identity.golden_records", "identity.changes",
          "core.fct_triggers", "core.fct_social_events", "core.fct_service_contacts")  # fmt: skip
KEYS = {"sale_lines": ("source", "sale_id", "line_no"), "orders": ("source", "order_id"),
        "order_lines": ("source", "order_id", "line_no"), "web_events": ("source", "event_id"),
        "email_events": ("source", "event_id"),
        "consents": ("source", "statement_id")}  # fmt: skip

people = st.sampled_from(["R1", "R2", "R3", None])
sales = st.sampled_from(["S1", "S2", "S3"])
days = st.sampled_from(["2024-03-02", "2025-12-30", "2026-01-04"])
moments = st.sampled_from(["2025-12-30 10:00", "2025-12-30 10:20", "2026-01-04 08:00"])


def row(**values: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {n: v if isinstance(v, st.SearchStrategy) else st.just(v) for n, v in values.items()}
    )


ROWS = {
    "sale_lines": row(
        source=st.sampled_from(["tills", "kiosk"]), sale_id=sales, line_no=st.integers(1, 2),
        sold_on=days, person_source="people", person_record_key=people, sku="A", quantity=1,
        unit_price=5, net_amount=st.sampled_from([5, 4, -5]),
        is_return=st.sampled_from([True, False, None]),
        original_sale_id=st.one_of(st.none(), sales),
    ),
    "orders": row(
        source="shop", order_id=sales, ordered_on=days, person_source="people",
        person_record_key=people, status=st.sampled_from(["paid", "returned", "cancelled"]),
        updated_at=moments,
    ),
    "order_lines": row(
        source="shop", order_id=sales, line_no=st.integers(1, 2), sku="A", quantity=2,
        unit_price=5, net_amount=10, returned_quantity=st.sampled_from([0, 1, None]),
    ),
    "web_events": row(
        source="web", event_id=st.sampled_from(["E1", "E2", "E3", "E4"]), occurred_at=moments,
        occurred_on=days, session_id=st.sampled_from(["W1", "W2", None]),
        cookie_id=st.sampled_from(["K1", "K2", None]), person_source="people",
        person_record_key=people, order_id=st.one_of(st.none(), sales), has_consent=st.booleans(),
        event_type=st.sampled_from(["product_view", "logout", "search"]), sku="A",
        email_click_id=st.sampled_from(["M1", None]),
    ),
    "email_events": row(
        source="mail", event_id=st.sampled_from(["M1", "M2"]), occurred_on=days,
        person_source="people", person_record_key=people,
        event_type=st.sampled_from(["open", "click", "sent"]), is_machine=st.booleans(),
    ),
    "consents": row(
        source="people", statement_id=st.sampled_from(["T1", "T2", "T3", "T4"]),
        person_source="people", person_record_key=people, purpose="marketing", channel="email",
        status=st.sampled_from(["granted", "withdrawn"]), captured_at=moments,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Night:
    """What a night brings: rows new, sent again or late; rows withdrawn; who is who, and where."""

    rows: list[tuple[str, dict[str, Any]]]
    gone: list[str]
    people: dict[str, str]
    homes: dict[str, str]
    merged: tuple[str, ...] = ()


nights = st.builds(
    Night,
    rows=st.lists(
        st.sampled_from(sorted(ROWS)).flatmap(lambda e: st.tuples(st.just(e), ROWS[e])),
        min_size=1,
        max_size=8,
    ),
    gone=st.lists(st.sampled_from(sorted(ROWS)), max_size=1),
    people=st.dictionaries(st.sampled_from(["R1", "R2", "R3"]), st.sampled_from(["C1", "C2"])),
    homes=st.dictionaries(st.sampled_from(["C1", "C2"]), st.sampled_from(["H1", "H2"])),
    merged=st.lists(people.filter(bool), max_size=1).map(tuple),
)


class Warehouse:
    """The shipped models over a few rows, with the version that each night builds upon."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, project: Project, values: RenderValues
    ) -> None:
        self.con = con
        plan = plan_layer(project, "core", values)
        self.models = {spec.full_name: (spec, select) for spec, select in plan}
        for spec, select in plan:
            build_model(con, spec, select)

    def begin(self) -> None:
        for entity in KEYS:
            self.con.execute(f"delete from staging.{entity}")
        for table in ("core.bridge_identity", "identity.golden_records", "identity.changes"):
            self.con.execute(f"delete from {table}")
        for name in ORDER:
            build_model(self.con, *self.models[name])
        self.publish()

    def publish(self) -> None:
        for name in (*ORDER, *INPUTS):
            self.con.execute(f"create or replace table base.{name} as from {name}")

    def deliver(self, night: Night) -> None:
        decide(self.con, "")
        for entity, key in KEYS.items():
            keys = ", ".join(key)
            changes = changes_of(f"staging.{entity}")
            self.con.execute(
                f"create table {changes} as select {keys} from staging.{entity} limit 0"
            )
            if entity in night.gone:
                oldest = f"select {keys} from staging.{entity} order by all limit 1"
                self.con.execute(f"insert into {changes} {oldest}")
                self.con.execute(f"delete from staging.{entity} where ({keys}) in ({oldest})")
        for entity, values in night.rows:
            key = {name: values[name] for name in KEYS[entity]}
            same = " and ".join(f"{name} = ?" for name in key)
            self.con.execute(f"delete from staging.{entity} where {same}", list(key.values()))
            self.insert(f"staging.{entity}", values)
            self.insert(changes_of(f"staging.{entity}"), key)
        self.con.execute("delete from core.bridge_identity")
        for record, customer in night.people.items():
            self.insert("core.bridge_identity", {
                "source": "people", "record_key": record, "customer_id": customer,
                "match_prob": 0.9,
            })  # fmt: skip
        self.con.execute("delete from identity.golden_records")
        for customer, home in night.homes.items():
            self.insert("identity.golden_records", {"customer_id": customer, "household_id": home})
        for record in night.merged:
            self.insert("identity.changes", {
                "change": "merged", "source": "people", "record_key": record,
                "previous_customer_id": "C9", "changed_on": "2026-01-04",
            })  # fmt: skip

    def insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ", ".join("?" * len(values))
        self.con.execute(
            f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values())
        )

    def difference(self, spec: TableSpec, select: str) -> list[tuple[Any, ...]]:
        made, whole = f"from {spec.full_name}", f"select * from ({select}\n)"
        return self.con.execute(
            f"(({made}) except all ({whole})) union all (({whole}) except all ({made}))"
        ).fetchall()


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    project, settings_ = load_project(ROOT), load_settings(ROOT)
    with open_rehearsal(project, settings_) as con, pytest.MonkeyPatch.context() as patch:
        patch.setattr(increment, "MOST_SHARE", 1000)  # a few rows are all touched
        yield Warehouse(con, project, RenderValues(REHEARSAL_DATE, settings_))


def differing(warehouse: Warehouse, brought: list[Night]) -> list[str]:
    """Return night and name of every table that does not end as its rebuild, or was rebuilt."""
    found = []
    warehouse.begin()
    for number, night in enumerate(brought, start=1):
        warehouse.deliver(night)
        for name in ORDER:
            spec, select = warehouse.models[name]
            _, made = bring_up_to_date(warehouse.con, spec, select)
            is_empty = made.reason.endswith("of 0 rows")
            if spec.header.incremental and made.reason and not is_empty:
                found.append(f"night {number}, {name}: {made.reason}")
            if rows := warehouse.difference(spec, select):
                found.append(f"night {number}, {name}: {rows}")
        warehouse.publish()
    return found


QUICK = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a night takes too long to shrink many
)


@QUICK
@given(brought=st.lists(nights, min_size=2, max_size=3))
def test_nights_end_as_a_rebuild_does(warehouse: Warehouse, brought: list[Night]) -> None:
    assert differing(warehouse, brought) == []


@pytest.mark.long
@settings(QUICK, max_examples=40)
@given(brought=st.lists(nights, min_size=2, max_size=5))
def test_many_nights_end_as_a_rebuild_does(warehouse: Warehouse, brought: list[Night]) -> None:
    assert differing(warehouse, brought) == []


PERSON = {"person_source": "people", "person_record_key": "R1"}
LAST_YEAR: list[tuple[str, dict[str, Any]]] = [
    ("sale_lines", {"source": "tills", "sale_id": "S1", "line_no": 1, "sold_on": "2024-03-02",
                    "sku": "A", "quantity": 1, "unit_price": 5, "net_amount": 5, **PERSON}),
    ("orders", {"source": "shop", "order_id": "S2", "ordered_on": "2024-03-02", **PERSON}),
    ("order_lines", {"source": "shop", "order_id": "S2", "line_no": 1, "sku": "A", "quantity": 1,
                     "unit_price": 5, "net_amount": 5}),
    ("email_events", {"source": "mail", "event_id": "M1", "occurred_on": "2024-03-02",
                      "event_type": "open", **PERSON}),
    ("web_events", {"source": "web", "event_id": "E1", "occurred_on": "2024-03-02", "sku": "A",
                    "event_type": "product_view", "has_consent": True, **PERSON}),
]  # fmt: skip


@pytest.mark.parametrize("before", [{"R2": "C1"}, {"R1": "C2", "R2": "C1"}])
def test_who_is_found_or_merged_today_owns_what_came_last_year(
    warehouse: Warehouse, before: dict[str, str]
) -> None:
    brought = [Night(LAST_YEAR, [], before, {}), Night([], [], {"R1": "C1", "R2": "C1"}, {})]
    assert differing(warehouse, brought) == []
    rows = {"core.fct_sales": 2, "core.fct_email_events": 1, "core.fct_web_events": 1,
            "core.fct_journey": 4}  # fmt: skip
    for table, count in rows.items():
        found = warehouse.con.execute(f"select customer_id from {table}").fetchall()
        assert found == [("C1",)] * count, table


def test_only_touched_units_are_made_anew(warehouse: Warehouse) -> None:
    mails = [("email_events", {"source": "mail", "event_id": f"M{n}", "occurred_on": "2026-01-04",
                               "event_type": "open"}) for n in range(20)]  # fmt: skip
    assert differing(warehouse, [Night(mails, [], {}, {})]) == []
    warehouse.deliver(Night([mails[3]], [], {}, {}))
    spec, select = warehouse.models["core.fct_email_events"]
    found = apply_changes(warehouse.con, spec, select)
    assert (found.reason, found.rows, found.made) == ("", 20, 1)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("core.fct_email_events", {"unit of event_id": "M3", "unit of source": "mail"}),
        (
            name_trail("core.fct_email_events", "core.bridge_identity", 0),
            {"source": "people", "record_key": "R1"},
        ),
    ],
)
def test_what_an_erasure_left_is_made_anew(
    warehouse: Warehouse, tmp_path: Path, name: str, values: dict[str, str]
) -> None:
    mails = [("email_events", {"source": "mail", "event_id": f"M{n}", "occurred_on": "2026-01-04",
                               "event_type": "open", **(PERSON if n == 3 else {})})
             for n in range(20)]  # fmt: skip
    assert differing(warehouse, [Night(mails, [], {}, {})]) == []
    con, (spec, select) = warehouse.con, warehouse.models["core.fct_email_events"]
    for table in ("core.fct_email_events", "base.core.fct_email_events"):  # as the version lost it
        con.execute(f"delete from {table} where event_id = 'M3'")
    warehouse.deliver(Night([], [], {}, {}))
    assert apply_changes(con, spec, select).made == 0
    left = tmp_path / "left.parquet"
    parquet.write_table(pa.table({column: [value] for column, value in values.items()}), left)
    lay_out_units(con, {name: [left]})
    try:
        found = apply_changes(con, spec, select)
    finally:
        con.execute("drop schema staging.renewal cascade")
    assert (found.reason, found.rows, found.made) == ("", 20, 1)
    assert warehouse.difference(spec, select) == []


def test_what_a_touched_unit_has_as_before_stays_where_it_lies(warehouse: Warehouse) -> None:
    where = "select reference, rowid from core.fct_journey order by all"
    known = {"R1": "C1"}
    assert differing(warehouse, [Night(LAST_YEAR, [], known, {})]) == []
    before = warehouse.con.execute(where).fetchall()
    mail = {"source": "mail", "event_id": "M2", "occurred_on": "2026-01-04", "event_type": "open"}
    warehouse.deliver(Night([("email_events", {**mail, **PERSON})], [], known, {}))
    made = {name: bring_up_to_date(warehouse.con, *warehouse.models[name])[1] for name in ORDER}
    assert made["core.fct_journey"].made == len(before) + 1
    after = warehouse.con.execute(where).fetchall()
    assert [place for place in after if place[0] != "M2"] == before
    assert warehouse.difference(*warehouse.models["core.fct_journey"]) == []


def test_a_step_tried_again_forgets_what_was_decided_otherwise(warehouse: Warehouse) -> None:
    assert differing(warehouse, [Night(LAST_YEAR, [], {"R2": "C1"}, {})]) == []
    warehouse.deliver(Night([], [], {"R1": "C1", "R2": "C1"}, {}))
    for name in ORDER:
        bring_up_to_date(warehouse.con, *warehouse.models[name])
    assert warehouse.con.execute("select distinct customer_id from core.fct_sales").fetchall() == [
        ("C1",)
    ]
    warehouse.con.execute("delete from core.bridge_identity where record_key = 'R1'")
    forget_differences(warehouse.con, kept=set(ORDER))
    for name in ORDER:
        bring_up_to_date(warehouse.con, *warehouse.models[name])
        assert warehouse.difference(*warehouse.models[name]) == [], name


def test_one_scan_says_why(warehouse: Warehouse) -> None:
    spec, select = warehouse.models["core.fct_email_events"]
    decide(warehouse.con, "settings have changed since the version it builds upon")
    assert "settings have changed" in apply_changes(warehouse.con, spec, select).reason
    decide(warehouse.con, "")
    reason = apply_changes(warehouse.con, spec, select).reason
    assert reason == "which rows of staging.email_events have changed is not known"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"inputs": {}}, "which `inputs:` lacks"),
        ({"sql": "select {{ business_date }} from core.fct_social_events"}, "business date"),
        ({"unit": {"other": "customer_id"}}, "other parts"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(
    warehouse: Warehouse, change: dict[str, Any], complaint: str
) -> None:
    spec, _ = warehouse.models["core.fct_journey"]
    plan = spec.header.incremental
    assert plan is not None
    reads = frozenset(plan.inputs)
    told = plan.model_copy(update={k: v for k, v in change.items() if k != "sql"})
    wrong = replace(
        spec,
        header=spec.header.model_copy(update={"incremental": told}),
        sql=change.get("sql", spec.sql),
    )
    with pytest.raises(WarehouseError, match=complaint):
        check_declaration(wrong, reads)
    check_declaration(spec, reads)


def test_what_changes_with_another_input_needs_that_one_noted(warehouse: Warehouse) -> None:
    spec, select = warehouse.models["core.bridge_identity"]
    warehouse.con.execute(
        "create or replace table base.core.bridge_identity as from core.bridge_identity"
    )
    decide(warehouse.con, "")
    reason = apply_changes(warehouse.con, spec, select).reason
    assert reason == "which rows of identity.customer_map have changed is not known"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"changes_with": "identity.redirects"}, "which is no input noted whole"),
        ({"changes_with": "identity.edges"}, "which is no input noted whole"),
        ({"turns": {"changed_on": [0]}}, "so it leads nowhere by itself"),
    ],
)
def test_what_an_input_changes_with_is_checked(
    warehouse: Warehouse, change: dict[str, Any], complaint: str
) -> None:
    spec, _ = warehouse.models["core.bridge_identity"]
    plan = spec.header.incremental
    assert plan is not None
    assert plan.mistakes(spec.full_name, frozenset(plan.inputs)) == []
    entry = plan.inputs["identity.changes"].model_copy(update=change)
    wrong = plan.model_copy(update={"inputs": {**plan.inputs, "identity.changes": entry}})
    (found,) = wrong.mistakes(spec.full_name, frozenset(plan.inputs))
    assert complaint in found


def test_what_an_earlier_try_found_by_comparing_is_forgotten(warehouse: Warehouse) -> None:
    warehouse.begin()
    warehouse.deliver(Night([], [], {"R1": "C1"}, {}))
    for table in ("core.bridge_identity", "core.fct_sales"):
        note_difference(warehouse.con, table)
    forget_differences(warehouse.con, kept={"core.fct_sales"})
    kept = [has_changes(warehouse.con, t) for t in ("core.bridge_identity", "core.fct_sales")]
    assert (kept, has_changes(warehouse.con, "staging.orders")) == ([False, True], True)


def test_of_an_entity_only_the_keys_of_changed_rows_are_known(warehouse: Warehouse) -> None:
    spec, _ = warehouse.models["core.fct_email_events"]
    plan = spec.header.incremental
    assert plan is not None
    entry = plan.inputs["staging.email_events"].model_copy(update={"where": "sku is null"})
    inputs = {**plan.inputs, "staging.email_events": entry}
    found = plan.model_copy(update={"inputs": inputs}).mistakes(spec.full_name, frozenset(inputs))
    assert found == ["only keys of changed rows of staging.email_events are known, nothing else"]
