"""Whole nights of stores that tell little: each ends, and a status says what could not be told."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings, load_settings
from cdp_pipeline.orchestration.runner import run_night
from cdp_pipeline.storage.warehouse import fetch_dicts, open_whole

PROJECT = Path(__file__).resolve().parents[2] / "data" / "examples" / "online_retail"
LAST = date(2011, 12, 9)
HEADER = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID",
    "Country",
)  # fmt: skip

Visit = tuple[int, int, int]
"""Customer, days before the last one, units; below zero they are given back."""

EVERY_FORTNIGHT = [(who, ago, 1) for who in range(501) for ago in range(who % 14, 365, 14)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]


@dataclass(frozen=True)
class Shop:
    """A web shop whose one source delivers a file a night."""

    settings: Settings
    landing: Path

    def night(self, day: date, visits: Iterable[Visit]) -> None:
        """Deliver a file of visits and run the whole night."""
        file = self.landing / f"{day}.csv.gz"
        with gzip.open(file, "wt", encoding="utf-8", newline="") as text:
            lines = csv.writer(text)
            lines.writerow(HEADER)
            for number, (who, ago, units) in enumerate(visits):
                invoice = f"{'C' if units < 0 else ''}{500_000 + number}"
                moment = datetime.combine(day - timedelta(days=ago), time(10))
                price, customer = 2 + (who * 7 + ago) % 5, f"{10_000 + who}.0"
                lines.writerow((invoice, "22423", "STAND", units, moment, price, customer, "UK"))
        outcome = run_night(RunContext(day, f"night-{day}", PROJECT, self.settings))
        assert outcome.error is None, outcome.error
        assert outcome.status == "published"

    def statuses(self, sql: str) -> dict[str, int]:
        """Return how many rows have which status."""
        with open_whole(self.settings) as con:
            rows = fetch_dicts(con, f"select {sql} group by all")
        return {row["status"]: row["n"] for row in rows}

    def page(self) -> str:
        return (self.settings.data_dir / "reports/customer_performance.html").read_text("utf-8")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    landing = tmp_path / "landing"
    landing.mkdir()
    settings = load_settings(PROJECT, data_dir=tmp_path / "data", landing_dir=landing)
    return Shop(settings, landing)


@pytest.mark.parametrize(
    ("visits", "groups", "values"),
    [
        pytest.param([], {}, {}, id="no sale", marks=pytest.mark.long),
        pytest.param(
            [(1, ago, 2) for ago in range(0, 365, 9)],
            {"few_buyers": 1},
            {"not_enough_data": 1},
            id="one customer",
        ),
        pytest.param(
            [(who, 0, 1) for who in range(501)],
            {"few_repeaters": 501},
            {"not_enough_data": 501},
            id="one day",
            marks=pytest.mark.long,
        ),
        pytest.param(
            [(who, who % 300, -1) for who in range(501)],
            {"few_buyers": 501},
            {},
            id="all returns",
        ),
    ],
)
def test_a_night_of_little_ends_and_says_what_cannot_be_told(
    visits: list[Visit], groups: dict[str, int], values: dict[str, int], shop: Shop
) -> None:
    shop.night(LAST, visits)
    assert shop.statuses("rfm_status as status, count(*) as n from features.rfm") == groups
    assert shop.statuses("model_status as status, count(*) as n from features.clv") == values
    models = "status, count(*) as n from features.clv_model where part = 'purchases'"
    assert set(shop.statuses(models)) == {"not_enough_data"}
    assert set(shop.statuses("status, count(*) as n from features.propensity_model")) == {
        "not_enough_data"
    }
    assert "Customer performance" in shop.page()
    assert ("No sales have arrived yet." in shop.page()) == (not visits)


def test_customers_who_never_stay_away_are_forecast_without_an_end_also_after_a_day_without_sales(
    shop: Shop,
) -> None:
    ends = {"nbd_fallback": 501}
    for day, visits in ((LAST, EVERY_FORTNIGHT), (LAST + timedelta(days=1), [])):
        shop.night(day, visits)
        assert shop.statuses("rfm_status as status, count(*) as n from features.rfm") == {"ok": 501}
        assert shop.statuses("model_status as status, count(*) as n from features.clv") == ends
