"""Tombstones: keyed tokens of erased people, by which an old file is recognised and kept out.

A token is an HMAC of a normalised identifier: it tells a person who returns, in whatever spelling,
and tells nobody else who was erased. What stands for a person is listed in ``KINDS``. Recognising
the rows of a delivery is the business of ``ingest``; erasing, that of ``rights``.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.loader import starter_folder
from cdp_pipeline.storage.journal import Journal, append_lines, read_journal
from cdp_pipeline.storage.paths import DataPaths

FILE_NAME = "suppression.jsonl"

Token = tuple[str, str, str]
"""Kind, id of the key and token: what a line of the journal is about."""

KINDS = {
    "email": "identity_mailbox(identity_email(cast({value} as varchar)))",
    "phone": "identity_phone(cast({value} as varchar))",
    "loyalty_id": "identity_number(cast({value} as varchar))",
    "account_id": "identity_number(cast({value} as varchar))",
    "payment_token": "nullif(lower(trim(cast({value} as varchar))), '')",
    "push_token": "nullif(trim(cast({value} as varchar)), '')",
    "national_id": "identity_number(cast({value} as varchar))",
    "identifier": "identity_number(cast({value} as varchar))",
    "cookie": "nullif(trim(cast({value} as varchar)), '')",
    "record": "nullif(trim(cast({value} as varchar)), '')",
}
"""What stands for one person alone, with SQL that gives each spelling of a value the same text."""

_BLOCK_BYTES = 64
_INNER, _OUTER = 0x36, 0x5C

# HMAC by its definition (RFC 2104), so that DuckDB makes a million tokens in a second.
_MACRO = """
create or replace temp macro suppression_token(inner_pad, outer_pad, kind, value) as
left(
    sha256(outer_pad || unhex(sha256(inner_pad || encode(kind || chr(0) || value)))),
    32
)
"""


_NORMALISERS = ("identity_names.sql", "identity_contacts.sql")


def create_normalisers(con: duckdb.DuckDBPyConnection) -> None:
    """Create the macros by which ``KINDS`` are cleaned.

    They are the shipped ones, whatever a project makes of its own: a tombstone must mean the same
    for as long as it is kept.
    """
    for name in _NORMALISERS:
        con.execute((starter_folder("sql") / "macros" / name).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class SuppressionKey:
    """A key of tombstones.

    Attributes:
        id: Name of the key, kept with each token.
        secret: The derived key.
    """

    id: str
    secret: bytes

    def token(self, kind: str, value: str) -> str:
        """Return the token of a normalised value: 128 bits in hex.

        >>> SuppressionKey("k", b"0" * 32).token("email", "a@b.example")
        '7ebefc379d75f44ef82746629006a135'
        """
        text = kind.encode() + b"\0" + value.encode()
        return hmac.digest(self.secret, text, "sha256").hex()[:32]

    def pads(self) -> tuple[bytes, bytes]:
        """Return the inner and the outer block of HMAC."""
        block = self.secret.ljust(_BLOCK_BYTES, b"\0")
        return bytes(b ^ _INNER for b in block), bytes(b ^ _OUTER for b in block)


def suppression_keys(settings: Settings) -> tuple[SuppressionKey, ...]:
    """Return the keys of tombstones: new ones are made with the first, all recognise.

    Raises:
        ConfigError: A key is weak, missing or lies open.
    """
    ring = load_keyring(settings.keys)
    return tuple(SuppressionKey(key.id, key.subkey("suppression")) for key in ring.keys)


def tombstone_file(paths: DataPaths) -> Path:
    """Return the journal of tombstones."""
    return paths.privacy / FILE_NAME


def has_tombstones(paths: DataPaths) -> bool:
    """Return whether anybody was ever erased."""
    return tombstone_file(paths).is_file()


def standing_lines(lines: Iterable[tuple[int, dict[str, Any]]]) -> dict[Token, dict[str, Any]]:
    """Return the last line about each token: an erasure, or a lift if it says ``from``."""
    return {(line["kind"], line["key"], line["token"]): line for _, line in lines}


def load_tombstones(
    con: duckdb.DuckDBPyConnection,
    paths: DataPaths,
    keys: Sequence[SuppressionKey],
    *,
    on: date,
) -> int:
    """Make the tables of tombstones and the macro of tokens on a connection.

    Creates ``suppression_keys`` (key_id, inner_pad, outer_pad, is_first), ``suppressed_tokens``
    (token, kind, key_id) and ``suppression_token`` (inner_pad, outer_pad, kind, value).

    Args:
        con: Connection.
        paths: The data folder.
        keys: All keys of tombstones.
        on: Business date of the delivery that is judged: what is lifted from an earlier day, or
            from this one, does not count.

    Returns:
        Number of tombstones.

    Raises:
        ConfigError: The journal is damaged.
    """
    con.execute(_MACRO)
    con.execute(
        "create or replace temp table suppression_keys "
        "(key_id varchar, inner_pad blob, outer_pad blob, is_first boolean)"
    )
    con.executemany(
        "insert into suppression_keys values (?, ?, ?, ?)",
        [(key.id, *key.pads(), number == 0) for number, key in enumerate(keys)],
    )
    lines = standing_lines(read_journal(tombstone_file(paths)).lines).values()
    held = [line for line in lines if on.isoformat() < line.get("from", "9999")]
    con.execute(
        "create or replace temp table suppressed_tokens as select distinct "
        "unnest($tokens::varchar[]) as token, unnest($kinds::varchar[]) as kind, "
        "unnest($keys::varchar[]) as key_id",
        {
            "tokens": [line["token"] for line in held],
            "kinds": [line["kind"] for line in held],
            "keys": [line["key"] for line in held],
        },
    )
    return len(held)


def add_tombstones(
    paths: DataPaths,
    key: SuppressionKey,
    values: Iterable[tuple[str, str]],
    *,
    erasure: str,
    on: date,
    holders: Iterable[tuple[int, str, str]] = (),
) -> int:
    """Write tombstones of normalised values and return how many are new or hold again.

    Args:
        paths: The data folder.
        key: Key in use.
        values: Kind and normalised value.
        erasure: Number of the erasure.
        on: Business date.
        holders: Whose they are: number of the person within the erasure, kind and value.
    """
    tokens = {(kind, value): key.token(kind, value) for kind, value in values}
    wanted = {(kind, token) for (kind, _), token in tokens.items()}
    persons = defaultdict(set)
    for number, kind, value in holders:
        token = tokens.get((kind, value)) or key.token(kind, value)
        persons[kind, token].add(f"{erasure}-{number}")
    added = 0

    def compose(held: Journal) -> list[dict[str, Any]]:
        nonlocal added
        last = standing_lines(held.lines).values()
        known = {(line["kind"], line["token"]) for line in last if "from" not in line}
        fresh = sorted(wanted - known)
        added = len(fresh)
        return [
            {
                "token": token,
                "kind": kind,
                "key": key.id,
                "erasure": erasure,
                "on": on.isoformat(),
                "persons": sorted(persons[kind, token]),
            }
            for kind, token in fresh
        ]

    append_lines(tombstone_file(paths), compose)
    return added
