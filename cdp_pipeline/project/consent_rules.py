"""The declared rules of consent: which statement holds when several contradict each other.

``sql/consent.yml`` holds them; without the file the defaults hold. What a rule means in SQL is
decided by ``privacy.consent``. What the law fixes is no rule: silence permits nothing, a refusal
counts however it came, and of two statements of one moment the stricter holds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from cdp_pipeline.project.checks import Declaration

LegalBasis = Literal[
    "consent",
    "contract",
    "legal_obligation",
    "vital_interests",
    "public_task",
    "legitimate_interests",
]
"""The six of article 6 of the GDPR."""


class ConsentRules(Declaration):
    """How statements of one person are weighed."""

    between_sources: Literal["newest", "most_restrictive"] = Field(
        default="newest",
        description="newest: the last word over all sources; most_restrictive: the strictest of "
        "the last words of each source.",
    )
    merged_people: Literal["most_restrictive", "newest"] = Field(
        default="most_restrictive",
        description="most_restrictive: after a merge the strictest word of each former person "
        "holds until the person speaks again; newest: the last word holds at once.",
    )
    distrusted_grants: tuple[str, ...] = Field(
        default=(), description="Sources whose grants prove nothing; their refusals count."
    )
    grant_lasts_days: dict[str, int] = Field(
        default_factory=dict, description="Days after which a grant lapses, by purpose."
    )
    legal_basis: dict[str, LegalBasis] = Field(
        default_factory=dict,
        description="Basis by purpose, of statements that name none; default: consent.",
    )

    @field_validator("grant_lasts_days")
    @classmethod
    def _lasts_a_day(cls, value: dict[str, int]) -> dict[str, int]:
        short = [purpose for purpose, days in value.items() if days < 1]
        if short:
            message = f"a grant for {short[0]} must last a day at least; leave it out for ever"
            raise ValueError(message)
        return value
