from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from cdp_pipeline.core import log


@pytest.mark.parametrize(
    "text",
    ["ann@example.com", "call +44 7700 900123", "card 4111 1111 1111 1111", "x ann.b+c@d-e.co.uk!"],
)
def test_personal_text_is_masked(text: str) -> None:
    masked = log.redact_text(text)
    assert "@" not in masked
    assert not any(character.isdigit() for character in masked)


def test_counts_and_dates_stay_readable() -> None:
    text = "2026-11-20: 1234567 rows, 0.95 share"
    assert log.redact_text(text) == text


def test_personal_fields_never_reach_the_stream() -> None:
    stream = io.StringIO()
    log.configure(stream=stream, as_json=True, verbose=True)
    log.get_logger("test").info(
        "step_finished", email="ann@example.com", note="by bob@x.org", rows=3
    )
    log.configure()
    event = json.loads(stream.getvalue())
    assert event["email"] == "[redacted]"
    assert event["note"] == "by [email]"
    assert event["rows"] == 3


def test_what_lies_inside_of_a_field_is_masked_too() -> None:
    event = log.redact_event(
        None,
        "info",
        {
            "business_date": "2026-11-20",
            "timestamp": "2026-11-20T01:02:03.123456789012Z",
            "rows": [1, "ann@example.com", ("call 07700 900123",)],
            "found": {"email": "x", "note": "by bob@x.org", "count": 7},
        },
    )
    assert event == {
        "business_date": "2026-11-20",
        "timestamp": "2026-11-20T01:02:03.123456789012Z",
        "rows": [1, "[email]", ["call [number]"]],
        "found": {"email": "[redacted]", "note": "by [email]", "count": 7},
    }


def test_a_file_takes_every_event_of_its_block_and_none_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "logs" / "night.jsonl"
    path.parent.mkdir()
    path.write_text('{"event": "before"}\n', encoding="utf-8")
    with log.log_to_file(path):
        log.bind_run(run_id="night-1", step="publish")
        log.get_logger("test").debug("small", rows=1)
    log.get_logger("test").info("not shown")
    log.get_logger("test").warning("shown", email="ann@example.com")
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [event["event"] for event in events] == ["before", "small"]
    assert (events[1]["run_id"], events[1]["step"], events[1]["module"]) == (
        "night-1",
        "publish",
        "test",
    )
    said = capsys.readouterr().err
    assert "shown" in said
    assert "not shown" not in said
    assert "night-1" not in said
    assert "ann@" not in said


def test_a_full_disk_takes_no_line_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.symlink_to("/dev/full")
    with log.log_to_file(path):
        log.get_logger("tests").info("step_finished", rows_in=3)


def test_a_line_goes_to_standard_error_as_it_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    log.configure()
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    log.get_logger("test").warning("version_unreadable")
    assert "version_unreadable" in later.getvalue()


class _ClosedPipe(io.StringIO):
    def write(self, _text: str, /) -> int:
        raise BrokenPipeError


def test_what_is_at_work_goes_on_without_a_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    log.configure()
    closed = io.StringIO()
    closed.close()
    for stream in (closed, _ClosedPipe(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        log.get_logger("test").warning("version_unreadable")
    again = io.StringIO()
    monkeypatch.setattr(sys, "stderr", again)
    log.get_logger("test").warning("version_readable")
    assert again.getvalue().count("\n") == 1  # what was lost stays lost, and the next line comes
    assert "version_readable" in again.getvalue()
