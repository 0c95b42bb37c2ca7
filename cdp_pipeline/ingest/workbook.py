"""A sheet of an Excel workbook (.xlsx) as CSV text, row by row.

Numbers are written with the 15 digits that Excel shows, and the decimal mark of the sheet's texts;
cells with a date format as ISO 8601; whole numbers with a format of zeros, such as ``00000`` of
postcodes, as they are shown; formulas as the value that was stored with them. Source: ECMA-376,
part 1, sections 18.3 and 18.8.
"""

from __future__ import annotations

import csv
import math
import re
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from cdp_pipeline.ingest.cells import Marks, filled_up, moment, without_exponent
from cdp_pipeline.ingest.inflation import CHUNK, MAXIMUM_RATIO
from cdp_pipeline.ingest.markup import MAXIMUM_TEXT, Start, read_markup
from cdp_pipeline.ingest.plaintext import UTF8_MARK
from cdp_pipeline.ingest.refusal import RefusedError

MAXIMUM_SHARED_BYTES = 1 << 28
"""Bytes of texts that a workbook may share between its cells; they are held in memory."""

_MAXIMUM_CELLS = 1000
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
_NOT_DATE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_ZEROS = re.compile(r"00+(-0+)*")
_LANGUAGE_OR_ESCAPE = re.compile(r"\[\$-[^\]]*\]|[\\\"]")
_HEAD = 512
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a day has no zone
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001 - same
_LARGEST_SERIAL = 2_958_466
_LOOKED_AT = 20
_SURE_DIGITS = 15


@dataclass
class _Book:
    """What cells refer to."""

    texts: list[str] = field(default_factory=list)
    date_styles: frozenset[int] = frozenset()
    zeros: Mapping[int, str] = field(default_factory=dict)
    epoch: datetime = _EPOCH


_POINTS = Marks()


def write_sheet(
    path: Path, target: Path, *, sheet: str, skipped: int, marks: Marks = _POINTS
) -> array[int]:
    """Write a sheet as CSV with commas and double quotes, and return the sheet row of each line.

    Rows without any text are left out; short rows are filled up to the width of the header. It is
    that of the records where most of the first ones are wider, as below merged cells: cells keep
    their columns, so that what stands there moves nothing.

    Args:
        path: The workbook.
        target: CSV file to write.
        sheet: Name of the sheet; empty for the first.
        skipped: Rows before the header.
        marks: How its texts write numbers.

    Raises:
        RefusedError: It is no workbook, a part of it is broken or too large, or lacks the sheet.
    """
    try:
        with (
            zipfile.ZipFile(path) as archive,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            part = _sheet_part(archive, sheet)
            book = _read_book(archive)
            rows = _Sheet(book, out, skipped, marks)
            read_markup(_chunks(archive, part), start=rows.start, end=rows.end, text=rows.text)
            rows.settle()
            return rows.numbers
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise _no_workbook(path, error) from error


def _no_workbook(path: Path, error: Exception) -> RefusedError:
    with path.open("rb") as stream:
        head = stream.read(_HEAD).lstrip(UTF8_MARK).lstrip().lower()
    if head.startswith((b"<html", b"<!doctype", b"<table", b"<meta")):
        what = "it is an HTML page that is called a workbook, as web programs write them"
        return RefusedError(what, hint="Have it exported as CSV or saved as .xlsx.")
    return RefusedError(
        f"it is no readable Excel workbook ({error})",
        hint="Have it saved as .xlsx without a password, or exported as CSV.",
    )


def _chunks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield a part of the archive, inflated, up to the ratio that real files stay below."""
    try:
        size = archive.getinfo(name).compress_size
        with archive.open(name) as stream:
            total = 0
            while chunk := stream.read(CHUNK):
                total += len(chunk)
                if total > CHUNK and total > MAXIMUM_RATIO * size:
                    raise RefusedError(
                        f"it inflates to more than {MAXIMUM_RATIO} times its size: a bomb"
                    )
                yield chunk
    except KeyError as error:
        raise RefusedError(
            f"the workbook lacks its part {name}", hint="Have it saved again."
        ) from error
    except RuntimeError as error:
        raise RefusedError("it has a password", hint="Ask for it without one.") from error


def _sheet_part(archive: zipfile.ZipFile, wanted: str) -> str:
    """Return the archive's name of a sheet."""
    sheets: dict[str, str] = {}
    targets: dict[str, str] = {}

    def book(name: str, attributes: Mapping[str, str], _: int) -> None:
        if name == "sheet":
            place = next((v for k, v in attributes.items() if k.rpartition(":")[2] == "id"), "")
            sheets[attributes.get("name", "")] = place

    def relations(name: str, attributes: Mapping[str, str], _: int) -> None:
        if name == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    _read(archive, "xl/workbook.xml", book)
    _read(archive, "xl/_rels/workbook.xml.rels", relations)
    if not sheets or (wanted and wanted not in sheets):
        raise RefusedError(
            f"the workbook has no sheet {wanted!r}",
            hint=f"Set `sheet:` to one of: {', '.join(sheets) or 'none'}.",
        )
    target = targets.get(sheets[wanted or next(iter(sheets))], "worksheets/sheet1.xml")
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _read(archive: zipfile.ZipFile, part: str, start: Start) -> None:
    read_markup(_chunks(archive, part), start=start, end=lambda _: None, text=lambda _: None)


def _read_book(archive: zipfile.ZipFile) -> _Book:
    names = set(archive.namelist())
    book = _Book()
    if "xl/sharedStrings.xml" in names:
        texts = _Texts()
        read_markup(
            _chunks(archive, "xl/sharedStrings.xml"),
            start=texts.start,
            end=texts.end,
            text=texts.text,
        )
        book.texts = texts.found
    if "xl/styles.xml" in names:
        styles = _Styles()
        _read(archive, "xl/styles.xml", styles.start)
        book.date_styles, book.zeros = styles.dates, styles.zeros

    def properties(name: str, attributes: Mapping[str, str], _: int) -> None:
        if name == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
            book.epoch = _EPOCH_1904

    _read(archive, "xl/workbook.xml", properties)
    return book


class _Texts:
    """Shared texts: the pieces of each ``si``, without phonetic readings."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.pieces: list[str] = []
        self.is_text = self.is_phonetic = False
        self.size = 0

    def start(self, name: str, _: Mapping[str, str], __: int) -> None:
        if name == "si":
            self.pieces = []
        self.is_phonetic = self.is_phonetic or name == "rPh"
        self.is_text = name == "t" and not self.is_phonetic

    def text(self, text: str) -> None:
        if self.is_text:
            self.size += len(text)
            if self.size > MAXIMUM_SHARED_BYTES:
                raise RefusedError(
                    "its texts are larger than 256 MB", hint="Ask for CSV; Excel is not for that."
                )
            self.pieces.append(text)

    def end(self, name: str) -> None:
        self.is_text = False
        if name == "rPh":
            self.is_phonetic = False
        if name == "si":
            self.found.append("".join(self.pieces))


class _Styles:
    """Which cell styles show a date or time, and which fill numbers up with zeros."""

    def __init__(self) -> None:
        self.codes: dict[int, str] = {}
        self.styles: list[int] = []
        self.is_cell = False

    def start(self, name: str, attributes: Mapping[str, str], _: int) -> None:
        if name == "numFmt":
            self.codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name in {"cellXfs", "cellStyleXfs", "cellStyles"}:
            self.is_cell = name == "cellXfs"
        elif name == "xf" and self.is_cell:
            self.styles.append(_number(attributes.get("numFmtId")))

    @property
    def dates(self) -> frozenset[int]:
        return frozenset(i for i, code in enumerate(self.styles) if self._is_date(code))

    @property
    def zeros(self) -> dict[int, str]:
        codes = (self.codes.get(number, "").split(";")[0] for number in self.styles)
        masks = enumerate(_LANGUAGE_OR_ESCAPE.sub("", code) for code in codes)
        return {style: mask for style, mask in masks if _ZEROS.fullmatch(mask)}

    def _is_date(self, number: int) -> bool:
        if number not in self.codes:
            return number in _DATE_FORMATS
        code = _NOT_DATE.sub("", self.codes[number]).split(";")[0].lower()
        return bool(re.search("[ymdhs]", code)) and "general" not in code


class _Sheet:
    """Writes rows as they end."""

    def __init__(self, book: _Book, out: TextIO, skipped: int, marks: Marks) -> None:
        self.book, self.skipped, self.marks = book, skipped, marks
        self.writer = csv.writer(out, lineterminator="\n")
        self.numbers: array[int] = array("q")
        self.width = self.row = self.column = self.written = 0
        self.cells: dict[int, str] = {}
        self.held: list[dict[int, str]] | None = []
        self.kind = self.style = ""
        self.pieces: list[str] = []
        self.is_value = self.is_formula = False

    def start(self, name: str, attributes: Mapping[str, str], _: int) -> None:
        if name == "row":
            self.row = _number(attributes.get("r")) or self.row + 1
            self.cells, self.column = {}, 0
        elif name == "c":
            self.column = _column(attributes.get("r", "")) or self.column + 1
            self.kind, self.style = attributes.get("t", "n"), attributes.get("s", "0")
            self.pieces = []
            self.is_formula = False
        self.is_formula = self.is_formula or name == "f"
        self.is_value = name in {"v", "t"}

    def text(self, text: str) -> None:
        if self.is_value:
            self.pieces.append(text)
            if len(text) > MAXIMUM_TEXT:
                raise RefusedError("a cell is longer than 16 MB")

    def end(self, name: str) -> None:
        self.is_value = False
        if name == "c":
            self._set("".join(self.pieces))
        elif name == "row" and any(self.cells.values()):
            self._write()

    def _set(self, text: str) -> None:
        if self.column > _MAXIMUM_CELLS:
            raise RefusedError(f"it has more than {_MAXIMUM_CELLS} columns")
        if not text:
            if self.is_formula and self.kind == "n":  # an empty text is a result, and says so
                raise RefusedError(
                    f"the formula in row {self.row}, column {self.column} has no stored result",
                    hint="Have the workbook opened and saved in Excel, or its values exported.",
                )
            return
        if self.kind == "s":
            place = _number(text)
            shared = self.book.texts
            text = shared[place] if 0 <= place < len(shared) else ""
        elif self.kind == "b":
            text = "true" if text == "1" else "false"
        elif self.kind == "n":
            text = self._shown(text)
        self.cells[self.column] = text

    def _shown(self, text: str) -> str:
        """Return a number as it is shown: a date, or up to 15 digits."""
        try:
            value = float(text)
        except ValueError:
            return text
        if not math.isfinite(value):
            return text
        if _number(self.style) in self.book.date_styles and 0 <= value < _LARGEST_SERIAL:
            return moment(value, self.book.epoch)
        if value == int(value) and abs(value) < 10**_SURE_DIGITS:
            mask = self.book.zeros.get(_number(self.style), "")
            return filled_up(int(value), mask) if mask and value >= 0 else str(int(value))
        plain = format(value, f".{_SURE_DIGITS}g")
        return plain.upper() if "e+" in plain else self.marks.write(without_exponent(plain))

    def _write(self) -> None:
        self.written += 1
        self.numbers.append(self.row)
        if self.written <= self.skipped or self.held is None:
            self._write_cells(self.cells)
            return
        self.held.append(self.cells)
        if len(self.held) > _LOOKED_AT:
            self.settle()

    def settle(self) -> None:
        """Write the header and the first records, now that their widths are known."""
        rows, self.held = self.held or [], None
        if rows:
            widths = sorted(map(_width, rows[1:]))
            self.width = max([_width(rows[0]), *widths[(len(widths) - 1) // 2 :][:1]])
        for cells in rows:
            self._write_cells(cells)

    def _write_cells(self, cells: Mapping[int, str]) -> None:
        wide = max(_width(cells), self.width)
        self.writer.writerow([cells.get(column, "") for column in range(1, wide + 1)])


def _width(cells: Mapping[int, str]) -> int:
    return max(column for column, text in cells.items() if text)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _column(reference: str) -> int:
    """Return the number of a column by the letters of a cell, from 1; 0 without any.

    >>> _column("AB12")
    28
    """
    number = 0
    for letter in reference.rstrip("0123456789")[:4]:
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number


def sheet_names(path: Path, *, visible_only: bool = False) -> list[str]:
    """Return the names of a workbook's sheets, in order; on demand, of those that people see.

    Raises:
        RefusedError: It is no workbook.
    """
    names: list[str] = []

    def book(name: str, attributes: Mapping[str, str], _: int) -> None:
        if name == "sheet" and not (visible_only and "idden" in attributes.get("state", "")):
            names.append(attributes.get("name", ""))

    try:
        with zipfile.ZipFile(path) as archive:
            _read(archive, "xl/workbook.xml", book)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise RefusedError(
            f"it is no readable Excel workbook ({error})", hint="Have it saved as .xlsx."
        ) from error
    return names
