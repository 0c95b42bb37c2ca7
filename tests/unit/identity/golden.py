"""A warehouse with customers already resolved, for tests of the golden record alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.identity.golden.survivorship import build_golden_records
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.survivorship import SurvivorshipSpec

REPOSITORY = Path(__file__).resolve().parents[3]
SPEC = load_project(REPOSITORY).survivorship
DAY = date(2026, 11, 20)

_TABLES = """
create schema cdp.identity;
create schema cdp.staging;
create table cdp.identity.customer_map (source varchar, record_key varchar, customer_id varchar);
create table cdp.identity.records (
    record_id integer, source varchar, record_key varchar, record_kind varchar,
    evidence_id integer, is_comparable boolean, is_usable boolean, printed_given varchar,
    printed_family varchar, given_name varchar, family_name varchar, birth_date date, sex varchar,
    email varchar, phone varchar, street varchar, city varchar, postcode varchar,
    loyalty_id varchar, account_id varchar, payment_token varchar, updated_at timestamp,
    first_seen_on date, raw_hash ubigint, evidence_head ubigint, evidence_tail ubigint
);
create table cdp.staging.person_records (
    source varchar, delivered_on date, record_key varchar, title varchar, email varchar,
    phone varchar, street varchar, city varchar, postcode varchar, country varchar,
    loyalty_id varchar, home_store_id varchar, tier varchar, push_token varchar, joined_on date
);
create table cdp.staging.email_events (
    person_source varchar, person_record_key varchar, occurred_at timestamp, event_type varchar,
    is_machine boolean
);
create table cdp.staging.identity_household_pairs (
    record_a integer, record_b integer, household_prob double
);
create table cdp.identity.redirects (old_customer_id varchar, customer_id varchar);
"""


@dataclass(frozen=True)
class Statement:
    """What one record says; `key` tells records apart."""

    key: str
    customer: str
    kind: str = "account"
    source: str = "shop"
    updated_at: datetime | None = None
    values: dict[str, Any] = field(default_factory=dict)
    delivered_on: date = DAY
    first_seen_on: date = DAY

    def get(self, name: str) -> Any:
        return self.values.get(name)


def open_warehouse() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("attach ':memory:' as cdp")
    con.execute(_TABLES)
    for path in sorted((REPOSITORY / "sql" / "macros").glob("identity_*.sql")):
        con.execute(path.read_text(encoding="utf-8"))
    con.execute("use cdp")
    con.execute("set variable identity_home = 'GB'")
    return con


def fill(con: duckdb.DuckDBPyConnection, statements: Iterable[Statement]) -> None:
    """Write the statements in the given order; record numbers follow source and key."""
    listed = list(statements)
    number = {s.key: n for n, s in enumerate(sorted(listed, key=lambda s: (s.source, s.key)))}
    for s in listed:
        raw = {name: s.get(name) for name in ("email", "phone", "street", "postcode")}
        con.execute(
            "insert into identity.customer_map values (?, ?, ?)", [s.source, s.key, s.customer]
        )
        con.execute(
            "insert into identity.records by name select "
            "$record_id as record_id, $source as source, $key as record_key, "
            "$kind as record_kind, $given as printed_given, $family as printed_family, "
            "identity_letters($given) as given_name, identity_letters($family) as family_name, "
            "$birth_date::date as birth_date, $sex as sex, "
            "identity_mailbox(identity_email($email)) as email, identity_phone($phone) as phone, "
            "identity_street($street) as street, identity_postcode($postcode) as postcode, "
            "identity_number($loyalty) as loyalty_id, $account as account_id, "
            "$updated_at::timestamp as updated_at, $first::date as first_seen_on, "
            "hash($raw) as raw_hash",
            {
                "record_id": number[s.key],
                "source": s.source,
                "key": s.key,
                "kind": s.kind,
                "given": s.get("given_name"),
                "family": s.get("family_name"),
                "birth_date": s.get("birth_date"),
                "sex": s.get("sex"),
                "loyalty": s.get("loyalty_id"),
                "account": s.get("account_id"),
                "updated_at": s.updated_at,
                "first": s.first_seen_on,
                "raw": str((s.kind, s.updated_at, sorted(s.values.items()))),
                **raw,
            },
        )
        con.execute(
            "insert into staging.person_records values "
            "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                s.source, s.delivered_on, s.key, s.get("title"), s.get("email"), s.get("phone"),
                s.get("street"), s.get("city"), s.get("postcode"), s.get("country"),
                s.get("loyalty_id"), s.get("home_store_id"), s.get("tier"), s.get("push_token"),
                s.get("joined_on"),
            ],
        )  # fmt: skip


def build(
    con: duckdb.DuckDBPyConnection,
    spec: SurvivorshipSpec = SPEC,
    *,
    day: date = DAY,
    is_carried: bool = False,
) -> int:
    return build_golden_records(con, spec, business_date=day.isoformat(), is_carried=is_carried)


def resolve(*statements: Statement, spec: SurvivorshipSpec = SPEC) -> duckdb.DuckDBPyConnection:
    """Return a warehouse with the golden records of the statements."""
    con = open_warehouse()
    fill(con, statements)
    build(con, spec)
    return con


def remember(con: duckdb.DuckDBPyConnection) -> None:
    """Make tonight's tables those of the version that the next night builds upon."""
    con.execute("attach if not exists ':memory:' as base")
    con.execute("create schema if not exists base.identity")
    for table in (
        "golden_records", "golden_sources", "contact_claims", "golden_basis", "households",
        "household_redirects", "household_changes", "customer_map",
    ):  # fmt: skip
        con.execute(f"create or replace table base.identity.{table} as from cdp.identity.{table}")


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return con.execute(sql).fetchall()
