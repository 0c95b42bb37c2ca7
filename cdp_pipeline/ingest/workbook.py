"""A sheet of an Excel workbook (.xlsx) as CSV text, row by row.

Numbers are written with the 15 digits that Excel shows, and the decimal mark of the sheet's texts;
cells with a date format as ISO 8601; whole numbers with a format of zeros, such as ``00000`` of
postcodes, as they are shown; formulas as the value that was stored with them. Source: ECMA-376,
part 1, sections 18.3 and 18.8.
"""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from cdp_pipeline.ingest.cells import Marks, filled_up, moment, without_exponent
from cdp_pipeline.ingest.markup import MAXIMUM_TEXT, read_markup
from cdp_pipeline.ingest.plaintext import UTF8_MARK
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.workbook_parts import (
    Book,
    part_chunks,
    read_book,
    read_part,
    whole_number,
)

_SAVE_AGAIN = "Have it opened and saved in Excel, or exported as CSV."
_MAXIMUM_CELLS = 1000
_MAXIMUM_ROWS = 1 << 24
_HEAD = 512
_LARGEST_SERIAL = 2_958_466
_LOOKED_AT = 20
_SURE_DIGITS = 15

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
            book = read_book(archive)
            rows = _Sheet(book, out, skipped, marks)
            read_markup(part_chunks(archive, part), start=rows.start, end=rows.end, text=rows.text)
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

    read_part(archive, "xl/workbook.xml", book)
    read_part(archive, "xl/_rels/workbook.xml.rels", relations)
    if not sheets or (wanted and wanted not in sheets):
        raise RefusedError(
            f"the workbook has no sheet {wanted!r}",
            hint=f"Set `sheet:` to one of: {', '.join(sheets) or 'none'}.",
        )
    target = targets.get(sheets[wanted or next(iter(sheets))], "worksheets/sheet1.xml")
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


class _Sheet:
    """Writes rows as they end."""

    def __init__(self, book: Book, out: TextIO, skipped: int, marks: Marks) -> None:
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
            self.row = self._next_row(attributes.get("r", ""))
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

    def _next_row(self, text: str) -> int:
        """Return the number of a row: what is set aside is told by it, so each has its own."""
        number = whole_number(text) or self.row + 1
        if number <= self.row or number > _MAXIMUM_ROWS:
            raise RefusedError(f"row {text[:20]} follows row {self.row}", hint=_SAVE_AGAIN)
        return number

    def _set(self, text: str) -> None:
        if self.column > _MAXIMUM_CELLS:
            raise RefusedError(f"it has more than {_MAXIMUM_CELLS} columns")
        if self.column in self.cells:
            raise RefusedError(
                f"the cell in row {self.row}, column {self.column} stands twice", hint=_SAVE_AGAIN
            )
        if not text:
            if self.is_formula and self.kind == "n":  # an empty text is a result, and says so
                raise RefusedError(
                    f"the formula in row {self.row}, column {self.column} has no stored result",
                    hint="Have the workbook opened and saved in Excel, or its values exported.",
                )
            return
        if self.kind == "s":
            text = self._shared(text.strip())
        elif self.kind == "b":
            text = "true" if text == "1" else "false"
        elif self.kind == "n":
            text = self._shown(text)
        self.cells[self.column] = text

    def _shared(self, place: str) -> str:
        texts = self.book.texts
        if not (place.isascii() and place.isdigit()) or whole_number(place) >= len(texts):
            raise RefusedError(
                f"the cell in row {self.row}, column {self.column} has a text that the workbook "
                "lacks",
                hint=_SAVE_AGAIN,
            )
        return texts[whole_number(place)]

    def _shown(self, text: str) -> str:
        """Return a number as it is shown: a date, or up to 15 digits."""
        try:
            value = float(text)
        except ValueError:
            return text
        if not math.isfinite(value):
            return text
        if whole_number(self.style) in self.book.date_styles and 0 <= value < _LARGEST_SERIAL:
            return moment(value, self.book.epoch)
        if value == int(value) and abs(value) < 10**_SURE_DIGITS:
            mask = self.book.zeros.get(whole_number(self.style), "")
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


def _column(reference: str) -> int:
    """Return the number of a column by the letters of a cell, from 1; 0 without a reference.

    Raises:
        RefusedError: It has no letters, or others.

    >>> _column("AB12")
    28
    """
    letters = reference.rstrip("0123456789")
    if reference and not (letters.isascii() and letters.isalpha()):
        raise RefusedError(f"a cell stands at {reference[:20]!r}", hint=_SAVE_AGAIN)
    number = 0
    for letter in letters[:4].upper():
        number = number * 26 + ord(letter) - ord("A") + 1
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
            read_part(archive, "xl/workbook.xml", book)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise RefusedError(
            f"it is no readable Excel workbook ({error})", hint="Have it saved as .xlsx."
        ) from error
    return names
