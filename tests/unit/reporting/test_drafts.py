"""Drafted reports can be drawn, whatever mart they begin with."""

from __future__ import annotations

from pathlib import Path

from cdp_pipeline.project.drafts.reports import draft_report, find_marts
from cdp_pipeline.project.drafts.words import choose_words
from cdp_pipeline.project.reports import ReportSpec, check_report
from cdp_pipeline.project.yaml_source import parse_model
from cdp_pipeline.reporting.render import make_environment, make_page, render_page
from cdp_pipeline.reporting.withholding import MartReader
from cdp_pipeline.storage.warehouse import open_build
from tests.unit.reporting.conftest import Night


def test_a_report_drafted_from_any_mart_is_drawn(night: Night) -> None:
    project = night.project
    marts = find_marts(project.tables)
    environment = make_environment(project.templates)
    assert len(marts) > 30
    with open_build(night.context) as con:
        reader = MartReader(con, project, smallest=night.context.settings.privacy.smallest_count)
        for name, mart in marts.items():
            text = draft_report(choose_words("mine", None, None), mart=mart, marts=marts)
            spec = parse_model(ReportSpec, text, path=Path("mine.yml"), name="mine")
            check_report(spec, project.tables, Path("mine.yml"))
            page = make_page(reader, spec, night.context)
            assert mart.name.replace("_", " ").capitalize() in render_page(
                environment, page, project, night.context
            ), name


def test_counts_of_people_and_what_rests_on_them_are_withheld(night: Night) -> None:
    marts = find_marts(night.project.tables)
    mart = marts["marts.rfm_groups"]
    text = draft_report(choose_words("mine", None, None), mart=mart, marts=marts)
    assert "{column: customer_count, label: Customer, format: people}" in text
    assert "label: Customer share, format: share, people: customer_count}" in text
