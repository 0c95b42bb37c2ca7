"""Personal data lie in the vault alone: what analysts open names nobody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.identity.erasure.subjects import find_subjects
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.rights.erasure import open_resolver
from cdp_pipeline.rights.scan import scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import find_traces
from cdp_pipeline.storage.warehouse import connect, fetch_dicts, open_published, open_whole
from tests.integration.store import ROOT, Store

FOR_ANALYSTS = ("cdp.duckdb", "parquet", "reports", "quality", "basis.json", "MANIFEST.json")

KNOWN = """
create temp table known as
select distinct lower(trim(value)) as value, replace(name, 'printed_', '') as name
from (unpivot (select coalesce(given_name, '') || ' ' || family_name as full_name,
    coalesce(printed_given, '') || ' ' || printed_family as printed_name,
    email, phone, street, loyalty_id, account_id from identity.records)
    on full_name, printed_name, email, phone, street, loyalty_id, account_id)
where length(value) > 5 and value like '% %' or regexp_matches(value, '[0-9@]')
union
select distinct cookie_id, 'cookie' from core.bridge_cookie
"""


def personal_tables() -> set[str]:
    return {name for name, spec in load_project(ROOT).tables.items() if spec.is_personal}


def test_no_table_with_personal_columns_is_in_the_file_or_its_mirror(store: Store) -> None:
    personal = personal_tables()
    assert {"core.customer_contact", "core.bridge_identity", "ops.export_members"} <= personal
    with open_published(store.data) as con:
        columns = con.execute(
            "select schema_name || '.' || table_name, column_name, comment from duckdb_columns() "
            "where database_name = 'cdp' and not internal"
        ).fetchall()
    assert len(columns) > 500
    assert not personal & {table for table, *_ in columns}
    assert not [row for row in columns if "[personal:" in str(row[2])]
    mirror = store.data / "warehouse" / "parquet"
    assert (mirror / "core" / "customer_contact_masked.parquet").is_file()
    for name in personal:
        place = mirror / name.replace(".", "/")
        assert not place.exists()
        assert not place.with_suffix(".parquet").exists()


def test_no_value_of_the_analysts_file_is_a_known_one(store: Store) -> None:
    with open_whole(store.settings, sandboxed=False) as con:
        con.execute(KNOWN)
        kinds = dict(con.execute("select name, count(*) from known group by 1").fetchall())
        assert min(kinds[k] for k in ("email", "phone", "full_name", "street", "cookie")) > 100
        texts = con.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns() "
            "where database_name = 'cdp' and schema_name <> 'queries' and not internal "
            "and (data_type like '%VARCHAR%' or data_type = 'JSON') order by all"
        ).fetchall()
        held = []
        for table, column in texts:
            values = f'select distinct lower(trim("{column}"::varchar)) as value from cdp.{table}'
            sql = f"select any_value(name) from ({values}) inner join known using (value)"
            held += [(table, column, kind) for (kind,) in con.execute(sql).fetchall() if kind]
        assert held == []


def test_no_trace_of_people_is_in_any_file_for_analysts(store: Store, tmp_path: Path) -> None:
    context = store.context(store.last_night)
    with open_resolver(context) as con:
        people = con.execute(
            "select customer_id from core.customer_contact "
            "where email is not null and phone is not null order by customer_id limit 25"
        ).fetchall()
        traces = find_traces(con, find_subjects(con, [name for (name,) in people]))
    traces = type(traces)(
        subjects=traces.subjects,
        values=traces.values,
        words=traces.words - {c.casefold() for s in traces.subjects for c in s.customers},
        phones=traces.phones,
        numbers=traces.numbers,
        names=traces.names,
    )
    current = (store.data / "warehouse" / "current").resolve()
    for name in FOR_ANALYSTS:
        place = current / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, tmp_path / name)
    found = scan_folder(tmp_path, Searcher(traces))
    assert found.files > 100
    assert [(find.file, find.place, find.kind) for find in found.finds] == []
    assert scan_folder(current / "vault", Searcher(traces)).finds, "the search finds what is there"


def test_the_vault_is_for_the_pipeline_alone(store: Store) -> None:
    vault = store.data / "warehouse" / "current" / "vault"
    held = {f"{path.parent.name}.{path.stem}" for path in vault.glob("*/*.parquet")}
    assert personal_tables() == held
    assert vault.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in vault.rglob("*.parquet")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in vault.iterdir()} == {0o700}


def test_whoever_is_entitled_joins_both(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select count(email) as held from core.dim_customer join core.customer_contact using (customer_id)"  # noqa: E501
    start = ["--project", str(ROOT), "--data-dir", str(store.data)]
    assert run_app([*start, "query", sql]) == 2
    assert "--with-personal-data --reason" in capsys.readouterr().err
    assert run_app([*start, "query", sql, "--with-personal-data"]) == 2
    assert "says why" in capsys.readouterr().err
    asked = ["query", sql, "--with-personal-data", "--reason", "ticket 4711", "--json"]
    assert run_app([*start, *asked]) == 0
    assert json.loads(capsys.readouterr().out)[0]["held"] > 500
    assert run_app([*start, "audit", "list", "--json"]) == 0
    assert "ticket 4711" in capsys.readouterr().out
    # What the recipe says: any DuckDB, by an account that may read the vault.
    with connect(EngineSettings()) as con:
        con.execute(f"attach '{store.data / 'warehouse' / 'cdp.duckdb'}' as cdp (read_only)")
        rows = fetch_dicts(
            con,
            "select count(*) as n from cdp.core.dim_customer inner join "
            f"'{store.data}/warehouse/current/vault/core/customer_contact.parquet' "
            "using (customer_id)",
        )
    assert rows[0]["n"] > 1_000


def test_the_sandbox_lets_the_vault_be_read_and_nothing_else(store: Store) -> None:
    with open_whole(store.settings) as con:
        assert con.execute("select count(*) from identity.records").fetchall()[0][0] > 1_000
        for path in ("/etc/passwd", store.data / "warehouse" / "current" / "basis.json"):
            with pytest.raises(duckdb.PermissionException):
                con.execute(f"from read_text('{path}')")
