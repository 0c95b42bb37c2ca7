"""A marketing project of a few customers, for the tests of privacy, segments and activation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build
from tests.whole import join_build

TABLES = """
create or replace table core.dim_customer (
    customer_id varchar, record_count bigint, household_id varchar
);
create or replace table core.dim_household (household_id varchar, head_customer_id varchar);
create or replace table core.contact_claims (
    channel varchar, customer_id varchar, owner_id varchar
);
create or replace table core.customer_contact (
    customer_id varchar, given_name varchar, family_name varchar, email varchar, phone varchar,
    street varchar, city varchar, postcode varchar, country varchar, push_token varchar,
    birth_date date, loyalty_id varchar, account_id varchar
);
create or replace table core.fct_consents (
    customer_id varchar, purpose varchar, channel varchar, status varchar, captured_at timestamp,
    source varchar default 'shop', statement_id varchar, recorded_on date, legal_basis varchar,
    wording_version varchar, linked_on date, merged_from varchar, merged_on date
);
create or replace table core.privacy_requests (
    request_id varchar, customer_id varchar, request_type varchar, received_on date, status varchar
);
create or replace table identity.redirects (
    old_customer_id varchar, customer_id varchar, changed_on date
);
create or replace table features.customer_features (
    customer_id varchar, visits bigint, boots_sku varchar, boots_name varchar,
    nearest_store_id varchar, nearest_store_name varchar, spend_amount decimal(18, 2)
);
create or replace table features.clv (customer_id varchar, clv_12m_amount decimal(18, 2));
"""

FEATURES = {
    "visits": 1,
    "boots_sku": "0048213",
    "boots_name": "Alpine Boot",
    "nearest_store_id": "S003",
    "nearest_store_name": "Leeds",
    "spend_amount": "10.00",
}


@dataclass
class Marketing:
    """A project with its declarations, and the rows that every night of it starts from."""

    root: Path
    make_context: Callable[..., RunContext]
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    consents: list[tuple[str, str | None, str | None, str, str | None]] = field(
        default_factory=list
    )
    requests: list[tuple[str, str]] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    claims: list[tuple[str, str, str]] = field(default_factory=list)
    base: Path | None = None

    def declare(self, kind: str, name: str, **keys: object) -> None:
        """Write a segment, offer or destination."""
        folder = self.root / "sql" / "marketing" / f"{kind}s"
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump({"title": name, "owner": "crm", **keys}, sort_keys=False)
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")

    def drop(self, kind: str, name: str) -> None:
        """Delete a declaration."""
        (self.root / "sql" / "marketing" / f"{kind}s" / f"{name}.yml").unlink()

    def add(self, customer_id: str, **columns: Any) -> None:
        """Add or change a customer; e-mail and push token are made up if not given."""
        made_up = {"email": f"{customer_id.lower()}@example.com", "push_token": f"P-{customer_id}"}
        known = self.customers.get(customer_id, made_up)
        self.customers[customer_id] = {**known, **columns}

    def grant(self, *customer_ids: str, channel: str = "push", purpose: str = "marketing") -> None:
        """Let customers agree to a channel."""
        self.consents += [
            (name, purpose, channel, "granted", "2026-01-01 10:00:00") for name in customer_ids
        ]

    @contextmanager
    def night(
        self, day: date = date(2026, 11, 20), **settings: object
    ) -> Iterator[tuple[RunContext, duckdb.DuckDBPyConnection]]:
        """Open the build of a night with core and features filled."""
        context = self.start(day, **settings)
        with open_build(context) as con:
            yield context, con

    def start(self, day: date = date(2026, 11, 20), **settings: object) -> RunContext:
        """Return the context of a new night whose core and features are filled."""
        contact = {"global_holdout_share": 0.0}
        few = {"threads": 1}
        context = self.make_context(day, **{"contact": contact, "engine": few, **settings})
        paths = DataPaths.of(context)
        shutil.rmtree(paths.work, ignore_errors=True)
        paths.ensure(paths.work)
        plan = {"base_path": str(self.base)} if self.base else {}
        paths.plan.write_text(json.dumps(plan), encoding="utf-8")
        with open_build(context) as con:
            self._fill(con)
        return context

    def publish(self, context: RunContext) -> Path:
        """Make a night the base of the next one, and the current version."""
        paths = DataPaths.of(context)
        version = paths.versions / f"v-{context.business_date}"
        shutil.rmtree(version, ignore_errors=True)
        version.mkdir(parents=True)
        join_build(paths, version / "cdp.duckdb")
        if (paths.tree / "exports").is_dir():
            shutil.copytree(paths.tree / "exports", version / "exports")
        paths.current.unlink(missing_ok=True)
        paths.current.symlink_to(version)
        self.base = version / "cdp.duckdb"
        return version

    def _fill(self, con: duckdb.DuckDBPyConnection) -> None:
        con.execute(TABLES)
        described = con.execute("describe core.customer_contact").fetchall()
        contact_columns = [row[0] for row in described]
        rows = [
            {**FEATURES, **columns, "customer_id": name} for name, columns in self.customers.items()
        ]
        insert(
            con,
            "core.dim_customer",
            [[r["customer_id"], r.get("record_count", 1), r.get("household_id")] for r in rows],
        )
        heads = [[r["household_id"], r["customer_id"]] for r in rows if r.get("is_head")]
        insert(con, "core.dim_household", heads)
        insert(con, "core.contact_claims", self.claims)
        insert(
            con,
            "core.customer_contact",
            [[row.get(name) for name in contact_columns] for row in rows],
        )
        insert(
            con,
            "features.customer_features",
            [[row["customer_id"], *(row[name] for name in FEATURES)] for row in rows],
        )
        insert(con, "features.clv", [[r["customer_id"], r.get("clv_12m_amount")] for r in rows])
        numbered = [[*said, str(number)] for number, said in enumerate(self.consents)]
        named = "customer_id, purpose, channel, status, captured_at, statement_id"
        insert(con, f"core.fct_consents ({named})", numbered)
        insert(
            con,
            "core.privacy_requests",
            [
                [f"R{number}", name, kind, "2026-11-01", "received"]
                for number, (name, kind) in enumerate(self.requests)
            ],
        )
        insert(
            con,
            "identity.redirects",
            [[old, new, "2026-11-20"] for old, new in self.redirects.items()],
        )


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows in one statement."""
    if rows:
        marks = ", ".join("(" + ", ".join("?" * len(row)) + ")" for row in rows)
        con.execute(f"insert into {table} values {marks}", [v for row in rows for v in row])


@pytest.fixture
def marketing(
    project_root: Path, repository: Path, make_context: Callable[..., RunContext]
) -> Marketing:
    """Return a marketing project without any declaration yet."""
    for folder in ("segments", "ops"):
        shutil.copytree(repository / "sql" / folder, project_root / "sql" / folder)
    macros = project_root / "sql" / "macros"
    macros.mkdir()
    shutil.copy(repository / "sql" / "macros" / "business_date.sql", macros)
    return Marketing(project_root, make_context)
