"""A process that kills itself at its n-th call of the operating system."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from functools import partial

import duckdb

DURABLE = ("link", "fsync", "rename", "replace", "symlink", "mkdir", "unlink", "rmdir")
"""Calls after which a publication looks different on disk."""


Teller = Callable[[Callable[[int], None]], None]
"""Has some calls of this process told before they are made, each with its number, from 1."""

_CHANGES = {"os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.rmdir"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def die_at(at: int, names: Sequence[str] = DURABLE) -> None:
    """Have this process kill itself at its n-th call of any of these functions of ``os``."""
    _tell_calls(partial(_die, at), names)


def _die(at: int, calls: int) -> None:
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


def _tell_durable(tell: Callable[[int], None]) -> None:
    _tell_calls(tell, DURABLE)


def count_calls(work: Callable[[], object], *, teller: Teller = _tell_durable) -> int:
    """Work in a child and return how many durable calls it made, or calls of another kind."""
    counted = mmap.mmap(-1, 8)
    child = os.fork()
    if child == 0:
        teller(lambda calls: struct.pack_into("q", counted, 0, calls))
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return int(struct.unpack_from("q", counted)[0])


def dies_within(
    work: Callable[[], object],
    at: int,
    *,
    names: Sequence[str] = DURABLE,
    teller: Teller | None = None,
) -> bool:
    """Work in a child that dies at its n-th durable call; return whether it got to die.

    Args:
        work: What is done.
        at: Number of the call, from 1.
        names: Functions of ``os`` whose calls count.
        teller: What counts instead.
    """
    tell_calls = teller or partial(_tell_calls, names=names)
    child = os.fork()
    if child == 0:
        tell_calls(partial(_die, at))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
