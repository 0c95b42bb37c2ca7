"""The draft of a segment: a predicate over one wide row a person."""

from __future__ import annotations

from collections.abc import Mapping

from cdp_pipeline.core.types import Channel
from cdp_pipeline.project.drafts.words import Words, as_comments, as_scalar, as_text

EXAMPLE = "recency_days between 90 and 365"
"""Who is in a segment of which nothing was said yet."""


def draft_segment(
    words: Words, *, where: str | None, channel: Channel | None, columns: Mapping[str, str]
) -> str:
    """Return the YAML of a segment.

    Args:
        words: Name, title, owner.
        where: Predicate over the columns; None for an example.
        channel: Channel it is served on; None for analysis only.
        columns: Columns of ``features.customer_features`` and their meaning.
    """
    predicate = f"where: {as_scalar(where, '--where')}" if where else f"where: {EXAMPLE}"
    example = "" if where else "   # an example: say here who is meant"
    served = f"channel: {channel}" if channel else "# channel: email"
    meaning = (
        "every destination of this channel that names no segments gets it"
        if channel
        else "email, sms, push or post; without one it is for analysis only"
    )
    return as_text(
        [
            "# A segment: who. Its members are found anew every night, by the predicate alone.",
            "# What each key means, and what happens at night: sql/marketing/README.md",
            f"title: {as_scalar(words.title, '--title')}",
            "description: >-",
            "  Who is in it, and why that is worth having.",
            f"owner: {as_scalar(words.owner, '--owner')}   # who answers questions about it",
            predicate + example,
            f"{served}   # {meaning}",
            "# priority: 100          # under a contact cap the lowest number is served first",
            "# holdout_share: 0.10    # kept back, so that the effect can be measured",
            "# next_step: Personal invitation to the store",
            "# expires_on: 2027-03-31   # last business date on which it is served",
            "",
            "# `where:` may compare these columns by and, or, not, in, between, like, is null:",
            *as_comments(columns),
        ]
    )
