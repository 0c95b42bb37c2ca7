"""Who may not be profiled: the one list that recommendations and propensities leave out.

Whether somebody refused is decided by the consent gate; only the list belongs here.
"""

from __future__ import annotations

from datetime import date

import duckdb

from cdp_pipeline.privacy.consent import permitted
from cdp_pipeline.project.consent_rules import ConsentRules

REFUSED = "profiling_refused"


def list_refusals(con: duckdb.DuckDBPyConnection, as_of: date, rules: ConsentRules) -> str:
    """Create the temporary table of people who refused to be profiled and return its name.

    Args:
        con: Connection to the build, with core finished.
        as_of: Day as of which statements count.
        rules: Which of several statements holds.

    Raises:
        PrivacyError: The consent ledger is missing.
    """
    gate = permitted(con, purpose="profiling", channel=None, business_date=as_of, rules=rules)
    con.execute(
        f"create or replace temp table {REFUSED} as select customer_id from {gate} "  # noqa: S608 - own names
        "where reason in ('withdrawn', 'objected', 'unclear', 'privacy_request')"
    )
    return REFUSED
