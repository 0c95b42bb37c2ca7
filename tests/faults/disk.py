"""A disk in the mind, from which the power may be taken after any call of a program.

Stricter than any journaling file system: until a file's fsync any number of its writes may be lost,
counted from the end; until a folder's fsync any number of its changes of names may be; and files
and folders lose theirs independently of each other. What was fsynced is there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.faults.recording import Deed

Names = dict[str, "Node"]
Undone = Callable[[bytearray], None] | Callable[[Names], None]


@dataclass(eq=False)
class Node:
    """A file, a folder or a symbolic link.

    Attributes:
        data: Bytes that are on disk; of a link, where it points.
        names: What a folder holds on disk; None for all others.
        is_link: Whether it is a symbolic link.
        mode: Its permissions.
        undone: Changes since the last fsync, oldest first.
        done: How many came to disk before.
    """

    data: bytes = b""
    names: Names | None = None
    is_link: bool = False
    mode: int = 0o640
    undone: list[Undone] = field(default_factory=list)
    done: int = 0

    def held(self, kept: int) -> bytes | Names:
        """Return what it holds if so many of the last changes came to disk."""
        held = bytearray(self.data) if self.names is None else dict(self.names)
        for change in self.undone[:kept]:
            change(held)  # type: ignore[arg-type]
        return bytes(held) if isinstance(held, bytearray) else held

    def now(self) -> bytes | Names:
        """Return what programs see."""
        return self.held(len(self.undone))

    def sync(self) -> None:
        """Let all changes come to disk."""
        held = self.now()
        if isinstance(held, bytes):
            self.data = held
        else:
            self.names = held
        self.done += len(self.undone)
        self.undone = []


Choice = Callable[[Node], int]
"""Says how many changes of a file or folder came to disk before the power went."""

State = dict[str, tuple[Node, int]]
"""What is found at every path afterwards: the node, and how many of its changes."""


class Disk:
    """A folder as it was, and all that was done to it since."""

    def __init__(self, root: Path) -> None:
        """Take up a folder; all of it is on disk."""
        self.root = root
        self._met: dict[int, Node] = {}
        self._top = self._take(root)

    def _take(self, path: Path) -> Node:
        facts = path.lstat()
        if facts.st_ino not in self._met:
            mode = facts.st_mode & 0o777
            if path.is_symlink():
                node = Node(str(path.readlink()).encode(), is_link=True)
            elif path.is_dir():
                node = Node(names={p.name: self._take(p) for p in path.iterdir()}, mode=mode)
            else:
                node = Node(path.read_bytes(), mode=mode)
            self._met[facts.st_ino] = node
        return self._met[facts.st_ino]

    def _folder(self, path: str) -> Node:
        node = self._top
        for name in Path(path).relative_to(self.root).parts[:-1]:
            names = node.now()
            assert isinstance(names, dict), path
            node = names[name]
        return node

    def find(self, path: str) -> Node | None:
        """Return what programs see at a path."""
        if path == str(self.root):
            return self._top
        try:
            names = self._folder(path).now()
        except KeyError:
            return None
        return names.get(Path(path).name) if isinstance(names, dict) else None

    def apply(self, deed: Deed) -> None:
        """Do what a program did."""
        node = self.find(deed.path)
        if deed.kind == "folder":
            self._name(deed.path, Node(names={}, mode=0o750))
        elif deed.kind == "point":
            self._name(deed.path, Node(deed.other.encode(), is_link=True))
        elif deed.kind == "remove":
            self._name(deed.path, None)
        elif deed.kind == "make" and node is None:
            self._name(deed.path, Node())
        elif node:  # else it has no name any more
            self._change(node, deed)

    def _change(self, node: Node, deed: Deed) -> None:
        if deed.kind == "sync":
            node.sync()
        elif deed.kind in {"write", "size", "copy"}:
            self._write(node, deed)
        elif deed.kind in {"rename", "swap", "link"}:
            self._move(deed, node)

    def _move(self, deed: Deed, node: Node) -> None:
        if deed.kind == "rename" and self._folder(deed.path) is self._folder(deed.other):
            old, new = Path(deed.path).name, Path(deed.other).name
            self._folder(deed.path).undone.append(partial(_rename, old, new))
            return
        other = self.find(deed.other)
        self._name(deed.other, node)
        if deed.kind == "swap":
            self._name(deed.path, other)
        elif deed.kind == "rename":
            self._name(deed.path, None)

    def _name(self, path: str, node: Node | None) -> None:
        self._folder(path).undone.append(partial(_set, Path(path).name, node))

    def _write(self, node: Node, deed: Deed) -> None:
        data = deed.data
        if deed.kind == "copy":
            source = self.find(deed.other)
            start, count = map(int, data.decode().split(":"))
            held = source.now() if source else Path(deed.other).read_bytes()
            assert isinstance(held, bytes), deed.other
            data = held[start : start + count]
        node.undone.append(
            partial(_cut, deed.place) if deed.kind == "size" else partial(_put, deed.place, data)
        )

    def after_power_cut(self, choose: Choice) -> State:
        """Return what is found at every path: the node, and how many of its changes."""
        return dict(_walk(self._top, "", choose))


def _walk(node: Node, path: str, choose: Choice) -> Iterator[tuple[str, tuple[Node, int]]]:
    kept = choose(node)
    yield path, (node, kept)
    if node.names is not None:
        for name, inner in sorted(node.held(kept).items()):  # type: ignore[union-attr]
            yield from _walk(inner, f"{path}/{name}", choose)


def lay_out(state: State, root: Path) -> None:
    """Make a folder what a state says; names of one file stay names of one file."""
    shutil.rmtree(root, ignore_errors=True)
    made: dict[Node, Path] = {}
    for path, (node, kept) in state.items():
        place, held = Path(f"{root}{path}"), node.held(kept)
        if isinstance(held, dict):
            place.mkdir(mode=node.mode | 0o700)
        elif node.is_link:
            place.symlink_to(held.decode())
        elif node in made:
            os.link(made[node], place)
        else:
            place.write_bytes(held)
            place.chmod(node.mode)
            made[node] = place


def fingerprint(state: State) -> frozenset[tuple[str, int, int]]:
    """Return what tells a state from another: every path, with the changes that its node had."""
    return frozenset(
        (path, id(node), node.done + kept)
        for path, (node, kept) in state.items()
        if node.names is None
    )


def _put(place: int, data: bytes, held: bytearray) -> None:
    start = len(held) if place < 0 else place
    held.extend(bytes(max(0, start - len(held))))
    held[start : start + len(data)] = data


def _cut(size: int, held: bytearray) -> None:
    del held[size:]
    held.extend(bytes(size - len(held)))


def _set(name: str, node: Node | None, held: Names) -> None:
    if node is None:
        held.pop(name, None)
    else:
        held[name] = node


def _rename(old: str, new: str, held: Names) -> None:
    if old in held:
        held[new] = held.pop(old)
