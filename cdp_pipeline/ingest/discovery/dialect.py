"""How a CSV text is written: separator, quote, lines before the header and after the last record.

Every likely way of writing is tried on the sample; the one by which most lines get the same number
of clean fields wins. Nothing is guessed about what the fields mean.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cdp_pipeline.ingest.headers import split_fields

DELIMITERS = (
    ",", ";", "\t", "|", "^", "~", "\x01", "\x1f", "¦", "§", ":", "||", "~|~", "|~|", "::",
    ", ", "; ",
)  # fmt: skip
"""Separators that are tried, the commonest first."""

MOST_RECORDS = 20_000
"""Records of a sample that are looked at."""

_TRIED = 1000
_MOST_PREAMBLE = 30
_MOST_TRAILER = 5
_TRAILER = re.compile(
    r"\W*((grand|sub)?[ _-]?totals?|summe|gesamt\w*|suma|somme|totale?|totaal|sum|eof|trailer|trl|"
    r"trlr|tlr|footer|ftr|count|anzahl|end([ _]of[ _]\w+)?|t|z|f|99+|rec(ord)?[ _]?count|records?|"
    r"row[ _]?count|rows?|checksum|hash|controls?)\b|\*+$",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\W*\d+ (rows?|records?|lines?|zeilen)\b|[-=_*#]{3,}", re.IGNORECASE)
_STRANGE = re.compile(r"[;|\t^~¦§\x01\x1f]|(?<![\d ]),(?! )|::")
_NUMBER = re.compile(r"[-+(]?[\d.,' \u00a0\u202f]*\d[)-]?")
_WRAPPED = r"(?:^|{d})'((?:[^']|'')*)'(?={d}|$)"
_LONGEST_WRAPPED = 2000
"""Characters between two single quotes that may be those of one field."""
_SURE = 0.95

Record = tuple[int, list[str]]
"""Line on which a record begins, from 0, and its fields."""


@dataclass(frozen=True)
class Dialect:
    """How a CSV text is written.

    Attributes:
        delimiter: Separator of fields.
        quote: Quote; empty for none.
        escape: Character that takes a quote's meaning away; empty if quotes are doubled.
        width: Fields of a record.
        skip_lines: Lines before the header.
        trailer_lines: Lines after the last record.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    width: int = 1
    skip_lines: int = 0
    trailer_lines: int = 0


def find_dialect(text: str, tail: str, *, is_whole: bool) -> Dialect:
    """Return how a CSV text is written.

    Args:
        text: Its first lines.
        tail: Its last lines; empty if nobody has seen them.
        is_whole: Whether ``text`` is all of it.
    """
    lines = split_lines(text)
    tried = "\n".join(lines[: _TRIED + _MOST_PREAMBLE])
    scored = [(_score(tried, d), d) for d in _candidates(tried)]
    best = max(scored, key=lambda item: item[0])[0]
    # Of equals the first counts: the commoner way of writing.
    found = next(d for (share, width), d in scored if (share, width) == best)
    found = replace(found, width=best[1])
    if found.width == 1:
        share, width = _score(tried, Dialect(" "))
        if share >= _SURE and width > 2:  # noqa: PLR2004 - no text of as many words in every line
            found = Dialect(" ", width=width)
    found = replace(found, skip_lines=_preamble(lines, found))
    return replace(found, trailer_lines=_trailer(lines, tail, found, is_whole=is_whole))


def _candidates(text: str) -> Iterator[Dialect]:
    for delimiter in DELIMITERS:
        if delimiter in text or delimiter == ",":
            yield Dialect(delimiter)
            if '\\"' in text:
                yield Dialect(delimiter, escape="\\")
            if '"' in text:
                yield Dialect(delimiter, quote="")
            if _is_wrapped(text, delimiter):
                yield Dialect(delimiter, quote="'")


def _is_wrapped(text: str, delimiter: str) -> bool:
    """Return whether fields stand in single quotes: two do, or one that needs them."""
    pattern = _WRAPPED.format(d=re.escape(delimiter))
    fields: list[str] = re.findall(pattern, text, re.MULTILINE)
    found = [inner for inner in fields if len(inner) <= _LONGEST_WRAPPED]
    needed = sum(delimiter in inner or "\n" in inner for inner in found)
    return len(found) > 1 or needed > 0


def _score(text: str, dialect: Dialect) -> tuple[float, int]:
    """Return how well a dialect fits, and the fields of most records."""
    rows = [fields for _, fields in read_records(text, dialect, most=_TRIED)]
    widths = Counter(len(row) for row in rows)
    if not widths:
        return 0.0, 1
    width = max(widths, key=lambda w: (widths[w] * (w > 1), w))
    share = widths[width] / len(rows)
    if width == 1:
        return 0.01, 1
    cells = [c for row in rows[:200] if len(row) == width for c in row if c.strip()]
    clean = sum(_is_clean(c, dialect) for c in cells) / len(cells) if cells else 0.0
    if dialect.quote and not dialect.escape and len(dialect.delimiter) == 1:
        mark, end = dialect.quote, re.escape(dialect.delimiter)
        stray = rf"(?:^|{end}){mark}[^{mark}\n]*{mark}(?![{mark}{end}\r\n]|$)"
        share *= max(0.0, 1 - len(re.findall(stray, text, re.MULTILINE)) / len(rows))
    if not dialect.quote:
        end = re.escape(dialect.delimiter.strip(" "))
        quoted = rf'(?:^|{end})"[^"\n]*"(?={end}|$)'
        share *= max(0.0, 1 - len(re.findall(quoted, text, re.MULTILINE)) / len(rows))
    lines = text.count("\n") + 1
    swallowed = 1.0 if len(rows) * 2 >= min(lines, _TRIED) else 0.8
    return round(share * (0.2 + 0.8 * clean) * swallowed, 3), width


def _is_clean(cell: str, dialect: Dialect) -> bool:
    if dialect.quote != '"' and cell.strip().startswith('"') and cell.strip().endswith('"'):
        return False
    if dialect.quote != "'" and re.fullmatch(r"\s*'[^']*'\s*", cell):
        return False
    if dialect.quote and ("\\" + dialect.quote in cell or cell.endswith("\\")):
        return False
    if dialect.quote and len(dialect.delimiter) > 1 and cell.count(dialect.quote) % 2:
        return False  # half a quoted field
    bare = cell.strip()
    if bare != cell and len(bare) > 1 and bare[0] == bare[-1] == dialect.quote:
        return False  # a blank before the quote, which then is no quote
    return bool(_NUMBER.fullmatch(cell.strip())) or not _STRANGE.search(cell)


def read_records(text: str, dialect: Dialect, *, most: int = MOST_RECORDS) -> Iterator[Record]:
    """Yield the records of a text that are not empty."""
    if len(dialect.delimiter) > 1:
        for number, line in enumerate(split_lines(text)[:most]):
            if line.strip():
                yield number, split_fields(line, dialect.delimiter, dialect.quote)
        return
    reader = csv.reader(
        _lines(text),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        escapechar=dialect.escape or None,
        doublequote=not dialect.escape,
    )
    start = count = 0
    while count < most:
        try:
            fields = next(reader, None)
        except csv.Error:
            start = reader.line_num
            continue
        if fields is None:
            return
        if any(field.strip() for field in fields) or len(fields) > 1:
            yield start, fields
            count += 1
        start = reader.line_num


def split_lines(text: str) -> list[str]:
    """Return the lines of a text; only line feeds and returns end one."""
    lines = re.split(r"\r\n|\n|\r", text)
    return lines[:-1] if lines[-1] == "" else lines


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends."""
    for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", text.replace("\0", "")):
        if line:
            yield line


def _preamble(lines: Sequence[str], dialect: Dialect) -> int:
    """Return the lines before the first record that is as wide as most."""
    widths = [_width(line, dialect) for line in lines[: _MOST_PREAMBLE + 3]]
    for number, width in enumerate(widths[:_MOST_PREAMBLE]):
        if not lines[number].strip():
            continue
        if dialect.width == 1:
            return 1 if lines[0].lower().startswith("sep=") else 0
        if abs(width - dialect.width) <= 1 < width and dialect.width in widths[number + 1 :]:
            blank = all(not line.strip() for line in lines[:number])
            return 0 if blank else number
        if number == 0 and dialect.quote and lines[0].count(dialect.quote) % 2:
            first = next(read_records("\n".join(lines[:50]), dialect, most=1), (0, []))
            if len(first[1]) == dialect.width:
                return 0
    return 0


def _width(line: str, dialect: Dialect) -> int:
    found = next(read_records(line, dialect, most=1), (0, []))
    return len(found[1])


def _trailer(lines: Sequence[str], tail: str, dialect: Dialect, *, is_whole: bool) -> int:
    """Return how many of the last lines are no records."""
    last = lines if is_whole else split_lines(tail)
    last = [line for line in last if line.strip("\x1a\0 ")]
    body = last[dialect.skip_lines + 1 :] if is_whole else last[1:]
    usual = Counter(_first_cell(line, dialect) for line in body[:-_MOST_TRAILER] or body[:1])
    count = 0
    for line in reversed(body[-_MOST_TRAILER:]):
        if not _is_trailer(line, dialect, usual):
            break
        count += 1
    return count if count < len(body) else 0


def _first_cell(line: str, dialect: Dialect) -> str:
    found = next(read_records(line, dialect, most=1), (0, [""]))
    return found[1][0].strip() if found[1] else ""


def _is_trailer(line: str, dialect: Dialect, usual: Counter[str]) -> bool:
    if _COUNT.match(line):
        return True
    fields = next(read_records(line, dialect, most=1), (0, [""]))[1] or [""]
    word = next((field for field in fields if field.strip()), "").strip()
    if word in usual:
        return False
    filled = sum(bool(field.strip()) for field in fields)
    is_short = len(fields) != dialect.width or filled * 2 <= len(fields) + 1
    is_sentence = len(fields) == 1 and dialect.width > 2 and " " in word  # noqa: PLR2004 - no record
    is_word = is_sentence or bool(_TRAILER.match(word))
    is_code = word.isupper() and word.isalpha() and len(word) <= 3  # noqa: PLR2004 - record types
    return is_short and (is_word or (is_code and any(c.isdigit() for c in line)))
