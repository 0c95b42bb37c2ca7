"""An erasure tells the next night which rows of others follow from whom it takes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.keys import new_key
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.ingest.suppressing import Suppressed
from cdp_pipeline.rights.erasure import clean_files
from cdp_pipeline.rights.renewing import Renewing, drop_telling
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.tables import load_people
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import (
    CERTIFICATES,
    FOLDER,
    UNITS,
    Renewal,
    Sizes,
    add_rows,
    begin_notes,
    end_notes,
    find_renewal,
    note_files,
    note_folders,
)
from cdp_pipeline.storage.warehouse import use_catalogs
from tests.integration.store import ROOT

ERASURE = "E000001"
PEOPLE = "select unnest(['C1', 'C2', 'C3']) as customer_id, unnest(['H1', 'H1', 'H2']) as home"
NOBODY = Searcher(Traces(words=frozenset({"nobody@example.com"})))
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


def end(renewing: Renewing, *, is_proved: bool = True) -> None:
    renewing.end(NOBODY, is_proved=is_proved)


def found_by(context: RunContext, staged: Sizes | None = None) -> Renewal | None:
    paths = DataPaths.of(context)
    write_json(paths.ensure(paths.privacy / CERTIFICATES) / f"{ERASURE}.json", {})
    return find_renewal(paths, context.settings.keys, known=(), version="", staged=staged or {})


def rows(files: tuple[Path, ...]) -> list[dict[str, str]]:
    return [row for path in files for row in parquet.read_table(path).to_pylist()]


def test_who_is_left_of_a_household_is_led_to_and_nobody_is_named(
    context: RunContext, con: duckdb.DuckDBPyConnection
) -> None:
    renewing = Renewing(context, ERASURE)
    renewing.note_units(con, ["core.dim_customer"])
    end(renewing)
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
    end(renewing)
    assert found_by(context) is None


def test_keys_of_rows_are_told_unless_they_have_changed_themselves(context: RunContext) -> None:
    renewing = Renewing(context, ERASURE)
    lines = pa.table({"receipt_id": ["R1"], "line_no": [1]})
    renewing.note_found("pos_sales/a.json", Suppressed(detached=1, lines=(2,), keys=lines))
    renewing.note_keys("web_events", pa.table({"event_id": ["V1"], "url": ["/a"]}), {"url"})
    end(renewing)
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
    end(renewing)
    assert found_by(context) is None


def test_rows_that_were_staged_before_their_key_was_declared_leave_no_notes(
    context: RunContext,
) -> None:
    renewing = Renewing(context, ERASURE)
    renewing.note_keys("web_events", pa.table({"url": ["/[erased]"]}), {"url"})
    end(renewing)
    assert found_by(context) is None


def test_what_is_mended_by_hand_after_a_search_found_somebody_is_in_no_notes(
    context: RunContext,
) -> None:
    staged = DataPaths.of(context).staging / "web_events" / "a.parquet"
    staged.parent.mkdir(parents=True)
    lines = pa.table({"event_id": ["V1", "V2"]})
    parquet.write_table(lines, staged)
    held = {"web_events": {"a.parquet": (-1, staged.stat().st_size)}}
    end(Renewing(context, ERASURE), is_proved=False)
    parquet.write_table(lines.slice(1), staged)  # as the message asks for
    end(Renewing(context, ERASURE))
    assert found_by(context, held) is None


@pytest.mark.parametrize("has_key", [False, True])
def test_notes_of_an_earlier_erasure_go_with_whom_they_tell(
    context: RunContext, *, has_key: bool
) -> None:
    keys = KeySettings(master=SecretStr(new_key())) if has_key else KeySettings()
    context = replace(context, settings=context.settings.model_copy(update={"keys": keys}))
    paths = DataPaths.of(context)
    for number, told in (("E000001", "left@example.com"), ("E000002", "else@example.com")):
        begin_notes(paths, number, staged={}, version="")
        add_rows(paths, number, UNITS, "core.dim_customer", pa.table({"unit": [told]}))
        end_notes(paths, number, keys, staged={}, version="")
    drop_telling(context, Searcher(Traces(words=frozenset({"left@example.com"}))))
    assert [folder.name for folder in note_folders(paths)] == ["E000002"]
    next((paths.privacy / FOLDER).rglob("*.parquet")).write_bytes(b"PAR1")  # cannot be looked into
    drop_telling(context, NOBODY)
    assert note_folders(paths) == []


def test_an_erasure_after_another_is_not_held_up_by_its_encrypted_notes(
    context: RunContext,
) -> None:
    keys = KeySettings(master=SecretStr(new_key()))
    context = replace(context, settings=context.settings.model_copy(update={"keys": keys}))
    paths = DataPaths.of(context)
    begin_notes(paths, ERASURE, staged={}, version="")
    add_rows(paths, ERASURE, UNITS, "core.dim_customer", pa.table({"unit": ["H1"]}))
    end_notes(paths, ERASURE, keys, staged={}, version="")
    (noted,) = note_files(paths)
    sealed = noted.read_bytes()
    clean_files(context, paths, NOBODY)
    assert noted.read_bytes() == sealed
