"""Numbers of others that look like somebody's telephone number or card.

A loyalty number of ten digits may end like a telephone number, and an order may have the number of
a card. In a store of a million people that happens: whoever holds the other number keeps it.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb
import pyarrow as pa

from cdp_pipeline.storage.warehouse import describe, quote_column, quote_identifier

PHONE_DIGITS = 9
"""Last digits by which a telephone number is known, whatever stands before them."""

_OWN = ("customer_id", "household_id")
"""Ids that this warehouse gives: letters and digits of a hash."""


def numbers_of_others(
    con: duckdb.DuckDBPyConnection, phones: Collection[str], numbers: Collection[str]
) -> frozenset[str]:
    """Return identifiers of others that equal a number of the people, end like one or go on.

    A telephone of a firm is the beginning of all of its extensions: 030 123456 of 030 123456 78.

    Args:
        con: Connection to a version, with the tables of ``traces`` that say what is theirs:
            ``told_records`` and ``erased_customers``.
        phones: Last nine digits of their telephone numbers.
        numbers: Their cards and accounts, without leading zeros.

    Returns:
        In lower case, as written: of persons' records, sales, orders, events, articles; of
        telephones the digits.
    """
    alike = pa.table(
        {
            "number": pa.array([*phones, *numbers], pa.string()),
            "is_phone": pa.array([True] * len(phones) + [False] * len(numbers)),
        }
    )
    con.register("looked_alike", alike)
    try:
        found = con.execute(" union ".join(_parts(con))).fetchall()
    finally:
        con.unregister("looked_alike")
    return frozenset(str(text) for (text,) in found)


def _parts(con: duckdb.DuckDBPyConnection) -> list[str]:
    held = describe(con, "told_records")
    of_records = ("record_key", "loyalty_id", "account_id", "payment_token", "national_id")
    parts = [
        _alike("told_records", column, "not is_theirs")
        for column in (*of_records, "identifier")
        if column in held
    ]
    found = con.execute(
        "select distinct table_name, column_name from information_schema.columns "
        "where table_schema = 'core' and data_type = 'VARCHAR' "
        r"and regexp_full_match(column_name, '.*_(id|key)|sku') order by all"
    ).fetchall()
    owned = {table for table, column in found if column == "customer_id"}
    listed = {column for table, column in found if table.startswith("dim_")}
    for table, column in found:
        if column.endswith(_OWN) or (column in listed and not table.startswith("dim_")):
            continue  # what a dimension lists is read there
        theirs = "customer_id in (select id from erased_customers)"
        where = f"({theirs}) is not true" if table in owned else "true"
        parts.append(_alike(f"core.{table}", column, where))
    return [*parts, _GOES_ON] if "phone" in held else parts


_GOES_ON = """
select distinct digits as text
from (
    select distinct regexp_replace(cast(phone as varchar), '[^0-9]', '', 'g') as digits
    from told_records
    where not is_theirs and phone is not null
), range(1, 8) as places(place), (
    select distinct length(number) as size from looked_alike where is_phone
)
where length(digits) >= place + size
and substr(digits, place, size) in (select number from looked_alike where is_phone)
"""


def _alike(table: str, column: str, where: str) -> str:
    value = quote_column(column)
    # Ids repeat in facts; keys do not, and to hold them all for nothing takes longer than to look.
    each = value if column.endswith("_key") else f"distinct {value}"
    return (
        f"select lower(text) as text from (select {each} as text from {quote_identifier(table)} "  # noqa: S608 - quoted
        f"where {where}) where substr(text, -{PHONE_DIGITS}) in "
        "(select number from looked_alike where is_phone) or (text between '0' and ':' "
        "and ltrim(text, '0') in (select number from looked_alike where not is_phone))"
    )
