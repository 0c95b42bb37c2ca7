"""The texts of tables, column by column: each value once, as bytes in which traces are looked for.

Of Parquet files the dictionaries are read, in which each value of a chunk stands once, too. What
pyarrow cannot take so (encrypted files, nested columns, other types and encodings of texts) and
DuckDB's own files are asked by SQL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from cdp_pipeline.rights.mirrored import columns_of_mirror
from cdp_pipeline.rights.searching import SEPARATOR
from cdp_pipeline.storage.cipher import VaultKey, scan_of
from cdp_pipeline.storage.warehouse import (
    DATABASE_FILE,
    quote_column,
    quote_identifier,
    quote_literal,
)

Piece = tuple[str, bytes]
"""Column, and values in it with separators between them; a column may come in several pieces."""

_TEXT_TYPES = ("VARCHAR", "JSON", "BLOB", "STRUCT", "MAP", "LIST", "[]", "ENUM", "UUID")
NAME_COLUMNS = ("given_name", "family_name", "first_name", "last_name")
"""Columns whose values beside each other are somebody's name, in whatever case they are titled."""

_FIGURES = re.compile(r"U?(INTEGER|BIGINT|HUGEINT)|DOUBLE|DECIMAL\(\d+,0\)")
"""Types in which tools keep telephone numbers and cards; amounts have places behind the point."""
_FIGURE = (
    "case when {value} between 10000000 and 999999999999999 and {value} = trunc({value}) "
    "then cast(cast({value} as bigint) as varchar) end"
)
"""SQL of the digits of a figure that are too many to be somebody's number by chance.

Eight, as of other traces among bytes; fifteen are the most of a telephone number.
"""

_DIGEST = "case when octet_length({value}) in (16, 20, 32) then lower(hex({value})) end"
"""SQL of an MD5, SHA-1 or SHA-256 that was stored as its bytes, as BigQuery stores them."""

_ROWS = 100_000
_PLAIN = (pa.string(), pa.large_string())
_ENCODINGS = frozenset({"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"})
"""Of text columns whose dictionaries pyarrow reads."""


_ESCAPED = re.compile(rb"\\\\?x([0-9A-F]{2})")


def is_name_column(title: str) -> bool:
    """Return whether a column holds a part of somebody's name."""
    return title.lower() in NAME_COLUMNS


def searched_texts(
    columns: Sequence[Sequence[object]], *, figures: bool = False
) -> dict[str, tuple[str, bool]]:
    """Return what traces are looked for in, by name: SQL of a text, and whether it shows bytes.

    Args:
        columns: Rows of ``describe``: name, type, and more.
        figures: Whether digits of figures are a text too, as where a tool guessed the types.

    Returns:
        Columns that can hold text, and names beside each other; what shows bytes is read by
        ``shown_bytes``.
    """
    kinds = {str(name): str(kind) for name, kind, *_ in columns}
    texts = {n: k for n, k in kinds.items() if any(text in k for text in _TEXT_TYPES)}
    asked = {n: (f"cast({quote_column(n)} as varchar)", "BLOB" in k) for n, k in texts.items()}
    if figures:
        numbers = [name for name, kind in kinds.items() if _FIGURES.fullmatch(kind)]
        asked |= {n: (_FIGURE.format(value=quote_column(n)), False) for n in numbers}
    digests = [name for name, kind in texts.items() if kind == "BLOB"]
    asked |= {f"hex({n})": (_DIGEST.format(value=quote_column(n)), False) for n in digests}
    both = list(filter(is_name_column, texts))
    if len(both) > 1:
        beside = f"concat_ws(' ', {', '.join(map(quote_column, both))})"
        asked["+".join(both)] = beside, any(asked[name][1] for name in both)
    return asked


def shown_bytes(text: bytes) -> bytes:
    r"""Return the bytes that DuckDB's text of a BLOB stands for; within a list it escapes twice.

    Examples:
        >>> shown_bytes(rb"Zo\xC3\xAB") == "Zoë".encode()
        True
    """
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text)


def parquet_texts(
    con: duckdb.DuckDBPyConnection, path: Path, key: VaultKey | None, *, figures: bool = False
) -> Iterator[Piece]:
    """Yield the texts of a Parquet file; a person's two names also beside each other.

    Args:
        con: Any connection.
        path: The file.
        key: What opens it; None if it lies in clear.
        figures: Whether digits of figures are a text too.

    Raises:
        duckdb.Error, OSError, ValueError: It is broken.
    """
    if key is not None:
        yield from _relation_texts(con, scan_of(con, path, key), prefix="", figures=figures)
        return
    with parquet.ParquetFile(path) as file:
        plain, others = _divide(file.schema_arrow, file.metadata, figures=figures)
        repeated = [name for name in plain if name in _with_dictionary(file.metadata)]
    with parquet.ParquetFile(path, read_dictionary=repeated) as file:
        for group in range(file.num_row_groups if plain else 0):
            rows = file.read_row_group(group, columns=plain, use_threads=False)
            for name, column in zip(rows.column_names, rows.columns, strict=True):
                for chunk in column.chunks:
                    yield name, _together(_distinct(chunk))
            yield from _names_beside(rows)
    if others is None or others:
        relation = scan_of(con, path, None)
        yield from _relation_texts(con, relation, prefix="", only=others, figures=figures)


def _divide(
    schema: pa.Schema, metadata: parquet.FileMetaData, *, figures: bool
) -> tuple[list[str], list[str] | None]:
    """Return the columns whose dictionaries are read, and those that SQL reads; None is all."""
    names = schema.names
    if len({name.lower() for name in names}) < len(names) or any("." in name for name in names):
        return [], None  # names by which pyarrow does not find them, or DuckDB calls them otherwise
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(metadata.num_columns)]
    odd = {chunk.path_in_schema for chunk in chunks if not _ENCODINGS.issuperset(chunk.encodings)}
    plain = [f.name for f in schema if f.type in _PLAIN and f.name not in odd]
    others = [
        f.name for f in schema if f.name not in plain and (figures or not _holds_no_text(f.type))
    ]
    if any(map(is_name_column, others)):  # a person's two names are read in the same way
        others += filter(is_name_column, plain)
    return [name for name in plain if name not in others], others


def _with_dictionary(metadata: parquet.FileMetaData) -> set[str]:
    """Return the columns in which values repeat, so that whoever wrote them made a dictionary."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(metadata.num_columns)]
    return {chunk.path_in_schema for chunk in chunks if chunk.has_dictionary_page}


def database_texts(
    con: duckdb.DuckDBPyConnection, path: Path, *, figures: bool = False
) -> Iterator[Piece]:
    """Yield the texts of every table of a DuckDB file, whose columns are named with the table.

    Of a version (whose types are ours) is left out what its Parquet mirror holds, too, which is
    looked into. Elsewhere a mirror may be cleaned while its database stays; in the outbox, where
    types are ours as well, a database of that name is then looked into again (``strays``).

    Args:
        con: Any connection.
        path: The file.
        figures: Whether digits of figures are a text too.

    Raises:
        duckdb.Error: It is broken.
    """
    con.execute(f"attach {quote_literal(str(path))} as looked_at (read_only)")
    try:
        tables = con.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = 'looked_at' order by all"
        ).fetchall()
        for schema, table in tables:
            relation = quote_identifier(f"looked_at.{schema}.{table}")
            name = f"{schema}.{table}"
            is_mirrored = path.name == DATABASE_FILE and not figures
            mirrored = columns_of_mirror(con, relation, path.parent, name) if is_mirrored else ()
            yield from _relation_texts(
                con, relation, prefix=f"{name}.", besides=mirrored, figures=figures
            )
    finally:
        con.execute("detach looked_at")


def _holds_no_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_primitive, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)


def _distinct(values: pa.Array) -> pa.Array:
    """Return each value once if a dictionary has them; the others differ nearly all."""
    return values.dictionary if pa.types.is_dictionary(values.type) else values


def _names_beside(rows: pa.Table) -> Iterator[Piece]:
    both = list(filter(is_name_column, rows.column_names))
    if len(both) > 1:
        kind = pa.large_binary()  # a text need not be UTF-8
        texts = [rows.column(name).combine_chunks().cast(kind) for name in both]
        blank = pa.scalar(b" ", kind)
        beside = pc.binary_join_element_wise(*texts, blank, null_handling="skip")
        yield "+".join(both), _together(pc.unique(beside))


def _relation_texts(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    prefix: str,
    only: Sequence[str] | None = None,
    besides: Collection[str] = (),
    figures: bool = False,
) -> Iterator[Piece]:
    columns = con.execute(f"describe select * from {relation}").fetchall()  # noqa: S608 - quoted
    if only is not None:
        columns = [column for column in columns if column[0] in only]
    for name, (value, is_shown) in searched_texts(columns, figures=figures).items():
        if name in besides:
            continue
        # Ids and digests are all different: to hold them for the few that are not takes gigabytes.
        each = f"{value} as text" if value.startswith("case ") else f"distinct {value} as text"
        asked = f"select text from (select {each} from {relation}) where text is not null"  # noqa: S608 - quoted
        with con.sql(asked).to_arrow_reader(_ROWS) as batches:
            for batch in batches:
                texts = _together(batch.column(0))
                yield f"{prefix}{name}", shown_bytes(texts) if is_shown else texts


def _together(values: pa.Array) -> bytes:
    """Return values with separators between them, without a Python text a value."""
    kind = pa.large_binary()
    texts = values.drop_null().cast(kind)
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    joined: bytes = pc.binary_join(whole, pa.scalar(SEPARATOR.encode(), kind))[0].as_py()
    return joined
