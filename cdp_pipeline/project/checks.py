"""The vocabulary of checks that contracts and table headers share.

A check is data: what is expected, of which column, how severe a failure is. ``quality.suites``
turns it into a Great Expectations expectation, ``ingest.staging`` into the SQL predicate that sets
rows aside; a parity test holds the two together.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cdp_pipeline.core.types import Severity

ROW_CHECKS = frozenset({"not_null", "in_set", "between", "matches", "length_between", "true"})
"""Checks judged row by row; the rest are judged on the whole table."""

_NEEDS: dict[str, tuple[str, ...]] = {
    "not_null": ("column",),
    "unique": (),
    "in_set": ("column", "values"),
    "between": ("column",),
    "matches": ("column", "pattern"),
    "length_between": ("column",),
    "true": ("where",),
    "row_count_between": (),
    "exists_in": ("column", "table"),
}


class Declaration(BaseModel):
    """Base of all declarations: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what is declared, so that a file can prove by which declaration it was made.

        >>> len(Declaration().fingerprint)
        64
        """
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class Check(Declaration):
    """One expectation about a delivery or a table."""

    expect: Literal[
        "not_null",
        "unique",
        "in_set",
        "between",
        "matches",
        "length_between",
        "true",
        "row_count_between",
        "exists_in",
    ] = Field(description="Kind of expectation.")
    name: str | None = Field(default=None, description="Rule name shown to people.")
    column: str | None = Field(default=None, description="Column concerned.")
    columns: tuple[str, ...] = Field(default=(), description="Columns of a compound `unique`.")
    values: tuple[str | int | float | bool, ...] = Field(default=(), description="Allowed values.")
    min: int | float | str | None = Field(default=None, description="Smallest allowed value.")
    max: int | float | str | None = Field(default=None, description="Largest allowed value.")
    pattern: str | None = Field(default=None, description="RE2 expression, found anywhere.")
    where: str | None = Field(default=None, description="SQL that must be true of every row.")
    table: str | None = Field(default=None, description="`schema.table.column` for `exists_in`.")
    mostly: float = Field(default=1.0, gt=0, le=1, description="Share of rows that must pass.")
    severity: Severity = Field(default=Severity.STOP, description="What a failure does.")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        for need in _NEEDS[self.expect]:
            if not getattr(self, need):
                message = f"`expect: {self.expect}` needs `{need}:`"
                raise ValueError(message)
        if self.expect == "unique" and not (self.column or self.columns):
            message = "`expect: unique` needs `column:` or `columns:`"
            raise ValueError(message)
        ranged = {"between", "length_between", "row_count_between"}
        if self.expect in ranged and self.min is None and self.max is None:
            message = f"`expect: {self.expect}` needs `min:` or `max:`"
            raise ValueError(message)
        return self

    @property
    def rule(self) -> str:
        """Stable name of the rule: the given one, or made of kind and columns."""
        if self.name:
            return self.name
        concerned = self.column or "_".join(self.columns)
        return f"{concerned}_{self.expect}" if concerned else self.expect
