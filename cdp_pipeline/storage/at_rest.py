"""Files that are sealed while nobody works with them, and given in clear to whoever does.

With a key set, what names people is sealed at the end of a night (``container``): deliveries,
staged rows, rows set aside. Whoever reads one gets a private copy in clear; without a key, and for
files in clear, all of this gives the file itself. Which files those are is told by the caller.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.keys import Keyring, load_keyring
from cdp_pipeline.storage.container import SealedFileError, key_of, open_sealed, seal_to

PLAIN = "plain"
"""Folder of copies in clear, within the work of a run."""


@dataclass
class Sealing:
    """What was sealed.

    Attributes:
        files: Files that were sealed now.
        kept: Files that were sealed already.
        problems: Files that could not be sealed, each with the reason.
    """

    files: int = 0
    kept: int = 0
    problems: list[str] = field(default_factory=list)


def seal_files(paths: Iterable[Path], keys: KeySettings, *, scratch: Path | None = None) -> Sealing:
    """Seal files in their places; hard links of one file stay links of one file.

    Args:
        paths: Regular files.
        keys: With what; nothing is done without a key.
        scratch: Folder for copies in clear: files under an older key are brought under the one in
            use. None to leave them.
    """
    done, ring = Sealing(), load_keyring(keys)
    if ring.is_public:
        return done
    sealed: dict[tuple[int, int], Path] = {}
    for path in paths:
        try:
            held = path.stat()
            twin = sealed.get((held.st_dev, held.st_ino))
            if twin is not None:
                _link(twin, path)
            elif _is_due(path, ring, is_rotating=scratch is not None):
                with plain_file(path, keys, scratch or path.parent) as plain:
                    seal_to(plain, path, ring.current)
            else:
                done.kept += 1
                continue
        except (OSError, SealedFileError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.message
            done.problems.append(f"{path}: {reason}")
            continue
        sealed[held.st_dev, held.st_ino] = path
        done.files += 1
    return done


def _is_due(path: Path, ring: Keyring, *, is_rotating: bool) -> bool:
    name = key_of(path)
    return name is None or (is_rotating and name != ring.current.id)


def _link(sealed: Path, path: Path) -> None:
    """Let a name lead to a file that was sealed under another of its names."""
    link = path.with_name(f".{path.name}.sealing")
    link.unlink(missing_ok=True)
    os.link(sealed, link)
    link.replace(path)


@contextmanager
def plain_file(path: Path, keys: KeySettings, folder: Path) -> Iterator[Path]:
    """Give a file in clear: itself, or a private copy that goes in the end.

    Args:
        path: Any file, sealed or not.
        keys: What opens it.
        folder: Private folder for the copy.

    Raises:
        SealedFileError: It was changed, or its key is missing.
    """
    if key_of(path) is None:
        yield path
        return
    copy = unseal_into(path, keys, folder)
    try:
        yield copy
    finally:
        shutil.rmtree(copy.parent)


@contextmanager
def editable_file(path: Path, keys: KeySettings, folder: Path) -> Iterator[Path]:
    """Give a file in clear, and seal again what was put in its place; it may also be removed.

    A copy that is there already is not taken: whoever died over it may have changed it.

    Args:
        path: Any file, sealed or not.
        keys: What opens and seals it.
        folder: Private folder for the copy.

    Raises:
        SealedFileError: It was changed, or its key is missing.
    """
    shutil.rmtree(_place_of(path, folder).parent, ignore_errors=True)
    with plain_file(path, keys, folder) as plain:
        before = _stamp(plain)
        yield plain
        if plain == path or _stamp(plain) == before:
            return
        if plain.exists():
            seal_to(plain, path, load_keyring(keys).current)
        else:
            path.unlink()


def unseal_into(path: Path, keys: KeySettings, folder: Path) -> Path:
    """Return a copy of a file in clear that stays; the file itself if it is not sealed.

    A copy that is there already is taken as it is.

    Raises:
        SealedFileError: It was changed, or its key is missing.
    """
    if key_of(path) is None:
        return path
    place = _place_of(path, folder)
    if place.is_file():
        return place
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = place.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    copy_plain(path, draft, keys)
    draft.replace(place)
    return place


def copy_plain(path: Path, target: Path, keys: KeySettings) -> None:
    """Copy a file in clear, sealed or not, to a new file that only its owner may read.

    Raises:
        SealedFileError: It was changed, or its key is missing.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, 0o600), "wb") as stream:
        if key_of(path) is None:
            with path.open("rb") as source:
                shutil.copyfileobj(source, stream)
            return
        for chunk in open_sealed(path, load_keyring(keys)):
            stream.write(chunk)


def _place_of(path: Path, folder: Path) -> Path:
    """Return where the copy of a file lies, whose name itself tells readers the format."""
    # Files of one name lie in many folders.
    return folder / PLAIN / hashlib.sha256(str(path).encode()).hexdigest()[:16] / path.name


def _stamp(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_mtime_ns
