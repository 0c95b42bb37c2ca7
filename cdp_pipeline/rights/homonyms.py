"""Names of people that others have too: namesakes, a street, an article.

Such a name is nobody's trace. Who is called Victor Hugo or Rose Gold would otherwise take the homes
of others and the catalogue along: names are looked for in all that is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import duckdb
import pyarrow as pa

from cdp_pipeline.rights.names import Name, Names
from cdp_pipeline.rights.spellings import lower_ascii
from cdp_pipeline.storage.warehouse import (
    describe,
    has_table,
    quote_column,
    quote_identifier,
    quote_literal,
)

_NAMES = r"""
with held as (
    select lower(trim(printed_given)) as a, lower(trim(printed_family)) as b, is_theirs
    from told_records
    union all
    select given_name, family_name, is_theirs from told_records
    union all
    select a, b, true from departed_names
),

pairs as (
    select least(a, b) as low, greatest(a, b) as high, a, b, is_theirs
    from held
    where (length(a) > 1 or strlen(a) > 2) and (length(b) > 1 or strlen(b) > 2)
        and regexp_matches(a, '\p{L}') and regexp_matches(b, '\p{L}')
)

select a, b
from pairs
where (low, high) in (select (low, high) from pairs group by low, high having bool_and(is_theirs))
group by a, b
order by a, b
"""
# In either order, as written and as cleaned: a namesake's name is no trace. A letter is no name,
# but a character of three bytes may be one; nor are two numbers, which stand in dates.

_OTHERS = """
select distinct concat_ws(
    ' ', unnest([given_name, printed_given]), unnest([family_name, printed_family])
)
from told_records where not is_theirs
"""
# Ann Lee stands in Mary Ann Lee.

_PLACES = ("street", "street_name", "city")
_GUESTS = r"\b(c ?/? ?o|care of|attn|bei|chez|presso|p ?/ ?a)\b"
"""Words behind which a line of an address names who lives there, not the street."""

_CATALOGUES = ("core.dim_product", "core.dim_store", "core.dim_promotion")
_LISTED = "is_listed"
"""Whether a name is the catalogue's; what receipts alone tell of an article may tell of people."""


def unshared_names(con: duckdb.DuckDBPyConnection, departed: Collection[Name] = ()) -> set[Name]:
    """Return given and family name, in lower case, that no record of others has.

    Args:
        con: Connection to a version, with ``told_records`` of ``traces``, which says what is
            theirs.
        departed: What the people were called in earlier versions.
    """
    held = sorted(departed)
    table = {
        "a": pa.array([a for a, _ in held], pa.string()),
        "b": pa.array([b for _, b in held], pa.string()),
    }
    con.register("departed_names", pa.table(table))
    # Not folded: of folded letters nobody could tell how they are written (ß, a sigma at the end).
    names = {(str(a).lower(), str(b).lower()) for a, b in con.execute(_NAMES).fetchall()}
    con.unregister("departed_names")
    return names


def own_names(con: duckdb.DuckDBPyConnection, departed: Collection[Name] = ()) -> set[Name]:
    """Return names as ``unshared_names``, but for those of a street, an article or within others'.

    Args:
        con: Connection to a version, with ``told_records`` of ``traces``.
        departed: What the people were called in earlier versions.
    """
    names = unshared_names(con, departed)
    if not names:
        return names
    names -= _standing_in(con, _OTHERS, names)
    # Streets are kept without accents; José Martí is found in Calle Jose Marti by his plain name.
    plain = {name: _without_accents(con, name) for name in names}
    looked_for, found = names | {*plain.values()}, set[Name]()
    for texts in _texts_of_things(con):
        found |= _standing_in(con, texts, looked_for)
    return {name for name in names if not {name, plain[name]} & found}


def _texts_of_things(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield queries of texts that name where others live, or what is for sale, and where."""
    held = describe(con, "told_records")
    for column in _PLACES:
        if column in held:
            yield (
                f"select distinct {column} from told_records where not is_theirs "  # noqa: S608 - constants
                f"and not regexp_matches({column}, {quote_literal(_GUESTS)})"
            )
    for name in _CATALOGUES:
        columns = describe(con, name) if has_table(con, name) else {}
        listed = f"where {_LISTED}" if _LISTED in columns else ""
        for column in (c for c, kind in columns.items() if kind == "VARCHAR"):
            text = quote_column(column)
            yield f"select distinct {text} from {quote_identifier(name)} {listed}"  # noqa: S608 - quoted


def _standing_in(con: duckdb.DuckDBPyConnection, texts: str, names: set[Name]) -> set[Name]:
    """Return the names that stand in a query's texts."""
    held = "\n".join(str(text) for (text,) in con.execute(texts).fetchall())
    return {name for _, _, name in Names(names).find(lower_ascii(held.encode()))}


def _without_accents(con: duckdb.DuckDBPyConnection, name: Name) -> Name:
    given, family = con.execute("select strip_accents($1), strip_accents($2)", name).fetchall()[0]
    return str(given), str(family)
