"""What a program did to the files of a folder, call by call, from a log of ``strace``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    *("openat", "write", "pwrite64", "writev", "pwritev", "lseek", "read", "sendfile"),
    *("copy_file_range", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "link"),
    *("linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
    *("fsync", "fdatasync"),
)
OPTIONS = ("-xx", "-s", str(1 << 23), "-e", f"trace={','.join(CALLS)}")
"""Of strace: whole texts, and paths of descriptors (which ``-y`` gives)."""

_CALL = re.compile(r"\d+ +(\w+)\((.*)\) += (\d+)(?:<.*>)?$")
_HALF = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>$")
_REST = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE = re.compile(r"(\d+)<((?:\\x[0-9a-f]{2})*)>")
_PLACE = re.compile(r"\[(\d+)\] => \[\d+\], \d+$")


@dataclass(frozen=True)
class Deed:
    """One change, or one fsync.

    Attributes:
        kind: ``make`` (a file), ``folder``, ``link``, ``point`` (a symbolic link), ``rename``,
            ``swap``, ``remove``, ``write``, ``copy`` (from another file), ``size`` or ``sync``.
        path: What it is done to.
        other: Where a rename or link leads; what a symbolic link points to.
        place: Where a write begins; -1 appends. Of ``size``, the bytes that are left.
        data: What is written.
    """

    kind: str
    path: str
    other: str = ""
    place: int = 0
    data: bytes = b""


class NotRecordedError(Exception):
    """The program used a call that the reader of its log does not know."""


@dataclass
class _Opened:
    """Where the next ``write`` of each descriptor goes; -1 at the end, whatever it is."""

    places: dict[str, int] = field(default_factory=dict)


def read_log(log: Path, root: Path) -> list[Deed]:
    """Return what was done below a folder, in order.

    Raises:
        NotRecordedError: By a call that is not understood.
    """
    opened = _Opened()
    return [
        deed
        for line in _whole_lines(log)
        if (call := _CALL.match(line))
        for deed in _deeds(call[1], call[2], int(call[3]), opened)
        if deed.path.startswith(f"{root}/") or deed.path == str(root)
    ]


def _whole_lines(log: Path) -> Iterator[str]:
    """Yield calls; those of several threads interrupt each other."""
    held: dict[str, str] = {}
    with log.open(encoding="ascii", errors="replace") as lines:
        for text in lines:
            line = text.rstrip("\n")
            if half := _HALF.match(line):
                held[half[1]] = half[2]
            elif rest := _REST.match(line):
                yield f"{rest[1]} {held.pop(rest[1], '')}{rest[2]}"
            else:
                yield line


def _text(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


def _paths(rest: str) -> list[str]:
    """Return the paths that a call names, those below an open folder made whole."""
    found = []
    for match in re.finditer(r'(?:(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>, )?"([^"]*)"', rest):
        folder, name = (_text(part or "").decode("utf-8", "replace") for part in match.groups())
        found.append(str(Path(folder, name)))
    return found


def _deeds(name: str, rest: str, result: int, opened: _Opened) -> Iterator[Deed]:
    if name == "openat":
        yield from _open(rest, str(result), opened)
    elif name in {"write", "pwrite64"}:
        yield _write(name, rest, result, opened)
    elif name in {"lseek", "read"}:
        _move(name, rest, result, opened)
    elif name == "sendfile":
        yield from _send(rest, result, opened)
    elif name in {"fsync", "fdatasync", "ftruncate"}:
        descriptor = _FILE.match(rest)
        path = _text(descriptor[2]).decode() if descriptor else ""
        size = int(rest.rpartition(", ")[2]) if name == "ftruncate" else 0
        yield Deed("size" if name == "ftruncate" else "sync", path, place=size)
    else:
        yield _rename_or_make(name, rest)


def _open(rest: str, descriptor: str, opened: _Opened) -> Iterator[Deed]:
    opened.places[descriptor] = -1 if "O_APPEND" in rest else 0
    path = _paths(rest)[0]
    if "O_CREAT" in rest:
        yield Deed("make", path)
    if "O_TRUNC" in rest:
        yield Deed("size", path, place=0)


def _write(name: str, rest: str, result: int, opened: _Opened) -> Deed:
    descriptor, data = _FILE.match(rest), _TEXT.search(rest)
    if not (descriptor and data):
        return Deed("write", "")  # a pipe, a socket
    path, written = _text(descriptor[2]).decode("utf-8", "replace"), _text(data[1])[:result]
    if name == "pwrite64":
        return Deed("write", path, place=int(rest.rpartition(", ")[2]), data=written)
    place = opened.places.get(descriptor[1], 0)
    opened.places[descriptor[1]] = place if place < 0 else place + result
    return Deed("write", path, place=place, data=written)


def _move(name: str, rest: str, result: int, opened: _Opened) -> None:
    descriptor = rest.partition("<")[0]
    place = opened.places.get(descriptor, 0)
    if place >= 0:
        opened.places[descriptor] = result if name == "lseek" else place + result


def _send(rest: str, result: int, opened: _Opened) -> Iterator[Deed]:
    """Yield a copy from one file to another, which the log has no bytes of."""
    (target, path), (_, source) = _FILE.findall(rest)[:2]
    start = _PLACE.search(rest)
    if result:
        place = opened.places.get(target, 0)
        opened.places[target] = place + result
        span = f"{start[1] if start else 0}:{result}".encode()
        yield Deed("copy", _text(path).decode(), _text(source).decode(), place, span)


def _rename_or_make(name: str, rest: str) -> Deed:
    if not name.startswith(("rename", "link", "symlink", "unlink", "rmdir", "mkdir")):
        raise NotRecordedError(f"{name}({rest[:80]})")
    first, *others = _paths(rest)
    second = others[0] if others else ""
    if name.startswith("rename"):
        return Deed("swap" if "RENAME_EXCHANGE" in rest else "rename", first, second)
    if name.startswith("link"):
        return Deed("link", first, second)
    if name.startswith("symlink"):
        pointing, path = _TEXT.findall(rest)[0], others[-1]
        return Deed("point", path, _text(pointing).decode())
    if name.startswith(("unlink", "rmdir")):
        return Deed("remove", first)
    return Deed("folder", first)
