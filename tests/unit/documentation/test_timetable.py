"""Hours are given in both zones, for winter and summer."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.documentation.timetable import Hours, hours_of, read_dags


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("0 4 * * *", "Europe/London", Hours("04:00", "Europe/London", "04:00", "03:00")),
        ("30 2 * * *", "America/New_York", Hours("02:30", "America/New_York", "07:30", "06:30")),
        ("0 4 * * 1", "UTC", Hours("04:00 (0 4 * * 1)", "UTC", "04:00", "04:00")),
        ("*/15 * * * *", "UTC", Hours("*/15 * * * *", "UTC")),
        ("@daily", "UTC", Hours("@daily", "UTC")),
    ],
)
def test_hours(cron: str, zone: str, expected: Hours) -> None:
    assert hours_of(cron, zone, 2026) == expected


def test_dag_files_are_read_not_run(tmp_path: Path) -> None:
    (tmp_path / "cdp_nightly.py").write_text('"""All of it."""\nraise SystemExit(1)\n')
    hours = Hours("04:00", "UTC", "04:00", "04:00")
    dags = read_dags(tmp_path, hours)
    assert [(dag.name, dag.text, dag.hours) for dag in dags] == [
        ("cdp_nightly", "All of it.", hours)
    ]
