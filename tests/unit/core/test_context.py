"""Results of steps stay small."""

from __future__ import annotations

from cdp_pipeline.core.context import abridged


def test_many_messages_fit_a_result_and_say_how_many_more() -> None:
    assert abridged(["a", "b"], rest="see the table") == ("a", "b")
    shown = abridged([f"file {n} is late" for n in range(260)], rest="see the table")
    assert len(shown) == 21
    assert shown[-1] == "and 240 more: see the table"
