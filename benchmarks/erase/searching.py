r"""A search for erased people that shares nothing with the one that erases.

Every file is read as bytes, with its zeros taken out (UTF-16) and its JSON and URL escapes undone;
gz and zst are inflated, members of zip files opened, Parquet and DuckDB files read value by value.
Runs of letters and digits are looked up among what is known of the people: that costs one pass.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa

TOLD = {"pending", "erasures"}
"""Folders of what others must be told: platforms whom to remove."""

_BLOCK = 1 << 25
_OVERLAP = 1 << 9
_FIELDS = ("email", "phone", "loyalty_id", "account_id", "payment_token")
_SHORTEST, _PHONE = 6, 9
_RUNS = re.compile(rb"[a-z0-9._+@%-]{6,}")
_WORDS = re.compile(rb"[a-z0-9]{6,}")
_DIGITS = re.compile(rb"\+?[0-9][0-9 ().\-/]{7,22}[0-9]")
_ESCAPES = re.compile(rb"\\u00([0-9a-f]{2})")

_HELD = """
with records as (
    select m.customer_id in (select unnest(?)) as is_theirs, unnest([{fields}]) as value
    from identity.records as r
    left join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
)

select value
from records
where length(value) >= {shortest}
group by value
having bool_and(coalesce(is_theirs, false))
order by value
"""


@dataclass(frozen=True)
class Needles:
    """What tells the people, in the forms in which it is looked for.

    Attributes:
        words: Addresses, ids, tokens and hashes in lower case.
        phones: Last digits of telephone numbers.
    """

    words: frozenset[bytes]
    phones: frozenset[bytes]

    def __len__(self) -> int:
        """Return the number of forms."""
        return len(self.words) + len(self.phones)

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection, customers: list[str]) -> Needles:
        """Return what only these customers' records hold, from a version that still has them."""
        fields = ", ".join(f"r.{name}" for name in _FIELDS)
        sql = _HELD.format(fields=fields, shortest=_SHORTEST)
        values = [str(value) for (value,) in con.execute(sql, [customers]).fetchall()]
        phones = {v for v in values if v.startswith("+")}
        words = {form for value in (*values, *customers) for form in _forms(value)}
        return cls(
            frozenset(words - {phone.encode() for phone in phones}),
            frozenset(re.sub(r"\D", "", phone)[-_PHONE:].encode() for phone in phones),
        )

    def find(self, data: bytes) -> set[str]:
        """Return the needles that stand in bytes."""
        plain = data.lower()
        found = set()
        for run in set(_RUNS.findall(plain)):  # runs, not addresses: their cost is their length
            found |= self.words & {run, run.strip(b"._+@%-"), *_WORDS.findall(run)}
        for text in set(_DIGITS.findall(plain)):
            digits = re.sub(rb"\D", b"", text)
            if digits[-_PHONE:] in self.phones and len(digits) <= 15:
                found.add(digits[-_PHONE:])
        return {text.decode("ascii", "replace") for text in found}


def _forms(value: str) -> Iterator[bytes]:
    """Yield a value as it may be written, in lower case: plain, in a URL, hashed."""
    yield value.lower().encode()
    yield quote(value).lower().encode()
    for spelling in (value, value.lower(), value.upper(), value.lstrip("+")):
        for name in ("md5", "sha1", "sha256"):
            yield hashlib.new(name, spelling.encode(), usedforsecurity=False).hexdigest().encode()


def search(root: Path, needles: Needles) -> dict[str, set[str]]:
    """Return what is found, by file below a folder; files without any are left out."""
    found: dict[str, set[str]] = {}
    seen: dict[tuple[int, int], set[str]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or TOLD & set(path.parts):
            continue
        facts = path.stat()
        inode = (facts.st_dev, facts.st_ino)
        if inode not in seen:
            seen[inode] = {hit for block in _read(path) for hit in needles.find(block)}
        hits = seen[inode] | needles.find(path.name.encode())
        if hits:
            found[str(path.relative_to(root))] = hits
    return found


def _read(path: Path) -> Iterator[bytes]:
    """Yield all that a file holds: its bytes, and what is packed in it."""
    yield from _blocks(path.open("rb"))
    if path.suffix == ".parquet":
        with duckdb.connect() as con:
            yield from _values(con, f"read_parquet('{path}')")
    elif path.suffix == ".duckdb":
        with duckdb.connect() as con:
            con.execute(f"attach '{path}' as held (read_only)")
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() "
                "where database_name = 'held' order by all"
            ).fetchall()
            for schema, table in tables:
                yield from _values(con, f'held."{schema}"."{table}"')
    elif path.suffix == ".gz":
        yield from _blocks(gzip.GzipFile(path))
    elif path.suffix == ".zst":
        yield from _blocks(pa.input_stream(str(path), compression="zstd"))
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield from _blocks(archive.open(name))


def _blocks(stream: object) -> Iterator[bytes]:
    """Yield the bytes of a file as they are, without zeros, and with escapes undone."""
    tail = b""
    with stream:  # type: ignore[attr-defined]
        while block := bytes(stream.read(_BLOCK)):  # type: ignore[attr-defined]
            data = tail + block
            yield data
            if b"\0" in data[:64]:
                yield data.replace(b"\0", b"")
            if b"\\u00" in data:
                yield _ESCAPES.sub(lambda m: bytes([int(m[1], 16)]), data.lower())
            tail = data[-_OVERLAP:]


def _values(con: duckdb.DuckDBPyConnection, relation: str) -> Iterator[bytes]:
    """Yield the distinct texts of every column."""
    for name, kind, *_ in con.execute(f"describe from {relation}").fetchall():
        if kind in {"DATE", "TIMESTAMP", "BOOLEAN", "DOUBLE"} or kind.startswith("DECIMAL"):
            continue
        column = '"' + name.replace('"', '""') + '"'
        text = f"select distinct cast({column} as varchar) as v from {relation}"  # noqa: S608 - own files
        with con.sql(f"select string_agg(v, chr(10)) from ({text})").to_arrow_reader() as batches:  # noqa: S608 - own files
            for batch in batches:
                yield from (str(value).encode() for value in batch.column(0).to_pylist() if value)
