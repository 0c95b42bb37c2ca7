"""Declarations of record linkage: what is compared, in which levels, and which pairs at all.

``sql/linkage/<name>.yml`` is read and checked here: every tag, key and level is known, arguments
fit, and all outcomes of a pair fit into one bigint. Own SQL is vetted where it is used.
``identity.compare`` and ``identity.blocking`` turn the result into SQL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from cdp_pipeline.project.checks import Declaration
from cdp_pipeline.project.evidence import EVIDENCE, EXTRAS, KEYS, Evidence
from cdp_pipeline.project.levels import VOCABULARY, Agreement

Kind: TypeAlias = Literal["personal", "name", "birth", "shared", "context"]

MOST_PATTERNS = 2**62
"""Number of outcomes of a pair that a bigint can tell apart, with room to spare."""

_SOMETIMES = {extra.tag for extra in EXTRAS}
"""Tags whose columns exist only where sources bring them."""

_SIDE = re.compile(r"\b([lr])\.([a-z_]+)\b")


class LevelSpec(Declaration):
    """One degree of agreement: a name of the vocabulary, or own SQL.

    Short forms: ``same``, ``alike: 0.92``; ``sql: "l.sex = r.sex"`` is own SQL.
    """

    is_: str = Field(alias="is", description="Name in the vocabulary of levels, or `sql`.")
    with_: float | int | str | None = Field(
        default=None, alias="with", description="Argument: a similarity, a number, own SQL."
    )
    of: str | None = Field(default=None, description="Another tag than the comparison's.")
    as_: str | None = Field(default=None, alias="as", description="Name to show to people.")

    @model_validator(mode="before")
    @classmethod
    def _accept_short_forms(cls, data: Any) -> Any:  # noqa: ANN401 - raw YAML
        if isinstance(data, str):
            return {"is": data}
        if isinstance(data, dict) and "is" not in data:
            named = [key for key in data if key in VOCABULARY or key == "sql"]
            if len(named) == 1:
                rest = {key: value for key, value in data.items() if key != named[0]}
                return {"is": named[0], "with": data[named[0]], **rest}
        return data

    @field_validator("is_")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in VOCABULARY and value != "sql":
            known = ", ".join(VOCABULARY)
            message = f"unknown level {value!r}; known: {known}, sql"
            raise ValueError(message)
        return value

    @property
    def name(self) -> str:
        """Name for people and for ``identity.model_parameters``."""
        return self.as_ or self.is_

    def agreement(self, tag: str) -> Agreement:
        """Return the SQL of this level for a comparison of ``tag``.

        Raises:
            UnfitLevelError: The level does not fit the tag.
        """
        if self.is_ == "sql":
            return Agreement(str(self.with_))
        return VOCABULARY[self.is_](EVIDENCE[self.of or tag], self.with_)


class ComparisonSpec(Declaration):
    """One kind of evidence, compared in levels from best to worst."""

    compares: str = Field(description="Semantic tag of the evidence.")
    kind: Kind = Field(description="How it behaves between two people of one household.")
    levels: tuple[LevelSpec, ...] = Field(min_length=1, description="Best first.")
    silent_if: tuple[LevelSpec, ...] = Field(
        default=(), description="When the pair says nothing, though both records have a value."
    )
    no_conflict_if: tuple[LevelSpec, ...] = Field(
        default=(), description="When another value says nothing, though an equal one would."
    )
    goes_with: str | None = Field(
        default=None, description="Comparison whose agreement makes this one's likelier by chance."
    )

    @field_validator("compares")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in EVIDENCE:
            message = f"unknown evidence {value!r}; known: {', '.join(EVIDENCE)}"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [level.name for level in self.levels]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            message = f"level {twice!r} stands twice; name one of them with `as:`"
            raise ValueError(message)
        for level in (*self.levels, *self.silent_if, *self.no_conflict_if):
            self._check(level)
        for level in self.no_conflict_if:
            if level.is_ == "sql" or level.of in _SOMETIMES:
                message = f"no_conflict_if asks for what not every store has: {level.name!r}"
                raise ValueError(message)
        if sum(level.agreement(self.compares).frequency is not None for level in self.levels) > 1:
            message = "only one level may be `by frequency`"
            raise ValueError(message)
        return self

    def _check(self, level: LevelSpec) -> None:
        if level.of is not None and level.of not in EVIDENCE:
            message = f"unknown evidence {level.of!r}; known: {', '.join(EVIDENCE)}"
            raise ValueError(message)
        if level.is_ == "sql":
            if not level.as_:
                message = "a level in SQL needs a name for people: `as:`"
                raise ValueError(message)
            if '"' in str(level.with_):
                message = "own SQL has no quoted names; write `l.given_name = r.given_name`"
                raise ValueError(message)
            unknown = [name for _, name in _SIDE.findall(str(level.with_)) if name not in _TEXTS]
            if unknown:
                message = f"unknown column {unknown[0]!r}; known: {', '.join(sorted(_TEXTS))}"
                raise ValueError(message)
        level.agreement(self.compares)

    @property
    def evidence(self) -> Evidence:
        """The tag's columns."""
        return EVIDENCE[self.compares]

    def needed_tags(self) -> set[str]:
        """Return every tag without whose values there is nothing to compare."""
        tags = {self.compares}
        for level in (*self.levels, *self.silent_if):
            tags |= {level.of} if level.of else set()
            if level.is_ == "sql":
                tags |= {_TEXTS[name] for _, name in _SIDE.findall(str(level.with_))}
        return tags


class LinkageSpec(Declaration):
    """How two records are judged to be one person: ``sql/linkage/<name>.yml``."""

    name: str = Field(description="The file's stem.")
    title: str
    description: str
    owner: str = Field(description="Who answers questions about it.")
    comparisons: dict[str, ComparisonSpec] = Field(min_length=1)
    rules: dict[str, tuple[str, ...]] = Field(
        min_length=1, description="Blocking rules: keys that must all be present and equal."
    )
    rare_rules: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Rules whose keys count only where hardly anybody shares one: a rare name.",
    )

    @field_validator("rules", "rare_rules")
    @classmethod
    def _has_known_keys(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return _known_keys(value)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for name, comparison in self.comparisons.items():
            if comparison.goes_with is not None and comparison.goes_with not in self.comparisons:
                message = f"{name!r} goes with unknown comparison {comparison.goes_with!r}"
                raise ValueError(message)
        patterns = math.prod(len(c.levels) + 2 for c in self.comparisons.values())
        if patterns > MOST_PATTERNS:
            message = "so many comparisons and levels do not fit into one number; leave some out"
            raise ValueError(message)
        return self


def _known_keys(rules: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for name, keys in rules.items():
        unknown = [key for key in keys if key not in KEYS]
        if unknown or not keys:
            what = f"unknown key {unknown[0]!r}" if unknown else "no key"
            message = f"rule {name!r} has {what}; known: {', '.join(KEYS)}"
            raise ValueError(message)
    return rules


class LinkConfig(Declaration):
    """What people may say to ``cdp link``: a YAML file, every key optional."""

    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Role by column, or by `source.column`; `ignore` leaves a column out.",
    )
    id: str | None = Field(default=None, description="Column that names records.")
    dates: Literal["day first", "month first"] | None = Field(
        default=None, description="Order of day and month, where the values do not tell."
    )
    accept: float = Field(default=0.5, gt=0, lt=1, description="Pairs from here are one entity.")
    review: float = Field(default=0.2, gt=0, lt=1, description="Pairs from here are listed.")
    cap: int | None = Field(
        default=None, ge=2, description="Records a blocking key may hold; default: by size."
    )
    largest_entity_records: int = Field(
        default=300, ge=10, description="Records in one entity before it is cut."
    )
    listed_once: bool | None = Field(
        default=None,
        description="Whether a file, or each year of it, holds a person once; default: as its "
        "pairs tell.",
    )
    comparisons: dict[str, ComparisonSpec] | None = Field(
        default=None, description="What is compared; default: as in sql/linkage/files.yml."
    )
    rules: dict[str, tuple[str, ...]] | None = Field(
        default=None, description="Blocking rules; default: as in sql/linkage/files.yml."
    )

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.review > self.accept:
            message = f"review ({self.review}) lies above accept ({self.accept})"
            raise ValueError(message)
        return self

    def linkage(self, shipped: LinkageSpec) -> LinkageSpec:
        """Return the shipped declaration with what people say instead."""
        if self.comparisons is None and self.rules is None:
            return shipped
        return LinkageSpec(
            name="config",
            title=shipped.title,
            description=shipped.description,
            owner=shipped.owner,
            comparisons=self.comparisons or shipped.comparisons,
            rules=self.rules or shipped.rules,
            rare_rules={} if self.rules else shipped.rare_rules,
        )

    @field_validator("rules")
    @classmethod
    def _has_known_keys(
        cls, value: dict[str, tuple[str, ...]] | None
    ) -> dict[str, tuple[str, ...]] | None:
        return None if value is None else _known_keys(value)

    def roles(self, source: str, columns: Sequence[str]) -> dict[str, str | None]:
        """Return what is said about the columns of one source; None leaves a column out."""
        found: dict[str, str | None] = {}
        for named, role in self.columns.items():
            column = named.removeprefix(f"{source}.")
            if column in columns:
                found[column] = None if role == "ignore" else role
        return found


_TEXTS: dict[str, str] = {
    evidence.text or evidence.key: tag
    for tag, evidence in EVIDENCE.items()
    if tag not in {"address", "postcode", "account_id", "payment_token"}
}
"""Columns that own SQL may read, with their tags."""

_NUMBERS = {"birth_number": "integer", "birth_year": "integer"}


def pair_columns() -> dict[str, str]:
    """Return the columns that own SQL may read, as ``l_<column>`` and ``r_<column>``, and types."""
    return {
        f"{side}_{name}": _NUMBERS.get(name, "varchar") for name in _TEXTS for side in ("l", "r")
    }


def flat_sides(sql: str) -> str:
    """Return own SQL with ``l.x`` written as ``l_x``, for vetting as one row.

    >>> flat_sides("l.street = r.street")
    'l_street = r_street'
    """
    return _SIDE.sub(r"\1_\2", sql)
