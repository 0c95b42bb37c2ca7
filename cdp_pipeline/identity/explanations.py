"""Explanations as data: what the evidence says, as JSON or as lines for a terminal.

Only the shape of explanations belongs here; ``explain`` fills them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FieldEvidence:
    """What one field says about a pair, in bits."""

    field: str
    level: str
    left: str
    right: str
    match_bits: float
    household_bits: float


@dataclass(frozen=True)
class PairExplanation:
    """The waterfall of one pair.

    Attributes:
        left: ``source:record_key``.
        right: ``source:record_key``.
        left_customer: Customer of the left record, if any.
        right_customer: Customer of the right record, if any.
        fields: Evidence of each comparison, in the model's order.
        prior_bits: log2 odds of a match before any evidence.
        match_weight: Prior and fields together: one person against strangers.
        household_weight: The same for two people of one household.
        match_prob: Probability that both are one person.
        note: One sentence that a newcomer understands.
    """

    left: str
    right: str
    left_customer: str | None
    right_customer: str | None
    fields: tuple[FieldEvidence, ...]
    prior_bits: float
    match_weight: float
    household_weight: float
    match_prob: float
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def render_text(self) -> str:
        """Return lines for a terminal."""
        lines = [
            f"{self.left}  (customer {self.left_customer or 'none'})",
            f"{self.right}  (customer {self.right_customer or 'none'})",
            "",
        ]
        if self.fields:
            lines.append(f"{'before any evidence':<18} {'':<34} {self.prior_bits:+7.1f}")
            lines += [_field_line(f) for f in self.fields if f.level != "missing"]
            lines.append(f"{'total':<18} {'':<34} {self.match_weight:+7.1f} bits")
            lines.append("")
        return "\n".join([*lines, self.note])


@dataclass(frozen=True)
class MemberEvidence:
    """How one record belongs to its customer."""

    record: str
    record_kind: str
    match_prob: float
    linked_to: str | None
    reason: str


@dataclass(frozen=True)
class CustomerExplanation:
    """A customer: records and the links that hold them, golden values' origins, history.

    Attributes:
        customer_id: Living customer.
        asked_for: Id asked for, if it was retired.
        household_id: Household of the customer.
        members: Every record with its strongest link towards the first one.
        sources: Golden column to ``source:record_key``.
        changes: What happened, oldest first.
    """

    customer_id: str
    asked_for: str | None
    household_id: str | None
    members: tuple[MemberEvidence, ...]
    sources: dict[str, str]
    changes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def render_text(self, *, most: int = 40) -> str:
        """Return lines for a terminal, at most ``most`` records."""
        title = f"customer {self.customer_id}"
        if self.asked_for:
            title += f" (asked for {self.asked_for}, which was merged into it)"
        lines = [title, f"household {self.household_id}, {len(self.members)} records", ""]
        for member in self.members[:most]:
            link = f" {member.linked_to}" if member.linked_to else ""
            lines.append(f"{member.record:<40} {member.match_prob:6.3f}  {member.reason}{link}")
        if len(self.members) > most:
            lines.append(f"... and {len(self.members) - most} more")
        lines += ["", "values:"]
        lines += [f"  {field:<14} from {record}" for field, record in self.sources.items()]
        if self.changes:
            lines += ["", "history:", *(f"  {change}" for change in self.changes)]
        return "\n".join(lines)


def _field_line(field: FieldEvidence) -> str:
    values = f"{field.left} | {field.right}"
    return f"{field.field:<18} {field.level:<34} {field.match_bits:+7.1f}   {values}"
