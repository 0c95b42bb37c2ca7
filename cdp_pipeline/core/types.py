"""Small closed vocabularies shared by all layers: identifiers, severities, judgements.

Only types without behaviour belong here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

CustomerId = NewType("CustomerId", str)
"""Stable id of a person across nights, ``C`` and 16 hex digits."""

RecordKey = NewType("RecordKey", str)
"""Key of a person record within its source."""

SourceName = NewType("SourceName", str)
"""Name of a declared source: the stem of its file in ``expectations/``."""


class Severity(StrEnum):
    """What a failed check does."""

    STOP = "stop"
    """Stops the night: nothing is published."""
    QUARANTINE = "quarantine"
    """Sets the offending rows aside with the reason; the rest goes on."""
    WARN = "warn"
    """Is reported; every row goes on."""


class Judgement(StrEnum):
    """A steward's word about a pair of records; outranks every score."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"


class Channel(StrEnum):
    """Channels a person can be contacted on."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    POST = "post"


class ConsentStatus(StrEnum):
    """State of a consent for one purpose and channel."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"
