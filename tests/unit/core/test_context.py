"""What a run knows of itself: results, time, and who works here."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from cdp_pipeline.core import context as running
from cdp_pipeline.core.context import (
    Clock,
    RunContext,
    StepResult,
    abridged,
    keep_private,
    login_user,
    operating_user,
)


def test_many_messages_fit_a_result_and_say_how_many_more() -> None:
    assert abridged(["a", "b"], rest="see the table") == ("a", "b")
    whole = [f"file {n} is late" for n in range(20)]
    assert abridged(whole, rest="see the table") == tuple(whole)
    shown = abridged([f"file {n} is late" for n in range(260)], rest="see the table")
    assert len(shown) == 21
    assert shown[0] == "file 0 is late"
    assert shown[-1] == "and 240 more: see the table"
    assert abridged(["x"] * 2000, rest="there")[-1] == "and 1,980 more: there"


def test_a_result_is_plain_data(context: RunContext) -> None:
    result = StepResult(rows_in=3, rows_out=2, rows_set_aside=1, messages=("m",), facts={"a": 1})
    assert result.as_dict() == {
        "rows_in": 3,
        "rows_out": 2,
        "rows_set_aside": 1,
        "messages": ("m",),
        "facts": {"a": 1},
    }
    assert StepResult() == StepResult(0, 0, 0, (), {})
    assert context.data_dir == context.settings.data_dir
    assert not context.is_full


@pytest.mark.parametrize(
    ("zone", "day"), [("Europe/London", "2026-06-30"), ("Europe/Paris", "2026-07-01")]
)
def test_today_is_the_day_of_the_store(zone: str, day: str) -> None:
    with time_machine.travel(datetime(2026, 6, 30, 22, 30, tzinfo=UTC), tick=False):
        assert Clock().today(zone).isoformat() == day
        assert Clock().now() == datetime(2026, 6, 30, 22, 30, tzinfo=UTC)


def test_the_clock_waits_and_goes_forward() -> None:
    clock = Clock()
    began = clock.monotonic()
    clock.sleep(0.002)
    assert clock.monotonic() - began >= 0.002


def test_what_is_made_is_for_its_user_and_group_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep_private()
        (tmp_path / "made").write_text("x", encoding="utf-8")
        (tmp_path / "folder").mkdir()
    finally:
        os.umask(before)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_the_author_is_the_user_of_the_system_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("USER", "somebody.else")
    assert operating_user() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert operating_user() == "uid 4000000000"


@pytest.mark.parametrize("text", ["4294967295", "", "abc", "99999999999999999999"])
def test_nobody_logged_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert login_user() == ""


def test_who_became_another_user_is_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "0")
    name = pwd.getpwuid(0).pw_name
    monkeypatch.setattr(running, "operating_user", lambda: "batch")
    assert login_user() == name
    monkeypatch.setattr(running, "operating_user", lambda: name)
    assert login_user() == ""
