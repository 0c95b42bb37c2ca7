"""Finished pages: complete, self-contained, honest when there is no data, without personal data."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.reporting.render import build_id, run
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.reporting.conftest import Night

VOID = {"meta", "link", "br", "img", "input", "hr", "polyline", "path", "rect", "line"}
MAXIMUM_BYTES = 250_000


class Outline(HTMLParser):
    """Collects tags, ids, links and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def outline(text: str) -> Outline:
    parsed = Outline()
    parsed.feed(text)
    return parsed


def page(night: Night, name: str = "customer_performance") -> str:
    return str((night.reports / f"{name}.html").read_text(encoding="utf-8"))


@pytest.fixture(params=["customer_performance", "data_quality"])
def html(rendered: Night, request: pytest.FixtureRequest) -> str:
    return page(rendered, request.param)


def test_a_page_is_well_formed_small_and_loads_nothing(html: str) -> None:
    parsed = outline(html)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert not {"script", "iframe", "object", "embed", "link", "img"} & set(parsed.tags)
    assert "default-src 'none'" in html
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg)", html)
    assert len(html.encode()) < MAXIMUM_BYTES


def test_every_link_of_the_page_leads_somewhere(rendered: Night, html: str) -> None:
    parsed = outline(html)
    assert parsed.links
    for link in parsed.links:
        path, _, place = link.partition("#")
        assert place in parsed.ids if not path else (rendered.reports / path).is_file()


def test_no_contact_data_and_no_customer_id_is_on_any_page(rendered: Night) -> None:
    for path in rendered.reports.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"[\w.]+@[\w.]+\.\w+", text), path
        assert not re.search(r"\bC\d{16}\b", text), path
        assert not re.search(r"\+\d{9,}", text), path


def test_names_from_data_stay_text(rendered: Night) -> None:
    text = page(rendered)
    assert "&lt;script&gt;{{ 7*7 }}" in text
    assert "<script" not in text


def test_every_chart_has_its_numbers_beside_it(rendered: Night) -> None:
    text = page(rendered)
    figures = re.findall(r"<figure.*?</figure>", text, flags=re.DOTALL)
    assert len(figures) >= 4
    for figure in figures:
        assert "<summary>See the numbers</summary>" in figure
        assert figure.count("<svg") == 2


def test_the_page_opens_with_a_sentence_and_what_changed(rendered: Night) -> None:
    text = page(rendered)
    headline = re.search(r'<h2 class="headline">(.*?)</h2>', text)
    assert headline
    assert re.fullmatch(
        r"We took £[\d,]+ on Wednesday, (up|down) [\d.]+% on the Wednesday before "
        r"and (up|down) [\d.]+% on the same day last year\.",
        headline[1],
    )
    assert text.count("<li><strong>") >= 4
    assert "39 of 40 checks passed" in text


def test_the_checks_lead_to_what_great_expectations_wrote(rendered: Night) -> None:
    text = page(rendered, "data_quality")
    link = re.search(r'href="([^"#]+)">Each check with what it found', text)
    assert link
    assert (rendered.reports / link[1]).is_file()


def test_counts_of_few_people_are_hidden_and_the_page_says_so(rendered: Night) -> None:
    text = page(rendered)
    row = re.search(r'<tr><th scope="row">Tiny.*?</tr>', text)
    assert row
    assert "hidden" in row[0]
    assert "&lt;11 stands for fewer than 11 people." in text
    assert not re.search(r">7<", row[0])


def test_a_second_run_writes_the_same_bytes(rendered: Night) -> None:
    before = {path.name: path.read_bytes() for path in rendered.reports.iterdir()}
    run(rendered.context)
    assert {path.name: path.read_bytes() for path in rendered.reports.iterdir()} == before
    assert len(before) == 6


def test_without_any_data_every_section_says_so(bare_night: Night) -> None:
    run(bare_night.context)
    text = page(bare_night)
    for sentence in (
        "No sales have arrived yet.",
        "so sales stay anonymous",
        "No source delivers consent, so nobody is contacted.",
        "No check has run.",
        "Nothing has been delivered yet.",
    ):
        assert sentence in text
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).lower().split()
    assert outline(text).open == []


def test_the_build_id_names_day_and_fingerprint(rendered: Night) -> None:
    assert build_id(rendered.context) == "2026-11-18-01234567"
    assert "2026-11-18-01234567" in page(rendered)


def test_a_missing_mart_is_named(first_night: Night) -> None:
    with open_build(first_night.context) as con:
        con.execute("alter table marts.set_aside rename to hidden")
    try:
        with pytest.raises(WarehouseError, match=r"marts\.set_aside has not been built"):
            run(first_night.context)
    finally:
        with open_build(first_night.context) as con:
            con.execute("alter table marts.hidden rename to set_aside")
