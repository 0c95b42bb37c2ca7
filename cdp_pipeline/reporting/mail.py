"""A report as an e-mail: text, HTML and drawings in one message with the same bytes every time.

The message is written beside the page as ``.eml``; sending, retries and the record of what was sent
belong to activation. Mail programs know no SVG, so charts travel as PNG.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import css_inline
from jinja2 import Environment

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.unseen import LONGEST_LINE
from cdp_pipeline.project.loader import Project
from cdp_pipeline.reporting.formats import Formatter
from cdp_pipeline.reporting.views import Card, Figure, Page

_WRITTEN_AT = time(6, 0, tzinfo=UTC)
_UNDISCLOSED = "undisclosed-recipients:;"


def build_message(
    environment: Environment, page: Page, project: Project, context: RunContext
) -> bytes:
    """Return a report as a complete message: ``alternative[text, related[html, png ...]]``.

    Date, Message-ID and part boundaries come from the build, never from the clock, so a second run
    writes the same bytes and a receiver can recognise a repeated mail.
    """
    settings = context.settings.mail
    domain = settings.sender.rsplit("@", 1)[-1]
    figures = [card for card in page.cards if card.in_mail and isinstance(card.body, Figure)]
    names = {card.title: f"chart{n}.{page.build_id}@{domain}" for n, card in enumerate(figures)}
    values = {
        "page": page,
        "brand": project.brand,
        "language": Formatter(context.settings.locale, context.settings.currency).language,
        "cards": [card for card in page.cards if card.in_mail],
        "content_ids": names,
    }
    message = EmailMessage(policy=SMTP)
    message["Subject"] = _one_line(f"{page.store}: {page.subject}")
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients.get(page.spec.recipients or "", [])) or (
        _UNDISCLOSED
    )
    written_on = context.business_date + timedelta(days=1)
    message["Date"] = format_datetime(datetime.combine(written_on, _WRITTEN_AT))
    message["Message-ID"] = f"<{page.build_id}.{page.spec.name}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    message.set_content(_tidy(environment.get_template("email.txt.j2").render(values)))
    html = environment.get_template("email.html.j2").render(values)
    message.add_alternative(_inline(html), subtype="html")
    _attach(message, figures, names)
    _fix_boundaries(message, f"{page.build_id}.{page.spec.name}")
    return message.as_bytes()


def _attach(message: EmailMessage, figures: Sequence[Card], names: dict[str, str]) -> None:
    parts = list(message.iter_parts())
    for number, card in enumerate(figures):
        if card.body.png:
            parts[-1].add_related(
                card.body.png,
                "image",
                "png",
                cid=f"<{names[card.title]}>",
                filename=f"chart{number}.png",
                disposition="inline",
            )


def _inline(html: str) -> str:
    # @media rules must stay in the head: the default would drop dark mode and the phone layout
    inliner = css_inline.CSSInliner(
        keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False
    )
    text: str = inliner.inline(html)
    return text


def _fix_boundaries(message: EmailMessage, seed: str) -> None:
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            digest = hashlib.sha256(f"{seed}.{number}".encode()).hexdigest()[:32]
            part.set_boundary(f"=={digest}==")


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _one_line(text: str) -> str:
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
