"""A process that kills itself at its n-th call of the operating system."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence

DURABLE = ("link", "fsync", "rename", "replace", "symlink", "mkdir", "unlink", "rmdir")
"""Calls after which a publication looks different on disk."""


def die_at(at: int, names: Sequence[str] = DURABLE) -> None:
    """Have this process kill itself at its n-th call of any of these functions of ``os``."""
    calls = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in names:
        setattr(os, name, counted(getattr(os, name)))


def dies_within(work: Callable[[], object], at: int) -> bool:
    """Work in a child that dies at its n-th durable call; return whether it got to die."""
    child = os.fork()
    if child == 0:
        die_at(at)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
