from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cdp_pipeline.core.context import Clock, RunContext, StepResult
from cdp_pipeline.core.errors import ConfigError, DataQualityError, DeliveryError, LockedError
from cdp_pipeline.orchestration import runner
from cdp_pipeline.orchestration.graph import Step, StepGraph
from cdp_pipeline.orchestration.runner import RunOptions, run_night
from cdp_pipeline.storage import files
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.lease import LEASE, hold_lease
from cdp_pipeline.storage.paths import DataPaths

CALLS: list[str] = []
BEHAVIOUR: dict[str, Callable[[], StepResult]] = {}


def discover(context: RunContext) -> StepResult:
    write_json(DataPaths.of(context).plan, {"fingerprint": "f"})
    return act(context, name="discover")


def act(_context: RunContext, *, name: str) -> StepResult:
    CALLS.append(name)
    return BEHAVIOUR.get(name, StepResult)()


@pytest.fixture(autouse=True)
def small_night(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()
    BEHAVIOUR.clear()
    names = ["discover", "middle", "publish", "deliver"]
    steps = [
        Step(
            name,
            f"{__name__}:{'discover' if name == 'discover' else 'act'}",
            makes=(name,),
            reads=tuple(names[:number][-1:]),
            stage="s",
            params={} if name == "discover" else {"name": name},
            retries=2,
        )
        for number, name in enumerate(names)
    ]
    monkeypatch.setattr(Step, "load", _load)
    monkeypatch.setattr(runner, "nightly_graph", lambda *_a, **_k: StepGraph(steps))


def _load(self: Step) -> Callable[..., StepResult]:
    return discover if self.name == "discover" else act


def test_steps_run_in_order_and_leave_a_manifest(context: RunContext) -> None:
    BEHAVIOUR["publish"] = lambda: StepResult(facts={"version": "000001-2026-11-20"})
    outcome = run_night(context)
    assert CALLS == ["discover", "middle", "publish", "deliver"]
    assert (outcome.status, outcome.version) == ("published", "000001-2026-11-20")
    manifest = json.loads((DataPaths.of(context).run / "manifest.json").read_text())
    assert set(manifest["steps"]) == {"discover", "middle", "publish", "deliver"}
    assert not DataPaths.of(context).work.exists()


def test_a_night_lasts_from_its_first_step_to_its_last(context: RunContext) -> None:
    class Ticking(Clock):
        ticks = 0

        def monotonic(self) -> float:
            self.ticks += 1
            return float(self.ticks)

    clock = Ticking()
    outcome = run_night(context, clock=clock)
    # Each of four steps looks twice; the night looks before the first and after the last.
    assert sum(step.seconds for step in outcome.steps.values()) == 4
    assert outcome.seconds == clock.ticks - 1 == 9


def test_a_failed_step_ends_the_night_and_resume_goes_on_there(context: RunContext) -> None:
    def fail() -> StepResult:
        raise DataQualityError("too few rows", where="pos_sales", hint="Ask the store.")

    BEHAVIOUR["middle"] = fail
    outcome = run_night(context)
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert CALLS == ["discover", "middle"]
    del BEHAVIOUR["middle"]
    outcome = run_night(context, RunOptions(resume=True))
    assert outcome.status == "published"
    assert outcome.steps["discover"].status == "resumed"
    assert CALLS == ["discover", "middle", "middle", "publish", "deliver"]


def test_a_night_goes_on_only_upon_the_version_it_began_with(context: RunContext) -> None:
    def fail() -> StepResult:
        raise DataQualityError("bad rows", where="x", hint="y")

    BEHAVIOUR["middle"] = fail
    run_night(context)
    paths = DataPaths.of(context)
    (paths.versions / "000001-2026-11-18").mkdir(parents=True)  # of a rollback, in between
    paths.current.symlink_to("versions/000001-2026-11-18")
    CALLS.clear()
    run_night(context, RunOptions(resume=True))
    assert CALLS == ["discover", "middle"]


def test_a_night_that_a_power_cut_ended_starts_afresh(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> StepResult:
        raise DataQualityError("bad rows", where="x", hint="y")

    BEHAVIOUR["middle"] = fail
    run_night(context)
    half = DataPaths.of(context).tree / "exports" / "crm" / "audience.csv"
    half.parent.mkdir(parents=True)
    half.touch()
    monkeypatch.setattr(runner, "name_start", lambda: "after the cut")
    CALLS.clear()
    with pytest.raises(ConfigError, match="the machine was started again"):
        run_night(context, RunOptions(first="publish"))
    assert CALLS == []
    run_night(context, RunOptions(resume=True))
    assert CALLS == ["discover", "middle"]
    assert not half.exists()


def test_a_disk_that_is_full_to_the_end_hides_not_what_stopped_the_night(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def fill() -> StepResult:
        monkeypatch.setattr(files, "write_atomic", refuse)
        return StepResult()

    BEHAVIOUR["middle"] = fill
    outcome = run_night(context)
    assert outcome.status == "failed"
    assert "step middle" in str(outcome.error)
    assert "No space left on device" in str(outcome.error)


def test_of_two_steps_that_fail_the_first_is_what_stopped_the_night(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_has_failed = threading.Event()

    def fail(name: str) -> StepResult:
        if name == "second":
            assert first_has_failed.wait(30)
        raise DataQualityError(name, where="pos_sales", hint="Ask the store.")

    def listen(_step: Step, ended: object) -> None:
        if ended is not None:
            first_has_failed.set()

    names = ("second", "first")
    steps = [Step(n, f"{__name__}:act", makes=(n,), stage="s", params={"name": n}) for n in names]
    monkeypatch.setattr(runner, "nightly_graph", lambda *_a, **_k: StepGraph(steps))
    BEHAVIOUR.update({name: partial(fail, name) for name in names})
    outcome = run_night(context, listener=listen)
    assert {step.status for step in outcome.steps.values()} == {"failed"}
    assert outcome.error is not None
    assert outcome.error.message == "first"


def test_only_transient_errors_are_tried_again(context: RunContext) -> None:
    tries = {"middle": 0}

    def flaky() -> StepResult:
        tries["middle"] += 1
        if tries["middle"] < 3:
            raise DeliveryError("no answer")
        return StepResult()

    BEHAVIOUR["middle"] = flaky
    assert run_night(context).status == "published"
    assert CALLS.count("middle") == 3

    CALLS.clear()

    def broken() -> StepResult:
        raise DataQualityError("bad")

    BEHAVIOUR["middle"] = broken
    assert run_night(context).status == "failed"
    assert CALLS.count("middle") == 1


def test_a_crash_is_reported_with_the_place_of_its_traceback(context: RunContext) -> None:
    BEHAVIOUR["middle"] = lambda: StepResult(rows_in=1 // 0)
    outcome = run_night(context)
    assert outcome.error is not None
    assert "ZeroDivisionError" in outcome.error.message
    assert "log.jsonl" in (outcome.error.hint or "")
    log = (DataPaths.of(context).run / "log.jsonl").read_text()
    assert "ZeroDivisionError" in log


def test_results_carry_counts_not_data(context: RunContext) -> None:
    BEHAVIOUR["middle"] = lambda: StepResult(facts={"rows": ["x" * 100] * 200})
    outcome = run_night(context)
    assert outcome.error is not None
    assert "8192" in outcome.error.message


def test_a_night_that_was_published_before_is_still_delivered(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run may have died between the two; delivering again sends nothing twice."""
    current = DataPaths.of(context).current
    current.parent.mkdir(parents=True)
    current.symlink_to("000001-2026-11-20")
    monkeypatch.setattr(runner, "is_published", lambda *_: True)
    outcome = run_night(context)
    assert (outcome.status, outcome.version) == ("unchanged", "000001-2026-11-20")
    assert CALLS == ["discover", "deliver"]


def test_a_night_beside_one_that_stands_between_two_steps_is_refused(context: RunContext) -> None:
    living = replace(context, run_id="airflow-manual")
    with hold_lease(DataPaths.of(living), "build_core"):
        (DataPaths.of(living).work / "cdp.duckdb").write_text("half of a night")
    with pytest.raises(LockedError, match="airflow-manual"):
        run_night(context)
    assert CALLS == []
    assert (DataPaths.of(living).work / "cdp.duckdb").is_file()
    (DataPaths.of(living).work / LEASE).unlink()
    assert run_night(context).status == "published"
    assert not DataPaths.of(living).work.exists()
