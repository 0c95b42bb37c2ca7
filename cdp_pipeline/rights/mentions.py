"""Words that name a person in texts of rows that are not about them: a link, what was searched for.

The rows stay, since they are somebody else's or nobody's; the words are replaced. Tables are told
apart by nothing: the search found a trace, and any text may hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import reduce
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from cdp_pipeline.ingest.splitting import RowWriter
from cdp_pipeline.rights.files import redact_bytes
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.storage.files import fsync
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_value,
    quote_column,
    quote_identifier,
)

_ROWS = 100_000
_TEXTS = (pa.string(), pa.large_string())


def redact_tables(con: duckdb.DuckDBPyConnection, searcher: Searcher) -> dict[str, int]:
    """Replace the words in the texts of a version's tables; return changed values by table.

    Args:
        con: Connection to a copy of a version, writable.
        searcher: Looks for the people.
    """
    tables = con.execute(
        "select schema_name || '.' || table_name as name from duckdb_tables() "
        "where database_name in ('cdp', 'vault') order by name"
    ).fetchall()
    changed = {name: _redact_table(con, name, searcher) for (name,) in tables}
    return {name: count for name, count in changed.items() if count}


def _redact_table(con: duckdb.DuckDBPyConnection, name: str, searcher: Searcher) -> int:
    table, count = quote_identifier(name), 0
    for column, kind in describe(con, name).items():
        if kind not in {"VARCHAR", "JSON"}:
            continue
        text = quote_column(column)
        asked = f"select distinct cast({text} as varchar) as text from {table}"  # noqa: S608 - quoted
        changed: dict[str, str] = {}
        with con.sql(f"{asked} where {text} is not null").to_arrow_reader(_ROWS) as batches:
            for batch in batches:
                changed |= _redacted(batch.column(0).to_pylist(), searcher)
        if changed:
            words = pa.table({"old": list(changed), "new": list(changed.values())})
            con.register("mentioned_words", words)
            replaced = (
                f"update {table} set {text} = m.new from mentioned_words as m "  # noqa: S608 - quoted
                f"where cast({text} as varchar) = m.old"
            )
            count += int(fetch_value(con, replaced) or 0)
            con.unregister("mentioned_words")
    return count


def redact_rows(
    path: Path,
    searcher: Searcher,
    scratch: Path,
    *,
    keep: Callable[[pa.Table, Collection[str]], None] | None = None,
) -> bool:
    """Replace the words in the texts of a staged or quarantined file; return if there were any.

    Args:
        path: Parquet file in clear, which is replaced.
        searcher: Looks for the people.
        scratch: Folder of the same file system that no search looks into: a copy that a crash left
            half written could not be looked into.
        keep: Writes down the rows that have changed, without the words, and the columns in which,
            before the file is replaced.
    """
    copy = scratch / path.name
    changed: list[pa.RecordBatch] = []
    places: set[str] = set()
    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        with RowWriter(copy, schema) as writer:
            for batch in file.iter_batches():
                held = batch.columns
                columns = [_without_words(column, searcher) for column in held]
                clean = pa.record_batch(columns, schema=schema)
                writer.write(clean)
                is_other = {
                    name: pc.not_equal(new, old)
                    for name, new, old in zip(schema.names, columns, held, strict=True)
                    if new is not old
                }
                if is_other:
                    places |= is_other.keys()
                    changed.append(clean.filter(reduce(pc.or_kleene, is_other.values())))
    if not changed:
        copy.unlink()
        return False
    if keep:
        keep(pa.Table.from_batches(changed), places)
    copy.chmod(path.stat().st_mode & 0o777)
    fsync(copy)
    copy.replace(path)
    fsync(path.parent)
    return True


def _without_words(column: pa.Array, searcher: Searcher) -> pa.Array:
    """Return a column without the words; itself if it has none."""
    if column.type not in _TEXTS:
        return column
    told = column.dictionary_encode()
    values = told.dictionary.to_pylist()
    changed = _redacted(values, searcher)
    if not changed:
        return column
    clean = pa.array([changed.get(value, value) for value in values], column.type)
    return pa.DictionaryArray.from_arrays(told.indices, clean).cast(column.type)


def _redacted(texts: Sequence[str], searcher: Searcher) -> dict[str, str]:
    """Return what is to stand in the place of texts that hold a trace."""
    hits = zip(texts, searcher.hits(texts), strict=True) if texts else ()
    return {
        text: redact_bytes(text.encode(), searcher)[0].decode("utf-8", "replace")
        for text, is_held in hits
        if is_held
    }
