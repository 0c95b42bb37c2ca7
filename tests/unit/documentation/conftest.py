"""The site of the shipped project, made from its declarations alone."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.documentation.catalogue import Catalogue, build_catalogue
from cdp_pipeline.documentation.observed import Observed
from cdp_pipeline.documentation.pages import render_site
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.warehouse.rehearsal import REHEARSAL_DATE

VOID = {"meta", "link", "input", "br", "wbr", "rect", "path", "line", "circle", "hr", "img"}


class PageReader(HTMLParser):
    """Ids, addresses, tags and texts of a page; every tag must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given[key]) for key in ("href", "src", "action") if key in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read_pages(files: dict[str, bytes]) -> dict[str, PageReader]:
    """Return every HTML page of a site, parsed."""
    return {
        name: PageReader(data.decode()) for name, data in files.items() if name.endswith(".html")
    }


def dead_links(files: dict[str, bytes]) -> list[str]:
    """Return addresses that lead nowhere: no such file, or no such place in it."""
    pages = read_pages(files)
    on_disk = {unquote(name): name for name in files}
    dead = []
    for name, page in pages.items():
        folder = Path("/", unquote(name)).parent
        for link in page.links:
            parts = urlsplit(link)
            assert not parts.scheme + parts.netloc, f"{name}: {link} leaves the site"
            target = (folder / unquote(parts.path)).resolve().as_posix().lstrip("/")
            target = target if parts.path else unquote(name)
            place = unquote(parts.fragment)
            if target not in on_disk or (place and place not in pages[on_disk[target]].ids):
                dead.append(f"{name}: {link}")
    return dead


@pytest.fixture(scope="session")
def catalogue(repository: Path) -> Catalogue:
    return build_catalogue(load_project(repository), load_settings(repository), REHEARSAL_DATE)


@pytest.fixture(scope="session")
def site(catalogue: Catalogue) -> dict[str, bytes]:
    return render_site(catalogue, Observed())
