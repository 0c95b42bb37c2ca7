"""A night between two steps is not dead; one whose process died is, once its time is over."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from cdp_pipeline.core.context import Clock
from cdp_pipeline.core.errors import (
    CdpError,
    DataQualityError,
    LockedError,
    SourceNotReadyError,
)
from cdp_pipeline.storage.lease import (
    GAP_SECONDS,
    LEASE,
    hold_lease,
    living_run,
    refuse_beside_living,
)
from cdp_pipeline.storage.leftovers import clear_dead_work
from cdp_pipeline.storage.paths import DataPaths
from tests.dying import dies_within

TONIGHT = date(2026, 11, 20)


class LaterClock(Clock):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self):  # type: ignore[no-untyped-def] # noqa: ANN201 - as the real one
        return super().now() + timedelta(seconds=self.seconds)


class FixedClock(Clock):
    def __init__(self, timestamp: float) -> None:
        self.timestamp = timestamp

    def now(self):  # type: ignore[no-untyped-def] # noqa: ANN201 - as the real one
        return datetime.fromtimestamp(self.timestamp, UTC)


@pytest.fixture
def night(tmp_path: Path) -> DataPaths:
    """A night under Airflow that stands between two steps."""
    paths = DataPaths(tmp_path, tmp_path / "landing", "airflow-scheduled__2026-11-21")
    with hold_lease(paths, "build_core"):
        (paths.work / "cdp.duckdb").write_text("half of a night")
    return paths


@pytest.fixture
def other(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path, tmp_path / "landing", "night-2026-11-20")


def test_between_two_steps_others_are_refused_and_leave_its_work(
    night: DataPaths, other: DataPaths
) -> None:
    with pytest.raises(LockedError, match=r"airflow-scheduled__2026-11-21 .* build_core") as caught:
        refuse_beside_living(other)
    assert str(night.work / LEASE) in (caught.value.hint or "")
    assert clear_dead_work(other, starting=TONIGHT) == []
    assert (night.work / "cdp.duckdb").is_file()
    refuse_beside_living(night)  # its own next step goes on


def test_it_counts_as_dead_when_no_step_comes(night: DataPaths, other: DataPaths) -> None:
    assert living_run(night.work, clock=LaterClock(GAP_SECONDS - 60)) is not None
    late = LaterClock(GAP_SECONDS + 60)
    assert living_run(night.work, clock=late) is None
    refuse_beside_living(other, clock=late)


def test_a_dead_one_is_cleared_and_whoever_knows_it_is_dead_may_say_so(
    night: DataPaths, other: DataPaths
) -> None:
    (night.work / LEASE).unlink()
    refuse_beside_living(other)
    assert clear_dead_work(other, starting=TONIGHT) == [night.run_id]


def test_a_step_of_many_hours_lives_while_it_runs(night: DataPaths, other: DataPaths) -> None:
    with hold_lease(night, "predict"), hold_lease(night, "build_segments"):
        os.utime(night.work / LEASE, (0, 0))
        with pytest.raises(LockedError, match="build_segments is running"):
            refuse_beside_living(other)
        assert clear_dead_work(other, starting=TONIGHT) == []
    assert living_run(night.work) is not None


def _run_step(paths: DataPaths) -> None:
    with hold_lease(paths, "build_core"):
        (paths.work / "made").write_text("x")


CALLS = ("mkdir", "open", "ftruncate", "pwrite", "utime", "close")


@pytest.mark.parametrize("at", range(1, 7))
def test_killed_anywhere_the_next_try_goes_on_and_others_wait_their_time(
    tmp_path: Path, at: int
) -> None:
    paths = DataPaths(tmp_path, tmp_path / "landing", "airflow-a")
    assert dies_within(partial(_run_step, paths), at, names=CALLS)
    found = living_run(paths.work)
    assert found is None or not found.is_running, "the process is gone and holds nothing"
    assert living_run(paths.work, clock=LaterClock(GAP_SECONDS + 60)) is None
    _run_step(paths)
    found = living_run(paths.work)
    assert found is not None
    assert found.step == "build_core"


def test_a_step_that_fails_for_good_gives_up_and_one_that_is_tried_again_does_not(
    night: DataPaths, other: DataPaths
) -> None:
    with pytest.raises(SourceNotReadyError), hold_lease(night, "discover"):
        raise SourceNotReadyError("late")
    assert living_run(night.work) is not None
    with pytest.raises(MemoryError):
        _run_out_of_memory(night)
    assert living_run(night.work) is not None
    with pytest.raises(DataQualityError), hold_lease(night, "check_sources"):
        raise DataQualityError("too few rows")
    refuse_beside_living(other)


def _run_out_of_memory(paths: DataPaths) -> None:
    with hold_lease(paths, "predict"):
        os.utime(paths.work / LEASE, (0, 0))  # it began long ago
        raise MemoryError


def test_nothing_is_left_of_a_night_that_ended(night: DataPaths, other: DataPaths) -> None:
    with hold_lease(night, "deliver"):
        import shutil

        shutil.rmtree(night.work)
    assert not night.work.exists()
    refuse_beside_living(other)


def test_exactly_half_an_hour_may_lie_between_two_steps(night: DataPaths) -> None:
    ended = datetime(2026, 11, 21, 1, 5, tzinfo=UTC).timestamp()
    os.utime(night.work / LEASE, (ended, ended))
    for waited, is_alive in ((0, True), (1800, True), (1800.5, False), (-1800.5, False)):
        found = living_run(night.work, clock=FixedClock(ended + waited))
        assert (found is not None) == is_alive


def test_it_is_told_what_the_night_did_last_and_when(night: DataPaths, other: DataPaths) -> None:
    ended = datetime(2026, 11, 21, 1, 5, tzinfo=UTC).timestamp()
    os.utime(night.work / LEASE, (ended, ended))
    with pytest.raises(LockedError) as caught:
        refuse_beside_living(other, clock=FixedClock(ended + 60))
    assert re.search(r"its step build_core ended at 01:05 UTC$", str(caught.value), re.MULTILINE)
    with hold_lease(night, "predict"), pytest.raises(LockedError) as caught:
        refuse_beside_living(other)
    assert re.search(r"its step predict is running$", str(caught.value), re.MULTILINE)


def test_the_file_is_private_and_says_its_run_and_step_alone(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path, tmp_path / "landing", "airflow-a")
    before = os.umask(0)
    try:
        for step in ("a step with a long name", "short"):
            with hold_lease(paths, step):
                said = json.loads((paths.work / ".lease").read_bytes())
                assert said == {"run": "airflow-a", "step": step}
    finally:
        os.umask(before)
    assert (paths.work / ".lease").stat().st_mode & 0o777 == 0o600


def _fail(paths: DataPaths, error: CdpError, meanwhile: Callable[[Path], object]) -> None:
    with hold_lease(paths, "discover"):
        meanwhile(paths.work / LEASE)
        raise error


def test_the_wait_before_a_step_is_tried_again_begins_when_it_failed(night: DataPaths) -> None:
    with pytest.raises(SourceNotReadyError):
        _fail(night, SourceNotReadyError("late"), lambda lease: os.utime(lease, (0, 0)))
    assert living_run(night.work) is not None


def test_the_failure_of_a_night_whose_work_is_gone_is_told_as_it_was(night: DataPaths) -> None:
    with pytest.raises(DataQualityError, match="too few"):
        _fail(night, DataQualityError("too few rows"), Path.unlink)


def test_a_lease_that_points_elsewhere_is_none(night: DataPaths) -> None:
    (night.work / "other").write_text("{}")
    (night.work / LEASE).unlink()
    (night.work / LEASE).symlink_to(night.work / "other")
    assert living_run(night.work) is None


@pytest.mark.parametrize("said", ["", "{}", "[]"])
def test_a_step_that_died_before_it_said_its_name_is_waited_for(
    night: DataPaths, said: str
) -> None:
    (night.work / LEASE).write_text(said)
    found = living_run(night.work)
    assert found is not None
    assert (found.step, found.is_running) == ("first step", False)
