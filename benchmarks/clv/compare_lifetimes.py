"""CLV side by side: this package and ``lifetimes`` on the same simulated customers.

Both fit MBG/NBD and gamma-gamma and score every customer: P(alive), visits in 90 and in 365 days,
value over twelve months. Each engine runs in a process of its own, so that memory can be compared.
``lifetimes`` is not a dependency of the project; without it only our half runs.

    python benchmarks/clv/compare_lifetimes.py --customers 100000
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
from numpy.typing import NDArray

INSTALL = "lifetimes is missing; to compare: pip install lifetimes"
MONTHLY_DISCOUNT = 0.01
DAYS_PER_MONTH = 30
YEARS_OBSERVED = 3
MODULES = {
    "run_ours": ("cdp_pipeline.features.clv",),
    "run_lifetimes": ("lifetimes", "pandas"),
}

Columns = dict[str, NDArray[np.float64]]


def simulate(customers: int, *, seed: int = 20_261_120) -> Columns:
    """Return MBG/NBD customers with gamma-gamma amounts, in days: one entry per customer."""
    draw = np.random.default_rng(seed)
    age = draw.integers(0, YEARS_OBSERVED * 365, customers).astype(np.float64)
    rate = draw.gamma(0.6, 1 / 70.0, customers)
    chance = draw.beta(0.6, 1.4, customers)
    x, t_x, clock = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    here = np.flatnonzero(draw.random(customers) >= chance)
    while len(here):
        clock[here] += draw.exponential(1 / rate[here])
        here = here[clock[here] <= age[here]]
        day = np.ceil(clock[here])
        is_new_day = day > t_x[here]
        x[here] += is_new_day
        t_x[here] = np.minimum(day, age[here])
        here = here[draw.random(len(here)) >= chance[here]]
    scale = draw.gamma(3.7, 1 / 60.0, customers)
    mean_amount = draw.gamma(6.0 * np.maximum(x, 1.0), 1 / scale) / np.maximum(x, 1.0)
    amount = np.round(np.maximum(mean_amount, 0.01), 2)
    return {"x": x, "t_x": t_x, "t_days": age, "mean_repeat_amount": np.where(x > 0, amount, 0.0)}


def run_ours(file: Path) -> dict[str, float]:
    """Group, fit and score with this package; return checksums."""
    from cdp_pipeline.core.settings import ClvSettings  # noqa: PLC0415 - one engine a process
    from cdp_pipeline.features.clv_fit import fit_models  # noqa: PLC0415 - same
    from cdp_pipeline.features.scoring import score_customers  # noqa: PLC0415 - same

    con = duckdb.connect()
    con.execute("create schema features")
    con.execute(
        "create table features.customer_purchases as select * from read_parquet(?)", [str(file)]
    )
    settings = ClvSettings(
        horizon_days=12 * DAYS_PER_MONTH, monthly_discount_share=MONTHLY_DISCOUNT
    )
    fit = fit_models(con, settings)
    score_customers(con, fit, settings)
    rows = con.execute(
        "select sum(p_alive), sum(expected_visits_90d), sum(clv_12m_amount)::double "
        "from features.clv"
    ).fetchall()
    alive, visits, value = rows[0]
    return {"p_alive": alive, "visits_90d": visits, "clv_12m": value} | fit.purchases.params


def run_lifetimes(file: Path) -> dict[str, float]:
    """Fit and score with lifetimes; return checksums."""
    from lifetimes import GammaGammaFitter, ModifiedBetaGeoFitter  # noqa: PLC0415 - optional

    sql = (
        "select x, t_x, t_days, mean_repeat_amount::double as amount "
        "from read_parquet(?) order by customer_id"
    )
    frame = duckdb.connect().execute(sql, [str(file)]).df()
    model = ModifiedBetaGeoFitter()
    history = (frame["x"], frame["t_x"], frame["t_days"])
    model.fit(*history)
    alive = model.conditional_probability_alive(*history)
    visits_90d = model.conditional_expected_number_of_purchases_up_to_time(90, *history)
    model.conditional_expected_number_of_purchases_up_to_time(365, *history)
    spend = GammaGammaFitter()
    repeat = frame[frame["x"] > 0]
    spend.fit(repeat["x"], repeat["amount"])
    value = spend.customer_lifetime_value(
        model, *history, frame["amount"], time=12, freq="D", discount_rate=MONTHLY_DISCOUNT
    )
    sums = {"p_alive": alive.sum(), "visits_90d": visits_90d.sum(), "clv_12m": value.sum()}
    return {name: float(total) for name, total in sums.items()} | dict(model.params_)


def measure(engine: Callable[[Path], dict[str, float]], file: Path) -> dict[str, float]:
    """Run an engine in a fresh process; return its checksums, seconds and peak memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (engine, file))


def _timed(engine: Callable[[Path], dict[str, float]], file: Path) -> dict[str, float]:
    for module in MODULES[engine.__name__]:
        importlib.import_module(module)
    wall, cpu = time.perf_counter(), time.process_time()
    sums = engine(file)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **sums,
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "peak_megabytes": usage.ru_maxrss / 1024,
    }


def write_customers(customers: int, file: Path) -> None:
    """Write simulated customers in the shape of ``features.customer_purchases``."""
    con = duckdb.connect()
    con.register("simulated", simulate(customers))
    con.sql(
        """
        select
            'C' || lpad(
                (row_number() over (order by t_days, x, t_x, mean_repeat_amount))::varchar, 9, '0'
            ) as customer_id,
            x::integer as x,
            t_x::integer as t_x,
            t_days::integer as t_days,
            mean_repeat_amount::decimal(18, 2) as mean_repeat_amount,
        from simulated
        """
    ).write_parquet(str(file))


def main() -> None:
    """Print both engines' figures as JSON, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--only-ours", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "customers.parquet"
        write_customers(options.customers, file)
        ours = measure(run_ours, file)
        print(json.dumps({"ours": ours}, indent=2))
        if options.only_ours:
            return
        if importlib.util.find_spec("lifetimes") is None:
            print(INSTALL)
            return
        theirs = measure(run_lifetimes, file)
    print(json.dumps({"lifetimes": theirs}, indent=2))
    print(f"CPU ratio {theirs['cpu_seconds'] / ours['cpu_seconds']:.1f}")


if __name__ == "__main__":
    main()
