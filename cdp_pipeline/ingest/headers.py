"""Which column of a file is which column of its contract.

Columns are matched by name, whatever their order, case and surrounding blanks; a name that only
looks like ours is suggested, never taken. Header text never reaches SQL.
"""

from __future__ import annotations

import csv
import difflib
import fnmatch
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from cdp_pipeline.ingest.casting import DIRECTIONS
from cdp_pipeline.ingest.drift import alike_by_content
from cdp_pipeline.ingest.plaintext import UTF8_MARK
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.contracts import EACH, Column, SourceContract
from cdp_pipeline.project.layout import Delivery

_UNSEEN = re.compile(f"[\u00ad\u200b\u2060\ufeff{DIRECTIONS}]")

TWIN = "#"
"""Stands between a header that occurs several times and the number of the column that is meant."""

MAXIMUM_COLUMNS = 4000
MAXIMUM_HEADER_BYTES = 1 << 18
_LOOKED_AT = 3
_OTHER_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe"}


@dataclass(frozen=True)
class Header:
    """The first record of a text file.

    Attributes:
        names: Column names as the file spells them; empty without a header.
        width: Columns of a record.
        lines: Physical lines before the first data record.
        skipped: What a reader has to skip: empty lines, and the header as one record.
        start: Byte offset of the first data record.
    """

    names: tuple[str, ...]
    width: int
    lines: int
    start: int
    skipped: int = 0


@dataclass(frozen=True)
class ColumnMap:
    """Where the contract's columns stand in a file.

    Attributes:
        positions: Our column to position, from 0; columns the file lacks are left out.
        unknown: Names in the file that the contract neither declares nor ignores.
        lacking: Optional columns that the file has not.
        repeated: By number, the positions of columns that stand once for each part of a record.
    """

    positions: dict[str, int]
    unknown: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    repeated: dict[int, dict[str, int]] = field(default_factory=dict)


def read_header(path: Path, contract: SourceContract) -> Header:
    """Return the header of a CSV text, or its width if it has none.

    Raises:
        RefusedError: The first record cannot be read.
    """
    written = contract.delivery
    with path.open("rb") as stream:
        head = stream.read(MAXIMUM_HEADER_BYTES)
    body = head.removeprefix(UTF8_MARK)
    start = len(head) - len(body)
    blanks = b" \t" if written.delimiter.strip() else b""
    stripped = _without_blank_lines(body, blanks)
    lines = body[: len(body) - len(stripped)].count(b"\n")
    start += len(body) - len(stripped)
    record = _first_record(stripped, written.quote)
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            "its first line is not UTF-8 text",
            hint="Set `encoding:` to what the sender writes, such as cp1252.",
        ) from error
    fields = split_fields(text.rstrip("\r\n"), written.delimiter, written.quote, skips_blanks=True)
    if len(fields) > MAXIMUM_COLUMNS:
        raise RefusedError(
            f"it has {len(fields)} columns; {MAXIMUM_COLUMNS} are allowed",
            hint="Ask for fewer, or for one line a value instead of one column.",
        )
    if not written.header:
        width = len(fields)
        if written.short_rows == "fill":
            width = max(width, len(contract.read_columns))
        return Header((), width, lines, start, lines)
    skipped = lines + 1
    lines += record.count(b"\n") or 1
    width = _width_of_data(stripped[len(record) :], fields, written)
    fields = [*fields, ""][:width] if width != len(fields) else fields
    return Header(tuple(fields), width, lines, start + len(record), skipped)


def _without_blank_lines(text: bytes, blanks: bytes) -> bytes:
    """Return a text without its first lines that hold nothing but blanks."""
    rest = text.lstrip(b"\r\n" + blanks)
    return text[text.rfind(b"\n", 0, len(text) - len(rest)) + 1 :]


def _width_of_data(text: bytes, header: list[str], written: Delivery) -> int:
    """Return the fields of a record where a separator ends the header's line or the others only."""
    width = len(header)
    found = {tuple(f[-1:]) if len(f) > width else len(f) for f in _first_fields(text, written)}
    if found == {("",)}:
        return width + 1
    if found == {width - 1} and width > 1 and not header[-1].strip():
        return width - 1
    return width


def _first_fields(text: bytes, written: Delivery) -> list[list[str]]:
    """Return the fields of the first records, as far as they can be read."""
    found: list[list[str]] = []
    rest = text
    while len(found) < _LOOKED_AT and (rest := rest.lstrip(b"\r\n")):
        try:
            record = _first_record(rest, written.quote)
            line = record.decode("utf-8").rstrip("\r\n")
            found.append(split_fields(line, written.delimiter, written.quote, skips_blanks=True))
        except (RefusedError, UnicodeDecodeError):
            return []
        rest = rest[len(record) :]
    return found


def _first_record(text: bytes, quote: str) -> bytes:
    position = text.find(b"\n")
    while position >= 0 and quote and text[:position].count(quote.encode()) % 2:
        position = text.find(b"\n", position + 1)
    if position < 0 and len(text) >= MAXIMUM_HEADER_BYTES - len(UTF8_MARK):
        raise RefusedError(f"its first line is longer than {MAXIMUM_HEADER_BYTES // 1024} KB")
    return text if position < 0 else text[: position + 1]


def split_fields(text: str, delimiter: str, quote: str, *, skips_blanks: bool = False) -> list[str]:
    """Return the fields of one record.

    Args:
        text: The record.
        delimiter: Separator.
        quote: Quote; empty for none.
        skips_blanks: Whether blanks may stand between a separator and a quote, as DuckDB allows.

    >>> split_fields('a,"b,c"', ",", '"')
    ['a', 'b,c']
    """
    if not quote:
        return text.split(delimiter)
    if len(delimiter) > 1:
        return _split_wide(text, delimiter, quote)
    skips_blanks = skips_blanks and not delimiter.isspace()
    rows = csv.reader([text], delimiter=delimiter, quotechar=quote, skipinitialspace=skips_blanks)
    try:
        return next(rows, [])
    except csv.Error as error:
        raise RefusedError(
            "the quotes of its header cannot be taken apart",
            hint="Have them closed or doubled, or set `quote: ''` if they are plain text.",
        ) from error


def _split_wide(text: str, delimiter: str, quote: str) -> list[str]:
    """Split at a separator of several characters, which ``csv`` does not know."""
    bare, end = re.escape(quote), re.escape(delimiter)
    field_ = rf"{bare}((?:[^{bare}]|{bare}{bare})*){bare}(?={end}|$)|((?:(?!{end}).)*)"
    found, at = [], 0
    while True:
        match = re.compile(field_, re.DOTALL).match(text, at)
        quoted, plain = match.groups() if match else ("", "")
        found.append(plain if quoted is None else quoted.replace(quote * 2, quote))
        at = match.end() if match else len(text)
        if not text.startswith(delimiter, at):
            return found
        at += len(delimiter)


def map_header(
    header: Header, contract: SourceContract, sample: Callable[[], Mapping[str, list[str]]]
) -> ColumnMap:
    """Return where each declared column stands in a CSV file.

    Args:
        header: Its header.
        contract: Its contract.
        sample: Gives values by plain name, for suggesting what a missing column is called now.

    Raises:
        RefusedError: Columns are missing, stand twice, or cannot be told apart.
    """
    if not contract.delivery.header:
        return _map_by_order(header, contract)
    names, wanted = plain_names(header.names, contract), _declared_names(contract)
    numbered = _numbered_patterns(contract)
    wanted |= {name for name in names if _numbered(name, numbered)}
    if not wanted & set(names):
        raise _no_header(header, contract, wanted)
    twice = sorted({name for name in names if names.count(name) > 1} & wanted)
    if twice:
        raise RefusedError(
            f"column {twice[0]!r} stands twice in the header",
            hint=f"Say which you mean: `from: {twice[0]}{TWIN}1`, or {TWIN}2 for the second.",
        )
    return map_names(names, contract, sample)


def plain_names(header: Sequence[str], contract: SourceContract) -> list[str]:
    """Return a header's names for comparison; twins have numbers if the contract tells them so."""
    spoken_of = _declared_names(contract) | {plain_name(name) for name in contract.ignore}
    return _numbered_twins([plain_name(name) for name in header], spoken_of)


def _declared_names(contract: SourceContract) -> set[str]:
    held = contract.read_columns.items()
    return {plain_name(n) for name, column in held for n in spellings(name, column)}


def _numbered_twins(names: list[str], spoken_of: set[str]) -> list[str]:
    """Number the columns of one name, if the contract speaks of one of them by number."""
    found = []
    for position, name in enumerate(names):
        number = f"{name}{TWIN}{names[: position + 1].count(name)}"
        meant = any(f"{name}{TWIN}{n}" in spoken_of for n in range(1, names.count(name) + 1))
        found.append(number if names.count(name) > 1 and meant else name)
    return found


def map_names(
    names: Sequence[str],
    contract: SourceContract,
    sample: Callable[[], Mapping[str, list[str]]] | None = None,
) -> ColumnMap:
    """Return where each declared column stands among plain (trimmed, lower case) names.

    Raises:
        RefusedError: A column that is not optional is missing.
    """
    positions, repeated = find_names(names, contract)
    found = {*positions, *(name for parts in repeated.values() for name in parts)}
    lost = [name for name in contract.read_columns if name not in found]
    missing = [name for name in lost if not contract.columns[name].optional]
    lacking = [name for name in lost if contract.columns[name].optional]
    ignored = [plain_name(pattern) for pattern in contract.ignore]
    taken = {*positions.values(), *(i for parts in repeated.values() for i in parts.values())}
    left = [name for index, name in enumerate(names) if index not in taken and name not in ignored]
    unknown = tuple(n for n in left if not any(fnmatch.fnmatchcase(n, p) for p in ignored))
    if missing:  # a column that `ignore: ["*"]` takes may be one of them under another name
        refuse_missing(missing, left, contract, sample)
    return ColumnMap(positions, unknown, tuple(lacking), repeated)


def find_names(
    names: Sequence[str], contract: SourceContract
) -> tuple[dict[str, int], dict[int, dict[str, int]]]:
    """Return positions of declared columns that are there, and by number of repeated ones."""
    declared = contract.read_columns.items()
    spelt = {name: map(plain_name, spellings(name, column)) for name, column in declared}
    found = {name: [names.index(s) for s in each if s in names] for name, each in spelt.items()}
    return {name: places[0] for name, places in found.items() if places}, _repeated(names, contract)


def _repeated(names: Sequence[str], contract: SourceContract) -> dict[int, dict[str, int]]:
    """Return the positions of ``{n}`` columns by their number, in its order."""
    repeated: dict[int, dict[str, int]] = {}
    numbered = _numbered_patterns(contract)
    for index, header in enumerate(names):
        for name, number in _numbered(header, numbered):
            repeated.setdefault(number, {}).setdefault(name, index)
    return dict(sorted(repeated.items()))


def _numbered_patterns(contract: SourceContract) -> list[tuple[str, re.Pattern[str]]]:
    """Return what the headers of each ``{n}`` column look like."""
    found = []
    for name, column in contract.read_columns.items():
        for spelling in spellings(name, column):
            before, each, after = plain_name(spelling).partition(EACH)
            pattern = f"{re.escape(before)}([0-9]{{1,4}}){re.escape(after)}"
            found += [(name, re.compile(pattern))] if each else []
    return found


def _numbered(header: str, numbered: list[tuple[str, re.Pattern[str]]]) -> list[tuple[str, int]]:
    """Return which ``{n}`` columns a header is, and with what number."""
    matches = ((name, pattern.fullmatch(header)) for name, pattern in numbered)
    return [(name, int(match[1])) for name, match in matches if match]


def spellings(name: str, column: Column) -> tuple[str, ...]:
    """Return the names under which a column may stand in a file, preferred first."""
    return (column.source or name, *column.aliases)


def _map_by_order(header: Header, contract: SourceContract) -> ColumnMap:
    declared = contract.read_columns
    names = list(declared)
    if contract.delivery.short_rows == "fill" and header.width < len(names):
        return ColumnMap({name: i for i, name in enumerate(names)}, ())  # of several record types
    needed = [name for name, column in declared.items() if not column.optional]
    lacking = [name for name in needed if names.index(name) >= header.width]
    if lacking:
        raise RefusedError(
            f"its first line has {header.width} fields; the contract declares {len(names)} columns",
            hint="Declare the columns in the file's order, or set `delimiter:`.",
        )
    extra = tuple(f"column {index + 1}" for index in range(len(names), header.width))
    return ColumnMap({name: i for i, name in enumerate(names) if i < header.width}, extra)


def _no_header(header: Header, contract: SourceContract, wanted: set[str]) -> RefusedError:
    written = contract.delivery
    line = written.delimiter.join(header.names)
    for delimiter, word in _OTHER_DELIMITERS.items():
        fields = {plain_name(f) for f in split_fields(line, delimiter, written.quote)}
        if delimiter != written.delimiter and wanted & fields:
            return RefusedError(
                f"its columns are separated by {word}",
                hint=f"Set `delimiter: {delimiter!r}` in the contract.",
            )
    if header.width == 1 and wanted & {
        plain_name(f) for f in split_fields(line, written.delimiter, "")
    }:
        return RefusedError(
            "each of its lines is one quoted field: it was exported twice",
            hint="Have the first export sent as it is, not opened and saved again.",
        )
    return RefusedError(
        "its first line has none of the declared columns, so it is no header",
        hint="Set `header: false`, or `skip_lines:` if other lines stand before it.",
    )


def refuse_missing(
    missing: Sequence[str],
    unknown: Sequence[str],
    contract: SourceContract,
    sample: Callable[[], Mapping[str, list[str]]] | None = None,
) -> NoReturn:
    """Refuse a file that lacks columns, and suggest those that look like them.

    By name first, then by what stands in them.

    Raises:
        RefusedError: Always.
    """
    hints = []
    for name in missing:
        expected = plain_name(contract.columns[name].source or name)
        near = difflib.get_close_matches(expected, unknown, 1, 0.6)
        if near:
            hints.append(f"Did you mean {near[0]!r} for {name}? Add it to `aliases:`.")
        elif sample and unknown:
            values = {n: v for n, v in sample().items() if n in unknown}
            alike = alike_by_content(contract.columns[name], values)
            if alike:
                hints.append(f"{alike!r} holds what {name} should. Add it to `aliases:`.")
    hint = " ".join(hints) or "Set `optional: true` if files may lack them."
    said = {name: called(name, contract.columns[name]) for name in missing}
    lost = ", ".join(f"{name} ({headers})" if headers else name for name, headers in said.items())
    raise RefusedError(f"columns are missing: {lost}", hint=hint)


def called(name: str, column: Column | None) -> str:
    """Return what the sender calls a column; empty if it is our name.

    >>> called("price", Column(**{"from": "Preis", "aliases": ("Betrag",)})), called("price", None)
    ("'Preis' or 'Betrag'", '')
    """
    headers = [column.source, *column.aliases] if column and column.source else []
    return "" if headers == [name] else " or ".join(repr(header) for header in headers)


def plain_name(name: str) -> str:
    r"""Return a column name for comparison: trimmed, single blanks, lower case, accents composed.

    Marks that nobody sees are no part of it: whoever writes a contract cannot type them.

    >>> plain_name("\ufeff Pre\u0301nom\u200b ") == plain_name("Prénom")
    True
    """
    return " ".join(unicodedata.normalize("NFC", _UNSEEN.sub("", name)).split()).casefold()
