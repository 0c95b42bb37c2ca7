"""Split the judged rows of one delivery in a stream: fine rows to Parquet, broken ones aside.

Rows pass through once, so that memory does not grow with the file. Which rows are broken is decided
in ``judging``, on which lines they stand in ``numbering``; what is written here may still be
refused, and the caller gives it its final name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.ingest.deliveries import PRIVATE_FILE_MODE
from cdp_pipeline.ingest.judging import Judgement
from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.ingest.records import Positions
from cdp_pipeline.ingest.refusal import WITHOUT_KEY, RefusedError, is_of_machine
from cdp_pipeline.ingest.shapes import SAMPLE_ROWS
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import first_line, quote_column, quote_literal

GROUP_ROWS = 122_880
"""Rows of a Parquet row group; always full, so that equal rows give equal bytes."""

DICTIONARY_BYTES = 1 << 16
"""Texts of a column's dictionary: receipts and the like take less room without one."""

_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "dictionary_pagesize_limit": DICTIONARY_BYTES,
    "store_decimal_as_integer": True,
    "write_statistics": False,  # whoever reads staged rows reads them all
    "store_schema": False,
}
_BATCH_ROWS = 32_768
_BUFFER = "64MB"
"""Rows that DuckDB's threads may judge ahead while earlier ones are written."""

_QUOTED = re.compile(r'".*"')
"""What errors quote: values of the file, which reasons must not tell, and our own paths."""

_FEW_BROKEN = 64
"""Rows per broken one from which a batch is cut into stretches rather than copied."""

_ASIDE = "broken.parquet"


@dataclass(frozen=True)
class Split:
    """What became of the judged rows.

    Attributes:
        rows: Rows judged.
        read: Records that they were made of.
        accepted: Rows that break no rule; in file order in ``target``.
        target: Parquet file of the accepted rows.
        base: ``_line`` of the first row, which counts up from there, broken rows included.
        aside: Parquet file of the broken rows, shown by the view ``broken``.
        null_counts: Missing values by column, over the accepted rows.
        sample: The first accepted rows.
    """

    rows: int
    read: int
    accepted: int
    target: Path
    base: int
    aside: Path
    null_counts: dict[str, int]
    sample: pa.Table


def split_rows(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    contract: SourceContract,
    judgement: Judgement,
    *,
    target: Path,
    scratch: Path,
) -> Split:
    """Write accepted rows to a Parquet file and the others to the view ``broken``.

    The view ``judged`` holds both. ``broken`` has the contract's columns and ``_row`` (place among
    all rows), ``_record`` (that of its record among all that were read), ``_rules`` and ``_raw``.

    Args:
        con: Private connection of this delivery.
        reading: How to read it.
        contract: Its contract.
        judgement: The statement that judges its rows.
        target: File to write.
        scratch: Private folder; the caller removes it.

    Raises:
        RefusedError: DuckDB cannot read the file at all, or records became more or fewer rows
            than their elements.
    """
    stream = _Stream(con, judgement, reading)
    split = _Splitting(reading, contract, judgement)
    with (
        RowWriter(target, split.accepted_schema(stream.schema)) as fine,
        RowWriter(scratch / _ASIDE, split.broken_schema(stream.schema)) as aside,
    ):
        for batch in stream:
            split.take(batch, fine, aside)
    _show(con, contract, target, scratch / _ASIDE)
    if reading.rows is not None and split.rows != reading.rows:
        raise RefusedError(
            f"its records have {reading.rows} elements, but {split.rows} were read",
            hint="Look for keys that stand twice in one record.",
            records=reading.rows,
        )
    return split.outcome(target, scratch / _ASIDE, split.accepted_schema(stream.schema))


def _show(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, fine: Path, aside: Path
) -> None:
    """Make the views ``broken`` and ``judged`` over the files."""
    columns = ", ".join(map(quote_column, contract.columns))
    for view, chosen, paths in (("broken", "*", [aside]), ("judged", columns, [fine, aside])):
        files = ", ".join(quote_literal(str(path)) for path in paths)
        con.execute(
            f"create or replace temp view {view} as "  # noqa: S608 - quoted
            f"select {chosen} from read_parquet([{files}], union_by_name = true)"
        )


class _Stream:
    """Batches of judged rows; what DuckDB cannot read is a refusal, whenever it shows."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, judgement: Judgement, reading: Reading
    ) -> None:
        self._records = reading.records
        try:
            con.execute(f"set streaming_buffer_size = '{_BUFFER}'")
            # Made a join, as DuckDB likes to, a list of allowed values would cost the file's order.
            con.execute("set disabled_optimizers = 'in_clause'")
            relation = con.sql(judgement.select, params=[str(reading.path)])
            self._reader = relation.to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            if is_of_machine(error):
                raise
            raise self._unreadable(error) from error
        self.schema: pa.Schema = self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                if is_of_machine(error):
                    raise
                raise self._unreadable(error) from error
            yield batch

    def _unreadable(self, error: Exception) -> RefusedError:
        again = "Have it sent again; of a text, compare delimiter, quotes and line ends."
        return RefusedError(
            f"it cannot be read: {_QUOTED.sub('...', first_line(error))}",
            hint=WITHOUT_KEY if "is encrypted" in str(error) else again,
            records=self._records,
        )


class RowWriter:
    """Parquet in row groups of equal size, whatever the batches; private, and whole or absent.

    A group is written while the rows of the next one are gathered.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Open a file for rows of a schema."""
        self._path, self._schema = path, schema
        self._held: list[pa.RecordBatch] = []
        self._rows = 0
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        """Begin the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._writer = parquet.ParquetWriter(self._path, self._schema, **_WRITING)
        self._pool = ThreadPoolExecutor(1)
        self._path.chmod(PRIVATE_FILE_MODE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, or remove the file if something went wrong."""
        is_whole = False
        try:
            if kind is None:
                self._flush(self._rows)
                self._await_group()
                is_whole = True
        finally:
            self._pool.shutdown()
            self._writer.close()
            if not is_whole:
                self._path.unlink(missing_ok=True)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self._held.append(batch)
        self._rows += batch.num_rows
        while self._rows >= GROUP_ROWS:
            self._flush(GROUP_ROWS)

    def _flush(self, count: int) -> None:
        if not count:
            return
        held = pa.Table.from_batches(self._held, self._schema)
        self._await_group()
        self._pending = self._pool.submit(self._write_group, held.slice(0, count))
        self._held = held.slice(count).to_batches()
        self._rows -= count

    def _write_group(self, rows: pa.Table) -> None:
        # One chunk: page breaks within a group must not depend on the batches either.
        self._writer.write_table(rows.combine_chunks(), row_group_size=GROUP_ROWS)

    def _await_group(self) -> None:
        """Wait for the group before; what went wrong with it is raised here."""
        if self._pending is not None:
            self._pending.result()


@dataclass
class _Splitting:
    """Counts so far, and the constant columns of accepted rows."""

    reading: Reading
    contract: SourceContract
    judgement: Judgement
    rows: int = 0
    read: int = 0
    accepted: int = 0
    null_counts: dict[str, int] = field(default_factory=dict)
    sample: list[pa.RecordBatch] = field(default_factory=list)

    @property
    def base(self) -> int:
        """Number of the first row: lines count where a row is a line, else rows do."""
        is_counted = self.reading.is_document and self.reading.record_lines is not None
        return 1 if self.reading.is_repeated or is_counted else self.reading.first_line

    def accepted_schema(self, judged: pa.Schema) -> pa.Schema:
        """Return the schema of staged rows."""
        named = pa.dictionary(pa.int32(), pa.string())
        return pa.schema(
            [
                *(judged.field(name) for name in self.contract.columns),
                pa.field("_file", named),
                pa.field("_line", pa.int64()),
                pa.field("_item", pa.int64()),
                pa.field("_business_date", pa.date32()),
            ]
        )

    def broken_schema(self, judged: pa.Schema) -> pa.Schema:
        """Return the schema of rows that are set aside."""
        names = (*self.contract.columns, "_rules", "_raw")
        places = [pa.field("_row", pa.int64()), pa.field("_record", pa.int64())]
        return pa.schema([*places, *(judged.field(name) for name in names)])

    def take(self, batch: pa.RecordBatch, fine: RowWriter, aside: RowWriter) -> None:
        """Hand the rows of a batch on and count them."""
        first = self.rows
        records = self._count_records(batch)
        is_fine = batch.column("_rules").is_null()
        broken = np.flatnonzero(~is_fine.to_numpy(zero_copy_only=False))
        self._count_nulls(batch, 1)
        if len(broken):
            chosen = batch.take(pa.array(broken))
            self._count_nulls(chosen, -1)
            places = [pa.array(broken + first), pa.array(records[broken])]
            columns = [chosen.column(name) for name in (*self.contract.columns, "_rules", "_raw")]
            schema = self.broken_schema(batch.schema)
            aside.write(pa.record_batch([*places, *columns], schema=schema))
        self.accepted += batch.num_rows - len(broken)
        whole = self._complete(batch, first)
        self._keep_sample(whole, is_fine)
        if len(broken) * _FEW_BROKEN > batch.num_rows:
            fine.write(whole.filter(is_fine))
            return
        # Between few broken rows, stretches of the batch need no copy of their own.
        ends = [*broken.tolist(), batch.num_rows]
        for begin, end in zip([0, *(broken + 1).tolist()], ends, strict=True):
            if end > begin:
                fine.write(whole.slice(begin, end - begin))

    def _keep_sample(self, whole: pa.RecordBatch, is_fine: pa.BooleanArray) -> None:
        """Keep the first accepted rows, copied, so that they do not hold the batch."""
        wanted = SAMPLE_ROWS - sum(kept.num_rows for kept in self.sample)
        if wanted > 0:
            fine = np.flatnonzero(is_fine.to_numpy(zero_copy_only=False))
            self.sample.append(whole.take(pa.array(fine[:wanted])))

    def _count_nulls(self, batch: pa.RecordBatch, sign: int) -> None:
        for name in self.contract.columns:
            nulls = sign * batch.column(name).null_count
            self.null_counts[name] = self.null_counts.get(name, 0) + nulls

    def _count_records(self, batch: pa.RecordBatch) -> Positions:
        """Count rows and records; return the place of each row's record among all of them."""
        self.rows += batch.num_rows
        is_first = np.ones(batch.num_rows, np.int64)
        if self.reading.is_repeated:
            is_first = batch.column("_is_first").cast(pa.int64()).to_numpy()
        records: Positions = np.cumsum(is_first) + (self.read - 1)
        self.read += int(is_first.sum())
        return records

    def _complete(self, batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Return the batch with the columns that every staged row has."""
        count = batch.num_rows
        lines = np.arange(first + self.base, first + self.base + count, dtype=np.int64)
        same = pa.array(np.zeros(count, np.int32))
        file_id = pa.array([self.judgement.file_id])
        day = pa.array([self.judgement.business_date], pa.date32())
        return pa.record_batch(
            [
                *(batch.column(name) for name in self.contract.columns),
                pa.DictionaryArray.from_arrays(same, file_id),
                pa.array(lines),
                batch.column("_item"),
                day.take(same),
            ],
            schema=self.accepted_schema(batch.schema),
        )

    def outcome(self, target: Path, aside: Path, schema: pa.Schema) -> Split:
        """Return the counts of the whole delivery."""
        return Split(
            rows=self.rows,
            read=self.read,
            accepted=self.accepted,
            target=target,
            base=self.base,
            aside=aside,
            null_counts=self.null_counts,
            sample=pa.Table.from_batches(self.sample, schema),
        )
