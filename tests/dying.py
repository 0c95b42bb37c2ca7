"""A process that kills itself at its n-th call of the operating system."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial

import duckdb

DURABLE = ("link", "fsync", "rename", "replace", "symlink", "mkdir", "unlink", "rmdir")
"""Calls after which a publication looks different on disk."""

_CHANGES = {"os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.rmdir"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def die_at(at: int, names: Sequence[str] = DURABLE) -> None:
    """Have this process kill itself at its n-th call of any of these functions of ``os``."""
    _tell_calls(partial(die_upon, at), names)


def die_upon(at: int, calls: int) -> None:
    """Kill this process if this call, by its number, is the one it was to die at."""
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)


def tell_changes(tell: Callable[[int], None]) -> None:
    """Tell every call by which Python, libraries included, changes files, and all of DuckDB's."""
    calls = 0

    def heard(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal calls
        opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if opens or event in _CHANGES:
            calls += 1
            tell(calls)

    real = duckdb.DuckDBPyConnection.execute

    def execute(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        tell(calls)
        return real(*args, **kwargs)  # type: ignore[arg-type] # as they came

    setattr(duckdb.DuckDBPyConnection, "execute", execute)  # noqa: B010 - in a child that dies
    sys.addaudithook(heard)


def _tell_calls(tell: Callable[[int], None], names: Sequence[str]) -> None:
    """Have each call of some functions of ``os`` told before it is made, with its number."""
    calls = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            tell(calls)
            return real(*args, **kwargs)

        return call

    for name in names:
        setattr(os, name, counted(getattr(os, name)))


def count_calls(work: Callable[[], object]) -> int:
    """Work in a child and return how many durable calls it made."""
    counted = mmap.mmap(-1, 8)
    _work_in_child(work, lambda calls: struct.pack_into("q", counted, 0, calls), DURABLE)
    return int(struct.unpack_from("q", counted)[0])


def dies_within(work: Callable[[], object], at: int, *, names: Sequence[str] = DURABLE) -> bool:
    """Work in a child that dies at its n-th durable call; return whether it got to die.

    Args:
        work: What is done.
        at: Number of the call, from 1.
        names: Functions of ``os`` whose calls count.
    """
    return _work_in_child(work, partial(die_upon, at), names)


def _work_in_child(
    work: Callable[[], object], tell: Callable[[int], None], names: Sequence[str]
) -> bool:
    """Return whether the child was killed; one that failed instead fails the test, too."""
    child = os.fork()
    if child == 0:
        _tell_calls(tell, names)
        failed = True
        try:
            work()
            failed = False
        finally:
            if failed:
                traceback.print_exc()
            os._exit(failed)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, "the work of the child failed"
    return os.WIFSIGNALED(status)
