"""Real data by contract alone: a year of a UK web shop, point of sale only.

The files are not part of the repository; without them the test is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings, load_settings
from cdp_pipeline.orchestration.runner import run_night
from cdp_pipeline.storage.warehouse import fetch_dicts, fetch_value, open_whole

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "data" / "examples" / "online_retail"
FILES = ROOT.parent / "shared" / "data" / "uci_online_retail"
LAST_DAY = date(2011, 12, 9)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILES.is_dir(), reason="the UCI Online Retail files are not here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]


@dataclass(frozen=True)
class Shop:
    settings: Settings

    def value(self, sql: str) -> object:
        with open_whole(self.settings) as con:
            return fetch_value(con, sql)

    def rows(self, sql: str) -> list[dict[str, object]]:
        with open_whole(self.settings) as con:
            return fetch_dicts(con, sql)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    data = tmp_path_factory.mktemp("uci") / "data"
    settings = load_settings(PROJECT, data_dir=data, landing_dir=FILES)
    outcome = run_night(RunContext(LAST_DAY, f"night-{LAST_DAY}", PROJECT, settings))
    assert outcome.error is None, outcome.error
    return Shop(settings)


def test_the_project_is_declarations_only() -> None:
    kinds = {path.suffix for path in PROJECT.rglob("*") if path.is_file()}
    assert kinds <= {".yml", ".toml", ".md"}


def test_every_line_is_accounted_for(shop: Shop) -> None:
    total = shop.rows(
        "select count(*) as files, sum(records) as records, sum(loaded) as loaded, "
        "sum(quarantined) as quarantined, sum(duplicates) as duplicates, "
        "sum(excluded) as excluded from ops.deliveries"
    )[0]
    assert total["files"] == 305
    assert total["records"] == 541_909
    parts = ("loaded", "quarantined", "duplicates", "excluded")
    assert sum(int(str(total[part])) for part in parts) == 541_909
    assert int(str(total["loaded"])) > 530_000


def test_customers_are_those_of_the_data(shop: Shop) -> None:
    assert shop.value("select count(*) from core.dim_customer") == 4_372


def test_returns_are_netted(shop: Shop) -> None:
    """12346 bought 74,215 of one thing for 77,183.60 and returned all of it."""
    assert shop.value(
        "select sum(s.net_amount) from core.fct_sales as s "
        "inner join core.bridge_identity as b using (customer_id) "
        "where b.record_key like '%12346%'"
    ) == Decimal("0.00")
    assert shop.value("select count(*) from core.fct_sales where is_return") > 8_000  # type: ignore[operator]


def test_fees_are_not_products(shop: Shop) -> None:
    kinds = shop.rows(
        "select distinct sku, line_kind from core.fct_sales "
        "where sku in ('POST', 'D', 'M', 'BANK CHARGES', '85123A', '22423')"
    )
    products = {row["sku"] for row in kinds if row["line_kind"] == "product"}
    assert products == {"85123A", "22423"}


def test_rfm_and_clv_cover_the_buyers(shop: Shop) -> None:
    assert shop.value("select count(*) from features.rfm") > 4_200  # type: ignore[operator]
    scored = shop.rows(
        "select count(*) as n, count(clv_12m_amount) as valued, "
        "sum(case when isfinite(clv_12m_amount::double) then 0 else 1 end) as odd "
        "from features.clv"
    )[0]
    assert int(str(scored["n"])) > 4_200
    assert scored["odd"] == 0


def test_segments_are_served(shop: Shop) -> None:
    sizes = shop.rows("select segment, size from segments.definitions order by segment")
    assert sum(int(str(row["size"])) > 0 for row in sizes) >= 6


def test_the_report_says_what_it_lacks(shop: Shop) -> None:
    pages = sorted((shop.settings.data_dir / "reports").glob("*.html"))
    text = pages[0].read_text(encoding="utf-8").lower()
    for lack in ("no consent", "no web"):
        assert lack in text
