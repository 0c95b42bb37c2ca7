"""Drafted segments and destinations take part in a night."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cdp_pipeline.core.types import Channel
from cdp_pipeline.project.drafts.destinations import draft_destination
from cdp_pipeline.project.drafts.segments import draft_segment
from cdp_pipeline.project.drafts.words import choose_words

if TYPE_CHECKING:
    from tests.unit.activation.conftest import ExportNight
    from tests.unit.conftest import Marketing


def test_a_drafted_segment_goes_to_a_drafted_destination(
    marketing: Marketing, run_night: Callable[..., ExportNight]
) -> None:
    vips, tool = choose_words("vips", None, None), choose_words("tool", None, None)
    lab = choose_words("lab", None, None)
    for kind, words, text in (
        (
            "segments",
            vips,
            draft_segment(vips, where="visits > 5", channel=Channel.PUSH, columns={}),
        ),
        (
            "destinations",
            tool,
            draft_destination(
                tool, channel=Channel.PUSH, has_offers=False, segments=["vips"], columns={}
            ),
        ),
        (
            "destinations",
            lab,
            draft_destination(lab, channel=None, has_offers=False, segments=[], columns={}),
        ),
    ):
        folder = marketing.root / "sql" / "marketing" / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{words.name}.yml").write_text(text, encoding="utf-8")
    for name, visits in (("C1", 9), ("C2", 9), ("C3", 1)):
        marketing.add(name, visits=visits)
    marketing.grant("C1", "C3")
    night = run_night()
    assert night.customers("tool", "vips.csv") == ["C1"]
    assert night.excluded("tool", "vips") == {"no_consent": 1}
    assert night.customers("lab", "vips.csv") == ["C1", "C2"]
