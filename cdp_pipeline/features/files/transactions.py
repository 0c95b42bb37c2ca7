"""Transactions of any CSV or Parquet file as ``features.customer_day``.

Which column is what is said by whoever asks; how it is written is found from its values. Rows that
cannot be read are counted and named, never guessed; too many of them refuse the file.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from datetime import date
from pathlib import Path

import duckdb

from cdp_pipeline.core.errors import ConfigError, DataQualityError
from cdp_pipeline.features.files.cells import (
    SAMPLE_ROWS,
    customer_sql,
    date_sql,
    find_column,
    number_sql,
    warn_of_repeated,
)
from cdp_pipeline.storage.dates import Order
from cdp_pipeline.storage.tabular import ROW, Loaded, load_files
from cdp_pipeline.storage.warehouse import fetch_value, quote_column

LARGEST_UNREADABLE_SHARE = 0.05
_LONGEST_GAP_DAYS = 120
_SLIP_GAP_DAYS = 365
_LARGEST_SLIP_SHARE = 0.01
_LONGEST_HISTORY_DAYS = 36_525
_COPIED_SHARE = 0.5


_LINES = """
create or replace temp table file_lines as
select
    {row} as line_number,
    {customer} as customer_id,
    {date} as bought_on,
    {amount} as amount,
    {part} as part,
    {date_text} as date_text,
    {amount_text} as amount_text,
from {table}
"""

_COUNTS = """
select
    count(*),
    count(*) filter (where customer_id is null),
    count(*) filter (where customer_id is not null and (bought_on is null or amount is null)),
    max(bought_on) filter (where customer_id is not null),
from file_lines
"""

# A wrong year, or a date that stands for none, would pass for centuries in which nobody bought.
_BULK = """
with days as (
    select
        bought_on,
        count(*) as lines,
    from file_lines
    where customer_id is not null and bought_on is not null and amount is not null
    group by bought_on
),
gaps as (
    select
        lag(bought_on) over in_order as before_on,
        bought_on,
        sum(lines) over in_order - lines as lines_before,
        sum(lines) over () * $share::double as few,
        sum(lines) over () as lines,
    from days
    window in_order as (order by bought_on asc)
)
select
    max(bought_on) filter (where lines_before <= few),
    min(before_on) filter (where lines - lines_before <= few),
from gaps
where bought_on - before_on > $gap_days::integer
"""

_USED = """
select
    count(*) filter (where bought_on <= $1::date),
    count(distinct customer_id) filter (where bought_on <= $1::date),
    min(bought_on),
    count(*) filter (where bought_on > $1::date),
from file_lines
where customer_id is not null and bought_on is not null and amount is not null
"""

# How far apart days lie, on average, within a hundredth of the rows.
_SPREAD = """
select avg(days) from (
    select max(bought_on) - min(bought_on) as days
    from file_lines
    where
        line_number % $step::bigint = 0
        and customer_id is not null
        and bought_on between $first::date and $last::date
    group by line_number * 100 // $rows::bigint
)
"""
_BY_DAY_SHARE = 0.05


@dataclass(frozen=True)
class Columns:
    """Names of a file's columns.

    Attributes:
        customer: Who bought.
        date: When.
        amount: For how much; returns are negative.
        quantity: How many, where ``amount`` is the price of one; None: ``amount`` is the total.
        part: What to score separately by, such as a channel; None: everything together.
    """

    customer: str
    date: str
    amount: str
    quantity: str | None = None
    part: str | None = None


@dataclass(frozen=True)
class Transactions:
    """What a file held.

    Attributes:
        file: Its name.
        rows: Rows.
        used_rows: Rows that count.
        without_customer: Rows that name no customer; left out.
        unreadable: Rows whose date or amount cannot be read; left out.
        after_last_day: Rows after ``as_of``; left out.
        customers: Customers.
        first_on: First day.
        as_of: Last day; what follows is forecast.
        is_by_day: Whether rows follow each other about day by day.
        parts: Values of the column to score separately by.
        notes: What people should know of the reading.
    """

    file: str
    rows: int
    used_rows: int
    without_customer: int
    unreadable: int
    after_last_day: int
    customers: int
    first_on: date
    as_of: date
    is_by_day: bool
    parts: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def history_days(self) -> int:
        """Days from the first to the last, both counted."""
        return (self.as_of - self.first_on).days + 1

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return asdict(self)


def read_transactions(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    columns: Columns,
    *,
    as_of: date | None = None,
    order: Order | None = None,
    counts_free: bool = False,
) -> Transactions:
    """Read a file into the temporary table ``file_lines`` and say what it held.

    Args:
        con: Connection.
        path: CSV or Parquet file, one row a transaction or a line of one.
        columns: Names of its columns.
        as_of: Last day that counts; default: the last day of the file.
        order: Whether the day or the month comes first in dates that leave it open.
        counts_free: Whether a day on which everything cost nothing is a visit.

    Raises:
        ConfigError: A column is not there, or no day is up to ``as_of``.
        ContractError: The file cannot be read.
        DataQualityError: Too many dates or amounts cannot be read, or days span a century.
    """
    (loaded,) = load_files(con, [path])
    notes = _load_lines(con, loaded, columns, order)
    rows, without, unreadable, newest = con.execute(_COUNTS).fetchall()[0]
    _refuse_unreadable(con, loaded, columns, unreadable, rows - without)
    last, slips = _leave_out_slips(con, newest, as_of)
    used, customers, first, later = con.execute(_USED, [last]).fetchall()[0]
    if not used:
        message = f"no transaction of a named customer up to {last}"
        raise ConfigError(message, where=loaded.where, hint="Check --customer and --as-of.")
    _refuse_centuries(f"{loaded.where}: {columns.date}", first, last)
    notes += [*slips, *_warn_of_rows(unreadable, without, rows), *_warn_of_gaps(con, last)]
    notes += _warn_of_copies(con, loaded) + ([] if counts_free else _warn_of_free_days(con, last))
    return Transactions(
        file=path.name,
        rows=rows,
        used_rows=used,
        without_customer=without,
        unreadable=unreadable,
        after_last_day=later,
        customers=customers,
        first_on=first,
        as_of=last,
        is_by_day=_is_by_day(con, rows, first, last),
        parts=_parts(con) if columns.part else (),
        notes=tuple(notes),
    )


def _load_lines(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: Columns, order: Order | None
) -> list[str]:
    customer, day, amount = (
        find_column(loaded, name, option)
        for name, option in (
            (columns.customer, "--customer"),
            (columns.date, "--date"),
            (columns.amount, "--amount"),
        )
    )
    quantity = find_column(loaded, columns.quantity, "--quantity") if columns.quantity else None
    part = find_column(loaded, columns.part, "--by") if columns.part else None
    day_sql, notes = date_sql(con, loaded, day, order)
    amount_sql = number_sql(con, loaded, amount)
    if quantity:
        amount_sql = f"({amount_sql} * {number_sql(con, loaded, quantity)})::decimal(18, 4)"
    con.execute(
        _LINES.format(
            row=ROW,
            customer=customer_sql(customer),
            date=day_sql,
            amount=amount_sql,
            part=f"nullif(trim({quote_column(part)}), '')" if part else "null",
            date_text=quote_column(day),
            amount_text=quote_column(amount),
            table=loaded.table,
        )
    )
    return [*notes, *warn_of_repeated(loaded, astuple(columns))]


def _refuse_unreadable(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: Columns, unreadable: int, rows: int
) -> None:
    if not rows:
        raise ConfigError(
            f"no row names a customer in {columns.customer!r}",
            where=loaded.where,
            hint="Name the column that says who bought with --customer.",
        )
    if unreadable <= LARGEST_UNREADABLE_SHARE * rows:
        return
    line, is_date, date_text, amount_text = con.execute(
        "select line_number, bought_on is null, date_text, amount_text from file_lines "
        "where customer_id is not null and (bought_on is null or amount is null) "
        "order by line_number limit 1"
    ).fetchall()[0]
    column, text, kind = (
        (columns.date, date_text, "a date")
        if is_date
        else (columns.amount, amount_text, "a number")
    )
    raise DataQualityError(
        f"{unreadable:,} of {rows:,} rows have no readable date or amount; the first: "
        f"{column} is {text!r}, not {kind}",
        where=f"{loaded.where}, record {line}",
        hint="Check --date and --amount, or mend the rows.",
    )


def _refuse_centuries(where: str, first: date, last: date) -> None:
    if (last - first).days > _LONGEST_HISTORY_DAYS:
        raise DataQualityError(
            f"the days reach from {first} to {last}, over a century",
            where=where,
            hint="Mend the dates, or say --as-of with the last day on which there were sales.",
        )


def _is_by_day(con: duckdb.DuckDBPyConnection, rows: int, first: date, last: date) -> bool:
    params = {"rows": rows, "step": max(1, rows // SAMPLE_ROWS), "first": first, "last": last}
    return (fetch_value(con, _SPREAD, params) or 0) <= _BY_DAY_SHARE * (last - first).days


def _parts(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    rows = con.execute(
        "select part from file_lines where part is not null and customer_id is not null "
        "group by part order by count(*) desc, part"
    ).fetchall()
    return tuple(row[0] for row in rows)


def _leave_out_slips(
    con: duckdb.DuckDBPyConnection, newest: date, as_of: date | None
) -> tuple[date, list[str]]:
    """Return the last day that counts, and what is said of days far from all others."""
    params = {"share": _LARGEST_SLIP_SHARE, "gap_days": _SLIP_GAP_DAYS}
    begin, end = con.execute(_BULK, params).fetchall()[0]
    notes = []
    if begin:
        early = fetch_value(con, "select count(*) from file_lines where bought_on < ?", [begin])
        con.execute("delete from file_lines where bought_on < ?", [begin])
        notes.append(
            f"{_count_rows(early)} more than a year before all others, which begin on {begin}: "
            "left out; mend the dates if they are sales"
        )
    if as_of or not end:
        return as_of or newest, notes
    late = fetch_value(con, "select count(*) from file_lines where bought_on > ?", [end])
    notes.append(
        f"{_count_rows(late)} more than a year after all others, which end on {end}: left out; "
        f"if they are sales, say --as-of {newest}"
    )
    return end, notes


def _count_rows(rows: int) -> str:
    return f"{rows:,} {'row lies' if rows == 1 else 'rows lie'}"


def _warn_of_rows(unreadable: int, without: int, rows: int) -> list[str]:
    notes = []
    if without:
        notes.append(f"{without:,} of {rows:,} rows name no customer and are left out")
    if unreadable:
        notes.append(
            f"{unreadable:,} of {rows:,} rows have no readable date or amount and are left out"
        )
    return notes


def _warn_of_copies(con: duckdb.DuckDBPyConnection, loaded: Loaded) -> list[str]:
    """Say that most rows stand there twice, as when a file was exported or appended twice."""
    columns = ", ".join(quote_column(column) for column in loaded.columns)
    step = max(1, loaded.rows // SAMPLE_ROWS)
    # By what a row holds, not by where it stands: copies are in the sample together.
    rows, copied = con.execute(
        "select coalesce(sum(copies), 0), coalesce(sum(copies) filter (where copies > 1), 0) "  # noqa: S608 - quoted
        f"from (select count(*) as copies from (select hash({columns}) as row_hash "
        f"from {loaded.table}) where row_hash % {step} = 0 group by row_hash)"
    ).fetchall()[0]
    if copied <= _COPIED_SHARE * rows:
        return []
    note = (
        f"{copied / rows:.0%} of rows have an exact copy: if the file was exported twice, amounts "
        "count double; remove the copies if they are no purchases"
    )
    return [note]


def _warn_of_gaps(con: duckdb.DuckDBPyConnection, last: date) -> list[str]:
    notes = []
    before = fetch_value(con, "select max(bought_on) from file_lines where bought_on < ?", [last])
    if before and (last - before).days > _LONGEST_GAP_DAYS:
        notes.append(
            f"the last day, {last}, comes {(last - before).days} days after the day before it; "
            "if it is a slip, say --as-of"
        )
    return notes


def _warn_of_free_days(con: duckdb.DuckDBPyConnection, last: date) -> list[str]:
    free = fetch_value(
        con,
        "select count(*) from (select 1 from file_lines where customer_id is not null "
        "and bought_on <= ? group by customer_id, bought_on having bool_and(amount = 0))",
        [last],
    )
    if not free:
        return []
    return [f"{free:,} customer-days cost nothing; they are no visits unless --count-free is said"]
