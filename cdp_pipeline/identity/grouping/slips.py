"""Slips in a mailbox or a telephone number of a record without a name: whose it was meant to be.

At a till hands slip: now and then a mailbox on a receipt misses a letter, or one digit of
the number is another. Such a value is held by that one receipt alone, and differs in one place from
exactly one that the store knows. Other digits or another initial are another mailbox, not a slip.
Where numbers lie close to each other, as in one town's exchange, a stranger's number is as near to
a known one as a slip: how often that happens is measured between values that are known to exist,
and where it explains too many of the finds, or too few exist to tell, none counts. Who holds what
was meant, ``attach`` decides.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value

LEAST_MEANT = 0.9
"""Share of the finds that must be more than chance. Below, a receipt stays nobody's."""

SAMPLE = 2000
"""Known values of which the nearest others are looked for, to measure chance."""

TYPED = ("email", "phone")
"""Identifiers that people know by heart and type; cards and tokens are read by machines."""

_KEYS = {
    "email": """
        with parted as (
            select
                value,
                split_part(value, '@', 1) as local,
                split_part(value, '@', 2) as host,
                regexp_replace(split_part(value, '@', 1), '[^0-9]', '', 'g') as digits
            from {values}
        ),
        halved as (
            select
                *,
                unnest(list_distinct(list_transform(
                    {lengths}, lambda more: least(6, greatest(3, (length(local) + more) // 2 - 1))
                ))) as half
            from parted
            where length(local) >= 7
        )
        select
            value,
            unnest([
                concat_ws(' ', 'start', host, digits, left(local, half), half),
                concat_ws(' ', 'end', host, digits, left(local, 1), right(local, half), half)
            ]) as key
        from halved
    """,
    "phone": """
        select
            value,
            unnest([
                concat_ws(' ', 'end', digits, substr(value, part + 1)),
                concat_ws(' ', 'both', digits, left(value, part), substr(value, 2 * part + 1)),
                concat_ws(' ', 'start', digits, left(value, 2 * part)),
                concat_ws(' ', 'first', digits, left(value, part - 1), substr(value, part + 2)),
                concat_ws(
                    ' ', 'second', digits, left(value, 2 * part - 1), substr(value, 2 * part + 2)
                )
            ]) as key
        from (select value, length(value) as digits, length(value) // 3 as part from {values})
        where part >= 2
    """,
}
"""Values one slip apart share one of these keys: whatever the slip, it left the start or the end
as it was, and of a number two of its three parts or all but two digits where parts meet. A half of
a mailbox is as long as what is asked for has it, which may be a letter longer or shorter than what
is known. In six letters, anybody is near to somebody."""

_PARTS = {
    "email": (
        "hash(split_part(value, '@', 2), left(value, 3))",
        "hash(split_part(value, '@', 2), left(value, 1), right(split_part(value, '@', 1), 3))",
    ),
    "phone": (
        "hash(length(value), left(value, 2 * (length(value) // 3)))",
        "hash(length(value), right(value, length(value) - 2 * (length(value) // 3) - 1))",
    ),
}
"""Whatever keys two values share, they share one of these, which cost next to nothing."""

_PLAUSIBLE = """
create or replace temp table identity_plausible_values as
with asked as (select {kept} from {asked}),
known as (select value, {kept} from {known})
select value
from known
where {shared}
"""

_SLIPS = """
create or replace temp table identity_slips (
    evidence_id integer, field varchar, meant varchar
)
"""

_KNOWN = """
create or replace temp table identity_known_values as
select {field} as value, count(*) as seen
from identity.records
where is_comparable and {field} is not null
group by {field}
"""

_LONE = """
create or replace temp table identity_lone_values as
with held as (
    select {field} as value, min(evidence_id) as evidence_id
    from identity.records
    where not is_comparable and is_usable and {field} is not null
    group by {field}
    having count(*) = 1
)
select h.value, h.evidence_id
from held as h
anti join identity_known_values as k on k.value = h.value
"""

_KEPT_LONE = """
insert into identity_lone
select '{field}', value, evidence_id from identity_lone_values
"""

_CONFIRMED = """
create or replace temp table identity_confirmed_values as
select value from identity_known_values where seen >= 2
"""
# Stated twice, a value is hardly a slip.

_SAMPLED = """
create or replace temp table identity_sampled_values as
select value from identity_confirmed_values order by hash(value), value limit $sample
"""

_NEAR = """
create or replace temp table identity_near_values as
with asked as ({asked}),
known as ({known})
select a.value, min(k.value) as meant, count(distinct k.value) as candidates
from asked as a
inner join known as k
    on k.key = a.key
    and k.value <> a.value
    and abs(length(k.value) - length(a.value)) <= 1
    and levenshtein(a.value, k.value) <= 2
    and damerau_levenshtein(a.value, k.value) = 1
    and {same}
group by a.value
"""
# The cheap distance is asked first: an exchange of neighbours is two of its steps.

_SAME = {
    "email": "regexp_extract(a.value, '([a-z])[^a-z@]*@', 1) "
    "= regexp_extract(k.value, '([a-z])[^a-z@]*@', 1)",
    "phone": "true",
}
"""What no slip is believed to change: smithj@ and smithk@ end in the initials of two people."""

_ALIKE = """
create or replace temp table identity_alike_values as
select l.evidence_id, '{field}' as field, n.meant
from identity_near_values as n
inner join identity_lone_values as l on l.value = n.value
where n.candidates = 1
order by l.evidence_id
"""


_LONE_NEAR = """
insert into identity_neighbours
select l.evidence_id
from identity_lone as l
semi join identity_near_values as n on n.value = l.value
where l.field = '{field}'
"""


def find_slips(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_slips`` (evidence_id, field, meant) from ``identity.records``.

    A nameless record is in it for each of its values that is one slip from a known one. All that
    might be a slip are in ``identity_lone`` (field, value, evidence_id).
    """
    con.execute(_SLIPS)
    con.execute(
        "create or replace temp table identity_lone "
        "(field varchar, value varchar, evidence_id integer)"
    )
    for field in TYPED:
        con.execute(_KNOWN.format(field=field))
        con.execute(_LONE.format(field=field))
        con.execute(_KEPT_LONE.format(field=field))
        if not _count(con, "identity_lone_values"):
            continue
        _find_near(con, field, asked="identity_lone_values", known="identity_known_values")
        con.execute(_ALIKE.format(field=field))
        found = _count(con, "identity_alike_values")
        if not found:
            continue
        strangers = _chance(con, field) * _count(con, "identity_lone_values")
        if 1 - strangers / found >= LEAST_MEANT:
            con.execute("insert into identity_slips from identity_alike_values")


def find_neighbours(con: duckdb.DuckDBPyConnection, values: str) -> None:
    """Create ``identity_neighbours`` (evidence_id): who states what is one slip from some values.

    Args:
        con: Connection after ``find_slips``.
        values: Table (field, value).
    """
    con.execute("create or replace temp table identity_neighbours (evidence_id integer)")
    for field in TYPED:
        for name, source in (("given", values), ("lone", "identity_lone")):
            con.execute(
                f"create or replace temp table identity_{name}_typed as "  # noqa: S608 - own table names
                f"select distinct value from {source} where field = '{field}'"
            )
        kept, shared = _parts_of(field)
        near = _PLAUSIBLE.format(
            asked="identity_given_typed", known="identity_lone_typed", kept=kept, shared=shared
        )
        con.execute(near)
        con.execute(
            "create or replace temp table identity_lone_typed as from identity_plausible_values"
        )
        _find_near(con, field, asked="identity_lone_typed", known="identity_given_typed")
        con.execute(_LONE_NEAR.format(field=field))


def _chance(con: duckdb.DuckDBPyConnection, field: str) -> float:
    """Return the share of existing values that are one slip from a known one of somebody else."""
    con.execute(_CONFIRMED)
    con.execute(_SAMPLED, {"sample": SAMPLE})
    _find_near(con, field, asked="identity_sampled_values", known="identity_confirmed_values")
    near = _count(con, "identity_near_values")
    share = (near + 1) / (_count(con, "identity_sampled_values") + 2)
    confirmed = max(1, _count(con, "identity_confirmed_values"))
    return float(1 - (1 - share) ** (_count(con, "identity_known_values") / confirmed))


def _parts_of(field: str) -> tuple[str, str]:
    """Return SQL of a value's parts, and of whether it shares one with what is asked for."""
    kept = ", ".join(f"{sql} as part_{n}" for n, sql in enumerate(_PARTS[field]))
    shared = " or ".join(
        f"part_{n} in (select part_{n} from asked)"  # noqa: S608 - constants
        for n in range(len(_PARTS[field]))
    )
    return kept, shared


def _find_near(con: duckdb.DuckDBPyConnection, field: str, *, asked: str, known: str) -> None:
    kept, shared = _parts_of(field)
    con.execute(_PLAUSIBLE.format(asked=asked, known=known, kept=kept, shared=shared))
    keys = _KEYS[field]
    asked_keys = keys.format(values=asked, lengths="[0]")
    known_keys = keys.format(values="identity_plausible_values", lengths="[-1, 0, 1]")
    con.execute(_NEAR.format(asked=asked_keys, known=known_keys, same=_SAME[field]))


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(fetch_value(con, f"select count(*) from {table}"))  # noqa: S608 - own table names
