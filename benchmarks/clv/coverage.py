"""Are totals right, and their ranges honest? Generated stores whose future the forecast never sees.

Each store has parameters of its own, drawn by its seed. It is written to a file, forecast by what
``cdp clv`` calls, and held against its next 180 days; the windows of the backtest count as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.clv.bars import Bar
from benchmarks.clv.stores import TABLE, Season, christmas_peak, even, write_store
from cdp_pipeline.features.files.transactions import Columns
from cdp_pipeline.features.files.value import ValueOptions
from cdp_pipeline.orchestration.files import value_file

FUTURE_DAYS = 180
CUSTOMERS = 3_000
_SEASONAL = "two seasonal years"
_KINDS: tuple[tuple[str, Season, int], ...] = (
    ("a year", even, 365),
    ("two years", even, 730),
    (_SEASONAL, christmas_peak, 760),
)


@dataclass(frozen=True)
class Outcome:
    """One store's forecast held against its future.

    Attributes:
        kind: Kind of store.
        error: Forecast visits over those that came, less 1.
        is_held: Whether these lay within the range.
        windows_held: Totals of past windows within theirs.
        windows: Such totals.
    """

    kind: str
    error: float
    is_held: bool
    windows_held: int
    windows: int


def coverage_bars(stores: int, first_seed: int) -> list[Bar]:
    """Return the bars that so many stores of each kind decide."""
    found = [
        forecast_store(kind, season, days, first_seed + number)
        for number in range(stores)
        for kind, season, days in _KINDS
    ]
    seasonal = [abs(one.error) for one in found if one.kind == _SEASONAL]
    worst, near = max(seasonal), sum(error <= 0.1 for error in seasonal)
    held, windows = sum(one.windows_held for one in found), sum(one.windows for one in found)
    hits = sum(one.is_held for one in found)
    return [
        Bar(
            f"visits of the next {FUTURE_DAYS} days, {_SEASONAL}, {stores} stores",
            "within 10 %",
            f"{near} of {stores}, at worst {worst:.1%} off",
            worst <= 0.1,
        ),
        Bar(
            f"totals of past windows within their range, {len(found)} stores",
            "85 to 95 %",
            f"{held} of {windows}, {held / windows:.1%}",
            0.85 <= held / windows <= 0.95,
        ),
        Bar(
            f"visits of the next {FUTURE_DAYS} days within their range",
            "≥ 85 %",
            f"{hits} of {len(found)}, {hits / len(found):.0%}",
            hits >= 0.85 * len(found),
        ),
    ]


def forecast_store(kind: str, season: Season, days: int, seed: int) -> Outcome:
    """Return how the forecast of one store turned out; its first day differs by seed."""
    start = date(2023, 1 + seed % 12, 1)
    with TemporaryDirectory() as folder, duckdb.connect() as con:
        store = write_store(
            con, seed=seed, days=days, future_days=FUTURE_DAYS, customers=CUSTOMERS,
            season=season, start=start,
        )  # fmt: skip
        file = Path(folder) / "store.parquet"
        con.table(TABLE).write_parquet(str(file))
        found = value_file(
            file,
            Columns("customer_id", "purchased_on", "net_amount"),
            ValueOptions(horizon_days=FUTURE_DAYS),
            as_of=store.last_day,
        )
    total = found.totals[0]
    held, windows = found.report.coverage
    return Outcome(
        kind,
        total.expected / store.future_visits - 1.0,
        total.interval is not None and total.interval.holds(store.future_visits),
        held,
        windows,
    )
