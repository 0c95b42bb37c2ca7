"""Which pages the site has and what each is given; templates turn them into HTML.

Templates stand in ``reports/templates/docs``, with those of the reports, whose style sheet and
colours they share. Escaping is on everywhere and nothing is marked safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from cdp_pipeline.documentation import content, places
from cdp_pipeline.documentation.catalogue import SOURCE, Catalogue
from cdp_pipeline.documentation.drawing import BOX_HEIGHT, BOX_WIDTH, draw_lineage
from cdp_pipeline.documentation.observed import Observed, is_about_models
from cdp_pipeline.documentation.roles import ROLE_PAGES
from cdp_pipeline.documentation.search_index import Entry, write_index
from cdp_pipeline.documentation.timetable import hours_of, read_dags
from cdp_pipeline.project.loader import starter_folder
from cdp_pipeline.reporting.formats import Formatter
from cdp_pipeline.warehouse.rehearsal import REHEARSAL_DATE

TEMPLATES = "docs"
_NAVIGATION = (
    ("index.html", "Home"),
    ("tables.html", "Tables"),
    ("lineage.html", "Lineage"),
    ("sources.html", "Sources"),
    ("segments.html", "Segments"),
    ("triggers.html", "Triggers"),
    ("destinations.html", "Destinations"),
    ("reports.html", "Reports"),
    ("queries.html", "Queries"),
    ("timetable.html", "Timetable"),
    ("freshness.html", "Freshness"),
    ("models.html", "Models"),
    ("personal_data.html", "Personal data"),
    ("glossary.html", "Glossary"),
)


@dataclass(frozen=True)
class Page:
    """One HTML page.

    Attributes:
        path: Address from the site's root, quoted.
        title: Heading.
        template: File in ``docs``.
        given: What the template gets beside the globals.
        part: Page of the navigation that it belongs to.
    """

    path: str
    title: str
    template: str
    given: dict[str, Any] = field(default_factory=dict)
    part: str = ""

    @property
    def root(self) -> str:
        """Way from the page to the site's root."""
        return "../" * self.path.count("/")


def render_site(catalogue: Catalogue, seen: Observed) -> dict[str, bytes]:
    """Return every file of the site by its path; the same inputs give the same bytes."""
    pages = list(list_pages(catalogue, seen))
    environment = _environment(catalogue, seen, {page.path for page in pages})
    files = {
        page.path: _render(environment, page.template, page=page, **page.given).encode()
        for page in pages
    }
    for asset in ("style.css", "site.js"):
        text = _render(environment, asset, brand=catalogue.project.brand)
        files[f"assets/{asset}"] = text.encode()
    files["assets/search-index.js"] = write_index(index_entries(catalogue, pages)).encode()
    return files


def _render(environment: Environment, template: str, **given: Any) -> str:  # noqa: ANN401 - Jinja's
    return environment.get_template(f"{TEMPLATES}/{template}").render(**given)


def _environment(catalogue: Catalogue, seen: Observed, known: set[str]) -> Environment:
    shipped = starter_folder("reports") / "templates"
    environment = Environment(
        loader=ChoiceLoader(
            [FileSystemLoader(catalogue.project.templates), FileSystemLoader(shipped)]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    settings = catalogue.settings
    environment.globals |= {
        "catalogue": catalogue,
        "project": catalogue.project,
        "seen": seen,
        "store": settings.store_name,
        "formatter": Formatter(settings.locale, settings.currency, settings.privacy.smallest_count),
        "navigation": _NAVIGATION,
        "known": known,
        "page_of": places.page_of,
        "column_page": places.column_page,
        "anchor": places.anchor,
        "quoted": places.quoted,
        "check_text": content.check_text,
        "SOURCE": SOURCE,
    }
    return environment


def list_pages(catalogue: Catalogue, seen: Observed) -> Iterator[Page]:
    """Yield every page of the site."""
    project = catalogue.project
    layers = content.layers_of(catalogue)
    yield Page("index.html", "Documentation", "index.html.j2", {"roles": ROLE_PAGES})
    for role in ROLE_PAGES:
        queries = [query for query in project.queries.values() if query.header.role == role.role]
        given = {"role": role, "queries": queries}
        title = f"I am a … {role.title.lower()}"
        yield Page(f"role-{role.role}.html", title, "role.html.j2", given, "index.html")
    yield Page("tables.html", "Tables", "tables.html.j2", {"layers": layers})
    for name, entry in sorted(catalogue.tables.items()):
        given = {"entry": entry, "columns": content.columns_of(catalogue, seen, entry)}
        yield Page(places.page_of(name), name, "table.html.j2", given, "tables.html")
    drawing = {"drawing": draw_lineage(catalogue), "width": BOX_WIDTH, "height": BOX_HEIGHT}
    yield Page("lineage.html", "Lineage", "lineage.html.j2", {**drawing, "layers": layers})
    yield Page("sources.html", "Sources", "sources.html.j2")
    for name, contract in sorted(project.sources.items()):
        feeds = content.feeds_of(catalogue, name, contract)
        given = {"name": name, "contract": contract, "feeds": feeds}
        place = places.page_of(f"{SOURCE}.{name}")
        yield Page(place, contract.title, "source.html.j2", given, "sources.html")
    yield from _people_pages(catalogue)
    yield from _operation_pages(catalogue, seen)


def _people_pages(catalogue: Catalogue) -> Iterator[Page]:
    """Yield what marketers, managers and analysts look at."""
    project = catalogue.project
    used = {name: content.segment_columns(catalogue, name) for name in project.segments}
    blocks = {
        name: content.report_blocks(catalogue, report.blocks)
        for name, report in project.reports.items()
    }
    yield Page("segments.html", "Segments", "segments.html.j2", {"used": used})
    yield Page("triggers.html", "Triggers", "triggers.html.j2")
    yield Page("destinations.html", "Destinations", "destinations.html.j2")
    yield Page("reports.html", "Reports", "reports.html.j2", {"blocks": blocks})
    yield Page("queries.html", "Named queries", "queries.html.j2")
    terms = content.glossary_of(catalogue)
    yield Page("glossary.html", "Glossary", "glossary.html.j2", {"terms": terms})
    yield Page("search.html", "Search", "search.html.j2", part="search.html")


def _operation_pages(catalogue: Catalogue, seen: Observed) -> Iterator[Page]:
    """Yield what engineers and privacy officers look at."""
    settings, project = catalogue.settings, catalogue.project
    year = (seen.business_date or REHEARSAL_DATE).year
    hours = hours_of(settings.schedule, settings.time_zone, year)
    own = project.root / "dags"
    dags = read_dags(own if own.is_dir() else starter_folder("dags"), hours)
    made = {
        step.name: sorted(n for n, e in catalogue.tables.items() if e.step == step.name)
        for step in catalogue.graph.order
    }
    given = {"dags": dags, "hours": hours, "made": made}
    yield Page("timetable.html", "Timetable", "timetable.html.j2", given)
    layers = content.layers_of(catalogue)
    yield Page("freshness.html", "Freshness", "freshness.html.j2", {"layers": layers})
    models = [name for name in sorted(catalogue.tables) if is_about_models(name)]
    yield Page("models.html", "Models", "models.html.j2", {"models": models})
    kinds = content.personal_columns(catalogue)
    yield Page("personal_data.html", "Personal data", "personal_data.html.j2", {"kinds": kinds})


def index_entries(catalogue: Catalogue, pages: list[Page]) -> Iterator[Entry]:
    """Yield everything that can be searched for: pages, tables, columns, declarations, words."""
    for page in pages:
        if page.template not in {"table.html.j2", "source.html.j2"}:
            yield ("page", page.title, "", page.path)
    yield from _data_entries(catalogue)
    project = catalogue.project
    for kind, page_path, found in (
        ("segment", "segments.html", project.segments),
        ("offer", "triggers.html", project.offers),
        ("destination", "destinations.html", project.destinations),
        ("report", "reports.html", project.reports),
    ):
        for name, spec in found.items():
            text = getattr(spec, "description", "") or name
            yield (kind, spec.title, text, f"{page_path}{_hash(kind, name)}")
    for name, query in project.queries.items():
        yield ("query", name, query.header.question, f"queries.html{_hash('query', name)}")
    for word, text in content.glossary_of(catalogue).items():
        yield ("word", word, text, f"glossary.html{_hash('word', word)}")


def _data_entries(catalogue: Catalogue) -> Iterator[Entry]:
    for name, entry in sorted(catalogue.tables.items()):
        yield ("table", name, entry.spec.header.description, places.page_of(name))
        for column, declared in entry.spec.header.columns.items():
            address = places.column_page(name, column)
            yield ("column", f"{name}.{column}", declared.description, address)
    for name, contract in catalogue.project.sources.items():
        place = places.page_of(f"{SOURCE}.{name}")
        yield ("source", name, f"{contract.title}. {contract.description}", place)
        for column, delivered in contract.columns.items():
            address = places.column_page(f"{SOURCE}.{name}", column)
            yield ("file column", f"{name}.{column}", delivered.description, address)


def _hash(kind: str, name: str) -> str:
    return "#" + places.quoted(places.anchor(kind, name))
