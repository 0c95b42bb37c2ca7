"""Reports whose every declared text is hostile: pages and mails show it, nothing runs it."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.project.reports import Brand, ReportSpec
from cdp_pipeline.reporting import render
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.reporting.conftest import Night

EVIL = (
    "</script></style><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'\"&"
    "\n\nBcc: eve@evil.example"
)
TEXTS = {"title", "description", "owner", "audience", "section", "lead", "note", "empty", "label"}


class Tags(HTMLParser):
    """Collects tags with their attributes as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def running(self) -> list[str]:
        """Return what would run or load something."""
        return [
            f"{tag} {given}"
            for tag, given in self.found
            if tag in {"script", "iframe", "object", "embed", "form"}
            or any(name.startswith("on") for name in given)
            or (tag == "img" and not given.get("src", "").startswith("cid:"))
            or given.get("href", "").startswith("javascript:")
        ]


def with_evil(value: Any, key: str = "") -> Any:
    """Return a declaration in which every text for people is hostile."""
    if isinstance(value, dict):
        if key == "terms":
            return {EVIL: EVIL}
        return {name: with_evil(each, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [with_evil(each, key) for each in value]
    if key == "text":
        return f"{EVIL} {value}"
    return EVIL if key in TEXTS and isinstance(value, str) else value


@pytest.fixture(scope="module")
def folder(night: Night) -> Path:
    """Return the folder of a night's reports, all of whose texts are hostile."""
    project = night.project
    hostile = {
        name: ReportSpec.model_validate(with_evil(spec.model_dump(by_alias=True)))
        for name, spec in project.reports.items()
    }
    evil = replace(project, reports=hostile, brand=Brand(footer=EVIL))
    settings = night.context.settings
    named = settings.model_copy(update={"store_name": EVIL})
    context = RunContext(night.context.business_date, "fake", night.context.project_root, named)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "load_project", lambda _: evil)
        render.run(context)
    return DataPaths.of(context).tree / "reports"


def test_no_page_runs_what_was_declared(folder: Path) -> None:
    for page in sorted(folder.glob("*.html")):
        text = page.read_text(encoding="utf-8")
        assert Tags(text).running() == [], page.name
        assert "&lt;script&gt;alert(1)" in text
        assert "{{ 7*7 }}" in text


def test_no_mail_runs_it_or_gets_another_header(folder: Path) -> None:
    for path in sorted(folder.glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        assert message["Bcc"] is None
        assert len(message["Subject"]) <= 200
        assert "\n" not in message["Subject"]
        html = message.get_body(("html",))
        assert html is not None
        text = str(html.get_content())
        assert Tags(text).running() == [], path.name
        assert "{{ 7*7 }}" in text
