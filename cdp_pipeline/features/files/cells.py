"""How a file's columns are written, as SQL: who bought, dates, numbers.

Finding a column that an option names and reading its texts belong here; counting what they held
belongs to ``transactions`` and ``purchases``.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.dates import Order, read_dates
from cdp_pipeline.storage.tabular import ROW, Loaded
from cdp_pipeline.storage.warehouse import quote_column

SAMPLE_ROWS = 100_000
NAMELESS = ("null", "nan", "none", "<na>", "n/a", "#n/a", "(null)", "(blank)", "\\n")
"""What programs write where nothing is, in small letters: as customers they would be one person."""


def customer_sql(name: str) -> str:
    """Return SQL for who bought; NULL where a column of texts names nobody."""
    column = f"trim({quote_column(name)})"
    nameless = ", ".join(f"'{word}'" for word in NAMELESS)
    return f"case when lower({column}) not in ('', {nameless}) then {column} end"


def find_column(loaded: Loaded, name: str, option: str) -> str:
    """Return a file's own spelling of a column that an option names.

    Raises:
        ConfigError: It is not there; says which could be meant.
    """
    if name in loaded.columns:
        return name
    same = [column for column in loaded.columns if column.lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    lower = {column.lower(): column for column in loaded.columns}
    near = difflib.get_close_matches(name.lower(), list(lower), 1)
    listed = ", ".join(loaded.columns)
    meant = f"Did you mean {lower[near[0]]!r}? " if near else ""
    raise ConfigError(
        f"there is no column {name!r}",
        where=f"{loaded.where} ({option})",
        hint=f"{meant}The file has: {listed}.",
    )


def warn_of_repeated(loaded: Loaded, names: Sequence[str | None]) -> list[str]:
    """Say of which columns that options name the file has several."""
    return [
        f"the file has several columns {name!r}: the first is used; the next is called '{name}_2'"
        for name in dict.fromkeys(names)
        if name and name.lower() in loaded.repeated
    ]


def date_sql(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, name: str, order: Order | None
) -> tuple[str, list[str]]:
    """Return SQL of type date for a column of texts, and what was assumed."""
    column = quote_column(name)
    step = max(1, loaded.rows // SAMPLE_ROWS)
    sample = f"(select * from {loaded.table} where {ROW} % {step} = 0)"  # noqa: S608 - our own names
    iso = f"try_cast(trim({column}) as timestamp)"
    filled = f"nullif(trim({column}), '') is not null"
    read, asked = con.execute(
        f"select count({iso}), count(*) filter (where {filled}) from {sample}"  # noqa: S608 - quoted
    ).fetchall()[0]
    if asked and read == asked:
        return f"{iso}::date", []
    reading = read_dates(con, sample, column, order=order)
    if not reading.formats:
        return f"{iso}::date", []
    notes = []
    if not reading.certain:
        notes.append(
            f"{name}: read with the {reading.order} by assumption, as no value tells day from "
            "month; say --day-first or --month-first if it matters"
        )
    return reading.sql(column), notes


def number_sql(con: duckdb.DuckDBPyConnection, loaded: Loaded, name: str) -> str:
    """Return SQL of type decimal for a column of texts such as 1,234.50 or 1.234,50 EUR."""
    column = quote_column(name)
    comma, dot = con.execute(
        f"select count(*) filter (where regexp_matches({column}, ',[0-9]{{1,2}}[^0-9]*$')), "  # noqa: S608 - quoted
        f"count(*) filter (where regexp_matches({column}, '\\.[0-9]+([eE][-+]?[0-9]+)?[^0-9]*$')) "
        f"from {loaded.table}"
    ).fetchall()[0]
    thousands, decimal = (".", ",") if comma > dot else (",", ".")
    # The shortest road first: most files hold plain numbers. An E that belongs to no exponent, as
    # that of EUR, stands in the way only where the rest could not be read.
    bare = f"regexp_replace({column}, '(^|[^0-9.,])[eE]+|[eE]+([^-+0-9]|$)', '\\1\\2', 'g')"
    roads = [road for text in (column, bare) for road in _roads_to_number(text, thousands, decimal)]
    return f"coalesce({', '.join(roads)})"


def _roads_to_number(text: str, thousands: str, decimal: str) -> tuple[str, ...]:
    kept = f"regexp_replace({text}, '[^0-9eE,.+()\\-]', '', 'g')"
    plain = f"replace(replace({kept}, '{thousands}', ''), '{decimal}', '.')"
    negative = f"regexp_matches(trim({text}), '^\\(.*\\)$|-$')"
    digits = f"regexp_replace({plain}, '[()]|-$', '', 'g')"
    return (
        f"try_cast({plain} as decimal(18, 4))",
        f"case when {negative} then -try_cast({digits} as decimal(18, 4)) end",
        f"try_cast(try_cast({plain} as double) as decimal(18, 4))",
    )
