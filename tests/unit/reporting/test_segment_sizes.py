"""The documentation of two nights side by side tells no size that one of them withheld."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.privacy.small_counts import Withheld
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.reporting.remembered import Remembered, write_remembered
from cdp_pipeline.reporting.segment_sizes import TABLE, remember_sizes, withhold_sizes

HEADER = load_project(Path(__file__).parents[3]).table(TABLE).header
SMALLEST = 11


def rows(**sizes: int) -> list[dict[str, Any]]:
    return [{"segment": name, "size": size} for name, size in sizes.items()]


def nights(folder: Path, *told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the documentation shows of each of several nights."""
    before, shown = Remembered(), []
    for number, segments in enumerate(told, start=1):
        day, version = f"2026-11-{number:02}", folder / str(number)
        version.mkdir()
        after = remember_sizes(segments, HEADER, smallest=SMALLEST, before=before)
        write_remembered(version, before, after, business_date=day)
        found = withhold_sizes(segments, HEADER, version, smallest=SMALLEST, night=day)
        again = withhold_sizes(segments, HEADER, version, smallest=SMALLEST, night=day)
        assert found == again, "it may be written at any time"
        shown.append({row["segment"]: row["size"] for row in found})
        before = after
    return shown


def test_a_size_hidden_beside_a_small_one_stays_hidden_while_it_hardly_changes(
    tmp_path: Path,
) -> None:
    first, second, third = nights(
        tmp_path,
        rows(loyal=500, lapsed=40, few=4),
        rows(loyal=500, lapsed=40, few=15),
        rows(loyal=500, lapsed=60, few=30),
    )
    hidden = {name for name, size in first.items() if isinstance(size, Withheld)}
    assert {"few", "lapsed"} <= hidden, "the sum of all is known"
    assert first["loyal"] == 500
    assert isinstance(second["lapsed"], Withheld), "or the first night's few would follow from it"
    assert third == {"loyal": 500, "lapsed": 60, "few": 30}


def test_without_a_small_one_nothing_is_hidden(tmp_path: Path) -> None:
    assert nights(tmp_path, rows(loyal=500, lapsed=40)) == [{"loyal": 500, "lapsed": 40}]


@pytest.mark.parametrize("size", [1, 10])
def test_a_version_that_remembers_nothing_hides_what_is_small(tmp_path: Path, size: int) -> None:
    (row, *_) = withhold_sizes(
        rows(few=size, loyal=500), HEADER, tmp_path, smallest=SMALLEST, night="2026-11-01"
    )
    assert isinstance(row["size"], Withheld)
