"""The draft of a destination: which columns go to which system, under which consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdp_pipeline.core.types import Channel
from cdp_pipeline.project.drafts.words import Words, as_comments, as_scalar, as_text

_CONTACTS: dict[Channel, tuple[str, ...]] = {
    Channel.EMAIL: ("email", "given_name", "family_name"),
    Channel.SMS: ("phone", "given_name"),
    Channel.PUSH: ("push_token",),
    Channel.POST: ("given_name", "family_name", "street", "city", "postcode", "country"),
}
_KINDS = {
    "given_name": "name",
    "family_name": "name",
    "city": "city",
    "postcode": "postcode",
    "country": "country",
}
_NO_CONTACTS = ("segment", "entered_on", "is_holdout")
_OFFERED = ("offer", "sku", "product_name", "discount", "store_name", "valid_until", "message")


def draft_destination(
    words: Words,
    *,
    channel: Channel | None,
    has_offers: bool,
    segments: Sequence[str],
    columns: Mapping[str, str],
) -> str:
    """Return the YAML of a destination.

    Args:
        words: Name, title, owner.
        channel: Consent channel; None for analysis, without personal data.
        has_offers: Whether it carries offers rather than members.
        segments: Segments to send; none for all of the channel.
        columns: Columns of ``features.customer_features`` and their meaning.
    """
    content = "trigger" if has_offers else "audience"
    return as_text(
        [
            "# A destination: one set of files for one system, in data/outbox after each night.",
            "# What each key means: sql/marketing/README.md",
            f"title: {as_scalar(words.title, '--title')}",
            f"owner: {as_scalar(words.owner, '--owner')}   # who answers questions about it",
            f"content: {content}   # audience: members of segments; trigger: offers",
            "format: csv   # csv, jsonl or parquet",
            *_consent(channel),
            *_chosen(segments, has_offers=has_offers),
            *_removals(channel, has_offers=has_offers),
            "fields:   # our column, and the header that the receiver expects",
            *(
                f"  - {{column: {column}, header: {column}{_kind(column)}}}"
                for column in _fields(channel, has_offers=has_offers)
            ),
            "# For advertising add `hash: google` or `hash: meta` with `kind: email` and the like.",
            "",
            "# Fields may also be these columns:",
            *as_comments(columns),
        ]
    )


def _consent(channel: Channel | None) -> list[str]:
    if channel is None:
        return [
            "# Without purpose and channel nobody is contacted, and personal data is refused.",
            "# purpose: marketing",
            "# channel: email",
        ]
    return [
        "purpose: marketing   # who did not agree to this purpose ...",
        f"channel: {channel}   # ... on this channel is left out, and counted",
        *(["# one_per: household   # one copy each, not one a person"] * (channel == "post")),
    ]


def _chosen(segments: Sequence[str], *, has_offers: bool) -> list[str]:
    if has_offers:
        return ["# Every offer of the same channel is sent (sql/marketing/offers)."]
    if segments:
        return [f"segments: [{', '.join(segments)}]"]
    return ["# segments: [at_risk]   # left out: all with the same channel; for analysis, all"]


def _removals(channel: Channel | None, *, has_offers: bool) -> list[str]:
    if has_offers:
        return []
    if channel is None:
        return ["delta: false   # true: also files of who came in and who left since last night"]
    return ["# delta: false   # no files of who came in and who left since last night"]


def _fields(channel: Channel | None, *, has_offers: bool) -> tuple[str, ...]:
    contacts = _CONTACTS[channel] if channel else ()
    if has_offers:
        return ("reference", "customer_id", *contacts, *_OFFERED)
    return ("customer_id", *contacts) if channel else ("customer_id", *_NO_CONTACTS)


def _kind(column: str) -> str:
    kind = _KINDS.get(column)
    return f", kind: {kind}" if kind else ""
