"""Great Expectations' Data Docs: one static site for a run, readable offline.

The pages are Great Expectations' own. What is taken out of them afterwards is what would differ
between two equal runs (random element ids, the clock) and what would call other servers when a
page is opened (style sheets and scripts from six networks, a logo that counts views); one small
style sheet of ours stands in. Results are neither judged nor changed here.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

from great_expectations import __version__ as gx_version
from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

from cdp_pipeline.quality.results import SuiteSummary
from cdp_pipeline.storage.files import read_json, write_json

SITE = "data_docs"
"""Folder of the site about deliveries, and its name for Great Expectations."""

WAREHOUSE_SITE = "data_docs_warehouse"
"""Folder of the site about finished tables."""

FIRST_PAGE = "index.html"

_SUITES = "suites.json"
"""What the page of each suite was made of: a hash by name."""

_STYLE_SHEET = "static/styles/offline.css"
_UNUSED = (
    "static/fonts",
    "static/images/glossary_scroller.gif",
    "static/images/iterative-dev-loop.png",
    "static/images/validation_failed_unexpected_values.gif",
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_LOAD_TIME = re.compile(r"\b\d{8}T\d{6}\.\d{6}Z(?=</span>)")
_REMOTE_SCRIPT = re.compile(r"<script[^>]*\bsrc=\"https?:[^>]*>\s*</script>", re.IGNORECASE)
_REMOTE_TAG = re.compile(r"<(?:link|img)\b[^>]*\b(?:href|src)=\"https?:[^>]*>", re.IGNORECASE)
_FORM = re.compile(r"<form\b.*?</form>", re.IGNORECASE | re.DOTALL)

_TABS = '<div class="tab-content"'

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #d8d8d8; padding: .3rem .6rem; text-align: left;
    vertical-align: top; }
ol, ul { list-style: none; padding-left: 0; }
.nav, .breadcrumb { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
.tab-content > .tab-pane, .collapse, .modal .modal-body { display: block; }
.modal, .dropdown-menu, footer, .ge-index-page-tabs-container .nav-tabs,
.ge-index-page-tabs-container .tab-content { display: none; }
.badge { background: #e8eef8; border-radius: .3rem; padding: .05rem .4rem; }
.fa-check-circle::before { color: #1a7f37; content: "\\2713"; }
.fa-times::before, .fa-exclamation-triangle::before { color: #b42318; content: "\\2717"; }
code, .code-block { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
"""


def describe_site(folder: Path) -> dict[str, Any]:
    """Return the configuration of a site that lies in a folder."""
    return {
        SITE: {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
    }


def build_site(
    context: AbstractDataContext,
    folder: Path,
    summaries: Sequence[SuiteSummary],
    *,
    before: Path | None = None,
) -> Path:
    """Build the site of every suite the context has run and return its first page.

    Args:
        context: Context made with ``describe_site(folder)``.
        folder: The site's folder; what stood there is replaced.
        summaries: Suites listed on the first page, in their order.
        before: Site of an earlier run. A suite that says what it said then keeps its page: it
            looks the same, and to render it costs as much as to render its results.
    """
    if folder.exists():
        shutil.rmtree(folder)
    suites = _fingerprint_suites(context)
    kept = _keep_pages(before, folder, suites) if before else set()
    wanted: list[Any] = [ExpectationSuiteIdentifier(name) for name in suites if name not in kept]
    wanted += context.validation_results_store.list_keys()
    context.build_data_docs(site_names=[SITE], resource_identifiers=wanted)
    for name in _UNUSED:
        unused = folder / name
        if unused.is_dir():
            shutil.rmtree(unused)
        else:
            unused.unlink(missing_ok=True)
    (folder / _STYLE_SHEET).write_text(_STYLE, encoding="utf-8")
    write_json(folder / _SUITES, suites)
    settled = {_page_of(name) for name in kept}
    for page in sorted(folder.rglob("*.html")):
        place = page.relative_to(folder)
        if place not in settled:
            text = page.read_text(encoding="utf-8")
            root = "../" * (len(place.parts) - 1)
            page.write_text(settle_page(text, root=root), encoding="utf-8")
    index = folder / FIRST_PAGE
    text = index.read_text(encoding="utf-8")
    listing = _list_suites(folder, summaries)
    index.write_text(text.replace(_TABS, listing + _TABS, 1), encoding="utf-8")
    return index


def _fingerprint_suites(context: AbstractDataContext) -> dict[str, str]:
    """Return, for each suite, a hash of all that its page shows."""
    how = sha256(Path(__file__).read_bytes()).hexdigest()
    found = {}
    for suite in context.suites.all():
        expectations = [e.to_json_dict() | {"id": None} for e in suite.expectation_configurations]
        text = json.dumps([how, gx_version, expectations, suite.meta], sort_keys=True, default=str)
        found[suite.name] = sha256(text.encode()).hexdigest()
    return found


def _keep_pages(before: Path, folder: Path, suites: Mapping[str, str]) -> set[str]:
    """Copy the pages of suites that are as they were, and return these suites."""
    earlier = read_json(before / _SUITES)
    kept = set()
    for name, fingerprint in suites.items():
        page = before / _page_of(name)
        if earlier.get(name) == fingerprint and page.is_file():
            (folder / _page_of(name)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, folder / _page_of(name))
            kept.add(name)
    return kept


def _page_of(suite: str) -> Path:
    """Return where Great Expectations puts the page about a suite's expectations."""
    return Path("expectations", *suite.split(".")).with_suffix(".html")


def _list_suites(folder: Path, summaries: Sequence[SuiteSummary]) -> str:
    """Return a table of links; Great Expectations' own needs scripts of other servers."""
    rows: list[str] = []
    for summary in summaries:
        name = escape(summary.suite)
        pages = sorted((folder / "validations" / summary.suite).rglob("*.html"))
        link = f'<a href="{pages[0].relative_to(folder).as_posix()}">{name}</a>' if pages else name
        cells = (link, summary.status, summary.rows, summary.checks, summary.failed)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    titles = ("Suite", "Status", "Rows", "Checks", "Failed checks")
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def settle_page(text: str, *, root: str) -> str:
    """Return a page without random ids, clock times and calls to other servers.

    Args:
        text: HTML as Great Expectations wrote it.
        root: Relative path from the page to the site's folder, empty or ending in a slash.

    >>> settle_page('<head><link href="https://cdn.example/a.css"></head>', root="../")
    '<head><link rel="stylesheet" href="../static/styles/offline.css"></head>'
    """
    numbers = count(1)
    known: dict[str, str] = {}
    text = _UUID.sub(lambda m: known.setdefault(m.group(), f"id{next(numbers)}"), text)
    text = _LOAD_TIME.sub("", text)
    for pattern in (_FORM, _REMOTE_SCRIPT, _REMOTE_TAG):
        text = pattern.sub("", text)
    sheet = f'<link rel="stylesheet" href="{root}{_STYLE_SHEET}">'
    return text.replace("</head>", f"{sheet}</head>", 1)
