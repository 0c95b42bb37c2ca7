"""Which line of its delivery each row stands on, and how many rows broke which rule.

Works on what ``splitting`` has left; deciding about rows is done before.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.ingest.records import Positions
from cdp_pipeline.ingest.rejections import Rejected
from cdp_pipeline.ingest.splitting import RowWriter, Split


def number_rows(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    rejected: Rejected,
    split: Split,
    *,
    scratch: Path,
) -> None:
    """Make the tables ``broken_lines`` (_row, _at) and ``rejected``; mend ``_line`` where needed.

    ``_at`` is the line of the delivery; ``_line`` of the accepted rows is the same, or the row's
    number where one line may hold several rows.
    """
    con.execute(
        "create or replace temp table rejected as "
        "select unnest(?::bigint[]) as line, unnest(?::varchar[]) as rule, "
        "unnest(?::varchar[]) as text",
        [rejected.lines, rejected.rules, rejected.texts],
    )
    target = scratch / "lines.parquet"
    at = _lines_of(split.broken, reading, rejected, split)
    parquet.write_table(pa.table({"_row": split.broken, "_at": at}), target)
    con.execute(
        "create or replace temp table broken_lines as select _row, _at from read_parquet(?)",
        [str(target)],
    )
    lines = rejected.accepted_lines
    if lines is None or reading.is_repeated or reading.is_document:
        return  # rows were numbered right while they passed
    if not np.array_equal(lines, np.arange(split.base, split.base + len(lines))):
        _renumber(split, lines)


def _lines_of(places: Positions, reading: Reading, rejected: Rejected, split: Split) -> Positions:
    """Return the line of the delivery of rows by their place among all rows."""
    if split.is_first is not None:
        places = (np.cumsum(split.is_first) - 1)[places]
    lines = rejected.accepted_lines
    return places + reading.first_line if lines is None else lines[places].astype(np.int64)


def _renumber(split: Split, lines: Positions) -> None:
    """Write the accepted rows once more, each with the line that only the whole file tells."""
    copy = split.target.with_name(f"{split.target.name}.numbered")
    source = parquet.ParquetFile(split.target)
    schema = source.schema_arrow
    place = schema.get_field_index("_line")
    with RowWriter(copy, schema) as writer:
        for batch in source.iter_batches():
            numbers = lines[batch.column(place).to_numpy() - split.base].astype(np.int64)
            columns = list(batch.columns)
            columns[place] = pa.array(numbers)
            writer.write(pa.record_batch(columns, schema=schema))
    copy.replace(split.target)


def count_rules(con: duckdb.DuckDBPyConnection, rejected: Rejected) -> dict[str, int]:
    """Return rows set aside by the first rule they break."""
    rows = con.execute(
        "select split_part(_rules, ',', 1) as rule, count(*) from broken group by rule"
    ).fetchall()
    counts = {str(rule): int(count) for rule, count in rows}
    for rule in rejected.rules:
        counts[rule] = counts.get(rule, 0) + 1
    return dict(sorted(counts.items()))
