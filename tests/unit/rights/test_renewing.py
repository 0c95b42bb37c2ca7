"""An erasure tells the next night which rows of others follow from whom it takes out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.ingest.suppressing import Suppressed
from cdp_pipeline.rights.renewing import Renewing
from cdp_pipeline.rights.tables import load_people
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import CERTIFICATES, Renewal, find_renewal
from cdp_pipeline.storage.warehouse import use_catalogs
from tests.integration.store import ROOT

ERASURE = "E000001"
PEOPLE = "select unnest(['C1', 'C2', 'C3']) as customer_id, unnest(['H1', 'H1', 'H2']) as home"
STORES = "select 'S1' as store_id, 'LS1' as postcode_area, 'Leeds' as city, true as is_open"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    settings = load_settings(ROOT, data_dir=tmp_path / "data")
    return RunContext(date(2026, 11, 20), "night", ROOT, settings)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a version of three people, two of one home, of whom C1 has been taken out."""
    with duckdb.connect() as made:
        for catalog in ("published", "kept", "cdp", "vault"):
            made.execute(f"attach ':memory:' as {catalog}")
            for schema in ("core", "identity"):
                made.execute(f"create schema {catalog}.{schema}")
        for personal, public, gone in (("kept", "published", ""), ("vault", "cdp", "C1")):
            made.execute(
                f"create table {personal}.identity.golden_records as "
                f"select customer_id, home as household_id from ({PEOPLE}) "
                f"where customer_id <> '{gone}'"
            )
            made.execute(
                f"create table {personal}.identity.households as select household_id, "
                "min(customer_id) as head_customer_id, count(*) as member_count "
                f"from {personal}.identity.golden_records group by household_id"
            )
            made.execute(
                f"create table {public}.core.dim_customer as select * from "
                f"{personal}.identity.golden_records"
            )
            made.execute(f"create table {public}.core.dim_store as {STORES}")
        use_catalogs(made)
        load_people(made, Traces((Subject(("C1",), (), (), ()),)))
        yield made


def found_by(context: RunContext) -> Renewal | None:
    paths = DataPaths.of(context)
    write_json(paths.ensure(paths.privacy / CERTIFICATES) / f"{ERASURE}.json", {})
    return find_renewal(paths, context.settings.keys, known=(), version="", staged={})


def rows(files: tuple[Path, ...]) -> list[dict[str, str]]:
    return [row for path in files for row in parquet.read_table(path).to_pylist()]


def test_who_is_left_of_a_household_is_led_to_and_nobody_is_named(
    context: RunContext, con: duckdb.DuckDBPyConnection
) -> None:
    renewing = Renewing(context, ERASURE)
    renewing.note_units(con, ["core.dim_customer"])
    renewing.end()
    found = found_by(context)
    assert found is not None
    assert {name: rows(files) for name, files in found.units.items()} == {
        "core.dim_customer by identity.households 0": [{"household_id": "H1"}]
    }


def test_a_change_that_may_change_all_leaves_no_notes(
    context: RunContext, con: duckdb.DuckDBPyConnection
) -> None:
    renewing = Renewing(context, ERASURE)
    con.execute("update cdp.core.dim_store set city = '[erased]'")
    renewing.note_units(con, ["core.dim_customer", "core.dim_store"])
    renewing.end()
    assert found_by(context) is None


def test_keys_of_rows_are_told_unless_they_have_changed_themselves(context: RunContext) -> None:
    renewing = Renewing(context, ERASURE)
    lines = pa.table({"receipt_id": ["R1"], "line_no": [1]})
    renewing.note_found("pos_sales/a.json", Suppressed(detached=1, lines=(2,), keys=lines))
    renewing.note_keys("web_events", pa.table({"event_id": ["V1"], "url": ["/a"]}), {"url"})
    renewing.end()
    found = found_by(context)
    assert found is not None
    assert {name: rows(files) for name, files in found.keys.items()} == {
        "pos_sales": [{"receipt_id": "R1", "line_no": 1}],
        "web_events": [{"event_id": "V1"}],
    }
    assert found.keyless >= {"loyalty_members", "ecommerce_accounts"}


def test_a_key_that_has_changed_itself_leaves_no_notes(context: RunContext) -> None:
    renewing = Renewing(context, ERASURE)
    renewing.note_keys("web_events", pa.table({"event_id": ["[erased]"]}), {"event_id"})
    renewing.end()
    assert found_by(context) is None
