"""Local times become moments as the calendar has it, near the delivery's day and far from it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.ingest.local_time import create_clock_macros, to_utc
from cdp_pipeline.storage.warehouse import connect
from tests.unit.ingest.conftest import make_contract

ZONES = (
    "Europe/London",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
CHANGES = (date(2026, 3, 29), date(2026, 10, 25), date(2018, 11, 4), date(2011, 12, 30))
FAR_OFF = date(1990, 1, 15)


def moments(zone: str, around: date, local: list[datetime]) -> list[datetime | None]:
    contract = make_contract({"at": {"type": "timestamp", "time_zone": zone}})
    with connect(EngineSettings(threads=1)) as con:
        create_clock_macros(con, contract, around=around)
        rows = con.execute(
            f"select {to_utc('moment', zone)} from (select unnest(?::timestamp[]) as moment)",
            [local],
        ).fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("around", "local", "expected"),
    [
        ("2026-11-20", "2026-11-20 09:00", "2026-11-20 09:00"),
        ("2026-07-01", "2026-07-01 09:00", "2026-07-01 08:00"),
        ("2026-07-01", "2026-01-01 09:00", "2026-01-01 09:00"),
        ("2026-03-29", "2026-03-29 00:59", "2026-03-29 00:59"),
        ("2026-03-29", "2026-03-29 01:30", None),
        ("2026-03-29", "2026-03-29 02:00", "2026-03-29 01:00"),
        ("2026-10-25", "2026-10-25 00:59", "2026-10-24 23:59"),
        ("2026-10-25", "2026-10-25 01:30", "2026-10-25 01:30"),
    ],
)
def test_clocks_in_london(around: str, local: str, expected: str | None) -> None:
    found = moments("Europe/London", date.fromisoformat(around), [datetime.fromisoformat(local)])
    assert found == [expected and datetime.fromisoformat(expected)]


@settings(max_examples=25, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    around=st.one_of(
        st.dates(date(1995, 1, 1), date(2035, 1, 1)),
        st.builds(
            lambda day, days: day + timedelta(days), st.sampled_from(CHANGES), st.integers(-11, 11)
        ),
    ),
    minutes=st.lists(st.integers(-14 * 1440, 5 * 1440), min_size=1, max_size=50),
)
def test_the_day_asked_about_changes_no_moment(zone: str, around: date, minutes: list[int]) -> None:
    local = [datetime.combine(around, datetime.min.time()) + timedelta(minutes=n) for n in minutes]
    assert moments(zone, around, local) == moments(zone, FAR_OFF, local)


def test_every_quarter_of_an_hour_around_each_change() -> None:
    for zone in ZONES:
        for change in CHANGES:
            first = datetime.combine(change - timedelta(days=2), datetime.min.time())
            local = [first + timedelta(minutes=15 * n) for n in range(4 * 96)]
            assert moments(zone, change, local) == moments(zone, FAR_OFF, local)
