"""The ledger of what was sent: append only, whole lines, strict about doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.activation.outbox import Ledger
from cdp_pipeline.core.errors import DeliveryError


def test_the_last_state_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "outbox" / "sent.jsonl")
    assert ledger.states() == {}
    ledger.note("a", "sending", kind="mail")
    ledger.note("b", "sent")
    ledger.note("a", "deferred")
    assert ledger.states() == {"a": "deferred", "b": "sent"}
    assert len(ledger.path.read_text().splitlines()) == 3
    assert ledger.path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("state", "is_settled"),
    [("sending", True), ("sent", True), ("unknown", True), ("failed", False), ("deferred", False)],
)
def test_in_doubt_nothing_is_sent_again(tmp_path: Path, state: str, *, is_settled: bool) -> None:
    ledger = Ledger(tmp_path / "sent.jsonl")
    ledger.note("a", state)  # type: ignore[arg-type]
    assert ledger.is_settled("a") is is_settled
    assert not ledger.is_settled("another")


def test_half_a_line_is_ignored_and_does_not_swallow_the_next(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "sent.jsonl")
    ledger.note("a", "sent")
    with ledger.path.open("a", encoding="utf-8") as stream:
        stream.write('{"key": "b", "sta')
    assert ledger.states() == {"a": "sent"}
    ledger.note("c", "sent")
    assert ledger.states() == {"a": "sent", "c": "sent"}


def test_a_ledger_that_cannot_be_written_stops_the_sending(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(DeliveryError, match="ledger"):
        Ledger(tmp_path / "outbox" / "sent.jsonl").note("a", "sending")
