"""What was made of a file's columns, for whoever recognises them and whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cdp_pipeline.identity.files.column_values import Profile
from cdp_pipeline.storage.dates import DateReading
from cdp_pipeline.storage.tabular import Loaded

NUMBER_ROLES = ("account_id", "loyalty_id", "national_id", "payment_token", "identifier")
"""Roles whose values tell something only if some records share them."""


@dataclass(frozen=True)
class Column:
    """One column and what became of it.

    Attributes:
        name: Header.
        role: Its role, or None.
        is_used: Whether it is evidence, record id or source.
        why: How it was recognised, or why it is not used.
        filled: Share of records with a value.
        distinct: Number of distinct values in the sample.
    """

    name: str
    role: str | None
    is_used: bool
    why: str
    filled: float
    distinct: int


@dataclass(frozen=True)
class Recognition:
    """The columns of one file.

    Attributes:
        loaded: The file.
        columns: All of its columns, in order.
        dates: How date columns are read, by column.
        notes: What was assumed, for people.
    """

    loaded: Loaded
    columns: tuple[Column, ...]
    dates: Mapping[str, DateReading] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def used(self, role: str) -> list[str]:
        """Return the names of the columns used in a role, in order."""
        return [c.name for c in self.columns if c.is_used and c.role == role]

    def without(self, role: str, why: str) -> Recognition:
        """Return the same with the columns of a role left out, for a reason."""
        columns = tuple(
            replace(c, is_used=False, why=why) if c.is_used and c.role == role else c
            for c in self.columns
        )
        return replace(self, columns=columns)

    def first(self, role: str) -> str | None:
        """Return the first column used in a role, or None."""
        return next(iter(self.used(role)), None)


def describe_column(
    name: str, role: str | None, profile: Profile, why: str, *, used: bool = True
) -> Column:
    """Return a column in a role, for a reason."""
    filled = profile.filled / profile.rows if profile.rows else 0.0
    return Column(name, role, used, why, round(filled, 4), profile.distinct)
