"""The site in Chromium: accessible, usable by keyboard, searchable, drawn, silent on the network.

Needs Chromium on the path, and Playwright and axe-core, which `pip install axe-playwright-python`
brings; without them it is skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.store import Store

axe_package = pytest.importorskip("axe_playwright_python")
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path"),
]

PAGES = (
    "index", "tables", "tables/core.dim_customer", "lineage", "sources/pos_sales", "segments",
    "triggers", "destinations", "queries", "timetable", "freshness", "models", "personal_data",
    "glossary", "role-privacy", "search",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def address(store: Store, page: str) -> str:
    return (store.data / "docs").resolve().as_uri() + f"/{page}"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_and_nothing_is_cut(
    store: Store, browser: Any, width: int, scheme: str
) -> None:
    axe = (Path(axe_package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    found = []
    for name in PAGES:
        page.goto(address(store, f"{name}.html"))
        page.evaluate(axe)
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [(name, v["id"], v["nodes"][0]["html"][:120]) for v in result["violations"]]
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not wide, f"{name} scrolls sideways at {width}"
    context.close()
    assert found == []


def test_search_by_keyboard(store: Store, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address(store, "tables/core.dim_store.html"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("/")
    page.keyboard.type("fct_sales net_amount", delay=5)
    page.wait_for_selector("#hits a")
    assert "results" in page.inner_text("#found")
    page.keyboard.press("ArrowDown")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/core.fct_sales.html#column-net_amount")
    page.goto(address(store, "search.html?q=winter%20boots"))
    page.wait_for_selector("#all-hits .hit-kind")
    assert "winter boots" in page.inner_text("#all-hits").lower()
    assert problems == []
    assert {url.split(":")[0] for url in requests} == {"file"}


def test_the_drawing_shows_what_a_table_comes_from(store: Store, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address(store, "lineage.html"))
    page.focus('svg a[data-name="marts.daily_performance"]')
    near = page.eval_on_selector_all("svg a.near", "boxes => boxes.map(b => b.dataset.name)")
    assert {"source.pos_sales", "core.fct_sales", "report.customer_performance"} <= set(near)
    assert "identity.judgement_conflicts" not in near
    sizes = page.eval_on_selector_all("svg rect", "boxes => boxes.map(b => b.getBBox().width)")
    assert min(sizes) > 100
