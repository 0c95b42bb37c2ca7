"""Small closed vocabularies shared by all layers: severities and channels.

Only types without behaviour belong here.
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """What a failed check does."""

    STOP = "stop"
    """Stops the night: nothing is published."""
    QUARANTINE = "quarantine"
    """Sets the offending rows aside with the reason; the rest goes on."""
    WARN = "warn"
    """Is reported; every row goes on."""


class Channel(StrEnum):
    """Channels a person can be contacted on."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    POST = "post"
