"""Other processes around a night: runs of the same date, holders of the lock, readers."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from cdp_pipeline.core.errors import ConfigError, LockedError
from cdp_pipeline.storage.lock import hold_lock
from tests.faults.harness import SERVER
from tests.faults.publisher import publish, story


def start(act: Callable[[Connection, Path], None], place: Path) -> tuple[BaseProcess, Connection]:
    """Start a process that acts on a place and talks; its end is heard as the end of its talk."""
    ours, theirs = SERVER.Pipe()
    process = SERVER.Process(target=act, args=(theirs, place))
    process.start()
    theirs.close()
    return process, ours


def publish_or_say(messages: Connection, root: Path) -> None:
    """Publish unless another does; say how it went."""
    try:
        publish(root)
    except (LockedError, ConfigError) as error:
        messages.send(str(error))
    else:
        messages.send("published")


def hold_for_ever(messages: Connection, path: Path) -> None:
    """Hold a lock until killed."""
    with hold_lock(path, "a night that will die"):
        messages.send("held")
        time.sleep(600)


def read_throughout(messages: Connection, root: Path) -> None:
    """Read the current version over and over until told to stop; say how often and what failed."""
    reads, failures = 0, []
    while not messages.poll():
        try:
            story(root)
        except Exception as error:  # noqa: BLE001 - whatever a reader may meet
            failures.append(f"{type(error).__name__}: {error}")
        reads += 1
    messages.send((reads, failures[:3]))
