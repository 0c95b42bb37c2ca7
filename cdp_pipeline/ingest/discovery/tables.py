"""Samples of deliveries that are tables: CSV and workbooks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.discovery.charset import decode, find_charset
from cdp_pipeline.ingest.discovery.content import Content, sample_size
from cdp_pipeline.ingest.discovery.dialect import (
    MOST_RECORDS,
    Dialect,
    find_dialect,
    read_records,
    split_lines,
)
from cdp_pipeline.ingest.discovery.grain import unfold
from cdp_pipeline.ingest.discovery.layers import find_record_types, join_headers
from cdp_pipeline.ingest.discovery.moments import look_at_moments
from cdp_pipeline.ingest.discovery.numbers import look_at_numbers
from cdp_pipeline.ingest.discovery.sample import Field, Sample
from cdp_pipeline.ingest.discovery.totals import find_totals
from cdp_pipeline.ingest.headers import plain_name
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.rejections import RULED_LINE
from cdp_pipeline.ingest.workbook import sheet_names, write_sheet
from cdp_pipeline.project.column_tags import tag_of
from cdp_pipeline.project.contracts import EACH

_DEFAULTS = Dialect()
_MOST_ABOVE = 6
_MOSTLY = 0.8
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")


def look_at_text(content: Content) -> Sample:
    """Return a sample of a CSV text."""
    charset = find_charset(content.head)
    text = decode(content.head, charset)
    if not content.is_whole:
        text = text[: text.rfind("\n") + 1] or text
    tail = decode(content.tail, replace(charset, note="")) if content.tail else ""
    dialect = find_dialect(text, tail, is_whole=content.is_whole)
    types = find_record_types(text, dialect)
    if types:
        dialect = replace(dialect, width=max(types.values()), skip_lines=0, trailer_lines=0)
    if dialect.width == 1 and _is_fixed_width(text):
        raise ConfigError(
            "its columns have a fixed width and no separator: nothing tells where they end",
            where=str(content.path),
            hint="Ask for the export with a separator (CSV), or declare its lines as one column "
            'and cut that: `header: false`, `delimiter: "\\x1f"`, `quote: ""`, `line: {}` and '
            '`receipt_no: {value: "trim(substr(line, 1, 6))"}`.',
        )
    delivery: dict[str, object] = {"format": "csv"}
    if charset.name != "utf-8":
        delivery["encoding"] = charset.name
    if charset.fallback:
        delivery["fallback_encoding"] = charset.fallback
    for key in ("delimiter", "quote", "escape", "skip_lines", "trailer_lines"):
        if getattr(dialect, key) != getattr(_DEFAULTS, key):
            delivery[key] = getattr(dialect, key)
    if _has_stray_quotes(text, dialect):
        delivery["multiline"] = False
    found = (
        _of_several_types(text, dialect, content, types)
        if types
        else _sample(text, tail, dialect, content)
    )
    noted = "fallback_encoding" if charset.fallback else "encoding"
    notes = {**found.notes, **({noted: charset.note} if charset.note else {})}
    return replace(found, delivery={**delivery, **found.delivery}, notes=notes)


def _has_stray_quotes(text: str, dialect: Dialect) -> bool:
    """Return whether quotes that do not close join lines, and no field is meant to hold several."""
    records = (fields for _, fields in read_records(text, dialect))
    joined = [fields for fields in records if any("\n" in field for field in fields)]
    return bool(joined) and all(len(fields) != dialect.width for fields in joined)


def _is_fixed_width(text: str) -> bool:
    """Return whether lines are filled up with blanks: such gaps are in no text of one column."""
    lines = [line for line in split_lines(text)[:200] if line.strip()]
    gaps = sum("  " in line.strip() for line in lines)
    return len(lines) > 2 and gaps >= _MOSTLY * len(lines)  # noqa: PLR2004 - a header and a record


def look_at_workbook(content: Content, scratch: Path) -> Sample:
    """Return a sample of a workbook's fullest sheet.

    Raises:
        ConfigError: It cannot be read.
    """
    names, best = _fullest_sheet(content, scratch)
    rows_found, sheet, text = best
    dialect = find_dialect(text, text, is_whole=True)
    dialect = replace(dialect, delimiter=",", quote='"', escape="")
    found = _sample(text, text, dialect, replace(content, is_whole=rows_found <= MOST_RECORDS))
    delivery: dict[str, object] = {"format": "excel"}
    if names and sheet != names[0]:
        delivery["sheet"] = sheet
    for key in ("skip_lines", "trailer_lines"):
        if getattr(dialect, key):
            delivery[key] = getattr(dialect, key)
    notes = dict(found.notes)
    if len(names) > 1:
        notes["sheet"] = f"the fullest of {len(names)} sheets: {', '.join(names)}"
    return replace(found, delivery={**delivery, **found.delivery}, notes=notes)


def _fullest_sheet(content: Content, scratch: Path) -> tuple[list[str], tuple[int, str, str]]:
    """Return the names of all sheets, and rows, name and text of the one that holds most."""
    best: tuple[int, str, str] = (-1, "", "")
    target = scratch / "sheet.csv"
    try:
        names = sheet_names(content.path)
        seen = sheet_names(content.path, visible_only=True) or names
    except RefusedError as error:
        raise ConfigError(
            error.reason, where=str(content.path), hint=error.hint or "Look at it."
        ) from error
    problem = "it has no sheets"
    for name in seen:
        try:
            rows = write_sheet(content.path, target, sheet=name, skipped=0)
        except RefusedError as error:  # a chart, or a sheet that is broken
            problem = error.text
            continue
        if len(rows) > best[0]:
            best = (len(rows), name, target.read_text(encoding="utf-8"))
    if best[0] < 0:
        raise ConfigError(problem, where=str(content.path), hint="Have it saved again.")
    return names, best


def _sample(text: str, tail: str, dialect: Dialect, content: Content) -> Sample:
    lines = split_lines(text)
    kept = lines[dialect.skip_lines :]
    seen = lines if content.is_whole else split_lines(tail)
    last = [line for line in seen if line.strip("\x1a\0 ")]
    margins = tuple(last[len(last) - dialect.trailer_lines :]) if dialect.trailer_lines else ()
    if content.is_whole and margins:
        while kept and not (kept[-1].strip("\x1a\0 ") and kept[-1] not in margins):
            kept.pop()
    records = list(read_records("\n".join(kept), dialect))
    rows = [fields for _, fields in records]
    if above := _lines_above(rows):
        skipped = dialect.skip_lines + records[above][0]
        found = _sample(text, tail, replace(dialect, skip_lines=skipped), content)
        return replace(found, delivery={**found.delivery, "skip_lines": skipped})
    if not rows:
        raise ConfigError("it holds no records", where=str(content.path), hint="Look at another.")
    if joined := join_headers(rows, is_value=_is_value):
        skipped = dialect.skip_lines + records[2][0]
        return _under_two_rows(joined, rows[2:], content, skipped=skipped, margins=margins)
    has_header = _is_header(rows[0], rows[1:])
    names = [name.strip() for name in rows[0]] if has_header else []
    body = rows[1:] if has_header else rows
    width = max(dialect.width, len(names))
    names, ignore = _settled(names, width) if has_header else ([""] * width, [])
    notes: dict[str, str] = {}
    kept_rows, totals = (
        _records_alone(rows, names, dialect.width, notes) if has_header else (body, "")
    )
    body = [row for row in kept_rows if len(row) == dialect.width] or kept_rows
    body = [[*row, *[""] * (len(names) - len(row))] for row in body]
    names, body, numbers = unfold(names, body)
    if numbers:
        parts = ", ".join(name for name in names if EACH in name)
        notes[""] = f"each numbered part ({parts}) becomes a row"
    fields = tuple(Field(name, [row[i] for row in body]) for i, name in enumerate(names))
    has_all = len(rows) < MOST_RECORDS
    return Sample(
        delivery={} if has_header else {"header": False},
        fields=tuple(f for f in fields if f.name or not has_header),
        looked_at=_looked_at(content, has_all=has_all),
        is_whole=content.is_whole and has_all,
        has_header=has_header,
        parts=numbers,
        ignore=tuple(ignore),
        notes=notes,
        margins=margins,
        header=tuple(names),
        totals=totals,
    )


def _looked_at(content: Content, *, has_all: bool) -> str:
    some = f"the first {MOST_RECORDS:,} records"
    return some if content.is_whole and not has_all else sample_size(content)


def _under_two_rows(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    content: Content,
    *,
    skipped: int,
    margins: tuple[str, ...],
) -> Sample:
    """Return a sample of records whose columns are named in two rows, which are skipped."""
    return Sample(
        delivery={"header": False, "skip_lines": skipped},
        fields=tuple(
            Field(name, [row[i] if i < len(row) else "" for row in rows])
            for i, name in enumerate(names)
        ),
        looked_at=sample_size(content),
        is_whole=content.is_whole and len(rows) < MOST_RECORDS,
        has_header=False,
        notes={"header": "its names stand in two rows; columns are read in their order"},
        margins=margins,
    )


def _of_several_types(
    text: str, dialect: Dialect, content: Content, types: Mapping[str, int]
) -> Sample:
    """Return a sample of records of several types, each with fields of its own."""
    rows = [fields for _, fields in read_records(text, dialect)]
    said = ", ".join(f"{name} ({width} fields)" for name, width in types.items())
    return Sample(
        delivery={"header": False, "short_rows": "fill"},
        fields=tuple(
            Field("", [row[i] if i < len(row) else "" for row in rows])
            for i in range(dialect.width)
        ),
        looked_at=sample_size(content),
        is_whole=content.is_whole and len(rows) < MOST_RECORDS,
        has_header=False,
        notes={"": f"records of several types, as their first field says: {said}"},
        is_mixed=True,
    )


def _records_alone(
    rows: Sequence[list[str]], names: Sequence[str], width: int, notes: dict[str, str]
) -> tuple[list[list[str]], str]:
    """Return the rows after the header that are records, and a column that rows of sums lack."""
    header = [cell.strip() for cell in rows[0]]
    kept = [row for row in rows[1:] if [cell.strip() for cell in row] != header]
    if repeated := len(rows) - 1 - len(kept):
        notes[""] = f"the header is repeated {repeated} times among the records"
    kept = [row for row in kept if not re.fullmatch(RULED_LINE, "".join(row))]
    sums, lacking = find_totals(kept, width=width)
    if not sums:
        return kept, ""
    notes[""] = f"{len(sums)} rows of sums stand among the records, without {names[lacking]}"
    return [row for number, row in enumerate(kept) if number not in sums], names[lacking]


def _lines_above(rows: Sequence[Sequence[str]]) -> int:
    """Return how many lines stand above the header, as wide as it.

    That is one of groups, each over several columns, or some of a title that are mostly empty.
    """
    most_tags = fullest = 0
    looked_at = rows[: min(_MOST_ABOVE + 1, len(rows) - 1)]
    widest = max(map(len, looked_at), default=0)
    if len(looked_at) > 1 and len(rows[0]) < widest:  # merged cells at its end have no separator
        rows = [[*rows[0], *[""] * (widest - len(rows[0]))], *rows[1:]]
    for number, row in enumerate(rows[: len(looked_at)]):
        filled = [text for cell in row if (text := cell.strip())]
        tags = sum(tag_of(text) is not None for text in filled)
        if len(row) != len(rows[0]):
            return 0
        if len(filled) == len(row):
            return number if tags > most_tags and _is_header(row, rows[number + 1 :]) else 0
        most_tags, fullest = max(most_tags, tags), max(fullest, len(filled))
        if number and fullest * 2 > len(row):
            return 0
    return 0


def _settled(names: list[str], width: int) -> tuple[list[str], list[str]]:
    """Number the headers that stand twice, and say which columns have none."""
    names = names + [""] * (width - len(names))
    plain = [plain_name(name) for name in names]
    seen: Counter[str] = Counter()
    settled = []
    for name, key in zip(names, plain, strict=True):
        seen[key] += 1
        settled.append(f"{name}#{seen[key]}" if name and plain.count(key) > 1 else name)
    return settled, [""] if "" in settled else []


def _is_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Return whether a record names columns: none of its cells is a value, others' are."""
    cells = [cell.strip() for cell in first]
    if any(_is_value(cell) for cell in cells) or not any(cells):
        return False
    tagged = sum(tag_of(cell) is not None for cell in cells if cell)
    if not body:
        return tagged > 0
    for position in range(len(cells)):
        column = [row[position].strip() for row in body[:200] if position < len(row)]
        filled = [cell for cell in column if cell]
        if filled and sum(map(_is_value, filled)) >= _MOSTLY * len(filled):
            return True
    return tagged * 2 >= len(cells) or (tagged > 0 and len(cells) > 2)  # noqa: PLR2004 - by chance


def _is_value(cell: str) -> bool:
    if not cell:
        return False
    if look_at_numbers({cell: 1}).share or _EMAIL.fullmatch(cell):
        return True
    return bool(look_at_moments({cell: 1}).formats)
