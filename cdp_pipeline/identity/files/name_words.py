"""Which words of a name are given and which are the family's, told by where a file's words stand.

*Wilfrido Mata Madera* has two family names, and *Mata Madera Wilfrido* is he: *Wilfrido* stands
first in other names, *Mata* and *Madera* stand last. *Guo Xin* is one given name where others of
the file are called *Guoxin*. No list of names is asked, so it holds for peoples of any.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.files.recognition import Recognition
from cdp_pipeline.identity.standard.nodes import PARTICLES
from cdp_pipeline.storage.warehouse import quote_column

SURE_LEAN = 2.0
"""log2 of how many times as often a word must stand at the other end, for a name to be turned."""

FAMILY_LEAN = -1.0
"""The same for a word within a name to be shown to be a family's."""

TWO_FAMILIES_SHARE = 0.6
"""Share of longer names with a family's word before the last, from which people have two."""

RUN_TOGETHER_SHARE = 0.2
"""Share of given names of two words that others write as one, from which it is the custom."""

FEWEST_NAMES = 50
"""Names from which a file's custom is believed."""

_SPLIT = r"string_split_regex(trim({0}), '\s+')"
_PLAIN = "lower(strip_accents({0}))"
_UNSPLIT = (
    r"contains({0}, ',') or not contains(trim({0}), ' ') or regexp_matches(lower({0}), "
    r"'\s(jr|sr|junior|senior|ii|iii|iv|esq|phd|obe|mbe|cbe)[.]?\s*$')"
)

_NAMES = """
create or replace temp table link_names as
select name, {split} as words, list_transform(words, lambda w: {plain}) as plain
from (select distinct {name} as name from {table})
where name is not null and not ({unsplit})
"""

_LEANS = """
create or replace temp table link_leans as
select
    word,
    case
        when length(rtrim(word, '.')) = 1 then 3.0
        else log2((count(*) filter (is_first) + 0.5) / (count(*) filter (not is_first) + 0.5))
    end as lean
from (
    select plain[1] as word, true as is_first from link_names
    union all
    select plain[-1] as word, false as is_first from link_names
)
group by word
"""
# An initial stands for a given name, wherever it stands.

_PLACED = """
create or replace temp table link_placed as
with told as (
    select name, words, plain, unnest(plain) as word, generate_subscripts(plain, 1) as place
    from link_names
),
leaning as (
    select
        t.*,
        coalesce(l.lean, 0.0) as lean,
        regexp_full_match(t.word, '{particles}') as is_particle
    from told as t
    left join link_leans as l using (word)
)
select
    name,
    any_value(words) as words,
    any_value(plain) as plain,
    array_agg(lean order by place) filter (not is_particle) as leans,
    array_agg(place order by place) filter (not is_particle) as places
from leaning
group by name
having count(*) filter (not is_particle) >= 2
"""

_TWO_FAMILIES = """
with short as (
    select distinct plain[1] as given, plain[2] as family from link_names where len(plain) = 2
),
longer as (
    select
        leans[-2] <= {family} as is_double,
        plain[1] as given,
        plain[places[-2]] as before,
        plain[places[-1]] as last
    from link_placed
    where len(leans) >= 3 and leans[1] > {family}
)
select
    count(*),
    count(*) filter (is_double),
    count(*) filter (is_double and (given, before) in (select (given, family) from short)),
    count(*) filter (is_double and (given, last) in (select (given, family) from short))
from longer
"""
# Anders Moller Jensen is Anders Jensen for short: only the last name is his family's. Wilfrido Mata
# Madera is Wilfrido Mata.

_TOLD = """
create or replace temp table {made} as
with judged as (
    select
        *,
        leans[1] <= -{sure} and leans[-1] >= {sure} as is_turned,
        {has_two} and len(leans) >= 3 as may_have_two
    from link_placed
),
cut as (
    select
        *,
        case
            when is_turned and may_have_two and leans[2] <= 0 then places[3] - 1
            when is_turned then places[2] - 1
            when may_have_two and leans[-2] <= 0 then places[-3]
        end as cut_after
    from judged
)
select
    name as link_name,
    case
        when is_turned
            then array_to_string(words[:cut_after], ' ') || ', '
                || array_to_string(words[cut_after + 1:], ' ')
        else array_to_string(words[cut_after + 1:], ' ') || ', '
            || array_to_string(words[:cut_after], ' ')
    end as link_told
from cut
where cut_after is not null
"""
# Particles belong to the word after them, so a family name begins behind the word before its own.
# The columns are named as no file's are, which the view would take for the file's own.


def split_by_places(con: duckdb.DuckDBPyConnection, found: Recognition, name: str) -> str:
    """Return SQL of a full name, with a comma behind the family name where words tell which it is.

    Args:
        con: Connection with the file's table.
        found: The file; its tables of names are kept under its own name.
        name: SQL of the full name, the given name first.
    """
    table, made = found.loaded.table, f"{found.loaded.table}_told"
    con.execute(
        _NAMES.format(
            name=name,
            table=table,
            split=_SPLIT.format("name"),
            plain=_PLAIN.format("w"),
            unsplit=_UNSPLIT.format("name"),
        )
    )
    con.execute(_LEANS)
    con.execute(_PLACED.format(particles=PARTICLES))
    longer, double, by_first, by_last = con.execute(
        _TWO_FAMILIES.format(family=FAMILY_LEAN)
    ).fetchall()[0]
    is_usual = longer >= FEWEST_NAMES and double >= TWO_FAMILIES_SHARE * longer
    has_two = is_usual and by_first > by_last
    con.execute(_TOLD.format(made=made, sure=SURE_LEAN, has_two="true" if has_two else "false"))
    con.execute("drop table link_names; drop table link_leans; drop table link_placed")
    return f"coalesce((select t.link_told from {made} as t where t.link_name = {name}), {name})"  # noqa: S608 - own names


def run_together(con: duckdb.DuckDBPyConnection, found: Recognition, column: str) -> str:
    """Return SQL of a given name, in one word where that is how others of the file write it.

    Args:
        con: Connection with the file's table.
        found: The file.
        column: Column of given names.
    """
    value = quote_column(column)
    letters = rf"regexp_replace(lower(strip_accents(trim({value}))), '[\s\p{{Pd}}]+', '', 'g')"
    is_split = rf"regexp_full_match(trim({value}), '\p{{L}}{{2,}}[\s\p{{Pd}}]+\p{{L}}{{2,}}')"
    made = f"{found.loaded.table}_joined"
    con.execute(
        f"create or replace temp table {made} as "  # noqa: S608 - quoted
        f"select distinct {letters} as joined from {found.loaded.table} "
        rf"where regexp_full_match(trim({value}), '\p{{L}}+')"
    )
    split, known = con.execute(
        f"select count(*), count(*) filter (joined in (from {made})) "  # noqa: S608 - quoted
        f"from (select distinct {letters} as joined from {found.loaded.table} where {is_split})"
    ).fetchall()[0]
    con.execute(f"drop table {made}")
    if split < FEWEST_NAMES or known < RUN_TOGETHER_SHARE * split:
        return value
    return f"case when {is_split} then {letters} else {value} end"
