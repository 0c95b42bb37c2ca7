"""What an erasure leaves for the next night to make anew, so that it need not make everything anew.

An erasure takes rows out of staged files and of the version that the next night builds upon; what
other rows owe to them is made anew there. Beside the version, each erasure notes how large staged
files were before and afterwards, keys of their rows that changed, and values by which models find
the rows concerned. Nothing is believed unless it joins that version to the staged files of the
night without a gap. The notes go once a version is published that knows the erasure.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.storage.at_rest import seal_files, unseal_into
from cdp_pipeline.storage.basis import has_staged
from cdp_pipeline.storage.container import SealedFileError
from cdp_pipeline.storage.files import fsync, read_json, remove_folder, sha256_of, write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

FOLDER = "renewal"
CERTIFICATES = "certificates"
"""Folder of what was done, which tells when."""

PENDING = "pending"
"""Folder of erasures that have begun and not ended."""

KEYS, UNITS = "keys", "units"
_SCHEMA = "staging.renewal"
_NOTES, _BEGUN = "notes.json", "begun.json"
_NAMED = re.compile(r"(?P<name>.+)\.(?P<digest>[0-9a-f]{64})\.parquet")

Sizes = dict[str, dict[str, tuple[int, int]]]
"""Rows and bytes of each staged file, by source and file."""


@dataclass(frozen=True)
class Renewal:
    """What erasures since a version leave to a night.

    Attributes:
        staged: Staged files of that version as they are after the erasures.
        keys: Files in clear with keys of staged rows that changed, by source.
        units: Files in clear with values that lead to rows of models, by name.
        keyless: Sources of whose changed rows the keys are not told.
    """

    staged: Sizes
    keys: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    units: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    keyless: frozenset[str] = frozenset()


def known_erasures(paths: DataPaths) -> tuple[str, ...]:
    """Return the numbers of all erasures that have begun, ended or not, oldest first."""
    found = {
        path.stem
        for folder in (PENDING, CERTIFICATES)
        for path in (paths.privacy / folder).glob("E*.json")
    }
    return tuple(sorted(found))


def ended_erasures(paths: DataPaths) -> tuple[str, ...]:
    """Return the numbers of the erasures that have ended, oldest first."""
    going_on = {path.stem for path in (paths.privacy / PENDING).glob("E*.json")}
    return tuple(number for number in known_erasures(paths) if number not in going_on)


def begin_notes(paths: DataPaths, erasure: str, *, staged: Sizes, version: str) -> None:
    """Write down what an erasure begins with; whoever goes on after a crash began before.

    Args:
        paths: The data folder.
        erasure: Its number.
        staged: Staged files before anything is taken out of them.
        version: The newest version, whose changed rows are noted.
    """
    begun = paths.ensure(_folder_of(paths, erasure)) / _BEGUN
    _folder_of(paths, erasure).chmod(0o700)
    if not begun.is_file():
        write_json(begun, {"staged": staged, "version": version})


def add_rows(paths: DataPaths, erasure: str, kind: str, name: str, rows: pa.Table) -> None:
    """Note rows, in a file that bears its hash: whoever takes a row out of it later is found out.

    Args:
        paths: The data folder.
        erasure: Its number.
        kind: ``KEYS`` of a source's rows, or ``UNITS``.
        name: Of which source, or what the values lead to.
        rows: The values; none of them tells an erased person.
    """
    folder = paths.ensure(_folder_of(paths, erasure) / kind)
    folder.chmod(0o700)
    draft = folder / f".{name}.parquet"
    parquet.write_table(rows, draft, compression="zstd")
    draft.chmod(0o600)
    fsync(draft)
    draft.replace(folder / f"{name}.{sha256_of(draft)}.parquet")


def end_notes(
    paths: DataPaths,
    erasure: str,
    keys: KeySettings,
    *,
    staged: Sizes,
    version: str,
    keyless: Collection[str] = (),
) -> None:
    """Seal the notes of an erasure and tell that they are complete.

    Args:
        paths: The data folder.
        erasure: Its number.
        keys: What seals them.
        staged: Staged files after the erasure.
        version: The newest version: if another came since it began, the notes are worth nothing.
        keyless: Sources of whose changed rows the keys are not told.
    """
    folder = _folder_of(paths, erasure)
    begun = read_json(folder / _BEGUN)
    if not begun or begun["version"] != version:
        drop_notes(paths, [erasure])
        return
    files = sorted(folder.glob("*/[!.]*.parquet"))
    if seal_files(files, keys).problems:
        drop_notes(paths, [erasure])
        return
    names = [path.relative_to(folder).as_posix() for path in files]
    notes = {**begun, "after": staged, "keyless": sorted(keyless), "files": names}
    write_json(folder / _NOTES, notes)


def note_folders(paths: DataPaths) -> list[Path]:
    """Return the folders of notes by erasure, once what died deletions left of others is gone."""
    folder = paths.privacy / FOLDER
    for path in folder.glob(".*"):
        shutil.rmtree(path)
    return sorted(folder.glob("E*"))


def note_files(paths: DataPaths) -> list[Path]:
    """Return the files of notes that a key seals, sealed or not."""
    return sorted((paths.privacy / FOLDER).glob("E*/*/[!.]*.parquet"))


def drop_notes(paths: DataPaths, erasures: Collection[str]) -> None:
    """Delete the notes of erasures."""
    for erasure in erasures:
        remove_folder(_folder_of(paths, erasure))


def find_renewal(
    paths: DataPaths, keys: KeySettings, *, known: Collection[str], version: str, staged: Sizes
) -> Renewal | None:
    """Return what the erasures since a version leave to the night; None if that is not proved.

    Args:
        paths: The data folder of the night.
        keys: What opens the notes.
        known: Erasures that the version knows: its staged files were read after them.
        version: Its name.
        staged: Its staged files.
    """
    held = {source: dict(files) for source, files in staged.items()}
    found: dict[str, dict[str, tuple[Path, ...]]] = {KEYS: {}, UNITS: {}}
    keyless: set[str] = set()
    for erasure in known_erasures(paths):
        if erasure in known:
            continue
        folder = _folder_of(paths, erasure)
        notes = read_json(folder / _NOTES)
        if (
            notes.get("version") != version
            or (paths.privacy / PENDING / f"{erasure}.json").exists()
        ):
            return None
        if not _follow(held, notes):
            return None
        keyless |= set(notes["keyless"])
        for file in notes["files"]:
            plain, (kind, name) = _in_clear(folder / file, keys, paths.work), _told(file)
            if plain is None:
                return None
            found[kind][name] = (*found[kind].get(name, ()), plain)
    return Renewal(held, found[KEYS], found[UNITS], frozenset(keyless))


def lay_out_units(con: duckdb.DuckDBPyConnection, units: Mapping[str, Sequence[Path]]) -> None:
    """Make a table of each list of values that lead to rows of models.

    Args:
        con: Connection to the build, whose staging is new.
        units: Files in clear, by name.
    """
    con.execute(f"create schema {_SCHEMA}")
    for name, files in units.items():
        listed = ", ".join(quote_literal(str(path)) for path in files)
        con.execute(
            f"create table {_SCHEMA}.{quote_column(name)} as "  # noqa: S608 - quoted
            f"select distinct * from read_parquet([{listed}])"
        )


def left_units(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """Return the quoted table of values of a name that erasures left; empty if there are none."""
    return f"{_SCHEMA}.{quote_column(name)}" if has_staged(con, "renewal", name) else ""


def _follow(held: Sizes, notes: dict[str, Any]) -> bool:
    """Bring staged files to where an erasure left them; return whether it found them so."""
    for source, files in held.items():
        before, after = (notes[when].get(source, {}) for when in ("staged", "after"))
        for name, size in files.items():
            if tuple(before.get(name, ())) != size or name not in after:
                return False
            files[name] = tuple(after[name])
    return True


def _in_clear(path: Path, keys: KeySettings, scratch: Path) -> Path | None:
    """Return a file of notes in clear; None if it is not there as it was written."""
    named = _NAMED.fullmatch(path.name)
    try:
        plain = unseal_into(path, keys, scratch)
        is_whole = named is not None and sha256_of(plain) == named["digest"]
    except (FileNotFoundError, SealedFileError):
        return None
    return plain if is_whole else None


def _told(file: str) -> tuple[str, str]:
    """Return the kind of a file of notes, and what it tells of."""
    kind, _, name = file.partition("/")
    return kind, name.rsplit(".", 2)[0]


def _folder_of(paths: DataPaths, erasure: str) -> Path:
    return paths.privacy / FOLDER / erasure
