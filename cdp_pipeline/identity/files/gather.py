"""From recognised columns to ``staging.person_records``: one shape for all files.

Parts of dates and addresses are joined or taken apart, ages become years of birth, words for sexes
become F and M. An address that comes as one line with a postcode is compared as a whole; one that
comes in parts, or without either, part by part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from cdp_pipeline.identity.files.name_order import is_family_first, turned
from cdp_pipeline.identity.files.name_words import run_together, split_by_places
from cdp_pipeline.identity.files.recognition import Recognition
from cdp_pipeline.identity.files.sexes import sex_sql
from cdp_pipeline.identity.standard.reach import UNTOLD
from cdp_pipeline.storage.tabular import ROW
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

TEXTS = (
    "given_name", "family_name", "full_name", "middle_name", "email", "phone", "loyalty_id",
    "account_id", "payment_token", "national_id", "birth_place", "occupation", "identifier",
    "category", "state",
)  # fmt: skip
NUMBERS = frozenset(
    {"phone", "loyalty_id", "account_id", "national_id", "identifier", "postcode", "house_number"}
)
"""Numbers that other programs have written as 7700900123.0."""

CLEANED = frozenset(
    {"given_name", "family_name", "full_name", "email", "phone", "loyalty_id", "street", "postcode"}
)
"""Texts that ``standardise`` trims and empties itself: doing it here as well would be dear."""

PARENTS = ("father_name", "mother_name")
"""Gathered only where a file has them: a column more is another sample of strangers for the model,
as that is drawn by what records say."""

ADDRESS_TAGS = ("street", "postcode", "house_number", "street_name", "town", "zip")
UNKNOWN_AGE_YEAR = 2000
"""Year that ages are counted back from when no birth date tells: only differences matter."""

SAME_FAMILY = 0.85
"""Likeness of two spellings from which father and child have one family name."""

FEWEST_NAMESAKES = 20
LEAST_AGREEING = 0.1
"""Namesakes in two files, and their share, from which the year of the ages is believed."""


def gather(con: duckdb.DuckDBPyConnection, files: Sequence[Recognition]) -> None:
    """Create the view ``staging.person_records`` of all files, in their order, and ``link_rows``.

    The view numbers its rows from 0 in ``place``. ``link_rows`` has (source, record_key, list) in
    that order; a list is what may hold each person once, a source or one of its years. A view, as
    the first thing that happens to these rows is that they are cleaned.
    """
    apart = is_apart(files)
    years = _age_years(con, files)
    selects, names, first = [], [], 0
    parents = [tag for tag in PARENTS if any(found.used(tag) for found in files)]
    for found, year in zip(files, years, strict=True):
        told = {"full_name": _full_name(con, found)} | {
            tag: _father(found) if tag == "father_name" else _text(found, tag) for tag in parents
        }
        told |= {"sex": _sex(con, found), "given_name": _given_name(con, found)}
        selects.append(_select(found, apart, year, told=told, first_place=first))
        names.append(_names(found))
        first += found.loaded.rows
    con.execute(f"create view staging.person_records as {' union all '.join(selects)}")
    con.execute(f"create or replace temp table link_rows as {' union all '.join(names)}")


def drop_gathered(con: duckdb.DuckDBPyConnection, files: Sequence[Recognition]) -> None:
    """Drop the view ``staging.person_records`` and the files' own tables."""
    con.execute("drop view staging.person_records")
    for found in files:
        con.execute(f"drop table {found.loaded.table}")


def is_apart(files: Sequence[Recognition]) -> bool:
    """Return whether addresses are compared part by part.

    That is so when house numbers have a column of their own, or when no file has both a street
    line and a postcode.
    """
    if any(found.used("house_number") for found in files):
        return True
    return not any(found.used("street") and found.used("postcode") for found in files)


def _select(
    found: Recognition,
    apart: bool,  # noqa: FBT001 - one of two shapes
    age_year: int,
    *,
    told: Mapping[str, str],
    first_place: int,
) -> str:
    items = {
        "place": f"{first_place} + {ROW} - 1",
        "source": _source(found),
        "record_key": _key(found),
        "record_kind": quote_literal(UNTOLD),
        **{tag: _text(found, tag) for tag in TEXTS},
        "family_name": _family_name(found),
        **told,
        "birth_date": _birth_date(found),
        "birth_year": _birth_year(found, age_year),
        **_address(found, apart),
        "city": "cast(null as varchar)",
        "updated_at": "cast(null as timestamp)",
    }
    columns = ", ".join(f"{sql} as {name}" for name, sql in items.items())
    return f"select {columns} from {found.loaded.table}"  # noqa: S608 - quoted columns


def _names(found: Recognition) -> str:
    """Return a SELECT of what the rows are called, in their order."""
    year = found.first("age_year")
    of_year = f" || coalesce(' ' || trim({quote_column(year)}), '')" if year else ""
    return (
        f"select {_source(found)} as source, {_key(found)} as record_key, "  # noqa: S608 - quoted
        f"{_source(found)}{of_year} as list from {found.loaded.table}"
    )


def _source(found: Recognition) -> str:
    source = found.first("source")
    if source:
        return f"coalesce(trim({quote_column(source)}), '')"
    return quote_literal(found.loaded.source)


def _key(found: Recognition) -> str:
    record_id = found.first("record_id")
    return f"trim({quote_column(record_id)})" if record_id else f"cast({ROW} as varchar)"


def _text(found: Recognition, role: str) -> str:
    names = found.used(role)
    if len(names) == 1 and role in CLEANED:
        return _delivered(names[0], role)
    columns = [_value(name, role) for name in names]
    if not columns:
        return "cast(null as varchar)"
    return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"


def _family_name(found: Recognition) -> str:
    """Return SQL of the family name, with the one of the other parent behind it."""
    family, second = found.first("family_name"), found.first("second_family_name")
    if not (family and second):
        return _text(found, "family_name") if family else _text(found, "second_family_name")
    parts = ", ".join(_value(name, "family_name") for name in (family, second))
    return f"nullif(concat_ws(' ', {parts}), '')"


def _value(name: str, role: str) -> str:
    text = f"nullif(trim({quote_column(name)}), '')"
    if role not in NUMBERS:
        return text
    return f"case when ends_with({text}, '.0') then left({text}, -2) else {text} end"


def _delivered(name: str, role: str) -> str:
    """Return SQL of a value as the file has it, blanks and all."""
    text = quote_column(name)
    if role not in NUMBERS:
        return text
    return f"case when contains({text}, '.0') then {_value(name, role)} else {text} end"


def _full_name(con: duckdb.DuckDBPyConnection, found: Recognition) -> str:
    """Return SQL of the full name, the family name last or before a comma."""
    names = found.used("full_name")
    if not is_family_first(con, found):
        told = _text(found, "full_name")
    else:
        turns = [f"nullif({turned(name)}, '')" for name in names]
        told = f"coalesce({', '.join(turns)})"
    if len(names) != 1 or found.used("given_name") or found.used("family_name"):
        return told
    return split_by_places(con, found, told)


def _given_name(con: duckdb.DuckDBPyConnection, found: Recognition) -> str:
    names = found.used("given_name")
    return run_together(con, found, names[0]) if names else _text(found, "given_name")


def _birth_date(found: Recognition) -> str:
    name = found.first("birth_date")
    if name:
        return found.dates[name].sql(quote_column(name))
    parts = [found.first(role) for role in ("birth_year", "birth_month", "birth_day")]
    if all(parts):
        joined = " || '-' || ".join(f"trim({quote_column(part)})" for part in parts if part)
        return f"try_cast({joined} as date)"
    return "cast(null as date)"


def _father(found: Recognition) -> str:
    """Return SQL of the father's name without the family name that is his child's as well.

    Told twice, one family name would count twice.
    """
    told, family = _text(found, "father_name"), found.first("family_name")
    if not (found.used("father_name") and family):
        return told
    child = f"lower(trim({quote_column(family)}))"
    last = rf"lower(regexp_extract({told}, '\s(\S+)$', 1))"
    return (
        f"case when jaro_winkler_similarity({last}, {child}) >= {SAME_FAMILY} "
        rf"then regexp_replace({told}, '\s+\S+$', '') else {told} end"
    )


def _birth_year(found: Recognition, age_year: int) -> str:
    name = found.first("birth_year")
    if name and not (found.first("birth_month") and found.first("birth_day")):
        return f"nullif(trim({quote_column(name)}), '')"
    age, year = found.first("age"), found.first("age_year")
    if age:
        counted = f"try_cast({quote_column(year)} as integer)" if year else str(age_year)
        return f"cast({counted} - try_cast({quote_column(age)} as integer) as varchar)"
    return "cast(null as varchar)"


def _age_years(con: duckdb.DuckDBPyConnection, files: Sequence[Recognition]) -> list[int]:
    """Return the year from which each file's ages are counted back.

    A file with dates tells its own. The others are set by their namesakes beside a file that tells
    years of birth, or else beside the first file with ages.
    """
    years = [_age_year(con, found) for found in files]
    told = [
        number for number, found in enumerate(files) if years[number] or _tells_years(found)
    ] or [number for number, found in enumerate(files) if found.used("age")][:1]
    for number, found in enumerate(files):
        if found.used("age") and years[number] is None and number not in told:
            beside = ((files[other], years[other] or UNKNOWN_AGE_YEAR) for other in told)
            fitting = (_year_by_namesakes(con, other, found, year) for other, year in beside)
            years[number] = next(filter(None, fitting), None)
    return [year or UNKNOWN_AGE_YEAR for year in years]


def _tells_years(found: Recognition) -> bool:
    return any(found.used(role) for role in ("birth_date", "birth_year", "age_year"))


def _year_by_namesakes(
    con: duckdb.DuckDBPyConnection, told: Recognition, aged: Recognition, told_year: int
) -> int | None:
    """Return the year from which one file's ages most often fit its namesakes' years of birth.

    Namesakes by chance are of all ages; those who are one person agree on one year, or nearly.
    """
    sides = _namesakes(told, told_year), _namesakes(aged, 0)
    if not all(sides):
        return None
    rows = con.execute(
        f"select t.born - a.born as year, count(*) as n from ({sides[0]}) as t "  # noqa: S608 - quoted
        f"inner join ({sides[1]}) as a using (person) where year is not null "
        "group by year order by n desc, year"
    ).fetchall()
    if not rows:
        return None
    best = int(rows[0][0])
    agreeing = sum(n for year, n in rows if abs(year - best) <= 1)
    is_believed = agreeing >= FEWEST_NAMESAKES and agreeing >= LEAST_AGREEING * sum(
        n for _, n in rows
    )
    return best if is_believed else None


def _namesakes(found: Recognition, age_year: int) -> str | None:
    """Return a SELECT of (person, born) for full names that stand once in a file."""
    names = [found.first(role) for role in ("given_name", "family_name")]
    parts = [name for name in (names if all(names) else [found.first("full_name")]) if name]
    if not parts:
        return None
    person = ", ".join(f"trim({quote_column(part)})" for part in parts)
    born = (
        f"coalesce(year({_birth_date(found)}), try_cast({_birth_year(found, age_year)} as integer))"
    )
    return (
        f"select lower(strip_accents(concat_ws(' ', {person}))) as person, max({born}) as born "  # noqa: S608 - quoted
        f"from {found.loaded.table} group by person having count(*) = 1"
    )


def _age_year(con: duckdb.DuckDBPyConnection, found: Recognition) -> int | None:
    """Return the year from which a file's ages are counted back, if it has dates that tell."""
    name, age = found.first("birth_date"), found.first("age")
    if not (name and age):
        return None
    rows = con.execute(
        f"select cast(median(year({found.dates[name].sql(quote_column(name))}) "  # noqa: S608 - quoted
        f"+ try_cast({quote_column(age)} as integer)) as integer) from {found.loaded.table}"
    ).fetchall()
    return int(rows[0][0]) if rows[0][0] else None


def _sex(con: duckdb.DuckDBPyConnection, found: Recognition) -> str:
    name = found.first("sex")
    return sex_sql(con, found.loaded.table, name) if name else "cast(null as varchar)"


def _address(found: Recognition, apart: bool) -> dict[str, str]:  # noqa: FBT001 - one of two shapes
    null = "cast(null as varchar)"
    columns = dict.fromkeys(ADDRESS_TAGS, null)
    named = {
        role: _value(name, role)
        for role in ("street", "street_name", "house_number", "unit", "city", "postcode")
        if (name := found.first(role))
    }
    line = named.get("street") or named.get("street_name")
    if not apart:
        return {**columns, "street": _street(found), "postcode": _text(found, "postcode")}
    columns["town"] = named.get("city", null)
    columns["zip"] = named.get("postcode", null)
    if line:
        number = rf"nullif(regexp_extract({line}, '^(\d+\w?)\s|\s(\d+\w?)$'), '')"
        columns["house_number"] = named.get("house_number") or f"trim({number})"
        columns["street_name"] = (
            line
            if "house_number" in named
            else rf"trim(regexp_replace({line}, '^\d+\w?\s+|\s+\d+\w?$', ''))"
        )
    elif "house_number" in named:
        columns["house_number"] = named["house_number"]
    return columns


def _street(found: Recognition) -> str:
    unit = found.first("unit")
    if unit is None:
        return _text(found, "street")
    parts = [_value(name, "street") for name in (found.first("street"), unit) if name]
    return f"nullif(concat_ws(' ', {', '.join(parts)}), '')"
