"""All models together: on nothing at all, on tills alone, and by the house's naming rules."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import product

import duckdb
import pytest

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.lineage import find_tables
from cdp_pipeline.project.loader import Project
from cdp_pipeline.storage.warehouse import describe
from cdp_pipeline.warehouse.build import build_model, plan_layer
from cdp_pipeline.warehouse.rehearsal import REHEARSAL_DATE, open_rehearsal, rehearse
from cdp_pipeline.warehouse.rendering import Base, RenderValues

from .conftest import EmptyWarehouse

TYPES = [
    (r"_amount(_\w+)?$", "DECIMAL(18,2)"),
    (r"_on$", "DATE"),
    (r"_at$", "TIMESTAMP"),
    (r"^(is|has)_", "BOOLEAN"),
    (r"_count(_\d+d|_ever)?$", "BIGINT|INTEGER|DECIMAL\\(18,3\\)"),
    (r"(_share|_prob)$", "DOUBLE"),
    (r"_id$", "VARCHAR"),
]


@pytest.mark.parametrize("with_base", [False, True])
def test_every_model_builds_on_nothing_and_matches_its_header(
    with_base: bool,  # noqa: FBT001 - pytest parameter
    shipped_project: Project,
    shipped_settings: Settings,
) -> None:
    # build_model holds columns against the header and the key against the rows.
    built = rehearse(shipped_project, shipped_settings, with_base=with_base)
    models = {name for name, spec in shipped_project.tables.items() if spec.sql is not None}
    assert set(built) == models


def test_nothing_at_all_gives_empty_facts_and_a_calendar(warehouse: EmptyWarehouse) -> None:
    with open_rehearsal(warehouse.project, warehouse.settings) as con:
        build_all(con, warehouse)
        counts = {
            name: con.execute(f"select count(*) from {name}").fetchall()[0][0]
            for name in warehouse.project.tables
            if name.startswith(("core.", "features."))
        }
    filled = {name for name, count in counts.items() if count}
    assert filled == {"core.dim_date", "features.rfm_segment_map"}


def test_tills_alone_give_customers_and_features(warehouse: EmptyWarehouse) -> None:
    with open_rehearsal(warehouse.project, warehouse.settings) as con:
        deliver_till_lines(con)
        build_all(con, warehouse)
        rows = con.execute(
            "select customer_id, visit_count_ever, net_amount_ever::varchar, rfm_segment is null, "
            "lifecycle, nearest_store_id from features.customer_features order by 1"
        ).fetchall()
        touches = con.execute("select count(*) from core.fct_journey").fetchall()
    assert rows == [
        ("C1", 3, "30.00", False, "active", "1"),
        ("C2", 1, "10.00", False, "active", "1"),
    ]
    assert touches == [(4,)]


def test_no_model_reads_a_later_layer(warehouse: EmptyWarehouse) -> None:
    allowed = {
        "core": {"staging", "identity", "core", "base"},
        "features": {"core", "features", "base"},
    }
    for layer, schemas in allowed.items():
        values = RenderValues(
            REHEARSAL_DATE, warehouse.settings, base=Base(set(warehouse.project.tables))
        )
        for spec, select in plan_layer(warehouse.project, layer, values):
            reads = find_tables(select, where=str(spec.path))
            assert {table.split(".")[0] for table in reads} <= schemas, spec.full_name


@pytest.mark.parametrize("layer", ["core", "features"])
def test_columns_have_the_type_their_name_says(layer: str, warehouse: EmptyWarehouse) -> None:
    wrong = [
        f"{spec.full_name}.{column} {found}"
        for spec in warehouse.project.models(layer)
        for column, found in describe(warehouse.con, spec.full_name).items()
        for pattern, wanted in TYPES
        if re.search(pattern, column)
        and not re.fullmatch(wanted.replace("(18,2)", r"\(18,2\)"), found)
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", ["core", "features"])
def test_tables_about_people_can_be_erased(layer: str, warehouse: EmptyWarehouse) -> None:
    for spec in warehouse.project.models(layer):
        if "customer_id" in spec.header.columns:
            assert spec.header.subject_key == "customer_id", spec.full_name


def test_contact_data_lies_in_one_table_of_core(warehouse: EmptyWarehouse) -> None:
    kinds = {"name", "email", "phone", "address", "birth_date"}
    holders = {
        spec.full_name
        for layer in ("core", "features")
        for spec in warehouse.project.models(layer)
        if kinds & {column.pii for column in spec.header.columns.values()}
    }
    assert holders == {"core.customer_contact"}


def test_segment_map_names_each_cell_exactly_once(warehouse: EmptyWarehouse) -> None:
    with open_rehearsal(warehouse.project, warehouse.settings) as con:
        build_all(con, warehouse)
        rows = con.execute("select rfm_cell, rfm_segment from features.rfm_segment_map").fetchall()
    cells = sorted(row[0] for row in rows)
    assert cells == ["".join(scores) for scores in product("12345", repeat=3)]
    assert len({row[1] for row in rows}) == 11
    assert dict(rows)["555"] == "Champions"
    assert dict(rows)["111"] == "Lost"


def deliver_till_lines(con: duckdb.DuckDBPyConnection) -> None:
    """Three visits of C1, one of C2, one anonymous; no file but the tills'."""
    visits = [("R1", "k1", 0), ("R2", "k1", 5), ("R3", "k1", 9), ("R4", "k2", 2), ("R5", None, 1)]
    for sale_id, record_key, days_ago in visits:
        day: date = REHEARSAL_DATE - timedelta(days=days_ago)
        con.execute(
            "insert into staging.sale_lines (source, sale_id, line_no, sold_on, store_id, sku, "
            "quantity, net_amount, person_source, person_record_key) "
            "values ('pos', ?, '1', ?, '1', '0001', 1, 10, 'pos', ?)",
            [sale_id, day, record_key],
        )
    for number in ("1", "2"):
        con.execute(
            "insert into identity.customer_map values ('pos', ?, ?, 1.0, null)",
            [f"k{number}", f"C{number}"],
        )
        con.execute(
            "insert into identity.golden_records (customer_id, record_count, source_count) "
            "values (?, 1, 1)",
            [f"C{number}"],
        )


def build_all(con: duckdb.DuckDBPyConnection, warehouse: EmptyWarehouse) -> None:
    values = RenderValues(REHEARSAL_DATE, warehouse.settings)
    for layer in ("core", "features"):
        for spec, select in plan_layer(warehouse.project, layer, values):
            build_model(con, spec, select)
