"""One golden record a customer: for each group of fields, the record that is believed.

Fields that belong together come from one record, so an address is never put together from two.
Who is believed is declared in ``FIELD_GROUPS``: the kind of record first, then how often a value
is stated or how recently. Where each value came from is kept in ``identity.golden_sources``.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.identity.households import assign_households
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import declare_table, fetch_dicts, open_build

LEAST_TRUSTED = 9


@dataclass(frozen=True)
class FieldGroup:
    """Fields that are taken from one record.

    Attributes:
        name: For people.
        fields: Golden column to SQL over ``r`` (identity.records) and ``p`` (as delivered).
        required: SQL that must be present for a record to be considered.
        kinds: Record kinds that may speak, most trusted first; kinds in one tuple are equal.
        is_voted: Prefer the value stated most often over the newest.
    """

    name: str
    fields: dict[str, str]
    required: str
    kinds: tuple[tuple[str, ...], ...]
    is_voted: bool = False


PROFILES = ("loyalty", "account")
NAMED = (PROFILES, ("order",), ("contact",), ("social", "receipt", "email"))

_POSTCODE = (
    "case when regexp_full_match(r.postcode, '[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}') "
    "then r.postcode[:-4] || ' ' || r.postcode[-3:] else upper(trim(p.postcode)) end"
)

FIELD_GROUPS: tuple[FieldGroup, ...] = (
    FieldGroup(
        "name",
        {
            "title": "trim(p.title)",
            "given_name": "identity_proper_case(r.printed_given)",
            "family_name": "identity_proper_case(r.printed_family)",
        },
        "case when length(r.given_name) > 1 or r.family_name is not null "
        "then coalesce(r.given_name, '') || ' ' || coalesce(r.family_name, '') end",
        NAMED,
        is_voted=True,
    ),
    FieldGroup("birth date", {"birth_date": "r.birth_date"}, "r.birth_date", NAMED, is_voted=True),
    FieldGroup("sex", {"sex": "r.sex"}, "r.sex", NAMED, is_voted=True),
    FieldGroup(
        "e-mail",
        {"email": "identity_email(p.email)"},
        "r.email",
        (("account",), ("loyalty",), ("order",), ("contact", "social"), ("receipt", "email")),
    ),
    FieldGroup(
        "phone",
        {"phone": "identity_phone_e164(p.phone, identity_country(p.country, $home))"},
        "r.phone",
        (PROFILES, ("order",), ("contact",), ("receipt",)),
    ),
    FieldGroup(
        "address",
        {
            "street": "trim(p.street)",
            "city": "identity_proper_case(trim(p.city))",
            "postcode": _POSTCODE,
            "country": "identity_country(p.country, $home)",
        },
        "coalesce(r.street, r.postcode)",
        # Orders are sent to friends as well; they speak only where no profile does.
        (PROFILES, ("order",), ("contact",)),
    ),
    FieldGroup(
        "membership",
        {
            "loyalty_id": "trim(p.loyalty_id)",
            "home_store_id": "trim(p.home_store_id)",
            "tier": "trim(p.tier)",
        },
        "r.loyalty_id",
        (("loyalty",), ("account",), ("order", "contact", "receipt")),
    ),
    FieldGroup(
        "account", {"account_id": "r.account_id"}, "r.account_id", (("account",), ("order",))
    ),
    FieldGroup(
        "push", {"push_token": "trim(p.push_token)"}, "nullif(trim(p.push_token), '')", (PROFILES,)
    ),
)


def run(context: RunContext) -> StepResult:
    """Make ``identity.golden_records`` and ``identity.golden_sources``.

    Returns:
        Mapped person records read and golden records written.
    """
    project = load_project(context.project_root)
    with open_build(context) as con:
        con.execute("set variable identity_home = ?", [context.settings.locale[-2:].upper()])
        build_golden_records(con, business_date=context.business_date.isoformat())
        for name in ("identity.golden_records", "identity.golden_sources"):
            declare_table(con, project.table(name))
        facts = fetch_dicts(con, _FACTS)[0]
    return StepResult(
        rows_in=facts["records"],
        rows_out=facts["customers"],
        messages=(
            f"{facts['customers']:,} golden records in {facts['households']:,} households",
            f"{facts['with_email']:,} of them have an e-mail address of their own",
        ),
        facts=facts,
    )


_FACTS = """
select
    (select count(*) from identity.customer_map) as records,
    count(*) as customers,
    count(distinct household_id) as households,
    count(email) as with_email
from identity.golden_records
"""

_MEMBERS = """
create or replace temp table identity_golden_members as
select
    m.customer_id,
    r.record_id,
    r.source,
    r.record_key,
    r.record_kind,
    coalesce(p.joined_on, p.delivered_on) as seen_on
from identity.customer_map as m
inner join identity.records as r on r.source = m.source and r.record_key = m.record_key
inner join staging.person_records as p on p.source = m.source and p.record_key = m.record_key
"""

_CHOICE = """
create or replace temp table identity_choice_{place} as
with candidates as (
    select
        m.customer_id,
        r.record_id,
        {rank} as trust,
        {required} as stated,
        r.updated_at
    from identity_golden_members as m
    inner join identity.records as r on r.record_id = m.record_id
    inner join staging.person_records as p
        on p.source = m.source and p.record_key = m.record_key
    where m.record_kind in ({kinds}) and ({required}) is not null
),
counted as (
    select
        *,
        {votes} as votes
    from candidates
),
chosen as (
    select customer_id, record_id, trust
    from counted
    qualify row_number() over (
        partition by customer_id
        order by trust, votes desc, updated_at desc nulls last, record_id
    ) = 1
)
select c.customer_id, c.record_id, c.trust, {fields}
from chosen as c
inner join identity.records as r on r.record_id = c.record_id
inner join staging.person_records as p
    on p.source = r.source and p.record_key = r.record_key
"""

_ONE_EMAIL_EACH = """
create or replace temp table identity_email_owners as
select c.customer_id
from identity_choice_{place} as c
inner join identity.records as r on r.record_id = c.record_id
inner join (
    select customer_id, count(*) as records from identity.customer_map group by customer_id
) as s on s.customer_id = c.customer_id
qualify row_number() over (
    partition by r.email order by c.trust, s.records desc, c.customer_id
) = 1
"""

_PEOPLE = """
create or replace temp table identity_people as
select
    customer_id,
    count(*) as record_count,
    count(distinct source) as source_count,
    min(seen_on) as first_seen_on
from identity_golden_members
group by customer_id
"""


def build_golden_records(con: duckdb.DuckDBPyConnection, *, business_date: str) -> None:
    """Write both golden tables from the customer map.

    An e-mail address that several customers state goes to the most trusted of them, so that a
    send reaches one person; the others have none.

    Args:
        con: Build connection; the variable ``identity_home`` holds the store's country code.
        business_date: The night, as YYYY-MM-DD; new household ids contain it.
    """
    con.execute(_MEMBERS)
    con.execute(_PEOPLE)
    for place, group in enumerate(FIELD_GROUPS):
        con.execute(_choice_sql(place, group))
    email = next(place for place, group in enumerate(FIELD_GROUPS) if "email" in group.fields)
    con.execute(_ONE_EMAIL_EACH.format(place=email))
    con.execute(
        f"delete from identity_choice_{email} "  # noqa: S608 - own table name
        "where customer_id not in (select customer_id from identity_email_owners)"
    )
    assign_households(con, business_date=business_date)
    con.execute(_golden_sql())
    con.execute(_sources_sql())


def _choice_sql(place: int, group: FieldGroup) -> str:
    ranks = [
        f"when '{kind}' then {rank}" for rank, kinds in enumerate(group.kinds) for kind in kinds
    ]
    votes = "count(*) over (partition by customer_id, trust, stated)" if group.is_voted else "0"
    sql = _CHOICE.format(
        place=place,
        rank=f"case r.record_kind {' '.join(ranks)} else {LEAST_TRUSTED} end",
        required=group.required,
        kinds=", ".join(f"'{kind}'" for kinds in group.kinds for kind in kinds),
        votes=votes,
        fields=", ".join(
            f"nullif({sql}, '') as {name}" if name != "birth_date" else f"{sql} as {name}"
            for name, sql in group.fields.items()
        ),
    )
    return sql.replace("$home", "getvariable('identity_home')")


def _golden_sql() -> str:
    columns = [
        f"c{place}.{name}" for place, group in enumerate(FIELD_GROUPS) for name in group.fields
    ]
    joins = [
        f"left join identity_choice_{place} as c{place} on c{place}.customer_id = s.customer_id"
        for place in range(len(FIELD_GROUPS))
    ]
    return f"""
        create or replace table identity.golden_records as
        select
            s.customer_id,
            {", ".join(columns)},
            h.household_id,
            s.record_count,
            s.source_count,
            s.first_seen_on
        from identity_people as s
        left join identity_households as h on h.customer_id = s.customer_id
        {" ".join(joins)}
        order by s.customer_id
        """  # noqa: S608 - declared field groups


def _sources_sql() -> str:
    parts = [
        f"select customer_id, '{name}' as field, record_id from identity_choice_{place} "  # noqa: S608 - declared field groups
        f"where {name} is not null"
        for place, group in enumerate(FIELD_GROUPS)
        for name in group.fields
    ]
    return f"""
        create or replace table identity.golden_sources as
        select c.customer_id, c.field, r.source, r.record_key
        from ({" union all ".join(parts)}) as c
        inner join identity.records as r on r.record_id = c.record_id
        order by c.customer_id, c.field
        """  # noqa: S608 - declared field groups
