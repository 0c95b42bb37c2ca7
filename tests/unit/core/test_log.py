from __future__ import annotations

import io
import json

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
