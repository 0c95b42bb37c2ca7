"""Checks declared with markup: Great Expectations' pages show it, browsers do not run it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.quality.gate import run_sources
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.quality.conftest import StageRows

pytestmark = pytest.mark.usefixtures("tills")

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}$name"
CHECKS = f"""\
  - {{expect: matches, column: email, pattern: '^({EVIL})?.*$', severity: warn}}
  - {{expect: in_set, column: email, values: ['{EVIL}', b], severity: warn}}
feeds:"""


class Markup(HTMLParser):
    """Collects what a browser would run: scripts with their text, and tags with handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.run: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.run += [f"{tag} {name}={value}" for name, value in attrs if "alert(" in str(value)]
        self.is_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self.is_script = self.is_script and tag != "script"

    is_script = False

    def handle_data(self, data: str) -> None:
        if self.is_script and "alert(" in data:
            self.run.append(data)


def test_markup_in_checks_is_shown_and_not_run(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    tills.write_text(tills.read_text().replace("feeds:", CHECKS), encoding="utf-8")
    stage_rows("('s1', 'ann@example.com', 10.00)")
    run_sources(context)
    pages = sorted((DataPaths.of(context).tree / "quality").rglob("*.html"))
    shown = 0
    for page in pages:
        text = page.read_text(encoding="utf-8")
        markup = Markup()
        markup.feed(text)
        assert markup.run == [], page
        shown += "alert(1)" in text
    assert shown
