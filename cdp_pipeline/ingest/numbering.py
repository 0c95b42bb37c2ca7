"""Which line of its delivery each judged row stands on, and how many rows broke which rule.

Reads the table ``judged`` and makes the view ``numbered``; deciding about rows is done before.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.rejections import Rejected
from cdp_pipeline.storage.warehouse import fetch_value


def count_rows(con: duckdb.DuckDBPyConnection, reading: Reading) -> tuple[int, int]:
    """Return rows judged, and records that they were made of.

    Raises:
        RefusedError: Records became more or fewer rows than their elements.
    """
    rows, read = con.execute("select count(*), count(*) filter (_is_first) from judged").fetchall()[
        0
    ]
    if reading.rows is not None and rows != reading.rows:
        raise RefusedError(
            f"its records have {reading.rows} elements, but {rows} were read",
            hint="Look for keys that stand twice in one record.",
            records=reading.rows,
        )
    return int(rows), int(read)


def number_rows(
    con: duckdb.DuckDBPyConnection, reading: Reading, rejected: Rejected, *, scratch: Path
) -> None:
    """Make the view ``numbered``: the judged rows with their line, and the table ``rejected``.

    ``_at`` is the line of the delivery; ``_line`` is the same, or the row's number where one line
    may hold several rows.
    """
    con.execute(
        "create or replace temp table rejected as "
        "select unnest(?::bigint[]) as line, unnest(?::varchar[]) as rule, "
        "unnest(?::varchar[]) as text",
        [rejected.lines, rejected.rules, rejected.texts],
    )
    lines = rejected.accepted_lines
    if lines is None and not reading.is_repeated:
        con.execute(
            "create or replace temp view numbered as "  # noqa: S608 - a number
            f"select *, rowid + {reading.first_line} as _line, _line as _at from judged"
        )
        return
    if lines is None:
        count = int(fetch_value(con, "select count(*) filter (_is_first) from judged"))
        lines = np.arange(reading.first_line, reading.first_line + count)
    target = scratch / "lines.parquet"
    parquet.write_table(pa.table({"_at": lines.astype(np.int64)}), target)
    con.execute(
        "create or replace temp table line_numbers as select _at from read_parquet(?)",
        [str(target)],
    )
    if reading.is_repeated:
        con.execute(
            "create or replace temp view numbered as select j.* exclude (_record), "
            "j.rowid_ + 1 as _line, l._at from (select *, rowid as rowid_, "
            "sum(cast(_is_first as bigint)) over (order by rowid) - 1 as _record from judged) as j "
            "inner join (select *, rowid as _record from line_numbers) as l using (_record)"
        )
        return
    # Both tables keep their rows in file order, which is how a positional join pairs them.
    line = "rowid + 1" if reading.is_document else "_at"
    con.execute(
        f"create or replace temp view numbered as select *, {line} as _line from ("  # noqa: S608 - fixed
        "select *, judged.rowid from judged positional join line_numbers)"
    )


def count_rules(con: duckdb.DuckDBPyConnection, rejected: Rejected) -> dict[str, int]:
    """Return rows set aside by the first rule they break."""
    rows = con.execute(
        "select split_part(_rules, ',', 1) as rule, count(*) from judged "
        "where _rules is not null group by rule"
    ).fetchall()
    counts = {str(rule): int(count) for rule, count in rows}
    for rule in rejected.rules:
        counts[rule] = counts.get(rule, 0) + 1
    return dict(sorted(counts.items()))
