"""Starts victims and kills them: at a step's end, or once they have used so much processor time.

Victims come from a fork server that has imported what a night needs, so that one costs what its
work costs. Processor time instead of wall time: a busy machine does not move the points.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from cdp_pipeline.orchestration.graph import Step
from cdp_pipeline.orchestration.runner import RunOptions, StepOutcome, run_night
from cdp_pipeline.orchestration.steps import nightly_graph
from tests.faults.tiny import TinyStore

_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST_SECONDS = 600.0

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.faults.preloaded"])


@dataclass
class Ending:
    """How a victim ended.

    Attributes:
        killed: Whether we killed it, or it killed itself.
        steps: Steps that ended before, in order.
        costs: Processor seconds by step.
        error: What it said, if the night failed.
    """

    killed: bool = False
    steps: list[str] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    status: str = ""
    error: str = ""


@dataclass(frozen=True)
class Kill:
    """When to kill: so many processor seconds into a step; without them, as it ends."""

    step: str
    after: float | None = None


def run_victim(
    store: TinyStore,
    day: date,
    *,
    kill: Kill | None = None,
    resume: bool = False,
    prepare: Callable[[], None] | None = None,
) -> Ending:
    """Run a night in a process of its own, perhaps not to its end.

    Args:
        store: Whose night.
        day: Its date.
        kill: When to kill it.
        resume: Whether it goes on where a dead one stopped.
        prepare: Called in the process before the night begins; must be picklable.
    """
    ours, theirs = SERVER.Pipe()
    victim = SERVER.Process(target=_live, args=(theirs, store.root, day, resume, prepare))
    victim.start()
    theirs.close()
    try:
        return _watch(victim, ours, kill)
    finally:
        if victim.is_alive():
            victim.kill()
        victim.join()
        ours.close()


def _watch(victim: BaseProcess, messages: Connection, kill: Kill | None) -> Ending:
    ending = Ending()
    running: dict[str, float] = {}
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        is_near = kill and kill.after is not None and kill.step in running
        if kill and is_near and _used(victim) - running[kill.step] >= float(kill.after or 0):
            return _kill(victim, ending)
        if not messages.poll(0.002 if is_near else 0.05):
            continue
        try:
            kind, text = messages.recv()
        except EOFError:  # it has ended, and all it said was read
            break
        _note(ending, running, kind, text, _used(victim))
        if kill and kill.after is None and (kind, text) == ("ended", kill.step):
            return _kill(victim, ending)
    victim.join(5)
    assert not victim.is_alive(), "a night hangs"
    ending.killed = victim.exitcode == -signal.SIGKILL
    return ending


def _note(ending: Ending, running: dict[str, float], kind: str, text: str, used: float) -> None:
    if kind == "began":
        running[text] = used
    elif kind == "ended":
        ending.steps.append(text)
        ending.costs[text] = used - running.pop(text)
    elif kind == "status":
        ending.status = text
    else:
        ending.error = text


def _kill(victim: BaseProcess, ending: Ending) -> Ending:
    os.kill(int(victim.pid or 0), signal.SIGKILL)
    victim.join()
    ending.killed = True
    return ending


def _used(victim: BaseProcess) -> float:
    """Return the processor seconds that a process and its threads have used."""
    try:
        fields = Path(f"/proc/{victim.pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _live(
    messages: Connection,
    root: Path,
    day: date,
    resume: bool,  # noqa: FBT001 - arguments of a process
    prepare: Callable[[], None] | None,
) -> None:
    def tell(step: Step, ended: StepOutcome | None) -> None:
        messages.send(("ended" if ended else "began", step.name))

    if prepare:
        prepare()
    store = TinyStore(root)
    outcome = run_night(store.context(day), RunOptions(resume=resume), listener=tell)
    messages.send(("status", outcome.status))
    if outcome.error:
        messages.send(("error", str(outcome.error)))


def note_number(noted: ctypes.c_longlong, number: int) -> None:
    """Keep a number that this process was told in memory shared with the one that started it."""
    noted.value = number


def preload(root: Path) -> None:
    """Import what every step of a night imports."""
    for step in nightly_graph(root).steps.values():
        import_module(step.entry.partition(":")[0])
