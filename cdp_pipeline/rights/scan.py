"""Looking for people in every file of a data folder, independent of what erases: by formats alone.

Several files are looked into at a time, and a search may begin beside other work: a file that is as
it was then is not looked into again. What one file holds is told in ``looking``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import Clock
from cdp_pipeline.rights.looking import lies_open, look_into
from cdp_pipeline.rights.searching import Searcher

_AT_ONCE = 2
"""Files that are looked into at a time: a search in bytes uses little more than one core."""

_AT_REST = 2.0
"""Seconds after which a change of a file has another time: clocks of file systems tick coarsely."""


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
        cleaned: Number of files in which something was found and that were rewritten; ``finds`` has
            what is left in them.
        mentioning: Number of tables' files, staged, set aside or published, in which rows of others
            lost the words.
    """

    finds: list[Find] = field(default_factory=list)
    files: int = 0
    unreadable: list[str] = field(default_factory=list)
    cleaned: int = 0
    mentioning: int = 0


_Found = tuple[set[tuple[str, str]], bool]
"""Place and kind of every trace in a file, and whether it is broken."""

_Stamp = tuple[int, int, int, int, int, str, bool]


class Lookout:
    """Looks into files, several at a time; twice only into those that changed in between."""

    def __init__(self, searcher: Searcher, keys: KeySettings, scratch: Path) -> None:
        """Begin without any file.

        Args:
            searcher: Looks for the people.
            keys: What opens encrypted files.
            scratch: Private folder for copies of encrypted files in clear, one at a time.
        """
        self.searcher = searcher
        self._keys, self._scratch = keys, scratch
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._idle: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        for _ in range(_AT_ONCE + 1):  # and one for who asks
            self._idle.put(duckdb.connect())
        self._known: dict[_Stamp, Future[_Found]] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what was begun and nobody asked for."""
        self._pool.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()

    def begin(self, path: Path, *, figures: bool) -> None:
        """Look into a file beside other work, if it can be read where it lies.

        What is to be unsealed or unpacked takes room in clear: it is looked into when it is asked
        for, one at a time.

        Args:
            path: The file.
            figures: Whether digits of figures are a text too.
        """
        stamp = _stamp_of(path, figures=figures)
        if stamp not in self._known and lies_open(path):
            self._known[stamp] = self._pool.submit(self._look, path, figures=figures)

    def find(self, path: Path, *, figures: bool) -> Future[_Found]:
        """Return what a file holds; it is the same promise for each of the names of one file."""
        self.begin(path, figures=figures)
        stamp = _stamp_of(path, figures=figures)
        if stamp not in self._known:
            self._known[stamp] = Future()
            self._known[stamp].set_result(self._look(path, figures=figures))
        return self._known[stamp]

    def _look(self, path: Path, *, figures: bool) -> _Found:
        con = self._idle.get()
        try:
            return look_into(con, path, self.searcher, self._keys, self._scratch, figures=figures)
        finally:
            self._idle.put(con)


def _stamp_of(path: Path, *, figures: bool) -> _Stamp:
    """Return what tells one state of a file from any other; versions share files by hard links."""
    told = path.stat()
    changed = told.st_size, told.st_mtime_ns, told.st_ctime_ns
    return told.st_dev, told.st_ino, *changed, path.suffix, figures


def scan_folder(  # noqa: PLR0913 - what is looked at, and with what
    root: Path,
    searcher: Searcher,
    *,
    excluded: Collection[Path] = (),
    keys: KeySettings | None = None,
    scratch: Path | None = None,
    only: Collection[Path] | None = None,
    typed: Collection[Path] = (),
    lookout: Lookout | None = None,
) -> Scan:
    """Look for people in every file below a folder.

    Args:
        root: The data folder.
        searcher: Looks for the people.
        excluded: Files and folders that are not looked at.
        keys: What opens encrypted files; one whose key is missing cannot be looked into.
        scratch: Private folder for copies of encrypted files in clear, one at a time; default: the
            system's folder of temporary files.
        only: The files that are looked at; None for all.
        typed: Folders of tables whose types are ours: what is a figure there is nobody's number.
        lookout: Of the same searcher, keys and scratch folder, which may have begun.
    """
    if lookout is None:
        with (
            _own_folder(scratch) as folder,
            Lookout(searcher, keys or KeySettings(), folder) as made,
        ):
            return scan_folder(
                root, searcher, excluded=excluded, only=only, typed=typed, lookout=made
            )
    scan, told = Scan(), set[Future[_Found]]()
    files = [path for path in _files_below(root, excluded) if only is None or path in only]
    for path, figures in _begin(files, lookout, typed):
        scan.files += 1
        name = str(path.relative_to(root))
        found = lookout.find(path, figures=figures)
        held, is_broken = found.result()
        if is_broken and found not in told:
            scan.unreadable.append(name)
            told.add(found)
        held = {("name", kind) for kind in searcher.kinds(path.name)} | held
        scan.finds += [Find(name, place, kind) for place, kind in sorted(held)]
    return scan


def begin_folder(root: Path, lookout: Lookout, *, typed: Collection[Path]) -> None:
    """Begin to look into the files of a folder beside other work, which leaves them as they are.

    What has changed just now is left for later: changed again, it might look as if it had not.

    Args:
        root: The folder; it may be missing.
        lookout: Goes on meanwhile, and is given to ``scan_folder`` later.
        typed: As for ``scan_folder``.
    """
    rested = Clock().now().timestamp() - _AT_REST
    files = [path for path in _files_below(root) if path.stat().st_ctime < rested]
    _begin(files, lookout, typed)


def _begin(
    files: Sequence[Path], lookout: Lookout, typed: Collection[Path]
) -> list[tuple[Path, bool]]:
    """Begin to look into files, the largest first; return each, and whether figures are read."""
    asked = [(path, not any(path.is_relative_to(other) for other in typed)) for path in files]
    for path, figures in sorted(asked, key=lambda one: -one[0].stat().st_size):
        lookout.begin(path, figures=figures)
    return asked


def _files_below(root: Path, excluded: Collection[Path] = ()) -> list[Path]:
    """Return the files of a folder that are looked at, in order; links lead elsewhere."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if not path.is_symlink()
        and path.is_file()
        and not any(path == other or other in path.parents for other in excluded)
    ]


@contextmanager
def _own_folder(scratch: Path | None) -> Iterator[Path]:
    if scratch is not None:
        yield scratch
        return
    with tempfile.TemporaryDirectory(prefix="cdp-") as made:
        yield Path(made)
