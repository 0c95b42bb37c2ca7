"""Mails as they are kept: what their parts and headers say once their encoding is undone.

A name over the end of a quoted-printable line, and everything in Base64, stands in no bytes of a
mail. A part is written again as it was encoded; whatever is in clear is the text's business.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Callable, Iterator
from email import policy
from email.errors import HeaderParseError
from email.generator import BytesGenerator
from email.header import Header, decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from io import BytesIO
from pathlib import Path

_FIELDS = (
    rb"(?:return-path|received|delivered-to|date|from|to|cc|reply-to|subject|message-id|"
    rb"mime-version|content-type|content-transfer-encoding)"
)
_BEGINS = re.compile(
    rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*" + _FIELDS + rb":[^\n]*", re.IGNORECASE
)
_FIELD = re.compile(rb"^" + _FIELDS + rb":", re.IGNORECASE | re.MULTILINE)
_FEWEST = 2
"""Fields that tell a mail from a note whose first line happens to be one."""

_ENCODED = {"base64", "quoted-printable"}
_LARGEST = 1 << 26
"""Bytes of a mail that is taken apart; servers accept none of the size."""

_POLICY = policy.compat32.clone(max_line_length=0)
"""What is not changed is written as it was read."""


def is_mail(head: bytes) -> bool:
    r"""Return whether a file is a mail, by the fields of its header.

    Args:
        head: Its first bytes.

    Examples:
        >>> is_mail(b"Subject: hello\nFrom: anna@example.com\n\n"), is_mail(b"From: Anna\nhello")
        (True, False)
    """
    header = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    return _BEGINS.match(header) is not None and len(_FIELD.findall(header)) >= _FEWEST


def mail_parts(path: Path) -> Iterator[tuple[str, BytesIO]]:
    """Yield number and content of the parts that are encoded.

    Args:
        path: A mail.

    Raises:
        ValueError: It is larger than any mail.
    """
    for number, part in enumerate(_read(path).walk(), start=1):
        if _encoding_of(part):
            yield f"part {number}", BytesIO(_content_of(part))


def mail_labels(path: Path) -> Iterator[str]:
    """Yield the headers that are encoded (RFC 2047), as they read.

    Args:
        path: A mail.

    Raises:
        ValueError: It is larger than any mail.
    """
    for part in _read(path).walk():
        for value in part.values():
            if "=?" in str(value):
                yield _header_text(str(value))


def write_mail(
    source: Path,
    target: Path,
    *,
    clean_part: Callable[[bytes], bytes],
    clean_label: Callable[[str], str],
) -> bool:
    """Write a mail whose encoded parts and headers were cleaned; return whether any changed.

    Args:
        source: A mail.
        target: Written only if anything changed.
        clean_part: Gives the content of a part without what must go.
        clean_label: Gives a header without what must go.

    Raises:
        ValueError: It is larger than any mail.
    """
    message = _read(source)
    changed = False
    for part in message.walk():
        changed |= _clean_fields(part, clean_label)
        encoding = _encoding_of(part)
        content = _content_of(part) if encoding else b""
        cleaned = clean_part(content) if content else content
        if cleaned != content:
            encode = base64.encodebytes if encoding == "base64" else quopri.encodestring
            part.set_payload(encode(cleaned).decode("ascii"))
            changed = True
    if changed:
        ends = "\r\n" if _first_line(source).endswith(b"\r\n") else "\n"
        with target.open("wb") as stream:
            BytesGenerator(stream, mangle_from_=False, policy=_POLICY.clone(linesep=ends)).flatten(
                message
            )
    return changed


def _clean_fields(part: Message, clean_label: Callable[[str], str]) -> bool:
    """Encode headers again that said what must go; return whether there were any."""
    changed = False
    fields = []
    for name, value in part.items():
        text = _header_text(str(value)) if "=?" in str(value) else ""
        if text and (cleaned := clean_label(text)) != text:
            fields.append((name, Header(cleaned, "utf-8").encode()))
            changed = True
        else:
            fields.append((name, value))
    if changed:
        for name in part.keys():  # noqa: SIM118 - a mail's fields are no mapping's
            del part[name]
        for name, value in fields:
            part[name] = value
    return changed


def _first_line(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.readline(1 << 16)


def _read(path: Path) -> Message:
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is larger than any mail")
    with path.open("rb") as stream:
        return BytesParser(policy=_POLICY).parse(stream)


def _encoding_of(part: Message) -> str:
    encoding = str(part.get("content-transfer-encoding", "")).strip().casefold()
    return encoding if encoding in _ENCODED and not part.is_multipart() else ""


def _content_of(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _header_text(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):  # letters of an encoding that is none
        return value
