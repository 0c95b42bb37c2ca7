"""One golden record a customer: for each group of fields, the record that is believed.

Fields that belong together come from one record, so an address is never put together from two.
Who is believed is declared in ``sql/linkage/survivorship.yml``; where each value came from and why
is kept in ``identity.golden_sources``.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.wording import counted
from cdp_pipeline.identity.golden.carrying import (
    carried_sql,
    choose_anew,
    collect_records,
    is_any_carried,
    keep_basis,
    write_golden,
    write_sources,
)
from cdp_pipeline.identity.golden.golden_fields import (
    BELIEF,
    GOLDEN_FIELDS,
    MOBILE,
    NAMING_IN_EMAIL,
    PERSON,
    completeness_sql,
    order_sql,
    plausible_sql,
    reason_sql,
    trust_sql,
    value_sql,
)
from cdp_pipeline.identity.golden.households import assign_households
from cdp_pipeline.identity.golden.ownership import (
    CLAIM_COLUMNS,
    assign_owners,
    note_unsettled,
    write_claims,
)
from cdp_pipeline.identity.golden.verification import find_proofs, verify_statements
from cdp_pipeline.identity.grouping.ids import DEFAULT_MEMORY
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.survivorship import FieldGroup, SurvivorshipSpec
from cdp_pipeline.storage.basis import rebuild_reason
from cdp_pipeline.storage.warehouse import declare_table, fetch_dicts

MADE_TABLES = (
    "golden_records",
    "golden_sources",
    "contact_claims",
    "golden_basis",
    "households",
    "household_redirects",
    "household_changes",
)


@dataclass(frozen=True)
class Choice:
    """A group of fields and the temporary tables that choose its record.

    Attributes:
        place: Number of the group, part of the tables' names.
        group: The declared group.
        ranked: Table of statements: customer_id, record_id, value, the rules' terms and ``place``,
            1 for the most believed.
        chosen: Table of the chosen statements, one row per customer.
    """

    place: int
    group: FieldGroup

    @property
    def ranked(self) -> str:
        """Name of the table of statements."""
        return f"identity_ranked_{self.place}"

    @property
    def chosen(self) -> str:
        """Name of the table of chosen records."""
        return f"identity_choice_{self.place}"

    @property
    def subject(self) -> str:
        """Field after which proofs and claims of the group are named."""
        return self.group.fields[0]


def choose_values(con: duckdb.DuckDBPyConnection, context: RunContext) -> StepResult:
    """Make ``identity.golden_records``, ``golden_sources``, ``contact_claims``, ``households``.

    Returns:
        Mapped person records read and golden records written.
    """
    project = load_project(context.project_root)
    con.execute("set variable identity_home = ?", [context.settings.locale[-2:].upper()])
    made = build_golden_records(
        con,
        project.survivorship,
        business_date=context.business_date.isoformat(),
        memory=Memory.of(context.settings.identity),
        is_carried=not rebuild_reason(con),
    )
    for name in MADE_TABLES:
        declare_table(con, project.table(f"identity.{name}"))
    facts = fetch_dicts(con, _FACTS)[0]
    return StepResult(
        rows_in=facts["records"],
        rows_out=facts["customers"],
        messages=(
            (
                f"{counted(facts['customers'], 'golden record')} in "
                f"{counted(facts['households'], 'household')}"
            ),
            f"{made:,} of them made anew",
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
    c.customer_id,
    r.*,
    o.seat,
    coalesce(p.joined_on, r.first_seen_on) as seen_on,
    c.delivered_on,
    p.title as raw_title,
    p.email as raw_email,
    p.phone as raw_phone,
    p.street as raw_street,
    p.city as raw_city,
    p.postcode as raw_postcode,
    p.country as raw_country,
    p.loyalty_id as raw_loyalty_id,
    p.home_store_id,
    p.tier,
    p.push_token
from identity_customer_records as c
inner join identity.records as r on r.record_id = c.record_id
inner join staging.person_records as p on p.rowid = c.place
inner join identity_seats as o on o.record_id = c.record_id
semi join identity_anew as a on a.customer_id = c.customer_id
"""

_SEATS = """
create or replace temp table identity_seats as
select c.record_id, row_number() over (order by r.source, r.record_key) as seat
from identity_customer_records as c
inner join identity.records as r on r.record_id = c.record_id
semi join identity_anew as a on a.customer_id = c.customer_id
"""
# Of two records that are believed alike the name decides, not the night on which they came.

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

_RANKED = """
create or replace temp table {ranked} as
with stated as (
    select
        m.customer_id,
        m.record_id,
        m.seat,
        m.source,
        {value} as value,
        {trust} as trust,
        {completeness} as completeness,
        {is_default} as is_default,
        {person} as person,
        {is_mobile} as is_mobile,
        m.updated_at
    from identity_golden_members as m
    where ({value}) is not null and ({trust}) is not null and {is_plausible}
),

holders as (
    select value, count(distinct customer_id) > 1 as is_shared from stated group by value
),

weighed as (
    select
        s.* exclude (person),
        h.is_shared,
        case when h.is_shared then {naming} else 0 end as naming,
        v.verified_at,
        v.refuted_at,
        count(*) over (partition by s.customer_id, s.value) as votes
    from stated as s
    inner join holders as h on h.value = s.value
    left join identity_verifications as v
        on v.subject = '{subject}' and v.customer_id = s.customer_id and v.value = s.value
)

select *, row_number() over (partition by customer_id order by {order}, seat) as place
from weighed
"""

_WINNERS = """
create or replace temp table identity_winners as
select customer_id, value from {ranked} where place = 1
"""

_CHOICE = """
create or replace temp table {chosen} as
with won as (
    select r.*
    from {ranked} as r
    inner join identity_winners as w on w.customer_id = r.customer_id and w.value = r.value
    qualify row_number() over (partition by r.customer_id order by r.place) = 1
),

rivals as (
    select r.*
    from {ranked} as r
    inner join won as w on w.customer_id = r.customer_id and w.value <> r.value
    qualify row_number() over (partition by r.customer_id order by r.place) = 1
)

select
    w.customer_id,
    w.record_id,
    w.source,
    m.record_key,
    w.value,
    w.votes,
    w.verified_at,
    coalesce(cast(w.updated_at as date), m.delivered_on) as stated_on,
    l.source as rival_source,
    case
        when l.record_id is null and w.votes = 1 then 'only_statement'
        when l.record_id is null then 'all_agree'
        when l.place < w.place then 'one_person_each'
        {reasons}
        else 'record_order'
    end as rule,
    {fields}
from won as w
inner join identity_golden_members as m on m.record_id = w.record_id
left join rivals as l on l.customer_id = w.customer_id
"""


def build_golden_records(
    con: duckdb.DuckDBPyConnection,
    spec: SurvivorshipSpec,
    *,
    business_date: str,
    memory: Memory = DEFAULT_MEMORY,
    is_carried: bool = False,
) -> int:
    """Write the golden tables from the customer map.

    A value of a group with ``one_owner`` that several customers state goes to one of them, so
    that a send reaches one person; the others have their next best or none.

    Args:
        con: Build connection; the variable ``identity_home`` holds the store's country code.
        spec: The declared rules.
        business_date: The night, as YYYY-MM-DD; ages are as of it.
        memory: How ids that nobody has are remembered.
        is_carried: Whether golden records of last night may stand where nothing is new; the rows
            are the same either way.

    Returns:
        Number of customers whose golden records were made anew.
    """
    find_proofs(con)
    is_plausible = plausible_sql(spec.plausible_age_years, business_date)
    collect_records(con, spec, is_plausible=is_plausible)
    made = choose_anew(con, is_carried=is_carried)
    for statement in (_SEATS, _MEMBERS, _PEOPLE):
        con.execute(statement)
    verify_statements(con)
    choices = [Choice(place, group) for place, group in enumerate(spec.groups.values())]
    claims = [carried_sql(con, "contact_claims", CLAIM_COLUMNS)]
    for choice in choices:
        con.execute(_ranked_sql(choice, spec, is_plausible=is_plausible))
        claims += _choose(con, choice)
    write_claims(con, claims)
    con.execute(_values_sql(choices))
    carried = carried_sql(con, "golden_records", VALUE_COLUMNS)
    con.execute(
        f"create or replace temp view identity_golden as from identity_made union all {carried}"
    )
    assign_households(
        con, business_date=business_date, memory=memory, is_carried=is_any_carried(con)
    )
    write_golden(con)
    write_sources(con, _sources_sql(choices))
    keep_basis(con)
    return made


def _choose(con: duckdb.DuckDBPyConnection, choice: Choice) -> list[str]:
    """Make the table of chosen statements; return SELECTs of the claims, if there are any."""
    if not choice.group.one_owner:
        con.execute(_WINNERS.format(ranked=choice.ranked))
        con.execute(_choice_sql(choice))
        return []
    claims = assign_owners(
        con, ranked=choice.ranked, field=choice.subject, rules=choice.group.one_owner
    )
    con.execute(_choice_sql(choice))
    note_unsettled(con, chosen=choice.chosen, field=choice.subject)
    return [claims]


def _ranked_sql(choice: Choice, spec: SurvivorshipSpec, *, is_plausible: str) -> str:
    group = choice.group
    return _RANKED.format(
        ranked=choice.ranked,
        subject=choice.subject,
        value=value_sql(group),
        trust=trust_sql(group, spec.trusted_as),
        completeness=completeness_sql(group),
        is_default="dayofyear(m.birth_date) = 1" if "birth_date" in group.fields else "false",
        person=PERSON if "email" in group.fields else "null",
        naming=NAMING_IN_EMAIL if "email" in group.fields else "0",
        is_mobile=f"coalesce(regexp_matches({GOLDEN_FIELDS['phone'].printed}, {MOBILE}), false)"
        if "phone" in group.fields
        else "false",
        is_plausible=is_plausible if "birth_date" in group.fields else "true",
        order=order_sql([BELIEF[rule] for rule in group.believe], "weighed"),
    )


def _choice_sql(choice: Choice) -> str:
    reasons = reason_sql({rule: BELIEF[rule] for rule in choice.group.believe}, "w", "l")
    fields = ", ".join(
        f"nullif({GOLDEN_FIELDS[name].printed}, '') as {name}"
        if GOLDEN_FIELDS[name].type == "varchar"
        else f"{GOLDEN_FIELDS[name].printed} as {name}"
        for name in choice.group.fields
    )
    return _CHOICE.format(
        chosen=choice.chosen, ranked=choice.ranked, reasons=reasons, fields=fields
    )


VALUE_COLUMNS = ("customer_id", *GOLDEN_FIELDS, "record_count", "source_count", "first_seen_on")


def _values_sql(choices: list[Choice]) -> str:
    fields: dict[str, Choice] = {
        field: choice for choice in choices for field in choice.group.fields
    }
    columns = [f"c{fields[name].place}.{name}" for name in GOLDEN_FIELDS]
    joins = [
        f"left join {c.chosen} as c{c.place} on c{c.place}.customer_id = s.customer_id"
        for c in choices
    ]
    return f"""
        create or replace temp table identity_made as
        select
            s.customer_id,
            {", ".join(columns)},
            s.record_count,
            s.source_count,
            s.first_seen_on
        from identity_people as s
        {" ".join(joins)}
        """  # noqa: S608 - declared field groups


def _sources_sql(choices: list[Choice]) -> str:
    parts = [
        "select customer_id, "  # noqa: S608 - declared field groups
        f"'{name}' as field, source, record_key, rule, stated_on, "
        "votes as agreeing_records, cast(verified_at as date) as verified_on, rival_source "
        f"from {choice.chosen} where {name} is not null"
        for choice in choices
        for name in choice.group.fields
    ]
    return " union all ".join(parts)
