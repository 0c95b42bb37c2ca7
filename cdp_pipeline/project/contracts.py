"""Source contracts: what a delivery looks like, what its rows must satisfy, what they feed.

One file ``expectations/<source>.yml`` is one ``SourceContract``. Nothing here reads a delivery.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.checks import Check, Declaration
from cdp_pipeline.project.drift import Drift
from cdp_pipeline.project.layout import NESTED_FORMATS, Delivery, known_zone
from cdp_pipeline.project.mistakes import MistakeError, suggest
from cdp_pipeline.project.record_paths import Step, array_of, parse_path
from cdp_pipeline.project.retention import SourceRetention
from cdp_pipeline.project.special_categories import SpecialBasis, SpecialCategory

PSEUDO_COLUMNS = ("_file", "_line", "_item", "_business_date")
"""Columns every staged row has: file id, line in the file, element of the record that the row was
made of (null if there is none), business date of the delivery."""

EACH = "{n}"
"""Stands in a header for the number of a repeated column, such as ``line_item_{n}``."""

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


class Load(Declaration):
    """How deliveries add up to the current state of the source."""

    mode: Literal["append", "upsert", "replace", "rewrite"] = Field(
        description="append: events by key; upsert: newest row by key; replace: newest file; "
        "rewrite: newest file of each day."
    )
    key: tuple[str, ...] = Field(min_length=1, description="Natural key; may name _file, _line.")
    updated_at: str | None = Field(
        default=None, description="Column that orders upserts; default: the latest delivery counts."
    )
    day: str | None = Field(default=None, description="Date column by which files are rewritten.")
    days: int = Field(
        default=0,
        ge=0,
        description="Days up to its business date that a rewriting file holds whole.",
    )
    deleted_when: str | None = Field(
        default=None, description="SQL; a current row of which it is true has been deleted."
    )

    @property
    def is_by_arrival(self) -> bool:
        """Whether rows say nothing of their time, so that what came last holds."""
        return self.mode == "upsert" and not self.updated_at

    @property
    def is_latest_word(self) -> bool:
        """Whether what a file says holds against all earlier ones."""
        return self.mode == "replace" or self.is_by_arrival


class Column(Declaration):
    """One column of a delivery."""

    type: ColumnType = Field(default="text", description="Type after casting.")
    source: str | None = Field(
        default=None, alias="from", description="Header or path; default: our name."
    )
    value: str | None = Field(
        default=None, description="SQL over the columns that are read, instead of `from:`."
    )
    split: str = Field(default="", description="Separator of parts that become a row each.")
    aliases: tuple[str, ...] = Field(default=(), description="Other headers it has had.")
    description: str = Field(default="", description="Meaning, with unit.")
    required: bool = Field(default=False, description="Rows without a value are set aside.")
    optional: bool = Field(default=False, description="Files may lack the column.")
    values: tuple[str, ...] = Field(default=(), description="Allowed values; others set aside.")
    pattern: str | None = Field(default=None, description="RE2 the whole value must match.")
    min: int | float | str | None = Field(default=None, description="Smallest allowed value.")
    max: int | float | str | None = Field(default=None, description="Largest allowed value.")
    format: str | None = Field(
        default=None,
        description="strptime format of dates and times; epoch, epoch_ms, epoch_us or excel for "
        "moments that are counted.",
    )
    decimal_mark: Literal[".", ","] | None = Field(
        default=None, description="Mark before decimals, if not the delivery's."
    )
    thousands_mark: Literal["", ".", ",", " ", "'"] | None = Field(
        default=None, description="Mark between thousands, if not the delivery's."
    )
    time_zone: str | None = Field(default=None, description="Zone, if not the delivery's.")
    true_values: tuple[str, ...] = Field(default=("true", "t", "yes", "y", "1"))
    false_values: tuple[str, ...] = Field(default=("false", "f", "no", "n", "0"))
    decimals: int | None = Field(
        default=None, ge=0, le=6, description="Most decimals of a number; more are set aside."
    )
    strip: str = Field(
        default="", description="Characters removed from both ends (numbers: anywhere), e.g. '£."
    )
    signs: dict[str, Literal["+", "-"]] = Field(
        default={}, description='Words before or after a number for its sign, e.g. {CR: "-"}.'
    )
    null_values: tuple[str, ...] = Field(default=(), description="More texts that mean no value.")
    hubs: tuple[str, ...] = Field(
        default=(), description="RE2 of whole values that name nobody, such as a store's own card."
    )
    pii: str | None = Field(default=None, description="Kind of personal data, e.g. email.")
    special_category: SpecialCategory | None = Field(
        default=None, description="Health, religion and the like: used nowhere without a basis."
    )
    legal_basis: SpecialBasis | None = Field(
        default=None, description="What allows the use of a special category."
    )

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if self.value and (self.source or self.aliases or self.split or self.strip):
            message = (
                "a column with `value:` is computed: no `from:`, `aliases:`, `split:`, `strip:`"
            )
            raise ValueError(message)
        if self.signs and self.type not in {"integer", "decimal", "number"}:
            message = f"`signs:` is for numbers, not for {self.type}"
            raise MistakeError(message, "signs")
        if any(not word.isalpha() for word in self.signs):
            message = "`signs:` are words of letters; minus, brackets and the like need none"
            raise MistakeError(message, "signs")
        return self

    @model_validator(mode="after")
    def _basis_is_of_a_special_category(self) -> Self:
        if self.legal_basis and self.special_category in {None, "none"}:
            message = (
                "`legal_basis:` is what allows the use of a `special_category:`, none is named"
            )
            raise MistakeError(message, "legal_basis")
        offence = self.special_category == "criminal_offence"
        if self.legal_basis and offence != (self.legal_basis == "authorised_by_law"):
            message = "criminal offences, and they alone, need `legal_basis: authorised_by_law`"
            raise MistakeError(message, "legal_basis")
        return self

    @property
    def is_sensitive(self) -> bool:
        """Whether its values are shown in no draft, message or report."""
        return bool(self.pii) or self.special_category not in {None, "none"}

    @property
    def sql_type(self) -> str:
        """DuckDB type of the staged column."""
        return SQL_TYPES[self.type]


class Exclusion(Declaration):
    """Rows that are right but not wanted, such as training receipts."""

    rule: str = Field(description="Name shown in the ledger.")
    where: str = Field(description="SQL over the contract's columns.")


class Join(Declaration):
    """Columns of another source's current rows, found by its key."""

    source: str = Field(description="The other source.")
    by: dict[str, str] = Field(min_length=1, description="Our column to theirs.")
    columns: dict[str, str] = Field(min_length=1, description="New name to their column.")
    where: str | None = Field(default=None, description="SQL over their columns; others are left.")


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
    retention: SourceRetention | None = Field(default=None, description="Default: for ever.")
    columns: dict[str, Column] = Field(min_length=1)
    ignore: tuple[str, ...] = Field(
        default=(), description="Known columns that are not read; * stands for any text."
    )
    exclude: tuple[Exclusion, ...] = ()
    drift: Drift = Field(default_factory=Drift)
    checks: tuple[Check, ...] = ()
    join: tuple[Join, ...] = ()
    feeds: tuple[Feed, ...] = Field(description="[] if other sources only join this one.")

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
        filled = self.delivery.fill_down
        places: dict[tuple[int | str, ...], tuple[str | None, ...]] = {
            ("load",): (*self.load.key, self.load.updated_at, self.load.day),
            ("delivery", "fill_down"): (filled.by, filled.starts, *filled.columns)
            if filled
            else (),
            ("join",): tuple(ours for join in self.join for ours in join.by),
            ("delivery", "control"): self._summed_columns(),
            ("retention",): (self.retention.by,) if self.retention else (),
            **{("checks", n): (c.column, *c.columns) for n, c in enumerate(self.checks)},
        }
        for place, names in places.items():
            for column in filter(None, names):
                if column not in known:
                    what = next(part for part in reversed(place) if isinstance(part, str))
                    message = f"{what} refers to column {column!r}, which `columns:` lacks"
                    raise MistakeError(message, *place, hint=suggest(column, sorted(known)))
        return self

    @model_validator(mode="after")
    def _loads_as_it_says(self) -> Self:
        load = self.load
        if (load.mode == "rewrite") != bool(load.day):
            message = "load mode rewrite, and only that, needs `day:`, a date column"
            raise MistakeError(message, "load", "mode", hint=_date_columns(self))
        if load.day in self.columns and self.columns[str(load.day)].type != "date":
            message = f"`day: {load.day}` is no column of type date"
            raise MistakeError(message, "load", "day", hint=_date_columns(self))
        taken = [name for join in self.join for name in join.columns]
        twice = {name for name in taken if taken.count(name) > 1 or name in self.columns}
        if twice:
            message = f"join makes column {min(twice)!r}, which is there already"
            raise MistakeError(message, "join", hint="Give it another name.")
        return self

    @model_validator(mode="after")
    def _fills_down_what_it_can(self) -> Self:
        filled = self.delivery.fill_down
        if filled is None or not self.columns[anchor := filled.by or str(filled.starts)].value:
            return self
        read = next((name for name in filled.columns if not self.columns[name].value), None)
        if read:
            message = f"fill_down goes by {anchor!r}, which is computed, but {read!r} is read"
            raise MistakeError(
                message, "delivery", "fill_down", hint=f"Give {read!r} a `value:`, too."
            )
        return self

    @model_validator(mode="after")
    def _has_one_grain(self) -> Self:
        ways: dict[str, str] = {}
        arrays: list[tuple[Step, ...]] = []
        for name, column in self.read_columns.items():
            if column.split:
                ways[f"split of {name}"] = name
            for spelling in (column.source or name, *column.aliases):
                if self.delivery.format not in NESTED_FORMATS:
                    ways.update({EACH: name} if EACH in spelling else {})
                elif array := array_of(parse_path(spelling)):
                    arrays.append(array)
                    ways[".".join(step.name for step in array)] = name
        longest = max(arrays, key=len, default=())
        within = {".".join(s.name for s in a) for a in arrays if a == longest[: len(a)]}
        chain = ".".join(step.name for step in longest)
        left = {way: name for way, name in ways.items() if way not in within or way == chain}
        if len(left) > 1:
            message = (
                f"a record can become rows in one way only, not by {' and '.join(sorted(left))}"
            )
            raise MistakeError(message, "columns", list(left.values())[-1])
        return self

    def _summed_columns(self) -> tuple[str, ...]:
        control = self.delivery.control
        return tuple(n for n in control.totals if n != "rows") if control else ()

    @property
    def read_columns(self) -> dict[str, Column]:
        """Return the columns that stand in the file: all but computed ones."""
        return {name: column for name, column in self.columns.items() if not column.value}

    @property
    def is_repeated(self) -> bool:
        """Return whether one record may become several rows."""
        for name, column in self.read_columns.items():
            if column.split:
                return True
            for spelling in (column.source or name, *column.aliases):
                if self.delivery.format not in NESTED_FORMATS:
                    if EACH in spelling:
                        return True
                elif array_of(parse_path(spelling)):
                    return True
        return False

    def all_checks(self) -> tuple[Check, ...]:
        """Return declared checks and those that column short-hands stand for."""
        return (*_column_checks(self.columns, self.drift), *self.checks)


def _date_columns(contract: SourceContract) -> str:
    """Return a hint that names the columns of dates."""
    names = [name for name, column in contract.columns.items() if column.type == "date"]
    return f"Columns of type date: {', '.join(names) or 'none'}."


def _column_checks(columns: dict[str, Column], drift: Drift) -> list[Check]:
    found: list[Check] = []
    aside = Severity.QUARANTINE
    for name, column in columns.items():
        if column.required:
            found.append(Check(expect="not_null", column=name, severity=aside))
        if column.values and drift.unknown_values != "pass":
            severity = Severity(drift.unknown_values)
            found.append(
                Check(expect="in_set", column=name, values=column.values, severity=severity)
            )
        if column.pattern:
            whole = f"^(?:{column.pattern})$"
            found.append(Check(expect="matches", column=name, pattern=whole, severity=aside))
        if column.min is not None or column.max is not None:
            found.append(
                Check(expect="between", column=name, min=column.min, max=column.max, severity=aside)
            )
    return found
