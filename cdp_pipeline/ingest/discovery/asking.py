"""Questions of a draft: what files cannot tell and people are asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Ask:
    """A value that only people can give.

    Attributes:
        question: What is asked.
        provisional: Answer under which the draft is tried.
    """

    question: str
    provisional: object
