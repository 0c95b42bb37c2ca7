"""Delivered files with traces that no reader of ours takes apart: strays, refused, archives within.

What lies where deliveries lie without being one (a note, a backup, a file under another's name) is
known to no contract, so that its rows cannot be told apart: the words that name a person are
replaced, also in what it packs. The search tells which files they are; it looks at them again.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.rights.files import clean_parquet, redact_bytes, text_batches
from cdp_pipeline.rights.mails import cleaned_mail
from cdp_pipeline.rights.packed import (
    BROKEN,
    HEAD,
    Budget,
    kind_of_file,
    labels_of,
    parts_of,
    stub_of,
    unpacking,
)
from cdp_pipeline.rights.scan import Scan, scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.spellings import wide_encoding
from cdp_pipeline.storage.at_rest import editable_file
from cdp_pipeline.storage.files import fsync, sha256_of
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import Redaction, note_redactions, read_redactions
from cdp_pipeline.storage.warehouse import DATABASE_FILE

_BLOCK = 1 << 24


def clean_strays(context: RunContext, root: Path, scan: Scan, searcher: Searcher) -> Scan:
    """Take people out of files in which a search found them, and return what it finds then.

    Args:
        context: Settings; the caller holds the lock.
        root: The folder that was searched.
        scan: What was found there.
        searcher: Looks for the people.
    """
    paths, keys = DataPaths.of(context), context.settings.keys
    ours = written_here(paths)[:-1]  # what is left in them is a fault
    cleaned = []
    for path in sorted({root / find.file for find in scan.finds}):
        if any(path.is_relative_to(folder) for folder in ours):
            continue
        with editable_file(path, keys, paths.work) as plain:
            if _clean_stray(paths, plain, searcher):
                cleaned.append(path)
    left = look_again(context, root, scan, cleaned, searcher)
    return replace(left, cleaned=len(cleaned))


def written_here(paths: DataPaths) -> tuple[Path, ...]:
    """Return the folders of tables whose types are chosen here; the last one is others' to read."""
    return paths.versions, paths.staging, paths.quarantine, paths.outbox


def look_again(
    context: RunContext, root: Path, scan: Scan, cleaned: Collection[Path], searcher: Searcher
) -> Scan:
    """Return what a search finds now that files were cleaned; only these are searched again.

    So is a database beside them, of which columns may have been searched in its mirror alone.

    Args:
        context: Settings; the caller holds the lock.
        root: The folder that was searched.
        scan: What was found there.
        cleaned: Files that are another now, or gone.
        searcher: Looks for the people.
    """
    if not cleaned:
        return scan
    paths, keys = DataPaths.of(context), context.settings.keys
    typed = written_here(paths)
    only = {*cleaned, *(above / DATABASE_FILE for path in cleaned for above in path.parents)}
    again = scan_folder(root, searcher, keys=keys, scratch=paths.work, only=only, typed=typed)
    names = {str(path.relative_to(root)) for path in only if path.is_relative_to(root)}
    kept = [find for find in scan.finds if find.file not in names]
    return Scan(kept + again.finds, scan.files, scan.unreadable, scan.cleaned)


def _clean_stray(paths: DataPaths, path: Path, searcher: Searcher) -> bool:
    """Replace the words in one file; return whether there were any and it could be written."""
    with unpacking(paths.work) as made:
        draft = made / f"draft{path.suffix}"
        try:
            kind = kind_of_file(path, path.name)
            if not _clean(path, draft, kind, searcher, Budget(path.stat().st_size)):
                return False
        except (duckdb.Error, *BROKEN):  # the search names it, and a person decides
            return False
        beside = path.with_name(f".{path.name}.erasing")
        shutil.copyfile(draft, beside)  # another file system may hold the deliveries
    actual = sha256_of(path)
    known = read_redactions(paths).get(actual) or Redaction(actual, 0)
    note_redactions(paths, {sha256_of(beside): known})
    beside.chmod(path.stat().st_mode & 0o777)
    fsync(beside)
    beside.replace(path)
    fsync(path.parent)
    return True


def _clean(path: Path, target: Path, kind: str | None, searcher: Searcher, budget: Budget) -> bool:
    """Write a file without the words and return whether there were any.

    Raises:
        BROKEN: It cannot be unpacked, or it is a database.
    """
    if kind == "duckdb":
        raise ValueError("a database is not written again")
    if kind is None:
        return _redact_text(path, target, searcher)
    if kind == "parquet":
        shutil.copyfile(path, target)
        return clean_parquet(target, searcher, figures=True) > 0
    if kind == "mail":
        return _clean_mail(path, target, searcher, budget)
    changed = any(searcher.kinds(label) for label in labels_of(path, kind))
    below = target.parent / "inside"
    below.mkdir(exist_ok=True)
    with _packing(kind, path, target, searcher) as add:
        for name, stream in parts_of(path, kind):
            part, cleaned = below / "part", below / "cleaned"
            with part.open("wb") as copied:
                while block := bytes(stream.read(_BLOCK)):
                    copied.write(budget.spend(block))
            changed |= _clean(part, cleaned, kind_of_file(part, ""), searcher, budget)
            called = _redact_label(name, searcher)
            changed |= called != name
            add(name, called, cleaned)
    return changed


def _clean_mail(path: Path, target: Path, searcher: Searcher, budget: Budget) -> bool:
    """Write a mail without the words, in its text and in its encoded parts, which may be packed."""
    below = target.parent / "inside"
    below.mkdir(exist_ok=True)

    def clean_part(content: bytes) -> bytes:
        part, cleaned = below / "part", below / "cleaned"
        part.write_bytes(content)
        try:
            budget.spend(content)
            changed = _clean(part, cleaned, kind_of_file(part, ""), searcher, budget)
        except (duckdb.Error, *BROKEN):  # the search names it; the words beside it go
            return content
        return cleaned.read_bytes() if changed else content

    with path.open("rb") as source:
        is_wide = wide_encoding(source.read(HEAD)) is not None
    try:
        data = cleaned_mail(
            path,
            clean_text=lambda text: redact_bytes(text, searcher)[0],
            clean_part=clean_part,
            clean_label=partial(_redact_label, searcher=searcher),
        )
    except ValueError:  # it cannot be taken apart
        is_wide, data = True, None
    if is_wide:
        return _redact_text(path, target, searcher)
    target.write_bytes(path.read_bytes() if data is None else data)
    return data is not None


def _redact_label(text: str, searcher: Searcher) -> str:
    data, _ = redact_bytes(text.encode("utf-8", "surrogateescape"), searcher)
    return data.decode("utf-8", "surrogateescape")


def _redact_text(path: Path, target: Path, searcher: Searcher) -> bool:
    """Write a text without the words and return whether there were any; UTF-16 stays UTF-16."""
    with path.open("rb") as source:
        encoding = wide_encoding(source.read(HEAD))
    if encoding is None:
        return _redact_lines(path, target, searcher)
    narrow, cleaned = (target.with_name(f"{target.name}.{word}") for word in ("narrow", "cleaned"))
    try:
        _write_again(path, encoding, narrow, "utf-8")
    except UnicodeError:  # it only looked like UTF-16: a list with zeros between its entries
        return _redact_lines(path, target, searcher)
    if not _redact_lines(narrow, cleaned, searcher):
        return _redact_lines(path, target, searcher)
    _write_again(cleaned, "utf-8", target, encoding)
    return True


def _redact_lines(path: Path, target: Path, searcher: Searcher) -> bool:
    changed = False
    with path.open("rb") as source, target.open("wb") as cleaned:
        for text in text_batches(source):
            data, count = redact_bytes(text, searcher)
            cleaned.write(data)
            changed |= count > 0
    return changed


def _write_again(path: Path, encoding: str, target: Path, other: str) -> None:
    """Write a text in another encoding, some of it at a time."""
    lenient = "surrogatepass"
    with (
        path.open(encoding=encoding, errors=lenient, newline="") as source,
        target.open("w", encoding=other, errors=lenient, newline="") as stream,
    ):
        shutil.copyfileobj(source, stream, _BLOCK)


_Add = Callable[[str, str, Path], None]
"""Adds a part: under which name it stood, under which it stands now, and its file."""


@contextmanager
def _packing(kind: str, source: Path, target: Path, searcher: Searcher) -> Iterator[_Add]:
    """Open what packs the parts of a file again, as they were packed."""
    if kind == "zip":
        with (
            zipfile.ZipFile(source) as old,
            target.open("wb") as raw,
            zipfile.ZipFile(_behind(raw, stub_of(source), searcher), "w") as new,
        ):
            new.comment = redact_bytes(old.comment, searcher)[0]

            def add_member(name: str, called: str, part: Path) -> None:
                entry = copy(old.getinfo(name))
                entry.filename, entry.comment = called, redact_bytes(entry.comment, searcher)[0]
                new.writestr(entry, part.read_bytes(), entry.compress_type)

            yield add_member
    elif kind == "tar":
        with tarfile.open(source, "r:") as old_tape, tarfile.open(target, "w") as tape:
            links = [copy(entry) for entry in old_tape if not entry.isfile()]

            def add_entry(name: str, called: str, part: Path) -> None:
                entry = copy(old_tape.getmember(name))
                entry.name, entry.size = called, part.stat().st_size
                # What is said beside the header goes before it, names included; all is whole now.
                entry.pax_headers, entry.type = {}, tarfile.REGTYPE
                with part.open("rb") as content:
                    tape.addfile(entry, content)

            yield add_entry
            for link in links:  # and folders: what they lead to stands before them
                link.name, link.linkname = (
                    _redact_label(text, searcher) for text in (link.name, link.linkname)
                )
                link.pax_headers = {}
                tape.addfile(link)
    else:
        with _deflating(kind, target) as stream:

            def add_stream(_: str, __: str, part: Path) -> None:
                stream.write(part.read_bytes())

            yield add_stream


def _behind(raw: BinaryIO, stub: bytes, searcher: Searcher) -> BinaryIO:
    """Write what stands before an archive, without the words, and return the open file."""
    raw.write(redact_bytes(stub, searcher)[0])
    return raw


@contextmanager
def _deflating(kind: str, target: Path) -> Iterator[IO[bytes]]:
    """Open a compressed file to write; the same bytes give the same file."""
    with target.open("wb") as raw:
        opened: dict[str, Callable[[], object]] = {
            "gzip": lambda: gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0),
            "bz2": lambda: bz2.BZ2File(raw, "wb"),
            "xz": lambda: lzma.LZMAFile(raw, "wb"),  # noqa: SIM115 - entered below
            "zstd": lambda: pa.CompressedOutputStream(pa.PythonFile(raw, "w"), "zstd"),
        }
        with cast("BinaryIO", opened[kind]()) as stream:
            yield stream
