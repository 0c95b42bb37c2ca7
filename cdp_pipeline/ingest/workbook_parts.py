"""What the cells of a workbook refer to: shared texts, styles, the day that days are counted from.

Source: ECMA-376, part 1, sections 18.2, 18.4 and 18.8.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cdp_pipeline.ingest.inflation import CHUNK, MAXIMUM_RATIO
from cdp_pipeline.ingest.markup import Start, read_markup
from cdp_pipeline.ingest.refusal import RefusedError

MAXIMUM_SHARED_BYTES = 1 << 28
"""Bytes of texts that a workbook may share between its cells; they are held in memory."""

_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
_NOT_DATE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_ZEROS = re.compile(r"00+(-0+)*")
_LANGUAGE_OR_ESCAPE = re.compile(r"\[\$-[^\]]*\]|[\\\"]")
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a day has no zone
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001 - same
_MOST_DIGITS = 9


@dataclass
class Book:
    """What cells refer to."""

    texts: list[str] = field(default_factory=list)
    date_styles: frozenset[int] = frozenset()
    zeros: Mapping[int, str] = field(default_factory=dict)
    epoch: datetime = _EPOCH


def part_chunks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield a part of the archive, inflated, up to the ratio that real files stay below."""
    try:
        size = archive.getinfo(name).compress_size
        with archive.open(name) as stream:
            total = 0
            while chunk := stream.read(CHUNK):
                total += len(chunk)
                if total > CHUNK and total > MAXIMUM_RATIO * size:
                    raise RefusedError(
                        f"it inflates to more than {MAXIMUM_RATIO} times its size: a bomb",
                        hint="Ask for it without empty rows, or as CSV.",
                    )
                yield chunk
    except KeyError as error:
        raise RefusedError(
            f"the workbook lacks its part {name}", hint="Have it saved again."
        ) from error
    except RuntimeError as error:
        raise RefusedError("it has a password", hint="Ask for it without one.") from error


def read_part(archive: zipfile.ZipFile, part: str, start: Start) -> None:
    """Call back for each element of a part, with its name, attributes and line."""
    read_markup(part_chunks(archive, part), start=start, end=lambda _: None, text=lambda _: None)


def read_book(archive: zipfile.ZipFile) -> Book:
    """Return what the cells of all sheets refer to.

    Raises:
        RefusedError: A part is broken or too large.
    """
    names = set(archive.namelist())
    book = Book()
    if "xl/sharedStrings.xml" in names:
        texts = _Texts()
        read_markup(
            part_chunks(archive, "xl/sharedStrings.xml"),
            start=texts.start,
            end=texts.end,
            text=texts.text,
        )
        book.texts = texts.found
    if "xl/styles.xml" in names:
        styles = _Styles()
        read_part(archive, "xl/styles.xml", styles.start)
        book.date_styles, book.zeros = styles.dates, styles.zeros

    def properties(name: str, attributes: Mapping[str, str], _: int) -> None:
        if name == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
            book.epoch = _EPOCH_1904

    read_part(archive, "xl/workbook.xml", properties)
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
            self.codes[whole_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name in {"cellXfs", "cellStyleXfs", "cellStyles"}:
            self.is_cell = name == "cellXfs"
        elif name == "xf" and self.is_cell:
            self.styles.append(whole_number(attributes.get("numFmtId")))

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


def whole_number(text: str | None) -> int:
    """Return a whole number of Excel's; of anything else 0, and of a larger one the largest."""
    if not (text and text.isascii() and text.isdigit()):
        return 0
    return int(text) if len(text) <= _MOST_DIGITS else 10**_MOST_DIGITS
