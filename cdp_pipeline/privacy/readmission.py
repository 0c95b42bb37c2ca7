"""Lifting tombstones of a person who was erased and lawfully comes back as a new customer.

What the person gives again (an address, a number, a name with its birth date) may come in from a
day on; everything that the store itself had issued (cards, accounts, keys of records) stays out,
unless it is named. So a copy of an old record, which bears an old number, is kept out even if it is
delivered later; and whatever was delivered for an earlier day stays out in any case. A lift is one
more line of the journal of tombstones, which is never edited: the last line about a token holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.privacy.suppression import (
    KINDS,
    SuppressionKey,
    Token,
    standing_lines,
    tombstone_file,
)
from cdp_pipeline.storage.journal import Journal, append_lines, read_journal
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_value

if TYPE_CHECKING:
    import duckdb

OWN_KINDS = frozenset(
    {
        "email",
        "phone",
        "payment_token",
        "push_token",
        "national_id",
        "cookie",
        "name_birth",
        "name_address",
    }
)
"""What people bring along; all other kinds the store has issued."""


@dataclass(frozen=True)
class Readmission:
    """Tombstones that are to be lifted.

    Attributes:
        person: Number of the person within the erasure, such as ``E000007-2``; empty for
            tombstones that were written before persons were told apart.
        erasure: Number of the erasure.
        erased_on: Business date of the erasure.
        lines: Lines of the journal whose tokens are lifted.
        kept: Tombstones of the person that stay.
    """

    person: str
    erasure: str
    erased_on: date
    lines: tuple[dict[str, Any], ...]
    kept: int

    @property
    def kinds(self) -> list[str]:
        """What is lifted, in words, each kind once."""
        return sorted({str(line["kind"]).replace("_", " ") for line in self.lines})

    def require_later(self, since: date) -> None:
        """Refuse a day that lies within what was erased.

        Raises:
            ConfigError: It does.
        """
        if since <= self.erased_on:
            raise ConfigError(
                f"{since} is no day after the erasure of {self.erased_on}",
                where="cdp privacy readmit --from",
                hint="Give the day on which the person registered again.",
            )


def find_readmission(
    con: duckdb.DuckDBPyConnection,
    paths: DataPaths,
    keys: Sequence[SuppressionKey],
    given: Sequence[str],
    *,
    sources: Iterable[str],
) -> Readmission:
    """Return which tombstones a person's values lead to; nothing is written.

    Args:
        con: Connection after ``create_normalisers``.
        paths: The data folder.
        keys: Keys of tombstones.
        given: What the person gives: addresses, numbers, also a card that is to be used again.
        sources: Names of all sources, by which keys of records are told.

    Raises:
        ConfigError: Nobody who was erased had these values, or several people had.
    """
    lines = standing_lines(read_journal(tombstone_file(paths)).lines)
    held = {token: line for token, line in lines.items() if "from" not in line}
    found = [_tokens(con, keys, value, sources) & held.keys() for value in given]
    named = set().union(*found)
    if not named:
        raise ConfigError(
            "nobody who was erased had any of these values, so nothing is to be lifted",
            where="cdp privacy readmit",
            hint="Give the addresses and numbers that the person had; spelling does not matter. "
            "Whoever was never erased, or was let in again already, needs no readmission.",
        )
    person = _who([tokens for tokens in found if tokens], held)
    theirs = {t: line for t, line in held.items() if person and person in _persons(line)}
    lifted = {t: line for t, line in theirs.items() if t[0] in OWN_KINDS}
    lifted |= {token: held[token] for token in named}
    return Readmission(
        person,
        person.rpartition("-")[0] or str(held[min(named)]["erasure"]),
        max(date.fromisoformat(str(line["on"])) for line in lifted.values()),
        tuple(lifted[token] for token in sorted(lifted)),
        len(theirs.keys() - lifted.keys()),
    )


def _who(found: Sequence[set[Token]], held: Mapping[Token, Mapping[str, Any]]) -> str:
    """Return who had all of the values; empty if the tombstones do not tell persons apart.

    Raises:
        ConfigError: Several people had.
    """
    holders = [{p for token in tokens for p in _persons(held[token])} for tokens in found]
    erasures = {str(held[token]["erasure"]) for tokens in found for token in tokens}
    persons = set.intersection(*holders) or set().union(*holders)
    if len(persons or erasures) > 1:
        raise ConfigError(
            "these values belonged to several people who were erased",
            where="cdp privacy readmit",
            hint="Give more of what the person had, such as the number beside the address.",
        )
    return min(persons, default="")


def _persons(line: Mapping[str, Any]) -> Sequence[str]:
    """Return whose a tombstone is; nobody if it was written before persons were told apart."""
    persons: Sequence[str] = line.get("persons", ())
    return persons


def lift_tombstones(paths: DataPaths, found: Readmission, *, since: date, on: date) -> None:
    """Let a person's values in again, in deliveries of a day and later.

    Args:
        paths: The data folder.
        found: By ``find_readmission``.
        since: First business date whose deliveries may hold them.
        on: Business date on which it is decided.

    Raises:
        ConfigError: The day lies within what was erased.
    """
    found.require_later(since)

    def compose(_: Journal) -> list[dict[str, Any]]:
        lift = {"from": since.isoformat(), "on": on.isoformat()}
        return [{**line, **lift} for line in found.lines]

    append_lines(tombstone_file(paths), compose)


def _tokens(
    con: duckdb.DuckDBPyConnection,
    keys: Sequence[SuppressionKey],
    value: str,
    sources: Iterable[str],
) -> set[Token]:
    """Return all tokens that a value may have been given, by any key and of any kind."""
    cleaned = {
        kind: fetch_value(con, f"select {sql.format(value='$value')}", {"value": value})
        for kind, sql in KINDS.items()
    }
    found = [(kind, str(text)) for kind, text in cleaned.items() if text]
    found += [("record", f"{source}/{value.strip()}") for source in sources]
    return {(kind, key.id, key.token(kind, text)) for key in keys for kind, text in found}
