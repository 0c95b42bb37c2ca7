"""Headers of warehouse tables: what a table is, its grain, its columns, its checks.

A SQL model carries its header as a YAML block comment at the top of its file; a table made by
Python carries the same header in ``<table>.yml`` in its layer's folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cdp_pipeline.project.checks import Check, Declaration
from cdp_pipeline.project.incremental import Incremental
from cdp_pipeline.project.mistakes import MistakeError, suggest
from cdp_pipeline.project.retention import Retention, Statistics

PERSONAL_LAYER = "identity"
"""Schema that works on people's data throughout, so that none of its tables is for analysts."""


class TableColumn(Declaration):
    """One documented column."""

    description: str = Field(description="Meaning, unit, zone.")
    type: str | None = Field(default=None, description="DuckDB type; needed for Python tables.")
    pii: str | None = Field(default=None, description="Kind of personal data, e.g. email.")
    unit: str | None = Field(default=None, description="Unit, where the name does not say it.")


_PEOPLE = re.compile(
    r"(^|_)(customer|person|people|member|sent|holdout|new|lapsed|returned|reachable|agreed|repeat"
    r"|buyer|visitor|subscriber|entered|left|came|hit)_count$|^size$"
)


class Sum(Declaration):
    """Counts of people that add up to what readers know, so that one hidden could be worked out.

    With ``total``, the columns of a row add up to another column of that row, ``less`` taken off.
    Without, each column adds up over the rows that agree in ``within``.
    """

    of: tuple[str, ...] = Field(min_length=1, description="Columns that are added up.")
    less: tuple[str, ...] = Field(default=(), description="Columns that are taken off.")
    total: str | None = Field(default=None, description="Column that they add up to.")
    within: tuple[str, ...] = Field(default=(), description="Columns that tell groups of rows.")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it names."""
        return (*self.of, *self.less, *((self.total,) if self.total else ()), *self.within)


class TableHeader(Declaration):
    """Documentation and checks of one table."""

    name: str = Field(description="Table name: the file's stem.")
    description: str = Field(description="What the table is, in one or two sentences.")
    grain: str = Field(description="What one row is.")
    key: tuple[str, ...] = Field(default=(), description="Columns that identify a row.")
    owner: str = Field(description="Who answers questions about it.")
    made_by: str | None = Field(default=None, description="Step that makes a Python table.")
    subject_key: str | None = Field(
        default=None, description="Column that holds the person; erasure works through it."
    )
    erasure: Literal["delete", "detach"] = Field(
        default="delete",
        description="Rows about an erased person go, or stay without the person (sales).",
    )
    retention: Retention | None = Field(default=None, description="How long rows are kept.")
    statistics: Statistics | None = Field(
        default=None, description="Aggregates by day that outlive the rows they were counted from."
    )
    partition_by: str | None = Field(
        default=None,
        description="Date or time by whose months Parquet is split; rows lie in its order.",
    )
    columns: dict[str, TableColumn]
    checks: tuple[Check, ...] = ()
    sums: tuple[Sum, ...] | None = Field(
        default=None,
        description="What counts of people add up to; default: all rows, unless they are days.",
    )
    incremental: Incremental | None = Field(
        default=None, description="How the night's changes reach the table; default: one scan."
    )
    is_carried: bool = Field(
        default=False,
        description="The night begins with last night's rows; the Python step replaces some.",
    )

    @model_validator(mode="before")
    @classmethod
    def _accept_short_columns(cls, data: Any) -> Any:  # noqa: ANN401 - raw YAML
        if isinstance(data, dict) and isinstance(data.get("columns"), dict):
            columns = {
                name: {"description": value} if isinstance(value, str) else value
                for name, value in data["columns"].items()
            }
            return {**data, "columns": columns}
        return data

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        places: dict[tuple[str, ...], str | None] = {
            ("partition_by",): self.partition_by,
            ("retention", "by"): self.retention.by if self.retention else None,
            ("statistics", "day"): self.statistics.day if self.statistics else None,
        }
        for place, column in places.items():
            if column and column not in self.columns:
                message = f"{' '.join(place)} names {column!r}, which is not among `columns:`"
                raise MistakeError(message, *place, hint=suggest(column, self.columns))
        for column in self.key:
            if column not in self.columns:
                message = f"key column {column!r} is not among `columns:`"
                raise MistakeError(message, "key", hint=suggest(column, self.columns))
        personal = [name for name, column in self.columns.items() if column.pii]
        if personal and not self.subject_key:
            message = f"column {personal[0]!r} holds personal data, so `subject_key:` is needed"
            raise ValueError(message)
        if self.is_carried and not self.made_by:
            message = "`is_carried` is for tables that a step makes; a model has `incremental:`"
            raise MistakeError(message, "is_carried")
        if self.made_by:
            untyped = [name for name, column in self.columns.items() if not column.type]
            if untyped:
                message = f"column {untyped[0]!r} needs `type:`, since a Python step makes it"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _sums_are_of_columns(self) -> Self:
        for number, declared in enumerate(self.sums or ()):
            for column in declared.columns:
                if column not in self.columns:
                    message = f"sums name {column!r}, which is not among `columns:`"
                    hint = suggest(column, self.columns)
                    raise MistakeError(message, "sums", number, hint=hint)
        return self

    @property
    def stored_by(self) -> tuple[str, ...]:
        """Columns in whose order rows are stored: the key, after the date that splits the table.

        So the rows of a month lie together: whoever wants one, as the mirror does night after
        night, passes over all others unread.
        """
        first = (self.partition_by,) if self.partition_by else ()
        return tuple(dict.fromkeys((*first, *self.key)))

    def counts_people(self, column: str) -> bool:
        """Return whether a column's name says that it counts people, and no ``unit:`` denies it."""
        declared = self.columns.get(column)
        is_other = declared is not None and declared.unit is not None
        return bool(_PEOPLE.search(column)) and not is_other


@dataclass(frozen=True)
class TableSpec:
    """A table and how it comes to be.

    Attributes:
        schema: Layer: the folder below ``sql/``.
        name: Table name: the file's stem.
        header: Documentation and checks.
        path: Declaring file.
        sql: The SELECT, with Jinja for values and loops; None for a Python table.
        sql_line: Line of the file on which ``sql`` begins.
    """

    schema: str
    name: str
    header: TableHeader
    path: Path
    sql: str | None = None
    sql_line: int = 1

    @property
    def full_name(self) -> str:
        """``schema.name``."""
        return f"{self.schema}.{self.name}"

    @property
    def is_personal(self) -> bool:
        """Whether it lies in the vault: it says who somebody is, or how records were told apart."""
        return self.schema == PERSONAL_LAYER or any(c.pii for c in self.header.columns.values())
