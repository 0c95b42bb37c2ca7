"""Looking for people in every file of a data folder: raw bytes, and what is packed inside them.

Independent of what erases: it knows formats, not places. Bytes alone miss compressed columns, so
Parquet and DuckDB files are read value by value, and gz, zst, zip and workbooks are unpacked.
"""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.rights.searching import SEPARATOR, Searcher
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.storage.at_rest import plain_file
from cdp_pipeline.storage.cipher import read_vault_key, scan_of
from cdp_pipeline.storage.container import SealedFileError
from cdp_pipeline.storage.warehouse import quote_identifier, quote_literal

_BLOCK = 1 << 24
_OVERLAP = 1 << 12
_HEAD = 4096
_TEXT_TYPES = ("VARCHAR", "JSON", "BLOB", "STRUCT", "MAP", "LIST", "[]")
_DATABASES = {".duckdb", ".db"}
_ROWS = 100_000


@dataclass(frozen=True)
class Find:
    """A trace that was found.

    Attributes:
        file: Path below the data folder.
        place: Where in it: ``bytes``, a column, a member of an archive.
        kind: ``word``, ``phone``, ``number`` or ``name``.
    """

    file: str
    place: str
    kind: str


@dataclass
class Scan:
    """What a search found.

    Attributes:
        finds: Traces, file by file.
        files: Number of files looked at.
        unreadable: Files that are broken, so that only their bytes could be looked at; each once,
            whatever names it has.
    """

    finds: list[Find] = field(default_factory=list)
    files: int = 0
    unreadable: list[str] = field(default_factory=list)


class _UnreadableError(Exception):
    """A file whose inside cannot be looked at."""


def scan_folder(
    root: Path,
    traces: Traces,
    *,
    excluded: Collection[Path] = (),
    keys: KeySettings | None = None,
    scratch: Path | None = None,
) -> Scan:
    """Look for people in every file below a folder.

    Args:
        root: The data folder.
        traces: What tells the people.
        excluded: Files and folders that are not looked at.
        keys: What opens encrypted files; one whose key is missing cannot be looked into.
        scratch: Private folder for copies of encrypted files in clear, one at a time; default: the
            system's folder of temporary files.
    """
    searcher, scan = Searcher(traces), Scan()
    seen: dict[tuple[int, int, str], set[tuple[str, str]]] = {}
    keys = keys or KeySettings()
    with duckdb.connect() as con, _own_folder(scratch) as folder:
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            if any(path == other or other in path.parents for other in excluded):
                continue
            scan.files += 1
            name = str(path.relative_to(root))
            facts = path.stat()
            one = (facts.st_dev, facts.st_ino, path.suffix)
            if one not in seen:  # versions share what they have in common by hard links
                seen[one], is_broken = _unseal_and_look(con, path, searcher, keys, folder)
                scan.unreadable += [name] if is_broken else []
            found = {("name", kind) for kind in searcher.kinds(path.name)} | seen[one]
            scan.finds += [Find(name, place, kind) for place, kind in sorted(found)]
    return scan


@contextmanager
def _own_folder(scratch: Path | None) -> Iterator[Path]:
    if scratch is not None:
        yield scratch
        return
    with tempfile.TemporaryDirectory(prefix="cdp-") as made:
        yield Path(made)


def _unseal_and_look(
    con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher, keys: KeySettings, folder: Path
) -> tuple[set[tuple[str, str]], bool]:
    """Return what ``_look_into`` finds in a file that may be sealed."""
    try:
        with plain_file(path, keys, folder) as plain:
            return _look_into(con, plain, searcher, keys)
    except SealedFileError:
        return set(), True


def _look_into(
    con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher, keys: KeySettings
) -> tuple[set[tuple[str, str]], bool]:
    """Return place and kind of every trace in what a file holds, and whether it is broken."""
    found = {("bytes", kind) for kind in _in_bytes(path, searcher)}
    try:
        found |= set(_inside(con, path, searcher, keys))
    except _UnreadableError:
        return found, True
    return found, False


def holds_trace(con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher) -> bool:
    """Return whether a file holds a trace, outside or inside."""
    try:
        return any(_outside(path, searcher)) or any(_inside(con, path, searcher, KeySettings()))
    except _UnreadableError:
        return False


def _outside(path: Path, searcher: Searcher) -> Iterator[tuple[str, str]]:
    """Yield place and kind of every trace in a file's name and bytes."""
    yield from (("name", kind) for kind in searcher.kinds(path.name))
    yield from (("bytes", kind) for kind in _in_bytes(path, searcher))


def _inside(
    con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher, keys: KeySettings
) -> Iterator[tuple[str, str]]:
    """Yield place and kind of every trace in what a file packs.

    Raises:
        _UnreadableError: It is broken, as a delivery that was refused may be.
    """
    try:
        if path.suffix == ".parquet":
            yield from _in_parquet(con, path, searcher, keys)
        elif path.suffix in _DATABASES:
            yield from _in_database(con, path, searcher)
        elif path.suffix in {".gz", ".zst"}:
            yield from (("inflated", kind) for kind in _in_stream(path, searcher))
        elif path.suffix in {".zip", ".xlsx"} or zipfile.is_zipfile(path):
            yield from _in_archive(path, searcher)
    except (
        duckdb.Error,
        ConfigError,
        OSError,
        EOFError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise _UnreadableError from error


def _in_bytes(path: Path, searcher: Searcher) -> set[str]:
    with path.open("rb") as stream:
        is_text = path.suffix not in {*_DATABASES, ".parquet"}
        return _in_blocks(iter(lambda: stream.read(_BLOCK), b""), searcher, is_text=is_text)


def _in_blocks(blocks: Iterator[bytes], searcher: Searcher, *, is_text: bool = True) -> set[str]:
    found: set[str] = set()
    tail = b""
    for block in blocks:
        data = tail + block
        found |= searcher.kinds(data)
        if is_text and b"\0" in data[:_HEAD]:
            found |= searcher.kinds(data.replace(b"\0", b""))  # UTF-16
        tail = data[-_OVERLAP:]
    return found


def _in_stream(path: Path, searcher: Searcher) -> set[str]:
    kind = "gzip" if path.suffix == ".gz" else "zstd"
    with pa.CompressedInputStream(pa.OSFile(str(path)), kind) as stream:
        return _in_blocks(iter(lambda: bytes(stream.read(_BLOCK)), b""), searcher)


def _in_archive(path: Path, searcher: Searcher) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            try:
                stream = archive.open(info)
            except (NotImplementedError, RuntimeError) as error:  # its compression; a password
                raise _UnreadableError from error
            with stream:
                blocks = iter(lambda s=stream: s.read(_BLOCK), b"")  # type: ignore[misc]
                yield from ((info.filename, kind) for kind in _in_blocks(blocks, searcher))


def _in_parquet(
    con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher, keys: KeySettings
) -> Iterator[tuple[str, str]]:
    relation = scan_of(con, path, read_vault_key(path.parent.parent, keys))
    yield from _in_relation(con, relation, searcher, prefix="")


def _in_database(
    con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher
) -> Iterator[tuple[str, str]]:
    con.execute(f"attach {quote_literal(str(path))} as looked_at (read_only)")
    try:
        tables = con.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = 'looked_at' order by all"
        ).fetchall()
        for schema, table in tables:
            relation = quote_identifier(f"looked_at.{schema}.{table}")
            yield from _in_relation(con, relation, searcher, prefix=f"{schema}.{table}.")
    finally:
        con.execute("detach looked_at")


def _in_relation(
    con: duckdb.DuckDBPyConnection, relation: str, searcher: Searcher, *, prefix: str
) -> Iterator[tuple[str, str]]:
    columns = con.execute(f"describe select * from {relation}").fetchall()  # noqa: S608 - quoted
    texts = [c[0] for c in columns if any(t in str(c[1]) for t in _TEXT_TYPES)]
    for name in texts:
        column = '"' + name.replace('"', '""') + '"'
        sql = f"select distinct cast({column} as varchar) from {relation}"  # noqa: S608 - quoted
        yield from ((f"{prefix}{name}", kind) for kind in _in_values(con, sql, searcher))
    both = [n for n in texts if n in {"given_name", "family_name", "first_name", "last_name"}]
    if len(both) > 1:  # a person's two names stand beside each other
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in both)
        sql = f"select distinct concat_ws(' ', {listed}) from {relation}"  # noqa: S608 - quoted
        for kind in _in_values(con, sql, searcher):
            yield f"{prefix}{'+'.join(both)}", kind


def _in_values(con: duckdb.DuckDBPyConnection, sql: str, searcher: Searcher) -> set[str]:
    """Return the kinds of traces in the one column of a query, without a Python text a value."""
    found: set[str] = set()
    with con.sql(sql).to_arrow_reader(_ROWS) as batches:
        for batch in batches:
            values = batch.column(0).drop_null().cast(pa.large_string())
            together = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
            joined = pc.binary_join(together, pa.scalar(SEPARATOR, pa.large_string()))
            found |= searcher.kinds(joined[0].as_buffer().to_pybytes())
    return found
