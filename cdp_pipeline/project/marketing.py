"""Declarations of marketers: segments (who), offers (what), destinations (where to).

Only what can be said without a warehouse is checked here; whether a column exists is checked by
``segments.rules`` and ``activation``, against the table it belongs to.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, NoReturn, Self

from pydantic import Field, model_validator

from cdp_pipeline.core.types import Channel
from cdp_pipeline.project.checks import Declaration
from cdp_pipeline.project.mistakes import MistakeError, suggest

NAME = "^[a-z][a-z0-9_]*$"

CONTACT_COLUMNS = (
    "given_name",
    "family_name",
    "email",
    "phone",
    "street",
    "city",
    "postcode",
    "country",
    "push_token",
    "birth_date",
    "loyalty_id",
    "account_id",
)
"""Columns that an export takes from ``core.customer_contact``."""

PERSONAL_COLUMNS = frozenset(CONTACT_COLUMNS) - {"city", "country"}
"""Columns that leave only for a consent purpose and channel."""

IDENTIFYING_COLUMNS = frozenset(
    {"customer_id", "email", "phone", "push_token", "loyalty_id", "account_id"}
)
"""Columns by which a receiver finds a person again, so that it can remove them."""


class SegmentSpec(Declaration):
    """Who: a predicate over ``features.customer_features``, nothing more."""

    name: str = Field(pattern=NAME, description="The file's stem.")
    title: str = Field(description="What people call it.")
    description: str = Field(default="", description="Who is in it and why it is worth having.")
    owner: str = Field(description="Who answers questions about it.")
    where: str = Field(description="SQL predicate over features.customer_features.")
    purpose: str = Field(default="marketing", description="Consent purpose of any use.")
    channel: Channel | None = Field(
        default=None, description="Channel it is meant for; None for reports and analysis."
    )
    priority: int = Field(default=100, ge=1, description="Who wins under a cap: lowest first.")
    holdout_share: float = Field(default=0.0, ge=0, lt=1, description="Kept back for measuring.")
    next_step: str = Field(default="", description="Suggested action, shown in reports.")
    expires_on: date | None = Field(default=None, description="Last business date it is served.")


class OfferSpec(Declaration):
    """What: an offer that a trigger carries to the members of a segment."""

    name: str = Field(pattern=NAME, description="The file's stem.")
    title: str = Field(description="What people call it.")
    owner: str = Field(description="Who answers questions about it.")
    segment: str = Field(description="Segment whose members get it.")
    channel: Channel = Field(description="Channel it is sent on.")
    discount_share: float = Field(default=0.0, ge=0, le=1, description="Discount, 0.10 is 10 %.")
    message: str = Field(description="Text with {column} placeholders of customer_features.")
    valid_days: int = Field(ge=1, description="Days from the business date that it is valid.")
    cap_count: int = Field(default=1, ge=1, description="Times a person may get this offer.")
    cap_days: int = Field(default=30, ge=1, description="Window of cap_count, in days.")
    sku_column: str | None = Field(
        default=None, description="Column of customer_features that holds the product's number."
    )
    product_column: str | None = Field(
        default=None, description="Column of customer_features that holds the product's name."
    )
    store_id_column: str = Field(
        default="nearest_store_id", description="Column that holds the store's number."
    )
    store_name_column: str = Field(
        default="nearest_store_name", description="Column that holds the store's name."
    )


_ACTIVE = r"\x00-\x20=+\-@\p{Z}\p{Cf}\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}"
"""What begins a formula, or stands unseen before it: as ``activation.dialects`` has it."""

_HEADER = rf'^[^"\\{_ACTIVE}][^"\\\x00-\x1f]*$'


class DestinationField(Declaration):
    """One column of an exported file."""

    column: str = Field(description="Column of the export relation.")
    header: str = Field(
        pattern=_HEADER, description="Header that the receiver expects; none begins a formula."
    )
    hash: Literal["none", "google", "meta"] = Field(
        default="none", description="Normalise and hash by the receiver's rules."
    )
    kind: Literal["text", "email", "phone", "name", "city", "postcode", "country"] = Field(
        default="text", description="How a hash normalises the value."
    )

    @model_validator(mode="after")
    def _hash_knows_what_it_hashes(self) -> Self:
        if self.hash != "none" and self.kind == "text":
            message = f"`hash: {self.hash}` needs `kind:` (email, phone, name, ...)"
            raise ValueError(message)
        if self.hash == "google" and self.kind in {"city", "postcode", "country"}:
            message = f"Google wants {self.kind} in the clear; leave `hash:` out"
            raise ValueError(message)
        return self

    @property
    def is_identifying(self) -> bool:
        """Whether the receiver can find a person by this column."""
        return self.column in IDENTIFYING_COLUMNS


class DestinationSpec(Declaration):
    """Where to: a file for one receiving system."""

    name: str = Field(pattern=NAME, description="The file's stem.")
    title: str = Field(description="What people call it.")
    owner: str = Field(description="Who answers questions about it.")
    kind: Literal["folder"] = Field(default="folder", description="How files are delivered.")
    content: Literal["audience", "trigger"] = Field(description="Members, or offers to send.")
    format: Literal["csv", "jsonl", "parquet"] = Field(default="csv", description="File format.")
    purpose: str | None = Field(default=None, description="Consent purpose; needed for PII.")
    channel: Channel | None = Field(default=None, description="Consent channel; needed for PII.")
    also_needs: tuple[str, ...] = Field(
        default=(),
        description="Further purposes without channel that must be granted, as profiling.",
    )
    segments: tuple[str, ...] = Field(default=(), description="Segments; empty: by channel.")
    one_per: Literal["person", "household"] = Field(
        default="person", description="Who gets one row: for print, the household."
    )
    fields: tuple[DestinationField, ...] = Field(min_length=1)
    delta: bool = Field(default=True, description="Also write added and removed files.")
    minimum_rows: int = Field(default=0, ge=0, description="Smaller audiences are not written.")

    @model_validator(mode="after")
    def _personal_data_has_a_purpose(self) -> Self:
        sent = [field.column for field in self.fields if field.column in PERSONAL_COLUMNS]
        if sent and not (self.purpose and self.channel):
            message = f"sends {sent[0]!r}, so it needs `purpose:` and `channel:`"
            raise ValueError(message)
        if bool(self.purpose) != bool(self.channel):
            message = "`purpose:` and `channel:` go together; leave both out for analysis"
            raise ValueError(message)
        if self.also_needs and not self.purpose:
            message = "`also_needs:` stands beside `purpose:`, not alone"
            raise ValueError(message)
        if self.one_per == "household" and self.channel != "post":
            message = "`one_per: household` is for `channel: post`; other messages reach a person"
            raise ValueError(message)
        if self.content == "trigger" and not self.channel:
            message = "a trigger reaches people, so it needs `purpose:` and `channel:`"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _files_are_sound(self) -> Self:
        headers = [field.header for field in self.fields]
        twice = sorted({header for header in headers if headers.count(header) > 1})
        if twice:
            message = f"header {twice[0]!r} stands twice"
            raise ValueError(message)
        if self.has_delta and not any(field.is_identifying for field in self.fields):
            self._refuse_nameless()
        return self

    def _refuse_nameless(self) -> NoReturn:
        """Say that no column tells whom to remove, and which of them may be a misspelt one.

        Raises:
            MistakeError: Always.
        """
        message = "no column says whom to remove"
        for place, field in enumerate(self.fields):
            meant = suggest(field.column, sorted(IDENTIFYING_COLUMNS), else_="")
            if meant:
                raise MistakeError(
                    f"{message}: {field.column!r} is none", "fields", place, "column", hint=meant
                )
        raise MistakeError(
            message, "fields", hint="Send customer_id, email or phone, or set `delta: false`."
        )

    @property
    def gates(self) -> frozenset[tuple[str, str | None]]:
        """Purposes and channels that must all be granted; empty for analysis."""
        own = {(self.purpose, self.channel)} if self.purpose else set()
        return frozenset(own | {(purpose, None) for purpose in self.also_needs})

    @property
    def has_delta(self) -> bool:
        """Whether added and removed files are written; a trigger is an event and has none."""
        return self.delta and self.content == "audience"
