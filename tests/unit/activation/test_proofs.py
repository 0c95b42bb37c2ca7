"""Every row that leaves names the statement that permits it, under a key without gaps."""

from __future__ import annotations

import duckdb
import pytest

from cdp_pipeline.activation.audience import Reach
from cdp_pipeline.activation.proofs import finish_proofs, note_proofs, open_proofs
from cdp_pipeline.core.errors import PrivacyError

REACH = Reach("email", ("gate", "gate"), (("marketing", "email"), ("profiling", None)), "reach")


def _exported(con: duckdb.DuckDBPyConnection, statement: str | None) -> list[tuple[object, ...]]:
    con.execute("attach ':memory:' as cdp; use cdp; create schema ops")
    con.execute("create table export_rows as select 'C1' as customer_id")
    con.execute(
        "create table gate as select 'C1' as customer_id, 'crm' as source, $1 as statement_id, "
        "now()::timestamp as captured_at, current_date as recorded_on, 'consent' as legal_basis, "
        "null::varchar as wording_version, 'last_word' as rule",
        [statement],
    )
    open_proofs(con)
    note_proofs(con, destination="ads", name="vips", reach=REACH)
    note_proofs(con, destination="analysts", name="vips", reach=None)
    finish_proofs(con)
    return con.execute("select destination, purpose, channel from ops.export_proofs").fetchall()


def test_each_purpose_has_its_proof_also_one_without_channel() -> None:
    with duckdb.connect() as con:
        assert _exported(con, "s1") == [("ads", "marketing", "email"), ("ads", "profiling", "any")]


def test_a_row_without_an_entry_stops_the_night() -> None:
    with duckdb.connect() as con, pytest.raises(PrivacyError, match="no proof of consent"):
        _exported(con, None)
