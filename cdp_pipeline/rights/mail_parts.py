"""Where the parts of a mail stand in its bytes, parts within parts (RFC 2046), broken ones too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import chain, islice, pairwise

_FIELDS = (
    rb"(?:return-path|received|delivered-to|date|from|to|cc|reply-to|subject|message-id|"
    rb"mime-version|content-type|content-transfer-encoding)"
)
_BEGINS = re.compile(
    rb"(?:From [^\n]*\n)?(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*" + _FIELDS + rb":[^\n]*",
    re.IGNORECASE,
)
_FIELD = re.compile(rb"^" + _FIELDS + rb":", re.IGNORECASE | re.MULTILINE)
_FEWEST = 2
"""Fields that tell a mail from a note whose first line happens to be one."""

_LEADING = b"\xef\xbb\xbf\r\n"
"""What tools write before the header: the mark of UTF-8, empty lines."""

_DEEPEST = 30
"""Parts within parts that are taken apart: a mail that was forwarded so often is none."""
_MOST = 100_000
"""Parts of a mail, or of a mailbox, that are taken apart."""

_BLANK = re.compile(rb"^\r?\n", re.MULTILINE)
_MESSAGE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n(?=[!-9;-~]+:)")
"""The line before each mail of a mailbox (RFC 4155)."""
_DELIMITER_END = re.compile(rb"(--)?[ \t]*\r?(?:\n|\Z)")
_FORWARDED = {"message/rfc822", "message/global", "message/news"}
_ENCODING = re.compile(r"\s*(base64|quoted-printable)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """Where one part stands.

    Attributes:
        header: Its fields.
        start: Place of its header.
        body: Place of its content.
        end: Place behind it.
        is_leaf: Whether it holds no other parts.
    """

    header: Message
    start: int
    body: int
    end: int
    is_leaf: bool

    @property
    def encoding(self) -> str:
        """How its content is encoded: ``base64``, ``quoted-printable`` or not at all."""
        return _encoding_of(self.header) if self.is_leaf else ""

    @property
    def charset(self) -> str | None:
        """What its text says its letters are; None if it is no text or does not say."""
        is_text = self.is_leaf and self.header.get_content_maintype() == "text"
        return self.header.get_content_charset() if is_text else None


def is_mail(head: bytes) -> bool:
    r"""Return whether a file is a mail, or a mailbox, by the fields of its header.

    Args:
        head: Its first bytes.

    Examples:
        >>> is_mail(b"Subject: hello\nFrom: anna@example.com\n\n"), is_mail(b"From: Anna\nhello")
        (True, False)
    """
    header = re.split(rb"\r?\n\r?\n", head.lstrip(_LEADING), maxsplit=1)[0]
    return _BEGINS.match(header) is not None and len(_FIELD.findall(header)) >= _FEWEST


def find_parts(data: bytes) -> Iterator[Part]:
    """Yield the parts of a mail, or of each mail of a mailbox, those that hold others before them.

    Args:
        data: The mail. What is broken is read as mail readers do: a part without its end goes to
            the end of what holds it, and content without a header is a text.

    Raises:
        ValueError: There are more parts than anybody would send.
    """
    begins = [found.end() for found in islice(_MESSAGE.finditer(data), _MOST + 1)]
    begins = begins or [len(data) - len(data.lstrip(_LEADING))]
    mails = (_within(data, start, end) for start, end in pairwise([*begins, len(data)]))
    for number, part in enumerate(chain.from_iterable(mails), start=1):
        if number > _MOST:
            raise ValueError("it has more parts than any mail")
        yield part


def _within(
    data: bytes, start: int, end: int, *, depth: int = 0, default: str = "text/plain"
) -> Iterator[Part]:
    if depth > _DEEPEST:
        raise ValueError("it has more parts within parts than any mail")
    blank = _BLANK.search(data, start, end)
    body = blank.end() if blank else end
    header = BytesHeaderParser().parsebytes(data[start:body])
    header.set_default_type(default)
    kind = header.get_content_type()
    inner: list[tuple[int, int]] = []
    if kind.startswith("multipart/"):
        boundary = str(header.get_boundary() or "").encode("utf-8", "surrogateescape")
        inner = list(islice(_between(data, body, end, boundary), _MOST + 1)) if boundary else []
    elif kind in _FORWARDED and not _encoding_of(header):
        inner = [(body, end)]
    yield Part(header, start, body, end, is_leaf=not inner)
    below = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    for first, last in inner:
        yield from _within(data, first, last, depth=depth + 1, default=below)


def _between(data: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of what stands between the lines of a boundary."""
    mark = b"--" + boundary
    last = None
    at = data.find(mark, start, end)
    while at >= 0:
        line = _DELIMITER_END.match(data, at + len(mark), end)
        if line and data[at - 1 : at] == b"\n":
            if last is not None:
                yield last, at
            last = None if line[1] else line.end()
        at = data.find(mark, at + len(mark), end)
    if last is not None:
        yield last, end


def _encoding_of(header: Message) -> str:
    found = _ENCODING.match(str(header.get("content-transfer-encoding", "")))
    return found[1].lower() if found else ""
