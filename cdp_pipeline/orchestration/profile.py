"""One customer in full: the records behind the id, the journey, segments, triggers.

Read-only, without names or contact details: enough to explain, nothing to leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.explaining.explain import ACCEPT_PROB, explain_customer
from cdp_pipeline.identity.explaining.explanations import CustomerExplanation
from cdp_pipeline.storage.warehouse import fetch_dicts, fetch_value

SHOWN_TOUCHES = 15

_JOURNEY = """
select
    j.happened_at,
    j.touch,
    j.channel,
    coalesce(p.product_name, j.sku) as product,
    s.store_name as store,
    j.amount
from core.fct_journey as j
left join core.dim_product as p on j.sku = p.sku
left join core.dim_store as s on j.store_id = s.store_id
where j.customer_id = ?
order by j.step_no
"""

_SEGMENTS = """
select d.title, m.segment, m.entered_on, m.is_holdout
from segments.membership as m
inner join segments.definitions as d on m.segment = d.segment
where m.customer_id = ?
order by m.segment
"""

_TRIGGERS = """
select offer, channel, sent_on from ops.contact_log where customer_id = ? order by sent_on, offer
"""


@dataclass(frozen=True)
class CustomerProfile:
    """What is known of one customer.

    Attributes:
        explanation: Records, evidence, history.
        journey: Every touch in order; times are UTC.
        segments: Segments tonight, with holdouts.
        triggers: Offers sent.
    """

    explanation: CustomerExplanation
    journey: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    triggers: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "identity": self.explanation.as_dict(),
            "journey": self.journey,
            "segments": self.segments,
            "triggers": self.triggers,
        }

    def render_text(self) -> str:
        """Return the profile in lines for people."""
        lines = [self.explanation.render_text().rstrip(), "", "journey:"]
        hidden = len(self.journey) - SHOWN_TOUCHES
        if hidden > 0:
            lines.append(f"  ({hidden} earlier touches; --json shows all)")
        lines += [_touch_line(touch) for touch in self.journey[-SHOWN_TOUCHES:]]
        if not self.journey:
            lines.append("  nothing yet")
        lines += ["", "segments:"]
        for row in self.segments:
            held = ", kept back for measuring" if row["is_holdout"] else ""
            lines.append(f"  {row['title']} (since {row['entered_on']}{held})")
        lines += ["  none"] if not self.segments else []
        lines += ["", "triggers sent:"]
        lines += [f"  {t['sent_on']}  {t['offer']} by {t['channel']}" for t in self.triggers]
        lines += ["  none"] if not self.triggers else []
        return "\n".join(lines)


def _touch_line(touch: dict[str, Any]) -> str:
    words = [str(touch["touch"]).replace("_", " ")]
    if touch["product"]:
        words.append(str(touch["product"]))
    if touch["store"]:
        words.append(f"at {touch['store']}")
    if touch["amount"] is not None:
        words.append(f"{touch['amount']:,.2f}")
    return f"  {touch['happened_at']:%Y-%m-%d %H:%M}  {'  '.join(words)}"


def read_profile(
    con: duckdb.DuckDBPyConnection, who: str, *, accept: float = ACCEPT_PROB
) -> CustomerProfile:
    """Return the profile of a customer.

    Args:
        con: Read-only connection to a published version.
        who: Customer id, living or retired, or ``source:record_key``.
        accept: Probability from which two records are linked.

    Raises:
        ConfigError: Nobody is found.
    """
    explanation = explain_customer(con, _customer_of(con, who), accept=accept)
    key = [explanation.customer_id]
    return CustomerProfile(
        explanation,
        journey=fetch_dicts(con, _JOURNEY, key),
        segments=fetch_dicts(con, _SEGMENTS, key),
        triggers=fetch_dicts(con, _TRIGGERS, key),
    )


def _customer_of(con: duckdb.DuckDBPyConnection, who: str) -> str:
    if ":" not in who:
        return who
    source, _, key = who.partition(":")
    found = fetch_value(
        con,
        "select customer_id from core.bridge_identity where source = ? and record_key = ?",
        [source, key],
    )
    if found is None:
        raise ConfigError(
            f"no person record {who!r}",
            where="cdp explain",
            hint=f"`cdp query \"from core.bridge_identity where source = '{source}'\"` lists keys.",
        )
    return str(found)
