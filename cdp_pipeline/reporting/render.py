"""The step that turns declared reports into one HTML page and one e-mail each.

Pages are self-contained: no script, no request, styles and drawings inline. Escaping is on for
every template; what is marked safe is drawn by ``charts``. Sending belongs to activation.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.reports import Block, ReportSpec, Sentence, check_report
from cdp_pipeline.reporting.blocks import make_card
from cdp_pipeline.reporting.checks import read_checks
from cdp_pipeline.reporting.formats import Formatter
from cdp_pipeline.reporting.headline import write_all, write_first
from cdp_pipeline.reporting.mail import build_message
from cdp_pipeline.reporting.marts import RowDict
from cdp_pipeline.reporting.remembered import Remembered, read_remembered, write_remembered
from cdp_pipeline.reporting.segment_sizes import TABLE as SEGMENTS
from cdp_pipeline.reporting.segment_sizes import remember_sizes
from cdp_pipeline.reporting.views import Card, Page, Section
from cdp_pipeline.reporting.withholding import MartReader
from cdp_pipeline.storage.files import write_atomic
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_dicts, has_table, open_build, read_plan

_UNKNOWN_FINGERPRINT = "unplanned"


def run(context: RunContext) -> StepResult:
    """Write ``reports/<report>.html`` and ``reports/<report>.eml`` of every declared report.

    Raises:
        ConfigError: A report names a mart or column that does not exist.
        WarehouseError: A mart has not been built.
    """
    project = load_project(context.project_root)
    for name, spec in project.reports.items():
        check_report(spec, project.tables, project.path_of("report", name))
    folder = DataPaths.of(context).ensure(DataPaths.of(context).tree / "reports")
    environment = make_environment(project.templates)
    sizes: dict[str, int] = {}
    with open_build(context) as con:
        day, base = context.business_date.isoformat(), read_plan(context).get("base_path")
        before = read_remembered(Path(base).parent if base else None, business_date=day)
        smallest = formatter_of(context).smallest
        reader = MartReader(con, project, smallest=smallest, before=before)
        for name, spec in project.reports.items():
            page = make_page(reader, spec, context)
            html = render_page(environment, page, project, context)
            message = build_message(environment, page, project, context)
            write_atomic(folder / page.file_name, html.encode())
            write_atomic(folder / f"{name}.eml", message)
            sizes |= {page.file_name: len(html.encode()), f"{name}.eml": len(message)}
        after = reader.remember() | _remember_segments(con, project, smallest, before)
        write_remembered(folder.parent, before, after, business_date=day)
    return StepResult(
        rows_out=len(project.reports),
        messages=(f"{len(project.reports)} reports, each as page and as e-mail",),
        facts={"bytes": sizes},
    )


def _remember_segments(
    con: duckdb.DuckDBPyConnection, project: Project, smallest: int, before: Remembered
) -> Remembered:
    """Return what the documentation, written after the night, will have withheld of it."""
    if not has_table(con, SEGMENTS):
        return Remembered()
    rows = fetch_dicts(con, f"select * from {SEGMENTS} order by segment")  # noqa: S608 - constant
    header = project.table(SEGMENTS).header
    return remember_sizes(rows, header, smallest=smallest, before=before)


def make_environment(templates: Path) -> Environment:
    """Return Jinja with escaping on and unknown names refused."""
    return Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(environment: Environment, page: Page, project: Project, context: RunContext) -> str:
    """Return the HTML of a page."""
    language = formatter_of(context).language
    template = environment.get_template("page.html.j2")
    return template.render(page=page, brand=project.brand, language=language)


def make_page(reader: MartReader, spec: ReportSpec, context: RunContext) -> Page:
    """Read everything a report shows and return it as texts."""
    formatter = formatter_of(context)
    checks = read_checks(DataPaths.of(context).tree, formatter)

    @functools.cache
    def read(sentence: Sentence) -> RowDict | None:
        rows = reader.rows(sentence.mart, where=sentence.where, sort=sentence.sort, limit=1)
        return rows[0] if rows else None

    def card(number: int, block: Block) -> Card:
        rows = _read_block(reader, block)
        uid = f"c{number}"
        return make_card(block, rows, formatter, uid=uid, checks=checks.table)

    cards = [(block.section, card(number, block)) for number, block in enumerate(spec.blocks)]
    fallback = f"{spec.title} on {formatter.write(context.business_date, 'date_long')}"
    return Page(
        spec=spec,
        store=context.settings.store_name,
        day=formatter.write(context.business_date, "date_long"),
        headline=write_first(spec.headline, read, formatter) or "",
        subject=write_first(spec.subject, read, formatter) or fallback,
        changes=write_all(spec.changes, read, formatter),
        sections=_group(cards),
        checks=checks,
        build_id=build_id(context),
    )


def formatter_of(context: RunContext) -> Formatter:
    """Return the formatter of the project's locale, currency and smallest count."""
    settings = context.settings
    return Formatter(settings.locale, settings.currency, settings.privacy.smallest_count)


def build_id(context: RunContext) -> str:
    """Return the id of the build that all pages and mails of a night share."""
    fingerprint = str(read_plan(context).get("fingerprint", _UNKNOWN_FINGERPRINT))
    return f"{context.business_date.isoformat()}-{fingerprint[:8]}"


def _read_block(reader: MartReader, block: Block) -> list[RowDict]:
    if block.mart is None:
        return []
    return reader.rows(block.mart, where=block.where, sort=block.sort, limit=block.limit)


def _group(cards: Sequence[tuple[str, Card]]) -> list[Section]:
    """Return sections in the order of their first cards; one title is one section."""
    titles: dict[str, list[Card]] = {}
    for title, card in cards:
        titles.setdefault(title, []).append(card)
    return [
        Section(
            anchor="".join(c if c.isalnum() else "-" for c in title.lower()) or "top",
            title=title,
            cards=tuple(members),
        )
        for title, members in titles.items()
    ]
