"""The site of the shipped project: complete, without dead links, the same every time."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.documentation.catalogue import Catalogue
from cdp_pipeline.documentation.content import segment_columns
from cdp_pipeline.documentation.observed import Observed
from cdp_pipeline.documentation.pages import render_site
from cdp_pipeline.documentation.places import page_of

from .conftest import PageReader, dead_links, read_pages


def test_no_link_is_dead_and_none_leaves_the_site(site: dict[str, bytes]) -> None:
    assert dead_links(site) == []


def test_every_table_and_column_has_its_place(site: dict[str, bytes], catalogue: Catalogue) -> None:
    for name, entry in catalogue.tables.items():
        page = PageReader(site[page_of(name)].decode())
        assert {f"column-{column}" for column in entry.spec.header.columns} <= set(page.ids)
        assert entry.spec.header.owner in page.text
        assert entry.spec.header.grain in page.text


def test_a_condition_that_is_none_is_named_with_its_file(catalogue: Catalogue) -> None:
    project = catalogue.project
    name, segment = next(iter(project.segments.items()))
    wrong = segment.model_copy(update={"where": "1=1); drop table x"})
    changed = replace(catalogue, project=replace(project, segments={name: wrong}))
    with pytest.raises(ConfigError, match="drop table x` is no condition") as caught:
        segment_columns(changed, name)
    assert caught.value.where == str(project.path_of("segment", name))


def test_everything_declared_is_shown(site: dict[str, bytes], catalogue: Catalogue) -> None:
    project = catalogue.project
    texts = {name: page.text for name, page in read_pages(site).items()}
    for segment in project.segments.values():
        assert segment.title in texts["segments.html"]
        assert segment.where in texts["segments.html"]
    for offer in project.offers.values():
        assert offer.message in texts["triggers.html"]
    for destination in project.destinations.values():
        assert destination.title in texts["destinations.html"]
    for step in catalogue.graph.order:
        assert step.summary in texts["timetable.html"]
    assert "03:00 UTC in July" in texts["timetable.html"]
    for source in project.sources:
        assert source in texts[page_of(f"source.{source}")]


def test_pages_are_sound(site: dict[str, bytes]) -> None:
    """One h1, one main, unique ids, a language, no script in the page, nothing from afar."""
    for name, page in read_pages(site).items():
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == 1, name
        assert tags.count("main") == 1, name
        assert len(page.ids) == len(set(page.ids)), name
        scripts = [given for tag, given in page.tags if tag == "script"]
        assert [list(given) for given in scripts] == [["defer", "src"]], name
        assert not any(key.startswith("on") for _, given in page.tags for key in given), name
    assert all(b"http://" not in data and b"https://" not in data for data in site.values())


def test_words_in_backticks_are_shown_as_code(site: dict[str, bytes]) -> None:
    prose = "timetable.html", "tables.html", "tables/identity.clerical_sample.html"
    for path in prose:
        html = site[path].decode()
        assert "`" not in PageReader(html).text, path
        assert "<code>cdp " in html, path


def test_the_index_is_an_array_of_what_exists(site: dict[str, bytes]) -> None:
    script = site["assets/search-index.js"].decode()
    assert "<" not in script
    entries = json.loads(script.removeprefix("window.cdpIndex = ").rstrip().removesuffix(";"))
    kinds = {entry[0] for entry in entries}
    assert {"table", "column", "source", "file column", "segment", "report", "page"} <= kinds
    assert {entry[3].split("#")[0] for entry in entries} <= set(site)


def test_the_same_project_gives_the_same_bytes(
    site: dict[str, bytes], catalogue: Catalogue
) -> None:
    assert render_site(catalogue, Observed()) == site


def test_a_number_of_a_report_leads_to_the_files(catalogue: Catalogue) -> None:
    sources = catalogue.sources_of(("marts.daily_performance", "net_amount"))
    assert ("source.pos_sales", "line_amount") in sources
    assert ("source.ecommerce_order_lines", "line_amount") in sources


def test_tables_of_python_hang_on_what_their_step_reads(catalogue: Catalogue) -> None:
    clv = catalogue.tables["features.clv"]
    assert clv.step == "predict"
    assert "features.customer_purchases" in clv.reads
    assert "features.clv" in catalogue.tables["features.customer_features"].reads
    assert all(entry.step for entry in catalogue.tables.values())
