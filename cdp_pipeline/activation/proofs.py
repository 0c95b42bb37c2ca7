"""Proof of consent for every row that leaves: which entry of the ledger permits it, and why.

A row in a full file, and so in the added rows of its differences, has one proof for each purpose it
had to pass. Files of analysis contact nobody and need none. Proofs stay with the version; what was
known on any earlier night, ``cdp consent`` tells from the ledger.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.activation.audience import Reach
from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.storage.warehouse import create_table, fetch_value

ANY_CHANNEL = "any"
"""What stands for the channel of a purpose that has none, such as profiling."""

_OPEN = """
create or replace temp table proofs (
    destination varchar, segment_or_offer varchar, customer_id varchar, purpose varchar,
    channel varchar, source varchar, statement_id varchar, captured_at timestamp, recorded_on date,
    legal_basis varchar, wording_version varchar, rule varchar
)
"""

_NOTE = """
insert into proofs
select
    $destination, $name, rows_out.customer_id, $purpose, $channel, gate.source, gate.statement_id,
    gate.captured_at, gate.recorded_on, gate.legal_basis, gate.wording_version, gate.rule
from export_rows as rows_out
inner join {gate} as gate on rows_out.customer_id = gate.customer_id
"""


def open_proofs(con: duckdb.DuckDBPyConnection) -> None:
    """Begin tonight's proofs."""
    con.execute(_OPEN)


def note_proofs(
    con: duckdb.DuckDBPyConnection, *, destination: str, name: str, reach: Reach | None
) -> None:
    """Note for each row of ``export_rows`` the statements that permit it.

    Args:
        con: The build.
        destination: Receiving system.
        name: Segment or offer of the file.
        reach: What the rows had to pass; None for analysis.
    """
    for gate, (purpose, channel) in zip(reach.gates, reach.asked, strict=True) if reach else ():
        con.execute(
            _NOTE.format(gate=gate),
            {
                "destination": destination,
                "name": name,
                "purpose": purpose,
                "channel": channel or ANY_CHANNEL,
            },
        )


def finish_proofs(con: duckdb.DuckDBPyConnection) -> int:
    """Make ``ops.export_proofs`` and return its rows.

    Raises:
        PrivacyError: A row leaves without an entry of the ledger.
    """
    bare = fetch_value(con, "select count(*) from proofs where statement_id is null")
    if bare:
        raise PrivacyError(
            f"{bare} rows of an export have no proof of consent",
            where="ops.export_proofs",
            hint="This is a fault of the program, not of the data: stop and report it.",
        )
    return create_table(
        con,
        "ops.export_proofs",
        "select * from proofs "
        "order by destination, segment_or_offer, customer_id, purpose, channel",
    )
