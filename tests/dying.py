"""A process that kills itself at its n-th call of the operating system."""

from __future__ import annotations

import mmap
import os
import signal
import struct
from collections.abc import Callable, Sequence

DURABLE = ("link", "fsync", "rename", "replace", "symlink", "mkdir", "unlink", "rmdir")
"""Calls after which a publication looks different on disk."""


def die_at(at: int, names: Sequence[str] = DURABLE) -> None:
    """Have this process kill itself at its n-th call of any of these functions of ``os``."""

    def die(calls: int) -> None:
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)

    _tell_calls(die, names)


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
    child = os.fork()
    if child == 0:
        _tell_calls(lambda calls: struct.pack_into("q", counted, 0, calls), DURABLE)
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return int(struct.unpack_from("q", counted)[0])


def dies_within(work: Callable[[], object], at: int, *, names: Sequence[str] = DURABLE) -> bool:
    """Work in a child that dies at its n-th durable call; return whether it got to die.

    Args:
        work: What is done.
        at: Number of the call, from 1.
        names: Functions of ``os`` whose calls count.
    """
    child = os.fork()
    if child == 0:
        die_at(at, names)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
