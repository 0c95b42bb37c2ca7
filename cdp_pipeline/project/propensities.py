"""What people may be likely to do: ``sql/propensities/<name>.sql``, one file a propensity.

A propensity is one SELECT that lists when it happened. From that list alone follow what is learned,
on which past days it is tested, and who is scored; the header says in how many days it should
happen, to whom it matters and who answers for it. Learning and scoring belong to
``features.propensity``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from cdp_pipeline.project.checks import Declaration

PERSON, DAY, CHANCE = "customer_id", "happened_on", "is_chance"
"""Columns of the SELECT; the last one is optional."""


class PropensityHeader(Declaration):
    """Documentation of one propensity."""

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,40}$", description="The file's stem.")
    title: str = Field(min_length=1, description="What a person does, such as buys footwear.")
    event: str = Field(min_length=1, description="One such deed in words, such as footwear bought.")
    owner: str = Field(min_length=1, description="Who answers questions about it.")
    horizon_days: int = Field(
        default=30, ge=7, le=180, description="Days ahead in which it is to happen."
    )
    eligible_days: int = Field(
        default=730,
        ge=30,
        description="Scored are those who bought, or were given a chance, in so many days.",
    )
    columns: dict[str, str] = Field(min_length=2, description="Column and meaning.")


@dataclass(frozen=True)
class PropensitySpec:
    """A propensity and the SELECT that lists when it happened.

    Attributes:
        name: The file's stem.
        header: Documentation.
        path: Declaring file.
        sql: The SELECT.
        sql_line: Line of the file on which ``sql`` begins.
    """

    name: str
    header: PropensityHeader
    path: Path
    sql: str
    sql_line: int = 1

    @property
    def has_chances(self) -> bool:
        """Whether only those can do it who were given a chance, such as an e-mail."""
        return CHANCE in self.header.columns
