"""What every reader gives: a relation of texts, and what is known of the records behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cdp_pipeline.ingest.line_numbers import LineNumbers
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.traits import Traits
from cdp_pipeline.project.drift import Policy

NEW_COLUMNS = "unknown columns"
MISSING_COLUMNS = "lacks the optional columns"
"""How warnings about columns begin."""

_SHOWN_NAMES = 10


@dataclass(frozen=True)
class Reading:
    """How to read one delivery.

    Attributes:
        relation: FROM clause with one ``?`` for the path.
        path: File that is read.
        texts: SQL of the delivered text, by declared column that the file has.
        first_line: Line of the delivery on which the first record stands.
        start: Byte offset of the first record in ``path``.
        records: Physical records, counted independently.
        rows: Rows that the records become, counted independently; None if only records are.
        is_regular: Whether record numbers are line numbers.
        is_nested: Whether the relation has ``_text``, the text of what is no record.
        is_document: Whether records were cut out of a text, so that nothing can be rejected.
        is_repeated: Whether a record may become several rows: the relation has ``_item``, the
            number of the part, and ``_is_first``.
        has_nul: Whether NUL bytes were replaced.
        has_long_fields: Whether a field may be longer than 64 KB.
        traits: What may stand in its fields.
        width: Columns of a record.
        record_lines: Line of the delivery on which each record stands, if it does not follow from
            the text that is read.
        kept: Line of each record of a salvaged copy, from 0 at the first record.
        broken: Parquet file (line, text) of lines that salvage set aside; lines are counted from
            0 at the first record.
        broken_count: How many there are.
        margins: Text before and after the records.
        headers: Header of each column, as the file spells it, where a header may come again.
        messages: Warnings for people.
    """

    relation: str
    path: Path
    texts: dict[str, str]
    first_line: int = 1
    start: int = 0
    records: int = 0
    rows: int | None = None
    is_regular: bool = True
    is_nested: bool = False
    is_document: bool = False
    is_repeated: bool = False
    has_nul: bool = False
    has_long_fields: bool = True
    traits: Traits = field(default_factory=Traits)
    width: int = 0
    record_lines: LineNumbers | None = None
    kept: LineNumbers | None = None
    broken: Path | None = None
    broken_count: int = 0
    margins: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()


def unknown_columns(names: tuple[str, ...], policy: Policy) -> tuple[str, ...]:
    """Return the warning about columns that a contract neither declares nor ignores.

    Raises:
        RefusedError: There are some, and the contract sets such files aside.
    """
    return _changed(NEW_COLUMNS, names, policy, "declare them, or list them under `ignore:`")


def lacking_columns(names: tuple[str, ...], policy: Policy) -> tuple[str, ...]:
    """Return the warning about optional columns that a file lacks.

    Raises:
        RefusedError: There are some, and the contract sets such files aside.
    """
    return _changed(MISSING_COLUMNS, names, policy, "ask the sender whether they are gone for good")


def _changed(what: str, names: tuple[str, ...], policy: Policy, hint: str) -> tuple[str, ...]:
    if not names or policy == "pass":
        return ()
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    if policy == "quarantine":
        raise RefusedError(f"{what} {shown}{more}", hint=f"{hint[0].upper()}{hint[1:]}.")
    return (f"{what} {shown}{more}: {hint}",)
