"""From recognised columns to ``staging.person_records``: one shape for all files.

Parts of dates and addresses are joined or taken apart, ages become years of birth, words for sexes
become F and M. An address that comes as one line with a postcode is compared as a whole; one that
comes in parts, or without either, part by part.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.identity.files.columns import Recognition
from cdp_pipeline.storage.tabular import ROW
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

KIND = "record"
"""All records of files are equal: none is another's profile."""

TEXTS = (
    "given_name", "family_name", "full_name", "middle_name", "email", "phone", "loyalty_id",
    "account_id", "payment_token", "national_id", "birth_place", "occupation", "identifier",
    "category", "state",
)  # fmt: skip
NUMBERS = frozenset(
    {"phone", "loyalty_id", "account_id", "national_id", "identifier", "postcode", "house_number"}
)
"""Numbers that other programs have written as 7700900123.0."""

ADDRESS_TAGS = ("street", "postcode", "house_number", "street_name", "town", "zip")
UNKNOWN_AGE_YEAR = 2000
"""Year that ages are counted back from when no birth date tells: only differences matter."""

FEWEST_NAMESAKES = 20
"""People in two files from which the difference of their ages is believed."""

_FEMALE = "'f', 'w', 'female', 'woman', 'frau', 'femme', 'weiblich', 'mujer', 'donna', 'kvinna'"
_MALE = "'m', 'h', 'male', 'man', 'mann', 'homme', 'mannlich', 'hombre', 'uomo'"


def gather(con: duckdb.DuckDBPyConnection, files: Sequence[Recognition]) -> None:
    """Create the view ``staging.person_records`` of all files, in their order, and ``link_rows``.

    The view numbers its rows from 0 in ``place``. ``link_rows`` has (source, record_key) in the
    same order. A view, as the first thing that happens to these rows is that they are cleaned.
    """
    apart = is_apart(files)
    years = _age_years(con, files)
    selects, first = [], 0
    for found, year in zip(files, years, strict=True):
        selects.append(_select(found, apart, year, first_place=first))
        first += found.loaded.rows
    con.execute(f"create view staging.person_records as {' union all '.join(selects)}")
    con.execute(
        "create or replace temp table link_rows as "
        "select source, record_key from staging.person_records"
    )


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


def _select(found: Recognition, apart: bool, age_year: int, *, first_place: int) -> str:  # noqa: FBT001 - one of two shapes
    source = found.first("source")
    record_id = found.first("record_id")
    key = f"trim({quote_column(record_id)})" if record_id else f"cast({ROW} as varchar)"
    items = {
        "place": f"{first_place} + {ROW} - 1",
        "source": f"coalesce(trim({quote_column(source)}), '')"
        if source
        else quote_literal(found.loaded.source),
        "record_key": key,
        "record_kind": quote_literal(KIND),
        **{tag: _text(found, tag) for tag in TEXTS},
        "birth_date": _birth_date(found),
        "birth_year": _birth_year(found, age_year),
        "sex": _sex(found.first("sex")),
        **_address(found, apart),
        "city": "cast(null as varchar)",
        "updated_at": "cast(null as timestamp)",
    }
    columns = ", ".join(f"{sql} as {name}" for name, sql in items.items())
    return f"select {columns} from {found.loaded.table}"  # noqa: S608 - quoted columns


def _text(found: Recognition, role: str) -> str:
    columns = [_value(name, role) for name in found.used(role)]
    if not columns:
        return "cast(null as varchar)"
    return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"


def _value(name: str, role: str) -> str:
    text = f"nullif(trim({quote_column(name)}), '')"
    if role not in NUMBERS:
        return text
    return f"case when ends_with({text}, '.0') then left({text}, -2) else {text} end"


def _birth_date(found: Recognition) -> str:
    name = found.first("birth_date")
    if name:
        return found.dates[name].sql(quote_column(name))
    parts = [found.first(role) for role in ("birth_year", "birth_month", "birth_day")]
    if all(parts):
        joined = " || '-' || ".join(f"trim({quote_column(part)})" for part in parts if part)
        return f"try_cast({joined} as date)"
    return "cast(null as date)"


def _birth_year(found: Recognition, age_year: int) -> str:
    name = found.first("birth_year")
    if name and not (found.first("birth_month") and found.first("birth_day")):
        return f"nullif(trim({quote_column(name)}), '')"
    age = found.first("age")
    if age:
        return f"cast({age_year} - try_cast({quote_column(age)} as integer) as varchar)"
    return "cast(null as varchar)"


def _age_years(con: duckdb.DuckDBPyConnection, files: Sequence[Recognition]) -> list[int]:
    """Return the year from which each file's ages are counted back.

    A file with dates tells its own; the others are set against the first file by how much older
    namesakes of one postcode or town are.
    """
    years = [_age_year(con, found) for found in files]
    first = next((number for number, found in enumerate(files) if found.used("age")), None)
    if first is None:
        return [year or UNKNOWN_AGE_YEAR for year in years]
    base = years[first] or next((year for year in years if year), UNKNOWN_AGE_YEAR)
    return [
        year or base + (_years_between(con, files[first], found) if number != first else 0)
        for number, (found, year) in enumerate(zip(files, years, strict=True))
    ]


def _years_between(con: duckdb.DuckDBPyConnection, first: Recognition, other: Recognition) -> int:
    """Return how much older the people of another file are, or 0 if too few are in both."""
    sides = [_namesakes(found) for found in (first, other)]
    if not all(sides):
        return 0
    rows = con.execute(
        f"select count(*), cast(median(b.age - a.age) as integer) from ({sides[0]}) as a "  # noqa: S608 - quoted
        f"inner join ({sides[1]}) as b using (person)"
    ).fetchall()
    return int(rows[0][1]) if rows[0][0] >= FEWEST_NAMESAKES else 0


def _namesakes(found: Recognition) -> str | None:
    """Return a SELECT of (person, age) for names that stand once in a place."""
    place = found.first("postcode") or found.first("city")
    given, family, age = (found.first(role) for role in ("given_name", "family_name", "age"))
    if not (place and given and family and age):
        return None
    person = ", ".join(f"lower(trim({quote_column(c)}))" for c in (given, family, place))
    return (
        f"select concat_ws('|', {person}) as person, "  # noqa: S608 - quoted
        f"max(try_cast({quote_column(age)} as integer)) as age from {found.loaded.table} "
        "group by person having count(*) = 1"
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


def _sex(name: str | None) -> str:
    if name is None:
        return "cast(null as varchar)"
    word = f"lower(strip_accents(trim({quote_column(name)})))"
    return f"case when {word} in ({_FEMALE}) then 'F' when {word} in ({_MALE}) then 'M' end"


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
        parts = [named[role] for role in ("street", "unit") if role in named]
        joined = f"nullif(concat_ws(' ', {', '.join(parts)}), '')" if parts else null
        return {**columns, "street": joined, "postcode": named.get("postcode", null)}
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
