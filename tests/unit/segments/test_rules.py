"""A segment's predicate: what passes, and what a marketer is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.marketing import SegmentSpec
from cdp_pipeline.segments.rules import served, vet_segment

if TYPE_CHECKING:
    from tests.unit.conftest import Marketing

COLUMNS = {"recency_days": "INTEGER", "city": "VARCHAR", "has_account": "BOOLEAN"}


def vet(where: str, path: Path = Path("vips.yml")) -> str:
    spec = SegmentSpec(name="vips", title="VIPs", owner="crm", where=where)
    return vet_segment(spec, columns=COLUMNS, path=path)


def test_a_condition_over_known_columns_passes() -> None:
    assert vet("recency_days between 60 and 120 and not has_account").startswith("(recency_days")


@pytest.mark.parametrize(
    "where",
    [
        "recencydays > 3",
        "recency_days > 'abc'",
        "recency_days",
        "1=1); drop table customers; --",
        "city in (select city from core.dim_store)",
        "read_text('/etc/passwd') = ''",
        "count(*) > 3",
    ],
)
def test_everything_else_is_refused(where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        vet(where)
    assert caught.value.hint


def test_a_comment_ends_before_the_bracket_does() -> None:
    assert vet("recency_days > 3 -- ) or (true").endswith("\n)")


def test_a_mistake_is_told_with_file_line_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "vips.yml"
    path.write_text("title: VIPs\nowner: crm\nwhere: recencydays > 3\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        vet("recencydays > 3", path)
    assert caught.value.where == f"{path}:3:1"
    assert "recency_days" in str(caught.value)


def test_expired_segments_are_not_served(marketing: Marketing) -> None:
    marketing.declare("segment", "a_last", where="true", priority=9)
    marketing.declare("segment", "first", where="true", priority=1)
    marketing.declare("segment", "old", where="true", expires_on="2026-11-19")
    marketing.declare("segment", "until_today", where="true", expires_on="2026-11-20")
    specs, messages = served(load_project(marketing.root), business_date=date(2026, 11, 20))
    assert [spec.name for spec in specs] == ["first", "a_last", "until_today"]
    assert messages == ["segment old expired on 2026-11-19: not served"]
