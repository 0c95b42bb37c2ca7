"""What one person has agreed to, on any day, as it is or as it was known: for people to read.

The gate judges; here its answers for one customer are put beside the entries of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.privacy.consent import ADDRESSES, permitted
from cdp_pipeline.project.consent_rules import ConsentRules
from cdp_pipeline.storage.warehouse import fetch_dicts, quote_identifier

_STATEMENTS = """
select
    source, statement_id, purpose, channel, status, captured_at, recorded_on, linked_on,
    legal_basis, wording_version, merged_from, merged_on, file_id, file_line
from core.fct_consents
where customer_id = $customer
    and recorded_on <= $known_at
    and (linked_on is null or linked_on <= $known_at)
order by captured_at, source, statement_id
"""


@dataclass(frozen=True)
class Standing:
    """A person's consent.

    Attributes:
        customer_id: The person.
        as_of: Day that is asked about.
        known_at: Night whose knowledge counts.
        states: The gate's answer for each purpose and channel.
        statements: Entries of the ledger that were known, oldest first.
    """

    customer_id: str
    as_of: date
    known_at: date
    states: list[dict[str, Any]]
    statements: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "customer_id": self.customer_id,
            "as_of": self.as_of,
            "known_at": self.known_at,
            "states": self.states,
            "statements": self.statements,
        }


def read_standing(
    con: duckdb.DuckDBPyConnection,
    customer_id: str,
    *,
    rules: ConsentRules,
    as_of: date,
    known_at: date,
) -> Standing:
    """Read what a customer permits.

    Args:
        con: Connection to a published version, with the macros of the project.
        customer_id: The person.
        rules: The project's rules.
        as_of: Day that is asked about.
        known_at: Night whose knowledge counts.

    Raises:
        ConfigError: The version's ledger does not say when a statement was recorded.
        PrivacyError: The consent ledger is missing.
    """
    values = {"customer": customer_id, "known_at": known_at}
    try:
        statements = fetch_dicts(con, _STATEMENTS, values)
    except duckdb.BinderException as error:
        raise ConfigError(
            "the published ledger is of an earlier version of cdp_pipeline",
            where="core.fct_consents",
            hint="Run a night (`cdp run`) first.",
        ) from error
    asked = {(said["purpose"], said["channel"]) for said in statements if said["purpose"]}
    asked |= {("marketing", channel) for channel in ADDRESSES} | {("profiling", None)}
    states = []
    for purpose, channel in sorted(asked, key=str):
        gate = permitted(
            con,
            purpose=purpose,
            channel=channel,
            business_date=as_of,
            rules=rules,
            known_at=known_at,
        )
        found = fetch_dicts(
            con,
            f"select * exclude (customer_id) from {quote_identifier(gate)} "  # noqa: S608 - quoted
            "where customer_id = $customer",
            {"customer": customer_id},
        )
        states += [{"purpose": purpose, "channel": channel, **state} for state in found]
    return Standing(customer_id, as_of, known_at, states, statements)
