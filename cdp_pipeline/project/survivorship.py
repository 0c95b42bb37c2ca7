"""The declared rules of the golden record: whom to believe, group of fields by group.

Fields that belong together stand in one group and come from one record. What a rule means in SQL
is decided by ``identity.golden_fields``; only what can be said without a warehouse is checked here.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cdp_pipeline.project.checks import Declaration

RecordKind = Literal["loyalty", "account", "order", "receipt", "contact", "social", "email"]

GoldenField = Literal[
    "title",
    "given_name",
    "family_name",
    "birth_date",
    "sex",
    "email",
    "phone",
    "street",
    "city",
    "postcode",
    "country",
    "loyalty_id",
    "home_store_id",
    "tier",
    "account_id",
    "push_token",
]
"""Columns of ``identity.golden_records`` that come from records."""

BeliefRule = Literal[
    "verified",
    "last_verified",
    "not_bounced",
    "most_trusted",
    "most_stated",
    "most_complete",
    "not_a_default",
    "mobile",
    "unshared",
    "newest",
]
"""How two statements are ranked; ``sql/README.md`` says what each means."""

OwnerRule = Literal[
    "verified",
    "most_trusted",
    "named_in_it",
    "only_one_they_have",
    "owner_last_night",
    "most_stated",
    "newest",
]
"""How two customers who state one value are ranked."""

REQUIRED_FIELDS = frozenset(GoldenField.__args__)  # type: ignore[attr-defined] # a Literal's values


class FieldGroup(Declaration):
    """Fields that are taken from one record, and who is believed."""

    fields: tuple[GoldenField, ...] = Field(min_length=1, description="Columns of the group.")
    trust: tuple[tuple[RecordKind, ...], ...] = Field(
        min_length=1,
        description="Kinds of record that may speak, most trusted first; equals in one list.",
    )
    believe: tuple[BeliefRule, ...] = Field(
        min_length=1, description="Rules in order; the first that tells two statements apart wins."
    )
    one_owner: tuple[OwnerRule, ...] = Field(
        default=(), description="Rules that rank customers who state one value; empty: all keep it."
    )
    trusted_as: dict[str, RecordKind | Literal["nobody"]] = Field(
        default_factory=dict, description="Sources trusted like another kind, or not at all."
    )

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> Self:
        kinds = [kind for tier in self.trust for kind in tier]
        listed = ("fields", self.fields), ("trust", kinds), ("believe", self.believe)
        for name, values in (*listed, ("one_owner", self.one_owner)):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                message = f"`{name}:` names {twice[0]!r} twice"
                raise ValueError(message)
        return self


class SurvivorshipSpec(Declaration):
    """The golden record of a customer."""

    title: str = Field(description="What it is.")
    owner: str = Field(description="Who answers questions about it.")
    plausible_age_years: tuple[int, int] = Field(
        default=(13, 110), description="Youngest and oldest age that a birth date may give."
    )
    trusted_as: dict[str, RecordKind | Literal["nobody"]] = Field(
        default_factory=dict,
        description="Sources trusted like another kind in every group, or not at all.",
    )
    groups: dict[str, FieldGroup] = Field(description="Groups of fields by name.")

    @field_validator("plausible_age_years")
    @classmethod
    def _ages_are_in_order(cls, ages: tuple[int, int]) -> tuple[int, int]:
        youngest, oldest = ages
        if not 0 <= youngest < oldest:
            message = f"ages run from {youngest} to {oldest}"
            raise ValueError(message)
        return ages

    @field_validator("groups")
    @classmethod
    def _every_field_has_one_group(cls, groups: dict[str, FieldGroup]) -> dict[str, FieldGroup]:
        counts = Counter(field for group in groups.values() for field in group.fields)
        twice = sorted(field for field, count in counts.items() if count > 1)
        if twice:
            message = f"field {twice[0]!r} stands in two groups, so it would come from two records"
            raise ValueError(message)
        missing = sorted(REQUIRED_FIELDS - set(counts))
        if missing:
            message = f"no group has the field {missing[0]!r}"
            raise ValueError(message)
        return groups

    @property
    def named_sources(self) -> tuple[str, ...]:
        """Sources that any `trusted_as:` names."""
        everywhere = [*self.trusted_as]
        for group in self.groups.values():
            everywhere += group.trusted_as
        return tuple(sorted(set(everywhere)))
