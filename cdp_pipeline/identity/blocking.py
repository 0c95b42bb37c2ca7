"""Which pairs are worth comparing: records that share at least one blocking key.

Rules are named, so that a meeting can discuss them; a key held by more records than the cap is
dropped and counted, never silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value, quote_literal


@dataclass(frozen=True)
class BlockingRule:
    """One reason for comparing two nodes.

    Attributes:
        name: For people and for ``identity.edges.rule``.
        columns: Node columns that must all be present and equal.
    """

    name: str
    columns: tuple[str, ...]

    def key_sql(self, number: int) -> str:
        """Return SQL for the rows (key, rule, node_id) of this rule."""
        present = " and ".join(f"({column}) is not null" for column in self.columns)
        parts = ", ".join(self.columns)
        return (
            f"select hash({parts}, {number}) as key, {number} as rule, node_id "  # noqa: S608 - constants
            f"from identity_nodes where {present}"
        )


CUSTOMER_RULES: tuple[BlockingRule, ...] = (
    BlockingRule("same loyalty card", ("loyalty_hash",)),
    BlockingRule("same web account", ("account_hash",)),
    BlockingRule("same mailbox", ("email_hash",)),
    BlockingRule("same phone", ("phone_hash",)),
    BlockingRule("same birth date and family name", ("birth_number", "family_hash")),
    BlockingRule("same birth date and given name", ("birth_number", "given_hash")),
    BlockingRule("same address", ("address_hash",)),
    BlockingRule(
        "same names in either order and postcode",
        (
            "least(given_hash, family_hash)",
            "greatest(given_hash, family_hash)",
            "given_hash",
            "family_hash",
            "postcode_hash",
        )[:2] + ("given_hash is not null and family_hash is not null", "postcode_hash"),
    ),
    BlockingRule(
        "same initial, family name and postcode",
        ("given_initial", "family_hash", "postcode_hash"),
    ),
    BlockingRule("same given and family name", ("given_hash", "family_hash")),
    BlockingRule("same e-mail name at any provider", ("email_local",)),
    BlockingRule("same payment card", ("payment_hash",)),
)
