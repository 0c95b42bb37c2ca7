"""What a draft proposes and asks: feeds, and questions for what files cannot tell."""

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


@dataclass
class Proposal:
    """One feed.

    Attributes:
        entity: Table that receives the rows.
        columns: Entity column to SQL, or to a question.
        where: Which rows; None for all.
        note: Why it is proposed.
    """

    entity: str
    columns: dict[str, str | Ask]
    where: str | Ask | None = None
    note: str = ""
