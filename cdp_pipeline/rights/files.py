"""Erasing people from files that are no tables of ours: exports, reports, logs, documentation.

In what was made for others (exports, outbox) whole rows go; in texts the words that name a person
do. A file is replaced as a whole, so that hard links to it elsewhere keep what they have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.rights.columns import parquet_texts, searched_texts, shown_bytes
from cdp_pipeline.rights.mails import cleaned_mail
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.storage.at_rest import editable_file, plain_file
from cdp_pipeline.storage.container import content_of
from cdp_pipeline.storage.exports import MANIFEST
from cdp_pipeline.storage.files import fsync
from cdp_pipeline.storage.warehouse import quote_literal

MARK = b"[erased]"

_BATCH = 1 << 24
"""Characters of records, or bytes of texts, that are held at a time."""
_ROWS_HELD = 100_000
_LAST = 64
"""Bytes that tell whether a text goes on: more than may stand between two names (``names``)."""
_IN_MARKUP = re.compile(rb"(?:<[^<>]{0,16}|>\s*)\Z")
"""The end of lines behind which a name may still go on: in a tag, or behind one."""
_ROWS = {".csv", ".jsonl"}
_TEXTS = {
    *(".html", ".htm", ".eml", ".json", ".jsonl", ".csv", ".log", ".txt", ".md", ".js", ".xml"),
    *(".svg", ".yml", ".yaml", ".tsv"),
}


def clean_text(path: Path, searcher: Searcher) -> int:
    """Replace every word that names a person in a text file and return how many went."""
    with path.open("rb") as source:
        if not any(searcher.kinds(text) for text in text_batches(source)):
            return 0
    gone = 0
    with path.open("rb") as source, _replacing(path) as stream:
        for text in text_batches(source):
            cleaned, count = redact_bytes(text, searcher)
            stream.write(cleaned)
            gone += count
    return gone


def clean_mail(path: Path, searcher: Searcher) -> int:
    """Replace words that name a person in a mail, encoded or not, and return how many went."""
    gone = 0

    def clean(content: bytes) -> bytes:
        nonlocal gone
        cleaned, count = redact_bytes(content, searcher)
        gone += count
        return cleaned

    try:
        data = cleaned_mail(
            path,
            clean_text=clean,
            clean_part=clean,
            clean_label=lambda text: clean(text.encode()).decode(),
        )
    except ValueError:  # it cannot be taken apart
        return clean_text(path, searcher)
    if data is not None:
        _replace(path, data)
    return gone


def text_batches(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a text, many at a time; a name over two lines of markup stays together."""
    while lines := stream.readlines(_BATCH):
        end = b"".join(lines[-_LAST:])[-_LAST:]
        while _IN_MARKUP.search(end) and (more := stream.readline()):
            lines.append(more)
            end = (end + more)[-_LAST:]
        yield b"".join(lines)


def redact_bytes(data: bytes, searcher: Searcher) -> tuple[bytes, int]:
    """Return a text without the words that name a person, and how many went."""
    parts, last, count = [], 0, 0
    for start, end in sorted({(start, end) for _, start, end in searcher.spans(data)}):
        if start >= last:
            parts += [data[last:start], MARK]
            count += 1
        last = max(last, end)
    return b"".join([*parts, data[last:]]), count


def clean_rows(path: Path, searcher: Searcher) -> int:
    """Take the rows that name a person out of a CSV or JSON lines file; returns how many went."""
    count = sum(sum(searcher.hits(records)) for records in _record_batches(path))
    if count:
        with _replacing(path) as stream:
            for records in _record_batches(path):
                hits = searcher.hits(records)
                kept = [r for r, is_theirs in zip(records, hits, strict=True) if not is_theirs]
                stream.write("".join(kept).encode("utf-8", "surrogateescape"))
    return count


def clean_parquet(path: Path, searcher: Searcher, *, figures: bool = False) -> int:
    """Take the rows that name a person out of a Parquet file; returns how many went.

    Args:
        path: The file, in clear.
        searcher: Looks for the people.
        figures: Whether digits of figures are a text too: not in files whose types are ours.
    """
    with duckdb.connect() as con:
        # Nearly all files hold nobody: their values are not made Python texts one by one.
        if not _holds_anybody(con, path, searcher, figures=figures):
            return 0
        relation = f"read_parquet({quote_literal(str(path))})"
        columns = con.execute(f"describe select * from {relation}").fetchall()  # noqa: S608 - quoted
        theirs = []
        for value, is_shown in searched_texts(columns, figures=figures).values():
            found = con.execute(
                f"select distinct {value} from {relation} where {value} is not null"  # noqa: S608 - quoted
            )
            listed = []
            while rows := found.fetchmany(_ROWS_HELD):
                held = [text for (text,) in rows]
                hits = searcher.hits(list(map(_as_written, held)) if is_shown else held)
                listed += [
                    quote_literal(t) for t, is_theirs in zip(held, hits, strict=True) if is_theirs
                ]
            if listed:
                theirs.append(f"coalesce({value} in ({', '.join(listed)}), false)")
        if not theirs:
            return 0
        condition = " or ".join(theirs)
        count = con.execute(f"select count(*) from {relation} where {condition}").fetchall()[0][0]  # noqa: S608 - quoted
        copy = path.with_name(f".{path.name}.erasing")
        con.execute(
            f"copy (select * from {relation} where not ({condition})) "  # noqa: S608 - quoted
            f"to {quote_literal(str(copy))} (format parquet, compression zstd)"
        )
    _take_place(copy, path)
    return int(count)


def _holds_anybody(
    con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher, *, figures: bool
) -> bool:
    pieces = parquet_texts(con, path, None, figures=figures)
    return any(searcher.kinds(texts) for _, texts in pieces)


def _as_written(text: str) -> str:
    return shown_bytes(text.encode()).decode("utf-8", "surrogateescape")


def clean_exports(
    folder: Path, searcher: Searcher, keys: KeySettings, scratch: Path
) -> dict[str, int]:
    """Take people out of one destination's files, encrypted or not, and mend its manifest.

    Args:
        folder: Files of a destination and their manifest, which tells of them in clear.
        searcher: Looks for the people.
        keys: What opens encrypted files and encrypts them again.
        scratch: Private folder for copies in clear, one at a time.

    Returns:
        Rows that went by file name; files without any are left out.
    """
    gone = {}
    for path in sorted(folder.iterdir()):
        if path.name == MANIFEST or not path.is_file():
            continue
        with editable_file(path, keys, scratch) as plain:
            count = clean_rows(plain, searcher) if path.suffix in _ROWS else 0
            count += clean_parquet(plain, searcher) if path.suffix == ".parquet" else 0
        if count:
            gone[path.name] = count
    manifest = folder / MANIFEST
    if manifest.is_file():
        _mend_manifest(manifest, keys, scratch)
    return gone


def _mend_manifest(path: Path, keys: KeySettings, scratch: Path) -> None:
    """Hold an export's manifest against its files; what it says of members follows the rows."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    was = json.dumps(document, sort_keys=True)
    ring = load_keyring(keys)
    for entry in document.get("files", []):
        file = path.parent / entry["file_name"]
        sha256 = content_of(file, ring).sha256 if file.is_file() else entry["sha256"]
        if sha256 == entry["sha256"]:
            continue
        with plain_file(file, keys, scratch) as plain:
            rows, size = _count_rows(plain), plain.stat().st_size
        if entry.get("members"):
            entry["members"] -= entry["rows"] - rows
        entry |= {"rows": rows, "bytes": size, "sha256": sha256}
    if json.dumps(document, sort_keys=True) != was:
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
        _replace(path, text.encode() + b"\n")


def _count_rows(path: Path) -> int:
    if path.suffix == ".parquet":
        with duckdb.connect() as con:
            found = con.execute("select count(*) from read_parquet(?)", [str(path)]).fetchall()
            return int(found[0][0])
    count = sum(len(records) for records in _record_batches(path))
    return max(0, count - 1) if path.suffix == ".csv" else count


def clean_tree(root: Path, searcher: Searcher, *, excluded: frozenset[Path]) -> dict[str, int]:
    """Take people out of every text and every stray Parquet file below a folder.

    Returns:
        Words or rows that went by top folder.
    """
    gone: dict[str, int] = {}
    for path in _files(root, excluded):
        count = 0
        if path.suffix == ".parquet":
            count = clean_parquet(path, searcher)
        elif path.suffix in _TEXTS:
            clean = clean_mail if path.suffix == ".eml" else clean_text
            count = clean(path, searcher)
        if count:
            top = path.relative_to(root).parts[0]
            gone[top] = gone.get(top, 0) + count
    return gone


def _files(root: Path, excluded: frozenset[Path]) -> Iterator[Path]:
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if path in excluded or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path, excluded)
        elif path.is_file():
            yield path


def _record_batches(path: Path) -> Iterator[list[str]]:
    """Yield records with their line ends, many at a time.

    A line break inside quotes ends none in CSV; in JSON lines each ends one.
    """
    batch: list[str] = []
    held: list[str] = []
    size = quotes = 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        for line in lines:
            held.append(line)
            size += len(line)
            quotes += line.count('"') if path.suffix == ".csv" else 0
            if quotes % 2 == 0:
                batch.append("".join(held))
                held, quotes = [], 0
            if size > _BATCH and not held:
                yield batch
                batch, size = [], 0
    yield [*batch, *(["".join(held)] if held else [])]


def _replace(path: Path, data: bytes) -> None:
    """Put new bytes in a file's place, with the same permissions."""
    with _replacing(path) as stream:
        stream.write(data)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open what takes a file's place, with the same permissions, once it is whole."""
    copy = path.with_name(f".{path.name}.erasing")
    with copy.open("wb") as stream:
        yield stream
    _take_place(copy, path)


def _take_place(copy: Path, path: Path) -> None:
    copy.chmod(path.stat().st_mode & 0o777)
    fsync(copy)
    copy.replace(path)
    fsync(path.parent)
