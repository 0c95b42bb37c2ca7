"""Nested deliveries as lines of JSON: one record a line, counted while it is written.

JSON arrays are cut into their elements without holding the file, and lines that are no record are
kept as such, so that they can be set aside. XML is cut up by ``markup``.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from json.scanner import NUMBER_RE
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from cdp_pipeline.ingest.json_sql import LONGEST_TEXT
from cdp_pipeline.ingest.line_numbers import LineNumbers
from cdp_pipeline.ingest.plaintext import UTF8_MARK
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.record_paths import Step, array_parts

LONGEST_RECORD = 1_900_000
"""Bytes a record may have; DuckDB's reader takes lines up to 2,000,000."""

_CHUNK = 1 << 20
LARGEST_VALUE = 1 << 26
"""Bytes of a JSON text that are looked at as one value."""

_BLANK = " \t\r\n"
_BETWEEN = re.compile(f"[{_BLANK}]*(?:,[{_BLANK}]*)?")
"""What may stand after an object of a line: blanks, and a comma as in an array."""


_DECODER = json.JSONDecoder()
"""Reads NaN and Infinity, too, which are no JSON, so that they cost their record and no more."""


@dataclass
class Documents:
    """Records being written as lines.

    Attributes:
        path: Where they are written.
        repeated: Steps to the array whose elements become rows.
        is_xml: Whether every element is an array of its repetitions.
        lines: Line of the delivery on which each record begins, in a file beside ``path``.
        rows: Rows that the records will become.
    """

    path: Path
    repeated: Sequence[Step] = ()
    is_xml: bool = False
    lines: LineNumbers = field(init=False)
    rows: int = 0

    def __post_init__(self) -> None:
        """Name the file of lines."""
        self.lines = LineNumbers(self.path.with_suffix(".lines"))

    def add(self, stream: BinaryIO, text: str, document: Any, *, line: int) -> None:  # noqa: ANN401 - any JSON value
        """Write one record; one that is too long or no object as a text, to be set aside."""
        encoded = text.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace")
        is_record = (
            isinstance(document, dict)
            and len(encoded) <= LONGEST_RECORD
            and not ("\\ud" in text.lower() and has_half_pairs(document))
        )
        if not is_record:
            encoded = json.dumps(text[:LONGEST_TEXT]).encode()
        stream.write(encoded + b"\n")
        self.lines.add(line)
        self.rows += self._elements(text, document) if is_record else 1

    def _elements(self, text: str, document: Any) -> int:  # noqa: ANN401 - any JSON value
        """Return how many rows a record becomes: one for each element, at least one."""
        names = () if self.is_xml else self.repeated
        if any(text.count(f'"{step.name}"') > 1 for step in names):
            document = json.loads(text, object_pairs_hook=_first_of_each)
        values = [document]
        for part in array_parts(tuple(self.repeated)):
            found = [self._array(value, part) for value in values]
            # An element without elements of its own stays a row.
            values = [element for elements in found for element in elements or [None]]
        return len(values)

    def _array(self, document: Any, steps: Sequence[Step]) -> list[Any]:  # noqa: ANN401 - any JSON value
        """Return the elements of an array in a value; of anything else none."""
        value, last = document, None
        for step in steps:
            if isinstance(value, list):
                at = last.index if last else None
                at = 0 if at is None and self.is_xml else at
                is_there = at is not None and -len(value) <= at < len(value)
                value = value[at] if is_there and at is not None else None
            value = value.get(step.name) if isinstance(value, dict) else None
            last = step
        if isinstance(value, dict):
            return [value]
        return value if isinstance(value, list) else []


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object as DuckDB reads it: of a key that stands twice, the first value."""
    return dict(reversed(pairs))


def has_half_pairs(document: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether a text in it is none: half a surrogate pair, which no UTF-8 can hold."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def lines_to_documents(source: Path, documents: Documents, *, first_line: int) -> None:
    """Copy JSON lines; empty lines are none, broken ones are kept as texts.

    Objects that follow each other on one line, as streams to a bucket write them, are a record
    each; a comma after one is passed over.

    Raises:
        RefusedError: A line is longer than any record may be.
    """
    with source.open("rb") as stream, documents.path.open("wb") as target, documents.lines:
        number = first_line
        while raw := stream.readline(LARGEST_VALUE):
            if len(raw) == LARGEST_VALUE and not raw.endswith(b"\n"):
                raise RefusedError(
                    f"line {number} is longer than {LARGEST_VALUE >> 20} MB",
                    hint="If the file is one array, its format is `json`, not `jsonl`.",
                )
            line = raw.removeprefix(UTF8_MARK).strip()
            for text, value in read_line(line):
                documents.add(target, text, value, line=number)
            number += 1


def read_line(line: bytes) -> list[tuple[str, Any]]:
    """Return the objects of a line as written and as read; of any other line itself and nothing."""
    found: list[tuple[str, Any]] = []
    at = 0
    try:
        text = line.decode()
        while at < len(text):
            value, end = _DECODER.raw_decode(text, at)
            found.append((text[at:end], value))
            between = _BETWEEN.match(text, end)
            at = between.end() if between else end
    except (ValueError, RecursionError):
        return [(line.decode("utf-8", "replace"), None)]
    if not all(isinstance(value, dict) for _, value in found):
        return [(text, None)]
    return found


def array_to_documents(source: Path, documents: Documents, *, place: Sequence[str]) -> None:
    """Cut a JSON array into its elements.

    Args:
        source: JSON text.
        documents: Where they go.
        place: Keys from the root to the array; none if it is the root.

    Raises:
        RefusedError: It is no JSON, ends too early, or holds no such array.
    """
    with source.open("rb") as stream, documents.path.open("wb") as target, documents.lines:
        reader = JsonReader(stream)
        found = False
        for text, value, line in reader.elements(list(place)):
            found = True
            if text is not None:
                documents.add(target, text, value, line=line)
        if not found:
            raise RefusedError(
                f"it holds no array {'.'.join(place) or 'at its root'}",
                hint="Set `records:` to the path of the array of records; if each column is an "
                "array, have one object written for each record (pandas: orient='records').",
            )


class JsonReader:
    """A JSON text read value by value; only one value is in memory."""

    def __init__(self, stream: BinaryIO) -> None:
        """Begin at the stream's place."""
        self.stream = stream
        self.decode = codecs.getincrementaldecoder("utf-8-sig")("strict").decode
        self.scan = _DECODER.raw_decode
        self.text = ""
        self.at = 0
        self.counted = 0
        self.lines = 1
        self.is_end = False

    def elements(self, place: list[str]) -> Iterator[tuple[str | None, Any, int]]:
        """Yield text, value and line of each element; first an empty item once it is found."""
        if self.peek() == "[" and not place:
            yield from self._array()
        elif self.peek() == "{" and place:
            yield from self._object(place)
        else:
            return
        if self.peek():
            self.fail("text follows its end")

    def _object(self, place: list[str]) -> Iterator[tuple[str | None, Any, int]]:
        self.take("{")
        while self.peek() != "}":
            key = self.value()[1]
            self.take(":")
            if key == place[0] and len(place) > 1 and self.peek() == "{":
                yield from self._object(place[1:])
            elif key == place[0] and len(place) == 1 and self.peek() == "[":
                yield from self._array()
            else:
                self.value()
            self._go_on("}")
        self.take("}")

    def _array(self) -> Iterator[tuple[str | None, Any, int]]:
        self.take("[")
        yield None, None, 0
        while self.peek() != "]":
            self.peek()
            line = self.line()
            yield *self.value(), line
            self._go_on("]")
        self.take("]")

    def _go_on(self, closing: str) -> None:
        """Pass over the comma between two values, unless the closing bracket follows.

        Writers that end every element with a comma leave one after the last; the bracket after it
        shows that nothing was cut off.
        """
        if self.peek() == closing:
            return
        if self.peek() != ",":
            self.fail(f"a comma or {closing} is missing")
        self.at += 1
        if self.peek() == closing == "}":
            self.fail("a value is missing after a comma")

    def value(self) -> tuple[str, Any]:
        """Return the next value as it is written and as it reads."""
        if not self.peek():
            self.fail("it ends too early")
        while True:
            try:
                value, end = self.scan(self.text, self.at)
            except RecursionError:
                self.fail("a value is nested too deep to be read")
            except ValueError:
                if not self._more():
                    self.fail("a value cannot be read or ends too early")
                continue
            # A number may go on in the part that has not been read yet.
            if end == len(self.text) and NUMBER_RE.match(self.text, self.at) and self._more():
                continue
            text = self.text[self.at : end]
            self.at = end
            return text, value

    def peek(self) -> str:
        """Return the next character that is no blank; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _BLANK:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def line(self) -> int:
        """Return the line of the current position, from 1."""
        self.lines += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.lines

    def take(self, character: str) -> None:
        """Pass over a character that must stand here."""
        if self.peek() != character:
            self.fail(f"{character} is missing")
        self.at += 1

    def fail(self, what: str) -> NoReturn:
        """Refuse the file.

        Raises:
            RefusedError: Always.
        """
        line = self.line()
        if self.is_end and self.at >= len(self.text):
            what = "it ends too early"
        raise RefusedError(
            f"it is not JSON: {what} (line {line})", hint="Have it sent again, or look at it."
        )

    def _more(self) -> bool:
        """Read on; the part before the current position is given up."""
        if self.is_end:
            return False
        if len(self.text) - self.at > LARGEST_VALUE:
            self.fail(f"a value is larger than {LARGEST_VALUE >> 20} MB")
        size = max(_CHUNK, len(self.text) - self.at)  # so that a large value is not read in crumbs
        raw = self.stream.read(size)
        self.is_end = not raw
        try:
            text = self.decode(raw, final=self.is_end)
        except UnicodeDecodeError:
            self.fail("it is not UTF-8 text")
        self.line()
        self.text, self.at, self.counted = self.text[self.at :] + text, 0, 0
        return not self.is_end
