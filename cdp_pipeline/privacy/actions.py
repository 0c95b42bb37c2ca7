"""What was done about people's requests: one JSON line each, kept outside the versions.

A request is named by source and number only. The night reads the journal as it was before it, so
that a night that is built again sees the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

import duckdb

from cdp_pipeline.storage.journal import Journal, append_lines, read_journal
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import create_table, quote_literal

FILE_NAME = "actions.jsonl"

Outcome = Literal["erased", "answered", "blocked"]


@dataclass(frozen=True)
class Action:
    """A request that is done.

    Attributes:
        source: Source of the request.
        request_id: Its number.
        outcome: What was done.
        on: Business date.
        proof: Number of the certificate; empty if there is none.
    """

    source: str
    request_id: str
    outcome: Outcome
    on: date
    proof: str = ""


def read_actions(paths: DataPaths) -> list[Action]:
    """Return what was done, oldest first."""
    return [
        Action(
            line["source"],
            line["request_id"],
            line["outcome"],
            date.fromisoformat(line["on"]),
            line["proof"],
        )
        for _, line in read_journal(paths.privacy / FILE_NAME).lines
    ]


def note_actions(paths: DataPaths, actions: Iterable[Action]) -> int:
    """Append what was done, each request once, and return how many are new."""
    wanted = list(actions)
    added = 0

    def compose(held: Journal) -> list[dict[str, str]]:
        nonlocal added
        known = {(line["source"], line["request_id"]) for _, line in held.lines}
        fresh = [action for action in wanted if (action.source, action.request_id) not in known]
        added = len(fresh)
        return [
            {
                "source": action.source,
                "request_id": action.request_id,
                "outcome": action.outcome,
                "on": action.on.isoformat(),
                "proof": action.proof,
            }
            for action in fresh
        ]

    if wanted:
        paths.ensure(paths.privacy)
        append_lines(paths.privacy / FILE_NAME, compose)
    return added


def write_actions(
    con: duckdb.DuckDBPyConnection, actions: Collection[Action], *, before: date
) -> int:
    """Make ``ops.privacy_actions`` of what was done before a night; returns its rows."""
    rows = ", ".join(
        "("
        + ", ".join(quote_literal(text) for text in (a.source, a.request_id, a.outcome, a.proof))
        + f", date '{a.on.isoformat()}')"
        for a in actions
        if a.on < before
    )
    columns = "source, request_id, outcome, proof, done_on"
    nothing = "select null::varchar, null::varchar, null::varchar, null::varchar, null::date"
    values = f"values {rows}" if rows else f"{nothing} where false"
    return create_table(
        con,
        "ops.privacy_actions",
        f"select source, request_id, outcome, done_on, nullif(proof, '') as proof "  # noqa: S608 - quoted
        f"from ({values}) as held({columns}) order by source, request_id",
    )
