"""The mail of a report: its parts, its size, its stable identity."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.reporting.mail import _one_line

if TYPE_CHECKING:
    from tests.unit.reporting.conftest import Night

MAXIMUM_HTML_BYTES = 80_000


@pytest.fixture
def message(rendered: Night) -> EmailMessage:
    data = (rendered.reports / "customer_performance.eml").read_bytes()
    return email.message_from_bytes(data, policy=email.policy.default)  # type: ignore[return-value]


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_parts_are_text_and_html_with_its_drawings(message: EmailMessage) -> None:
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]
    html = body(message, "html")
    ids = [str(p["Content-ID"]).strip("<>") for p in message.walk() if p["Content-ID"]]
    assert re.findall(r"cid:([^\"]+)", html) == ids


def test_the_html_is_small_enough_not_to_be_clipped(message: EmailMessage) -> None:
    html = body(message, "html")
    assert len(html.encode()) < MAXIMUM_HTML_BYTES
    assert "@media (prefers-color-scheme" in html.replace("  ", " ")
    assert "<script" not in html
    assert not re.search(r"https?://", html)


def test_subject_and_both_texts_carry_the_headline_number(message: EmailMessage) -> None:
    number = re.search(r"£[\d,]+", str(message["Subject"]))
    assert number
    for kind in ("plain", "html"):
        assert f"We took {number[0]}" in " ".join(body(message, kind).split())


def test_plain_text_is_not_escaped_and_has_short_lines(message: EmailMessage) -> None:
    text = body(message, "plain")
    assert "&lt;" not in text
    assert "&amp;" not in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_identity_comes_from_the_build_and_never_from_the_clock(message: EmailMessage) -> None:
    assert message["Message-ID"] == "<2026-11-18-01234567.customer_performance@localhost>"
    assert message["Date"] == "Thu, 19 Nov 2026 06:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    boundaries = [part.get_boundary() for part in message.walk() if part.is_multipart()]
    assert len(set(boundaries)) == 2


def test_the_link_is_the_name_of_the_page(message: EmailMessage) -> None:
    assert 'href="customer_performance.html"' in body(message, "html")
    assert "Full report: customer_performance.html" in body(message, "plain")


@pytest.mark.parametrize(
    "text", ["Takings\r\nBcc: eve@example.com", "a\n\nb", "a\rb", "a\u2028b", "a\x85b"]
)
def test_no_subject_begins_another_header(text: str) -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"] = _one_line(text)
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert read.keys() == ["Subject"]
    assert not read.get_payload()
