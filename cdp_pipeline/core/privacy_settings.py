"""Settings of privacy: how soon requests are answered, how long files are kept, small counts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PrivacySettings(BaseModel):
    """Deadlines, retention and small counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    smallest_count: int = Field(
        default=11,
        ge=3,
        le=1000,
        description="Smallest count of people that reports and the documentation show.",
    )
    outbox_days: int = Field(
        default=14,
        ge=1,
        le=365,
        description="Days for which files in the outbox stay readable for whoever picks them up; "
        "then, with a key set, they are encrypted.",
    )
    answer_days: int = Field(
        default=30, ge=1, le=90, description="Days within which a request must be done."
    )
    erasure_weekday: int = Field(
        default=7,
        ge=1,
        le=7,
        description="Day of the week on which a large store erases people, 1 for Monday.",
    )
    erasure_nightly_gb: float = Field(
        default=10.0,
        ge=0,
        description="Size of the data folder up to which people are erased on every night.",
    )
