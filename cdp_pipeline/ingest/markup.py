"""XML read as a stream of events, safely: no entities, no depth or text without end.

Records become lines of JSON (``json_sql`` says how); only one record is in memory. The same reader
serves the sheets of workbooks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.parsers import expat

from cdp_pipeline.ingest.documents import Documents
from cdp_pipeline.ingest.json_sql import XML_TEXT
from cdp_pipeline.ingest.refusal import RefusedError

MAXIMUM_DEPTH = 100
MAXIMUM_TEXT = 1 << 24
"""Characters that one record, or one cell, may hold."""

_MOST_SHOWN = 5

Start = Callable[[str, Mapping[str, str], int], None]


def read_markup(
    chunks: Iterable[bytes],
    *,
    start: Start,
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Call back for each element of an XML text.

    Args:
        chunks: Bytes of the document.
        start: Called with name (without its prefix), attributes and line.
        end: Called with the name.
        text: Called with pieces of text.

    Raises:
        RefusedError: It is not well-formed, too deep, or declares entities.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(
        _local(name), attributes, parser.CurrentLineNumber
    )
    parser.EndElementHandler = lambda name: end(_local(name))
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = _refuse_entity
    parser.ExternalEntityRefHandler = _refuse_entity
    parser.SkippedEntityHandler = _refuse_entity
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)  # noqa: FBT003 - expat takes no keyword
        parser.Parse(b"", True)  # noqa: FBT003 - same
    except expat.ExpatError as error:
        raise RefusedError(
            f"it is not well-formed XML: {expat.ErrorString(error.code)} (line {error.lineno})",
            hint="Have it sent again; a file cut short ends like this.",
        ) from error
    except (LookupError, ValueError) as error:  # or one whose letters take several bytes
        raise RefusedError(
            "its XML declaration names an encoding we do not know", hint="Ask for UTF-8."
        ) from error


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_entity(*_: object) -> int:
    raise RefusedError(
        "it declares or uses XML entities, which can blow up or read other files",
        hint="Ask the sender for the file without a DOCTYPE.",
    )


@dataclass
class _Element:
    """An open element of a record.

    Attributes:
        name: Its name.
        content: Its attributes and child elements so far.
        pieces: Its text so far, and that of its children where they stand in it.
        has_text: Whether some of it is its own.
    """

    name: str
    content: dict[str, Any]
    pieces: list[str | list[Any]] = field(default_factory=list)
    has_text: bool = False


@dataclass
class _Outside:
    """Elements outside records, which tell why there may be no record.

    Attributes:
        path: Names of the open ones, each with whether it holds others.
        names: Names of those below the root.
        holders: How many of a name hold others.
    """

    path: list[tuple[str, bool]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    holders: Counter[str] = field(default_factory=Counter)

    def start(self, name: str) -> None:
        if self.path:
            self.names.add(name)
            around, holds = self.path[-1]
            self.path[-1] = (around, True)
            self.holders[around] += not holds
        self.path.append((name, False))

    def instead_of(self, record: str) -> list[str]:
        """Return elements that records may be: called nearly so, or several with parts."""
        called_so = [name for name in self.names if name.lower() == _local(record).lower()]
        several = [name for name, count in self.holders.items() if count > 1]
        return sorted(called_so or several)[:_MOST_SHOWN]


class _Records:
    """Collects the elements of one name; everything outside them is passed over.

    An element with text of its own has all the text in it, as a reader of the document sees it:
    that of ``<note>Call <b>Ann</b> back</note>`` is "Call Ann back". An empty element, such as a
    line break, keeps the words around it apart.
    """

    def __init__(self, record: str, documents: Documents, stream: BinaryIO) -> None:
        self.record, self.documents, self.stream = record, documents, stream
        self.open: list[_Element] = []
        self.depth = self.line = self.size = 0
        self.outside = _Outside()

    def start(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            raise RefusedError(f"its elements are nested more than {MAXIMUM_DEPTH} deep")
        if not self.open and name != self.record:
            self.outside.start(name)
            return
        if not self.open:
            self.size, self.line = 0, line
        self._grow(sum(len(k) + len(v) for k, v in attributes.items()) + len(name))
        content: dict[str, Any] = {f"@{_local(k)}": v for k, v in attributes.items()}
        self.open.append(_Element(name, content))

    def text(self, text: str) -> None:
        if self.open:
            self._grow(len(text))
            self.open[-1].pieces.append(text)
            self.open[-1].has_text = self.open[-1].has_text or not text.isspace()

    def end(self, _: str) -> None:
        self.depth -= 1
        if not self.open:
            self.outside.path.pop()
            return
        element = self.open.pop()
        content = element.content
        if element.has_text:
            text = "".join(_flat(element.pieces)).strip()
            if any(isinstance(piece, list) for piece in element.pieces):
                self._grow(len(text))  # the texts within are held once more
            content[XML_TEXT] = text
        if self.open:
            around = self.open[-1]
            around.content.setdefault(element.name, []).append(content)
            around.pieces.append(element.pieces or " ")
            return
        self.documents.add(
            self.stream, json.dumps(content, ensure_ascii=False), content, line=self.line
        )

    def _grow(self, size: int) -> None:
        self.size += size
        if self.size > MAXIMUM_TEXT:
            raise RefusedError(
                f"one {self.record} holds more than {MAXIMUM_TEXT >> 20} MB of text",
                hint="Set `records:` to the element of one record.",
            )


def _flat(pieces: Iterable[str | list[Any]]) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, str):
            yield piece
        else:
            yield from _flat(piece)


def markup_to_documents(chunks: Iterable[bytes], documents: Documents, *, record: str) -> None:
    """Cut an XML text into its records.

    Args:
        chunks: Bytes of the document.
        documents: Where records go.
        record: Name of the element that holds one, without prefix.

    Raises:
        RefusedError: It is no sound XML, a record is too large, or others stand where records
            are looked for; a file without any is one of a quiet day.
    """
    with documents.path.open("wb") as stream, documents.lines:
        records = _Records(record, documents, stream)
        read_markup(chunks, start=records.start, end=records.end, text=records.text)
    if not documents.rows and (others := records.outside.instead_of(record)):
        raise RefusedError(
            f"it holds no element {record}, but {', '.join(others)}",
            hint="Set `records:` to the element of one record, with its capitals and no prefix.",
        )
