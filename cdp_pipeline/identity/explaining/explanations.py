"""Explanations as data: what the evidence says, as JSON or as lines for a terminal.

Only the shape of explanations belongs here; ``explain`` fills them, ``explanation_page`` draws
them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cdp_pipeline.identity.explaining.bridges import Link
from cdp_pipeline.identity.explaining.counterfactuals import Flip
from cdp_pipeline.identity.explaining.reasons import Reason

FIELD_WIDTH, LEVEL_WIDTH = 18, 34


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
    """The waterfall of one pair, what decided and what would decide otherwise.

    Attributes:
        left: ``source:record_key``.
        right: ``source:record_key``.
        left_customer: Customer of the left record, if any.
        right_customer: Customer of the right record, if any.
        reason: What really decided.
        fields: Evidence of each comparison, in the model's order; empty without a score.
        prior_bits: log2 odds of a match before any evidence.
        household_prior_bits: The same for two people of one household.
        match_weight: Prior and fields together: one person against strangers.
        household_weight: The same for two people of one household.
        learned_bits: What judgements have taught the model to add to the log odds.
        match_prob: Probability that both are one person.
        household_prob: Probability that they are two people of one household.
        path: Strongest links between the records inside their customer.
        flips: Smallest changes after which the score would decide otherwise.
        sides: Every known value of both records, side by side.
    """

    left: str
    right: str
    left_customer: str | None
    right_customer: str | None
    reason: Reason
    fields: tuple[FieldEvidence, ...] = ()
    prior_bits: float = 0.0
    household_prior_bits: float = 0.0
    match_weight: float = 0.0
    household_weight: float = 0.0
    learned_bits: float = 0.0
    match_prob: float = 0.0
    household_prob: float = 0.0
    path: tuple[Link, ...] = ()
    flips: tuple[Flip, ...] = ()
    sides: tuple[tuple[str, str, str], ...] = ()

    @property
    def note(self) -> str:
        """One or two sentences that a newcomer understands."""
        verdict = "One customer" if self.reason.is_same else "Two customers"
        if self.reason.by == "nobody":
            verdict = "Not one customer"
        return f"{verdict}. {self.reason.text}"

    @property
    def odds(self) -> str:
        """The odds of one person and of one household, in words."""
        if not self.fields:
            return ""
        return (
            f"Odds by their own evidence: one person {odds_in_words(self.match_prob)}; "
            f"two people of one household {odds_in_words(self.household_prob)}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        flips = [asdict(flip) | {"text": flip.text} for flip in self.flips]
        return asdict(self) | {"note": self.note, "odds": self.odds, "flips": flips}

    def render_text(self) -> str:
        """Return lines for a terminal."""
        lines = [
            f"{self.left}  (customer {self.left_customer or 'none'})",
            f"{self.right}  (customer {self.right_customer or 'none'})",
            "",
        ]
        if self.fields:
            lines += [*self._waterfall(), ""]
        lines.append(self.note)
        if self.odds:
            lines.append(self.odds)
        if self.path:
            lines += ["", "strongest path between them:", *path_lines(self.path)]
        if self.flips:
            lines += ["", "the score would decide otherwise"]
            lines += [f"  {flip.text}" for flip in self.flips]
        elif self.fields:
            lines += ["", "no change of one or two fields would turn the score"]
        return "\n".join(lines)

    def _waterfall(self) -> list[str]:
        head = f"{'':<{FIELD_WIDTH}} {'':<{LEVEL_WIDTH}} {'bits':>7} {'total':>7} {'household':>9}"
        total, household = self.prior_bits, self.household_prior_bits
        lines = [head, _step("before any evidence", "", total, total, household)]
        for field in self.fields:
            if field.level == "missing":
                continue
            total += field.match_bits
            household += field.household_bits
            line = _step(field.field, field.level, field.match_bits, total, field.household_bits)
            lines.append(f"{line}   {field.left} | {field.right}")
        lines.append(_step("together", "", None, self.match_weight, self.household_weight))
        if self.learned_bits:
            learned = f"{self.learned_bits:+.1f}"
            lines.append(f"{'from judgements':<{FIELD_WIDTH}} {'':<{LEVEL_WIDTH}} {learned:>7}")
        prob = f"{self.match_prob:.3f}"
        lines.append(f"{'probability':<{FIELD_WIDTH}} {'of one person':<{LEVEL_WIDTH}} {prob:>15}")
        return lines


def _step(field: str, level: str, bits: float | None, total: float, household: float) -> str:
    gain = "" if bits is None else f"{bits:+.1f}"
    if not level:
        name = f"{field:<{FIELD_WIDTH + 1 + LEVEL_WIDTH}}"
    else:
        name = f"{field:<{FIELD_WIDTH}} {level:<{LEVEL_WIDTH}}"
    return f"{name} {gain:>7} {total:>+7.1f} {household:>+9.1f}"


def odds_in_words(probability: float) -> str:
    """Return a probability as betting odds in words.

    >>> odds_in_words(0.75)
    '3 to 1 for it'
    >>> odds_in_words(0.01)
    '99 to 1 against it'
    >>> odds_in_words(1e-12)
    'more than a million to 1 against it'
    """
    likelier = max(probability, 1 - probability)
    against = " against it" if probability < 0.5 else " for it"  # noqa: PLR2004 - even odds
    if 1 - likelier < 1e-6:  # noqa: PLR2004 - nobody can picture more
        return f"more than a million to 1{against}"
    odds = likelier / (1 - likelier)
    if odds < 1.05:  # noqa: PLR2004 - to one decimal
        return "even"
    return f"{odds:,.0f} to 1{against}" if odds >= 10 else f"{odds:.2g} to 1{against}"  # noqa: PLR2004 - two digits


def path_lines(path: tuple[Link, ...]) -> list[str]:
    """Return one line a link, for a terminal."""
    return [f"  {link.left}  {link.prob:.3f}  {link.right}  ({link.rule})" for link in path]


@dataclass(frozen=True)
class MemberEvidence:
    """How one record belongs to its customer.

    Attributes:
        record: ``source:record_key``.
        record_kind: Loyalty, account, order, ...
        match_prob: Probability stored for the record.
        linked_to: The record it hangs on in the strongest tree of links.
        reason: Why it does.
        best_link: Its strongest link of all; None if only the group holds it.
    """

    record: str
    record_kind: str
    match_prob: float
    linked_to: str | None
    reason: str
    best_link: Link | None = None


@dataclass(frozen=True)
class CustomerExplanation:
    """A customer: records and the links that hold them, golden values' origins, history.

    Attributes:
        customer_id: Living customer.
        asked_for: Id asked for, if it was retired.
        household_id: Household of the customer.
        members: Every record with its strongest link towards the first one.
        links: Accepted links between its named records.
        weakest: Weakest link of the strongest tree; None for a single record.
        bridges: Links between named records without which the customer falls into two.
        sources: Golden column to ``source:record_key``.
        changes: What happened, oldest first.
    """

    customer_id: str
    asked_for: str | None
    household_id: str | None
    members: tuple[MemberEvidence, ...]
    links: tuple[Link, ...]
    weakest: Link | None
    bridges: tuple[Link, ...]
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
        if self.weakest:
            lines += ["", "weakest link:", *path_lines((self.weakest,))]
        if self.bridges:
            lines += ["", "without one of these links it would fall into two:"]
            lines += path_lines(self.bridges)
        lines += ["", "values:"]
        lines += [f"  {field:<14} from {record}" for field, record in self.sources.items()]
        if self.changes:
            lines += ["", "history:", *(f"  {change}" for change in self.changes)]
        return "\n".join(lines)
