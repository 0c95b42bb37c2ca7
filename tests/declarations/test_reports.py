"""Shipped reports read only what the marts document; every mart says who owns it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.reports import Brand, Format, Kind, ReportSpec, check_report
from cdp_pipeline.project.yaml_source import parse_model

HERE = Path("report.yml")
REPORT = """\
title: A report
owner: me
audience: All
blocks:
  - kind: table
    from: marts.revenue_by_channel
    columns:
      - {column: channel}
"""


@pytest.fixture
def project(repository: Path) -> Project:
    return load_project(repository)


def parse(text: str) -> ReportSpec:
    return parse_model(ReportSpec, text, path=HERE, name="report")


def test_shipped_reports_name_known_marts_and_columns(project: Project) -> None:
    assert {"customer_performance", "data_quality"} <= set(project.reports)
    for name, spec in project.reports.items():
        check_report(spec, project.tables, project.path_of("report", name))


def test_every_block_that_may_be_empty_says_so_in_words(project: Project) -> None:
    for spec in project.reports.values():
        for block in spec.blocks:
            assert block.kind in {"terms", "note"} or block.empty.endswith(".")
            assert block.kind in {"kpi", "terms", "note"} or block.title


def test_every_mart_is_read_by_a_report_a_query_or_another_mart(project: Project) -> None:
    shown = {mart for spec in project.reports.values() for mart in spec.marts}
    texts = {spec.full_name: spec.sql or "" for spec in project.models("marts")}
    asked = {name: query.sql for name, query in project.queries.items()}
    for name in texts:
        readers = [n for n, text in (texts | asked).items() if n != name and name in text]
        assert name in shown or readers, f"nobody reads {name}"


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("marts.revenue_by_channel", "marts.revenue_by_chanel", "Did you mean `marts.revenue_by"),
        ("marts.revenue_by_channel", "core.fct_sales", "Reports read marts only"),
        ("{column: channel}", "{column: chanel}", "Did you mean `channel`?"),
    ],
)
def test_misspelt_marts_and_columns_are_refused(
    project: Project, old: str, new: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_report(parse(REPORT.replace(old, new)), project.tables, HERE)
    assert hint in str(caught.value)


def test_counts_of_people_written_in_clear_are_refused_with_their_line(project: Project) -> None:
    text = REPORT.replace(
        "marts.revenue_by_channel", "marts.rfm_groups\n    sort: [customer_count]"
    ).replace("{column: channel}", "{column: customer_count, format: count}")
    with pytest.raises(ConfigError, match="counts people") as caught:
        check_report(parse(text), project.tables, HERE)
    assert str(caught.value).startswith("report.yml:")
    assert "Write `format: people`" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind: table": "kind: tabel"}, "table"),
        ({"    columns:\n      - {column: channel}\n": ""}, "needs `columns:`"),
        ({"title: A report": "title: A report\nheadlin: x"}, "Did you mean `headline`?"),
        (
            {"blocks:": "headline:\n  - {from: marts.a, text: '{x:monney}'}\nblocks:"},
            "has no such format",
        ),
    ],
)
def test_mistakes_name_their_line(change: dict[str, str], message: str) -> None:
    text = REPORT
    for old, new in change.items():
        text = text.replace(old, new)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        parse(text)
    assert str(caught.value).startswith("report.yml:")


@pytest.mark.parametrize(
    ("colours", "paper"),
    [
        (("accent", "compare", "down"), "#ffffff"),
        (("accent_dark", "compare_dark", "down_dark"), "#1b1d1a"),
    ],
)
def test_brand_colours_are_readable(project: Project, colours: tuple[str, ...], paper: str) -> None:
    for name in colours:
        least = 3.0 if name.startswith("compare") else 4.5
        assert contrast(getattr(project.brand, name), paper) >= least, name


def test_colours_must_be_hex() -> None:
    with pytest.raises(ConfigError):
        parse_model(Brand, "accent: 'red;}'", path=HERE, name="brand")


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, 1.4.3)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts: list[Any] = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))


def test_the_example_of_the_readme_is_a_report(project: Project, repository: Path) -> None:
    text = (repository / "reports" / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert example
    check_report(parse(example[1]), project.tables, HERE)


def test_the_readme_names_every_kind_and_format(repository: Path) -> None:
    text = (repository / "reports" / "README.md").read_text(encoding="utf-8")
    for name in (*get_args(Kind), *get_args(Format)):
        assert re.search(rf"[`\s]{name}[`\s]", text), name
