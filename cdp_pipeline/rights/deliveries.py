"""Erasing people from what was delivered: staged rows, quarantine, raw files, the archive.

Staged rows are cleaned by the recogniser that keeps people out later. It notes on which lines of
the delivery they stood; there the raw file is rewritten. A raw file of a format that cannot be
rewritten is removed: what it says of others stays in the staged rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.ingest.deliveries import FILE_ID_CHARACTERS
from cdp_pipeline.ingest.hashing import Hasher
from cdp_pipeline.ingest.landing import find_files
from cdp_pipeline.ingest.redaction import open_like, redact_delivery
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.suppressing import (
    UNKNOWN_LINE,
    Suppressed,
    is_detaching,
    note_suppressed,
    suppress_quarantined,
    suppress_staged,
)
from cdp_pipeline.privacy.suppression import KINDS, create_normalisers
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.rights.files import redact_bytes
from cdp_pipeline.rights.looking import holds_trace
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, load_pairs, load_values
from cdp_pipeline.storage.at_rest import editable_file, plain_file
from cdp_pipeline.storage.files import fsync, read_json, sha256_of
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import (
    Redaction,
    note_redactions,
    original_hashes,
    read_redactions,
)
from cdp_pipeline.storage.warehouse import connect, quote_literal

_NOT_DELIVERED = {"index.json"}


_SPELT = {
    "email": ("email",),
    "phone": ("phone",),
    "cookie": ("cookie",),
    "identifier": tuple(kind for kind in KINDS if kind not in {"email", "phone", "record"}),
}
"""Kinds of values by the kind of personal data that a contract declares."""


@dataclass
class DeliveryCleaning:
    """What was taken out of deliveries.

    Attributes:
        staged: Staged rows that went.
        detached: Staged rows that stay without the person.
        quarantined: Records whose text went.
        rewritten: Raw files that were rewritten, each once.
        removed: Raw files that were removed.
        spellings: Personal values of the rows, by kind, as they were written.
        lines: Lines of deliveries on which the rows stood, by the notes of the staged file.
    """

    staged: int = 0
    detached: int = 0
    quarantined: int = 0
    rewritten: set[Path] = field(default_factory=set)
    removed: int = 0
    spellings: set[tuple[str, str]] = field(default_factory=set)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, notes: str, lines: Iterable[int], spellings: Iterable[tuple[str, str]]) -> None:
        """Add what one file tells: lines of its delivery, and spellings."""
        self.lines[notes] = sorted({*self.lines.get(notes, ()), *lines})
        self.spellings |= set(spellings)


Keep = Callable[[str, Suppressed], None]
"""Writes down what was found, by the notes of the staged file."""


def clean_staged(
    context: RunContext, traces: Traces, done: DeliveryCleaning, *, keep: Keep
) -> None:
    """Take people out of every staged file and every quarantine file.

    Args:
        context: Settings and project.
        traces: The people.
        done: Gets counts, lines and spellings; what an interrupted try found may be in it.
        keep: Writes down what a file tells; called before it is replaced.
    """
    project, paths = load_project(context.project_root), DataPaths.of(context)
    con = connect(context.settings.engine)
    try:
        create_normalisers(con)
        known = load_values(con, traces, "erased_values")
        for name, contract in project.sources.items():
            staged = paths.staging / name
            for path in sorted(staged.glob("[!.]*.parquet")):
                with editable_file(path, context.settings.keys, paths.work) as rows:
                    found = suppress_staged(
                        con,
                        contract,
                        rows,
                        is_detaching=is_detaching(contract, project),
                        known=known,
                        prepare=partial(_prepare, done, path.with_suffix(".json"), keep),
                    )
                done.staged += found.dropped
                done.detached += found.detached
            for aside in sorted((paths.quarantine / name).glob("[!.]*.parquet")):
                ready = partial(_prepare, done, staged / f"{aside.stem}.json", keep)
                with editable_file(aside, context.settings.keys, paths.work) as path:
                    blanked = suppress_quarantined(con, contract, path, known=known, prepare=ready)
                done.quarantined += len(blanked)
    finally:
        con.close()
    for name, lines in done.lines.items():
        notes = paths.staging / name
        if notes.is_file():
            _note_suppressed(context, notes, lines)


def _note_suppressed(context: RunContext, notes: Path, lines: list[int]) -> None:
    rows = notes.with_suffix(".parquet")
    if not rows.is_file():
        note_suppressed(notes, lines, left=None)
        return
    with plain_file(rows, context.settings.keys, DataPaths.of(context).work) as plain:
        note_suppressed(notes, lines, left=parquet.read_metadata(plain).num_rows)


def _prepare(done: DeliveryCleaning, notes: Path, keep: Keep, found: Suppressed) -> None:
    """Write down what was found in a file before it is replaced."""
    name = f"{notes.parent.name}/{notes.name}"
    done.add(name, found.lines, found.spellings)
    keep(name, found)


def own_spellings(
    context: RunContext, traces: Traces, done: DeliveryCleaning
) -> set[tuple[str, str]]:
    """Return spellings that stand for nobody else, as their normalised value shows.

    Args:
        context: Settings.
        traces: The people.
        done: What was found in deliveries.

    Returns:
        Kind and value, as written.
    """
    keys = {key for s in traces.subjects for _, key in s.records}
    own = {(pii, value) for pii, value in done.spellings if pii == "handle" and value in keys}
    spelt = sorted((kind, value) for pii, value in done.spellings for kind in _SPELT.get(pii, ()))
    con = connect(context.settings.engine)
    try:
        create_normalisers(con)
        known = load_values(con, traces, "erased_values")
        written = load_pairs(con, spelt, "written_values")
        parts = [
            f"select kind, value, {KINDS[kind].format(value='value')} as clean "  # noqa: S608 - constants
            f"from {written} where kind = {quote_literal(kind)}"
            for kind in sorted({kind for kind, _ in spelt})
        ]
        if parts:
            found = con.execute(
                f"select w.kind, w.value from ({' union all '.join(parts)}) as w "  # noqa: S608 - as above
                f"semi join {known} as k on k.kind = w.kind and k.value = w.clean order by all"
            ).fetchall()
            own |= {(str(kind), str(value)) for kind, value in found}
    finally:
        con.close()
    return own


def clean_raw(
    context: RunContext,
    done: DeliveryCleaning,
    *,
    searcher: Searcher | None = None,
    only: Collection[Path] | None = None,
) -> set[Path]:
    """Rewrite raw deliveries on whose noted lines erased people stand.

    Args:
        context: Settings and project.
        done: Counts files.
        searcher: Looks for the people on all other lines too; default: the noted ones go.
        only: The files that are looked into, of those a search found them in; None for all.

    Returns:
        What was rewritten or removed.
    """
    project, paths = load_project(context.project_root), DataPaths.of(context)
    held, changed = read_redactions(paths), set[Path]()
    con = connect(context.settings.engine)
    try:
        for sealed, contract, file_id, digest in _raw_files(context, project, paths):
            lines = _noted_lines(paths, contract, file_id)
            is_asked = only is None or sealed in only
            if not is_asked or (searcher is None and not _has_new(lines, held.get(digest))):
                continue  # neither read nor opened: there are as many as nights
            with editable_file(sealed, context.settings.keys, paths.work) as path:
                actual = sha256_of(path)
                known = held.get(actual)
                is_held = searcher and holds_trace(con, path, searcher, paths.work)
                if not (is_held or _has_new(lines, known)):
                    continue
                changed.add(sealed)
                refused = None
                if is_detaching(contract, project):
                    refused = _refused(context, paths, contract, file_id, lines)
                original = known.original if known else actual
                draft = path.with_name(f".{path.name}.erasing")
                if _redact(contract, path, draft, lines, refused, searcher):
                    sha256 = _take_place(paths, draft, path, Redaction(original, len(lines)))
                    done.rewritten |= {sealed} if sha256 != actual else set()
                else:
                    path.unlink()
                    done.removed += 1
    finally:
        con.close()
    return changed


def _take_place(paths: DataPaths, draft: Path, path: Path, redaction: Redaction) -> str:
    """Put a rewritten delivery in its place, noted as what it was, and return its hash."""
    sha256 = sha256_of(draft)
    note_redactions(paths, {sha256: redaction})
    draft.chmod(path.stat().st_mode & 0o777)
    fsync(draft)
    draft.replace(path)
    fsync(path.parent)
    return sha256


def _has_new(lines: frozenset[int], known: Redaction | None) -> bool:
    """Return whether more lines of a file are noted than were taken out of it."""
    return len(lines) > (known.lines if known else 0)


def _redact(
    contract: SourceContract,
    path: Path,
    draft: Path,
    lines: frozenset[int],
    refused: frozenset[int] | None,
    searcher: Searcher | None,
) -> bool:
    """Write a delivery without the people; return whether it could be rewritten.

    ``refused`` is None where rows go with their people.
    """
    if UNKNOWN_LINE in lines:
        return False
    pieces = redact_delivery(
        path, contract, lines, is_detaching=refused is not None, refused=refused or ()
    )
    if pieces is None:
        return False
    try:
        with open_like(path, draft) as stream:
            for piece in pieces:
                stream.write(redact_bytes(piece, searcher)[0] if searcher else piece)
    except (RefusedError, ValueError):  # letters or records that no reader of ours rewrites
        draft.unlink()
        return False
    return True


def _raw_files(
    context: RunContext, project: Project, paths: DataPaths
) -> Iterator[tuple[Path, SourceContract, str, str]]:
    """Yield every raw file with its contract, the id of the delivery that it is, and its hash.

    The hash is empty for a file of the archive, which may be encrypted.
    """
    originals, hasher = original_hashes(paths), Hasher.of(context.settings.keys, paths.hashes)
    for name, contract in project.sources.items():
        where = str(project.path_of("source", name))
        for delivery in find_files(
            paths.landing,
            contract,
            where=where,
            originals=originals,
            hasher=hasher,
        ):
            if delivery.path:
                digest = delivery.redacted_sha256 or delivery.sha256
                yield Path(delivery.path), contract, delivery.file_id, digest
        for path in sorted((paths.archive / name).glob("*/*")):
            if path.is_file() and path.name not in _NOT_DELIVERED:
                yield path, contract, path.parent.name[:FILE_ID_CHARACTERS], ""


def _noted_lines(paths: DataPaths, contract: SourceContract, file_id: str) -> frozenset[int]:
    lines: set[int] = set()
    for notes in _notes_of(paths, contract, file_id):
        lines |= set(read_json(notes).get("erased_lines", ()))
    return frozenset(lines)


def _notes_of(paths: DataPaths, contract: SourceContract, file_id: str) -> list[Path]:
    return sorted((paths.staging / contract.name).glob(f"{file_id}-*.json"))


def _refused(
    context: RunContext,
    paths: DataPaths,
    contract: SourceContract,
    file_id: str,
    lines: frozenset[int],
) -> frozenset[int]:
    """Return those lines whose records no staged file took: they or their delivery were refused."""
    wanted, taken = pa.array(sorted(lines), pa.int64()), set[int]()
    for notes in _notes_of(paths, contract, file_id):
        document, rows = read_json(notes), notes.with_suffix(".parquet")
        if rows.is_file():
            with plain_file(rows, context.settings.keys, paths.work) as plain:
                held = parquet.read_table(plain, columns=["_line"]).column("_line")
            taken |= set(held.filter(pc.is_in(held, value_set=wanted)).to_pylist())
        elif document["status"] == "loaded" and document["accepted"]:  # its rows are swept away
            taken |= set(document.get("erased_lines", ()))
    return lines - taken
