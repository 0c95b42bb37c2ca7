"""Which line of its delivery each row stands on, and how many rows broke which rule.

Works on what ``splitting`` has left; deciding about rows is done before.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.ingest.line_numbers import LineNumbers, Walk, count_on
from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.ingest.rejections import Rejected
from cdp_pipeline.ingest.splitting import RowWriter, Split
from cdp_pipeline.storage.warehouse import quote_literal


def number_rows(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    rejected: Rejected,
    split: Split,
    *,
    scratch: Path,
) -> None:
    """Make the view ``broken_lines`` (_row, _at); mend ``_line`` where needed.

    ``_at`` is the line of the delivery; ``_line`` of the accepted rows is the same, or the row's
    number where one line may hold several rows.
    """
    target = scratch / "lines.parquet"
    _write_lines(split, rejected, target, first_line=reading.first_line)
    con.execute(
        "create or replace temp view broken_lines as "  # noqa: S608 - quoted
        f"select _row, _at from read_parquet({quote_literal(str(target))})"
    )
    lines = rejected.accepted_lines
    if lines is None or reading.is_repeated or reading.is_document:
        return  # rows were numbered right while they passed
    if not count_on(lines.blocks(), split.base):
        _renumber(split, lines)


def _write_lines(split: Split, rejected: Rejected, target: Path, *, first_line: int) -> None:
    """Write the line of the delivery of each broken row."""
    lines = rejected.accepted_lines
    walk = Walk(lines.blocks()) if lines is not None else None
    schema = pa.schema([("_row", pa.int64()), ("_at", pa.int64())])
    with parquet.ParquetWriter(target, schema) as writer:
        for batch in parquet.ParquetFile(split.aside).iter_batches(columns=["_row", "_record"]):
            records = batch.column("_record").to_numpy()
            at = records + first_line if walk is None else walk.at(records)
            columns = [batch.column("_row"), pa.array(at, pa.int64())]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _renumber(split: Split, lines: LineNumbers) -> None:
    """Write the accepted rows once more, each with the line that only the whole file tells."""
    copy = split.target.with_name(f"{split.target.name}.numbered")
    source = parquet.ParquetFile(split.target)
    schema = source.schema_arrow
    place = schema.get_field_index("_line")
    walk = Walk(lines.blocks())
    with RowWriter(copy, schema) as writer:
        for group in range(source.num_row_groups):  # one reader of all would hold them all
            for batch in source.read_row_group(group).to_batches():
                numbers = walk.at(batch.column(place).to_numpy() - split.base)
                columns = list(batch.columns)
                columns[place] = pa.array(numbers)
                writer.write(pa.record_batch(columns, schema=schema))
    copy.replace(split.target)


def count_rules(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return rows set aside by the first rule they break."""
    rows = con.execute(
        "select rule, count(*) from (select split_part(_rules, ',', 1) as rule from broken "
        "union all select rule from rejected) group by rule order by rule"
    ).fetchall()
    return {str(rule): int(count) for rule, count in rows}
