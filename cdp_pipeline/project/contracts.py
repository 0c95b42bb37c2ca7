"""Source contracts: what a delivery looks like, what its rows must satisfy, what they feed.

One file ``expectations/<source>.yml`` is one ``SourceContract``. Nothing here reads a delivery.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.checks import Check, Declaration

PSEUDO_COLUMNS = ("_file", "_line", "_business_date")
"""Columns every staged row has: file id, line in the file, business date of the delivery."""

ColumnType = Literal["text", "integer", "decimal", "number", "boolean", "date", "timestamp"]

SQL_TYPES: dict[str, str] = {
    "text": "varchar",
    "integer": "bigint",
    "decimal": "decimal(18,2)",
    "number": "decimal(18,6)",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
"""DuckDB type of each declared type; timestamps are UTC after staging."""


class BusinessDate(Declaration):
    """How the business date of a delivery is found."""

    pattern: str = Field(
        default=r"(\d{4}-?\d{2}-?\d{2})",
        description="RE with one group, searched in the path below landing, last match wins.",
    )
    format: str = Field(default="%Y-%m-%d", description="strptime format; dashes are optional.")


class Delivery(Declaration):
    """Where files of the source arrive and how they are written."""

    path: str = Field(description="Glob below the landing folder.")
    format: Literal["csv", "jsonl", "parquet"] = Field(description="File format.")
    encoding: str = Field(default="utf-8", description="Text encoding, e.g. cp1252 or utf-16.")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="CSV separator.")
    quote: str = Field(default='"', max_length=1, description="CSV quote; empty for none.")
    header: bool = Field(default=True, description="First line names the columns.")
    skip_lines: int = Field(default=0, ge=0, description="Lines before the header.")
    trailer_lines: int = Field(default=0, ge=0, description="Lines after the last record.")
    multiline: bool = Field(
        default=True,
        description="Quoted fields may hold line breaks; without, a stray quote costs one line.",
    )
    null_values: tuple[str, ...] = Field(default=("",), description="Texts that mean no value.")
    decimal_mark: Literal[".", ","] = Field(default=".", description="Mark before decimals.")
    thousands_mark: Literal["", ".", ",", " ", "'"] = Field(
        default="", description="Mark between thousands."
    )
    time_zone: str = Field(default="UTC", description="Zone of times that carry no offset.")
    business_date: BusinessDate = Field(default_factory=BusinessDate)
    required: bool = Field(default=False, description="Without a file of the night, stop.")
    minimum_rows: int = Field(default=0, ge=0, description="Fewer records stop the night.")
    maximum_rows: int | None = Field(default=None, ge=1, description="More records warn.")


class Load(Declaration):
    """How deliveries add up to the current state of the source."""

    mode: Literal["append", "upsert", "replace"] = Field(
        description="append: events by key; upsert: newest row by key; replace: newest file."
    )
    key: tuple[str, ...] = Field(min_length=1, description="Natural key; may name _file, _line.")
    updated_at: str | None = Field(default=None, description="Column that orders upserts.")


class Column(Declaration):
    """One column of a delivery."""

    type: ColumnType = Field(default="text", description="Type after casting.")
    source: str | None = Field(
        default=None, alias="from", description="Header or JSON path; default: our name."
    )
    aliases: tuple[str, ...] = Field(default=(), description="Other headers it has had.")
    description: str = Field(default="", description="Meaning, with unit.")
    required: bool = Field(default=False, description="Rows without a value are set aside.")
    optional: bool = Field(default=False, description="Files may lack the column.")
    values: tuple[str, ...] = Field(default=(), description="Allowed values; others set aside.")
    pattern: str | None = Field(default=None, description="RE2 the whole value must match.")
    min: int | float | str | None = Field(default=None, description="Smallest allowed value.")
    max: int | float | str | None = Field(default=None, description="Largest allowed value.")
    format: str | None = Field(default=None, description="strptime format of dates and times.")
    time_zone: str | None = Field(default=None, description="Zone, if not the delivery's.")
    true_values: tuple[str, ...] = Field(default=("true", "t", "yes", "y", "1"))
    false_values: tuple[str, ...] = Field(default=("false", "f", "no", "n", "0"))
    decimals: int | None = Field(
        default=None, ge=0, le=6, description="Most decimals of a number; more are set aside."
    )
    strip: str = Field(
        default="", description="Characters removed from both ends (numbers: anywhere), e.g. '£."
    )
    null_values: tuple[str, ...] = Field(default=(), description="More texts that mean no value.")
    pii: str | None = Field(default=None, description="Kind of personal data, e.g. email.")

    @property
    def sql_type(self) -> str:
        """DuckDB type of the staged column."""
        return SQL_TYPES[self.type]


class Exclusion(Declaration):
    """Rows that are right but not wanted, such as training receipts."""

    rule: str = Field(description="Name shown in the ledger.")
    where: str = Field(description="SQL over the contract's columns.")


class Feed(Declaration):
    """How rows of the source become rows of an entity in ``sql/staging``."""

    entity: str = Field(description="Table in sql/staging that receives the rows.")
    where: str | None = Field(default=None, description="SQL; only matching rows feed.")
    columns: dict[str, str] = Field(description="Entity column to SQL over our columns.")


class SourceContract(Declaration):
    """The whole declaration of one source."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="The file's stem.")
    title: str = Field(description="What people call it.")
    description: str = Field(default="", description="What a row is and where it comes from.")
    owner: str = Field(description="Who answers questions about it.")
    delivery: Delivery
    load: Load
    columns: dict[str, Column] = Field(min_length=1)
    ignore: tuple[str, ...] = Field(
        default=(), description="Known columns that are not read; * stands for any text."
    )
    exclude: tuple[Exclusion, ...] = ()
    checks: tuple[Check, ...] = ()
    feeds: tuple[Feed, ...] = Field(min_length=1)

    @field_validator("columns")
    @classmethod
    def _names_are_plain(cls, value: dict[str, Column]) -> dict[str, Column]:
        for name in value:
            if not name.isidentifier() or name != name.lower() or name.startswith("_"):
                message = f"column {name!r}: use lower case letters, digits and underscores"
                raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _refers_to_own_columns(self) -> Self:
        known = {*self.columns, *PSEUDO_COLUMNS}
        for column in (*self.load.key, *filter(None, [self.load.updated_at])):
            if column not in known:
                message = f"load refers to column {column!r}, which `columns:` lacks"
                raise ValueError(message)
        if self.load.mode == "upsert" and not self.load.updated_at:
            message = "load mode upsert needs `updated_at:`"
            raise ValueError(message)
        for check in self.checks:
            for column in filter(None, (check.column, *check.columns)):
                if column not in known:
                    message = f"check {check.rule!r} refers to unknown column {column!r}"
                    raise ValueError(message)
        return self

    def all_checks(self) -> tuple[Check, ...]:
        """Return declared checks and those that column short-hands stand for."""
        return (*_column_checks(self.columns), *self.checks)


def _column_checks(columns: dict[str, Column]) -> list[Check]:
    found: list[Check] = []
    aside = Severity.QUARANTINE
    for name, column in columns.items():
        if column.required:
            found.append(Check(expect="not_null", column=name, severity=aside))
        if column.values:
            found.append(Check(expect="in_set", column=name, values=column.values, severity=aside))
        if column.pattern:
            whole = f"^(?:{column.pattern})$"
            found.append(Check(expect="matches", column=name, pattern=whole, severity=aside))
        if column.min is not None or column.max is not None:
            found.append(
                Check(expect="between", column=name, min=column.min, max=column.max, severity=aside)
            )
    return found
