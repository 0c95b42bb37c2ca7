"""Run a night locally: order, resume, retry, one line a step, a manifest of the run.

The Airflow adapter runs the same steps; what is particular to running them in one process belongs
here. ``execute_step`` is shared by both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from cdp_pipeline import __version__
from cdp_pipeline.core import log
from cdp_pipeline.core.context import Clock, RunContext, StepResult, keep_private
from cdp_pipeline.core.errors import CdpError, ConfigError
from cdp_pipeline.core.machine import name_start
from cdp_pipeline.orchestration.failures import explain_crash
from cdp_pipeline.orchestration.graph import Step, StepGraph
from cdp_pipeline.orchestration.steps import nightly_graph
from cdp_pipeline.storage.files import read_json, remove_folder, write_json
from cdp_pipeline.storage.lease import refuse_beside_living
from cdp_pipeline.storage.leftovers import clear_dead_work, clear_leftovers
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import is_published, is_upon_base
from cdp_pipeline.storage.warehouse import read_plan

PARALLEL_STEPS = 2
"""Steps that run at the same time; DuckDB uses all cores within each."""

REPEATED = frozenset({"deliver"})
"""Steps of a night that was published before: a run may have died between the two."""

_RESULT_BYTES = 8192

Listener = Callable[[Step, "StepOutcome | None"], None]
"""Called with None when a step begins and with its outcome when it has ended."""


@dataclass(frozen=True)
class StepOutcome:
    """How a step ended.

    Attributes:
        status: ``done``, ``resumed`` (done by an earlier try of the run) or ``failed``.
        seconds: Wall time.
        result: What the step said; None if it failed.
        error: The error of a failed step, as plain data.
    """

    status: str
    seconds: float
    result: StepResult | None = None
    error: dict[str, Any] | None = None


@dataclass
class NightOutcome:
    """How a night ended.

    Attributes:
        status: ``published``, ``unchanged`` (this very night was published before), ``partial``
            (``--to`` ended it early) or ``failed``.
        version: Published version, if any.
        steps: Outcome by step, in running order.
        error: What stopped it.
        cleared: Runs that died and cannot be resumed any more, whose work was deleted.
        seconds: Wall time of the steps together; two run at a time, so it is not their sum.
    """

    context: RunContext
    status: str = "partial"
    version: str | None = None
    steps: dict[str, StepOutcome] = field(default_factory=dict)
    error: CdpError | None = None
    cleared: tuple[str, ...] = ()
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data: the run's manifest."""
        return {
            "run_id": self.context.run_id,
            "business_date": self.context.business_date.isoformat(),
            "package_version": __version__,
            "status": self.status,
            "version": self.version,
            "error": self.error.as_dict() if self.error else None,
            "cleared": list(self.cleared),
            "seconds": round(self.seconds, 3),
            "steps": {
                name: {
                    "status": outcome.status,
                    "seconds": round(outcome.seconds, 3),
                    "result": outcome.result.as_dict() if outcome.result else None,
                    "error": outcome.error,
                }
                for name, outcome in self.steps.items()
            },
        }


@dataclass(frozen=True)
class RunOptions:
    """Which part of a night to run.

    Attributes:
        first: Begin with this step; earlier ones must have been done by a run before.
        last: End with this step.
        resume: Skip what an earlier try of this run has done, unless it built upon a version that
            was rolled back since, or the machine was started again.
        force: Build again even if this very night has been published.
    """

    first: str | None = None
    last: str | None = None
    resume: bool = False
    force: bool = False


def run_night(
    context: RunContext,
    options: RunOptions | None = None,
    *,
    listener: Listener | None = None,
    clock: Clock | None = None,
) -> NightOutcome:
    """Run the steps of a night in this process.

    Args:
        context: The night.
        options: Which part of it; default: all of it, from the start.
        listener: Told when a step begins and ends.
        clock: For durations.

    Returns:
        The outcome; an error of a step is in it, not raised.

    Raises:
        ConfigError: Declarations are wrong, or a later night has been published, or the machine was
            started again since the steps before ``first`` were done; nothing was run.
        LockedError: Another run holds the data folder, or another night goes on between two steps.
    """
    options = options or RunOptions()
    graph = nightly_graph(context.project_root, check=True)
    steps = graph.select(first=options.first, last=options.last)
    paths = DataPaths.of(context)
    keep_private()
    outcome = NightOutcome(context)
    with hold_lock(paths.lock, f"night of {context.business_date}"):
        refuse_beside_living(paths, clock=clock)
        clear_leftovers(paths)
        outcome.cleared = tuple(clear_dead_work(paths, starting=context.business_date))
        if options.first:
            _refuse_after_restart(paths)
        elif not (options.resume and _can_resume(context)):
            _start_afresh(paths)
        with log.log_to_file(paths.run / "log.jsonl"):
            log.bind_run(run_id=context.run_id, business_date=context.business_date.isoformat())
            mode = _Mode(options, listener, clock or Clock())
            began = mode.clock.monotonic()
            _run_steps(context, graph, steps, outcome, mode)
            outcome.seconds = mode.clock.monotonic() - began
        _write_manifest(paths, outcome)
        if outcome.status in {"published", "unchanged"}:
            remove_folder(paths.work)
    return outcome


def _write_manifest(paths: DataPaths, outcome: NightOutcome) -> None:
    try:
        write_json(paths.run / "manifest.json", outcome.as_dict())
    except OSError:
        if outcome.error is None:  # what stopped the night tells more: a full disk stops both
            raise


@dataclass(frozen=True)
class _Mode:
    options: RunOptions
    listener: Listener | None
    clock: Clock

    def is_forced(self, context: RunContext) -> bool:
        return self.options.force or context.is_full


def _can_resume(context: RunContext) -> bool:
    """Return whether what is there of a night is whole and of use.

    Files of steps that are done are forced to disk only when they are published: of what was
    written shortly before a power cut, some may be empty.
    """
    paths = DataPaths.of(context)
    if read_json(paths.begun) != {"machine": name_start()}:
        return False
    plan = read_json(paths.plan)
    return not plan or is_upon_base(paths, context.business_date, plan)


def _refuse_after_restart(paths: DataPaths) -> None:
    begun = read_json(paths.begun)
    if begun and begun != {"machine": name_start()}:
        raise ConfigError(
            "the machine was started again since this night began",
            where=str(paths.work),
            hint="Files of its earlier steps may be empty. Run the whole night: `cdp run`.",
        )


def _start_afresh(paths: DataPaths) -> None:
    remove_folder(paths.work)  # half of it would be resumed as if it were whole
    paths.ensure(paths.work)
    write_json(paths.begun, {"machine": name_start()})


def _run_steps(
    context: RunContext, graph: StepGraph, steps: Sequence[Step], outcome: NightOutcome, mode: _Mode
) -> None:
    """Run every step as soon as what it needs is done, two at a time, one writer at a time."""
    waiting = {step.name: step for step in steps}
    running: dict[Future[StepOutcome], Step] = {}
    with ThreadPoolExecutor(PARALLEL_STEPS) as pool:
        while waiting or running:
            for step in _startable(graph, waiting, running, outcome):
                del waiting[step.name]
                if mode.listener:
                    mode.listener(step, None)
                job = copy_context().run  # the log's fields belong to the thread's context
                running[pool.submit(job, _run_one, context, step, outcome, mode)] = step
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                _take(context, step, future.result(), outcome, mode)
            left = {"failed": frozenset(), "unchanged": REPEATED}.get(outcome.status, waiting)
            waiting = {name: step for name, step in waiting.items() if name in left}


def _startable(
    graph: StepGraph,
    waiting: Mapping[str, Step],
    running: Mapping[Future[StepOutcome], Step],
    outcome: NightOutcome,
) -> list[Step]:
    """Return steps that can begin now, in the graph's order, within the free slots."""
    free = PARALLEL_STEPS - len(running)
    is_writing = any(step.writes_warehouse for step in running.values())
    blocked = {*waiting, *(step.name for step in running.values())}
    found: list[Step] = []
    for step in waiting.values():
        if len(found) == free:
            break
        if blocked.intersection(graph.needs[step.name]) or (is_writing and step.writes_warehouse):
            continue
        is_writing = is_writing or step.writes_warehouse
        found.append(step)
    return [] if outcome.status == "failed" else found


def _take(
    context: RunContext, step: Step, ended: StepOutcome, outcome: NightOutcome, mode: _Mode
) -> None:
    """Note how a step ended and what that means for the night."""
    outcome.steps[step.name] = ended
    if mode.listener:
        mode.listener(step, ended)
    if ended.status == "failed":
        outcome.status = "failed"
    elif step.name == "discover" and not mode.is_forced(context) and _is_done_before(context):
        outcome.status = "unchanged"
        outcome.version = DataPaths.of(context).current.resolve().name
    elif step.name == "publish" and ended.result:
        outcome.status = "published"
        outcome.version = ended.result.facts.get("version")


def _run_one(context: RunContext, step: Step, outcome: NightOutcome, mode: _Mode) -> StepOutcome:
    done = _read_done(context, step) if mode.options.resume else None
    if done:
        return StepOutcome("resumed", 0.0, done)
    began = mode.clock.monotonic()
    try:
        result = _with_retries(context, step)
    except CdpError as error:
        stopped_by = error
    except Exception as error:  # noqa: BLE001 - one of two places: a step must not hide its end
        log.get_logger(__name__).exception("step_crashed", step=step.name)
        log_file = DataPaths.of(context).run / "log.jsonl"
        stopped_by = explain_crash(error, step=step.name, log=log_file)
    else:
        return StepOutcome("done", mode.clock.monotonic() - began, result)
    outcome.error = outcome.error or stopped_by  # of two at a time, what stopped the night first
    return StepOutcome("failed", mode.clock.monotonic() - began, error=stopped_by.as_dict())


def _with_retries(context: RunContext, step: Step) -> StepResult:
    retrying = Retrying(
        retry=retry_if_exception(lambda e: isinstance(e, CdpError) and e.is_transient),
        stop=stop_after_attempt(step.retries + 1),
        wait=wait_exponential(multiplier=0.2, max=5),
        reraise=True,
    )
    result: StepResult = retrying(execute_step, context, step)
    return result


def execute_step(context: RunContext, step: Step) -> StepResult:
    """Run one step, log its end and remember that it is done.

    Raises:
        ConfigError: The result is larger than 8 KB; results carry counts, not data.
    """
    clock = Clock()
    began = clock.monotonic()
    log.bind_run(step=step.name)
    result = step.run(context)
    document = result.as_dict()
    path = _done_path(context, step)
    write_json(path, document)
    if path.stat().st_size > _RESULT_BYTES:
        raise ConfigError(
            f"step {step.name} returned more than {_RESULT_BYTES} bytes",
            where=step.entry,
            hint="Put the data into a file or table; return counts and names.",
        )
    log.get_logger(__name__).info(
        "step_finished",
        rows_in=result.rows_in,
        rows_out=result.rows_out,
        rows_set_aside=result.rows_set_aside,
        seconds=round(clock.monotonic() - began, 3),
        messages=list(result.messages),
    )
    return result


def _done_path(context: RunContext, step: Step) -> Any:  # noqa: ANN401 - a Path
    return DataPaths.of(context).work / "done" / f"{step.name}.json"


def _read_done(context: RunContext, step: Step) -> StepResult | None:
    document = read_json(_done_path(context, step))
    if not document:
        return None
    return StepResult(**{**document, "messages": tuple(document["messages"])})


def _is_done_before(context: RunContext) -> bool:
    fingerprint = read_plan(context)["fingerprint"]
    return is_published(DataPaths.of(context), context.business_date, fingerprint)
