"""What golden fields and rules are in SQL: the vocabulary of the declared survivorship.

How a field is printed, what makes two statements the same, and what each rule compares belong
here. Which rules hold for which group is declared in ``sql/linkage/survivorship.yml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdp_pipeline.identity.standard.spelling import street_key_sql
from cdp_pipeline.project.survivorship import FieldGroup
from cdp_pipeline.storage.warehouse import quote_literal

_POSTCODE = (
    "case when regexp_full_match(m.postcode, '[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}') "
    "then m.postcode[:-4] || ' ' || m.postcode[-3:] else upper(trim(m.raw_postcode)) end"
)
_COUNTRY = "identity_country(m.raw_country, getvariable('identity_home'))"


@dataclass(frozen=True)
class GoldenField:
    """One column of the golden record.

    Attributes:
        printed: SQL over ``m`` (``identity_golden_members``): the value as people write it.
        compared: SQL that is equal when two records state the same; None if the field follows
            the others of its group.
        type: DuckDB type.
    """

    printed: str
    compared: str | None = None
    type: str = "varchar"


GOLDEN_FIELDS: dict[str, GoldenField] = {
    "title": GoldenField("trim(m.raw_title)"),
    "given_name": GoldenField(
        "identity_proper_case(m.printed_given)",
        "case when length(m.given_name) > 1 then m.given_name end",
    ),
    "family_name": GoldenField("identity_proper_case(m.printed_family)", "m.family_name"),
    "birth_date": GoldenField("m.birth_date", "cast(m.birth_date as varchar)", "date"),
    "sex": GoldenField("m.sex", "m.sex"),
    "email": GoldenField("identity_email(m.raw_email)", "m.email"),
    "phone": GoldenField(f"identity_phone_e164(m.raw_phone, {_COUNTRY})", "m.phone"),
    "street": GoldenField("trim(m.raw_street)", street_key_sql("m.street")),
    "city": GoldenField("identity_proper_case(trim(m.raw_city))"),
    "postcode": GoldenField(_POSTCODE, "m.postcode"),
    "country": GoldenField(_COUNTRY),
    "loyalty_id": GoldenField("trim(m.raw_loyalty_id)", "m.loyalty_id"),
    "home_store_id": GoldenField("trim(m.home_store_id)"),
    "tier": GoldenField("trim(m.tier)"),
    "account_id": GoldenField("m.account_id", "m.account_id"),
    "push_token": GoldenField("trim(m.push_token)", "nullif(trim(m.push_token), '')"),
}

MOBILE = "'^[+](447[1-57-9]|3538|33[67]|491[567]|316|324)'"
"""E.164 beginnings of mobile numbers where they have their own; a landline gets no messages."""

PERSON = "struct_pack(given := m.given_name, family := m.family_name, born := m.birth_date)"
"""What a mailbox may spell of the person of a record ``m``."""

NAMING_IN_EMAIL = "identity_naming_in(s.value, s.person.given, s.person.family, s.person.born)"
"""How well a statement ``s`` of a mailbox spells its ``person``, from 0 to 3."""

BELIEF: dict[str, str] = {
    "verified": "({0}.verified_at is not null) desc",
    "last_verified": "{0}.verified_at desc nulls last",
    "not_bounced": "coalesce({0}.refuted_at > coalesce({0}.verified_at, '-infinity'), false) asc",
    "most_trusted": "{0}.trust asc",
    "most_stated": "{0}.votes desc",
    "most_complete": "{0}.completeness desc",
    "not_a_default": "{0}.is_default asc",
    "mobile": "{0}.is_mobile desc",
    "unshared": "{0}.is_shared asc",
    "newest": "{0}.updated_at desc nulls last",
}
"""Rule to the ORDER BY term over a statement, whose alias is {0}."""

OWNERSHIP: dict[str, str] = {
    "verified": "({0}.verified_at is not null) desc",
    "most_trusted": "{0}.trust asc",
    "named_in_it": "{0}.naming desc",
    "only_one_they_have": "({0}.values_held = 1) desc",
    "owner_last_night": "{0}.was_owner desc",
    "most_stated": "{0}.votes desc",
    "newest": "{0}.updated_at desc nulls last",
}
"""Rule to the ORDER BY term over a customer's claim to a value, whose alias is {0}."""


def plausible_sql(ages: tuple[int, int], business_date: str) -> str:
    """Return SQL over a record ``m``: whether its birth date gives an age that is believed.

    Args:
        ages: Youngest and oldest age.
        business_date: The night, as YYYY-MM-DD.
    """
    youngest, oldest = ages
    return (
        f"m.birth_date between date '{business_date}' - to_years({oldest}) "
        f"and date '{business_date}' - to_years({youngest})"
    )


def order_sql(terms: Sequence[str], alias: str) -> str:
    """Return the ORDER BY list of terms over an alias.

    >>> order_sql(["{0}.votes desc"], "s")
    's.votes desc'
    """
    return ", ".join(term.format(alias) for term in terms)


def reason_sql(terms: dict[str, str], winner: str, rival: str) -> str:
    """Return WHEN branches that name the first rule by which two rows differ.

    >>> reason_sql({"most_stated": "{0}.votes desc"}, "w", "l")
    "when w.votes is distinct from l.votes then 'most_stated'"
    """
    branches = []
    for rule, term in terms.items():
        compared = term
        for ending in (" nulls last", " desc", " asc"):
            compared = compared.removesuffix(ending)
        left, right = compared.format(winner), compared.format(rival)
        branches.append(f"when {left} is distinct from {right} then '{rule}'")
    return " ".join(branches)


def value_sql(group: FieldGroup) -> str:
    """Return SQL that is equal when two records state the same; NULL when one states nothing."""
    compared = [GOLDEN_FIELDS[name].compared for name in group.fields]
    parts = [part for part in compared if part is not None]
    if len(parts) == 1:
        return parts[0]
    listed = ", ".join(f"coalesce({part}, '')" for part in parts)
    return f"case when coalesce({', '.join(parts)}) is not null then concat_ws('|', {listed}) end"


def completeness_sql(group: FieldGroup) -> str:
    """Return SQL that counts how many of the group's compared fields a record states."""
    compared = (GOLDEN_FIELDS[name].compared for name in group.fields)
    return " + ".join(f"cast({part} is not null as integer)" for part in compared if part)


def trust_sql(group: FieldGroup, trusted_as: Mapping[str, str]) -> str:
    """Return SQL of a record's tier, 0 the most trusted; NULL if it may not speak."""
    tier_of: dict[str, int] = {kind: rank for rank, tier in enumerate(group.trust) for kind in tier}
    overrides = " ".join(
        f"when {quote_literal(source)} then {tier_of.get(kind, 'null')}"
        for source, kind in sorted({**trusted_as, **group.trusted_as}.items())
    )
    kinds = " ".join(f"when '{kind}' then {rank}" for kind, rank in tier_of.items())
    by_kind = f"case m.record_kind {kinds} end"
    return f"case m.source {overrides} else {by_kind} end" if overrides else by_kind
