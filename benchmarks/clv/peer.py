"""One system on one file of customers in a process of its own: seconds, memory, checksums as JSON.

    python benchmarks/clv/peer.py ours|same|lifetimes|pymc FILE

The interpreter need only have the system named: pymc-marketing asks for Python 3.12 and stands in
an environment without this package. Imports are not counted, reading the file is.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODULES = {
    "ours": ("duckdb", "pyarrow.parquet", "cdp_pipeline.features.scoring"),
    "same": ("duckdb", "pyarrow.parquet", "cdp_pipeline.features.scoring"),
    "lifetimes": ("duckdb", "pandas", "lifetimes"),
    "pymc": ("duckdb", "pandas", "pymc_marketing.clv"),
}
DAYS_PER_MONTH = 30
MEMORY_LIMIT = "500MB"
LARGEST_IN_MEMORY = 2_000_000
MONTHLY_DISCOUNT = 0.01


def run_ours(file: str) -> dict[str, float]:
    """Group, fit, score with chances of a visit, ranges and tenths; return checksums."""
    from cdp_pipeline.features.clv_fit import fit_models  # noqa: PLC0415 - one system a process
    from cdp_pipeline.features.scoring import score_customers  # noqa: PLC0415 - as above

    con, settings = _prepare(file)
    fit = fit_models(con, settings)
    score_customers(con, fit, settings)
    sums = _sums(con, "features.clv")
    return sums | fit.purchases.params | {"loglik": fit.purchases.loglik}


def run_same(file: str) -> dict[str, float]:
    """Group, fit and score what lifetimes scores; return checksums."""
    from cdp_pipeline.features.clv_fit import fit_models  # noqa: PLC0415 - one system a process
    from cdp_pipeline.features.scoring import scores_ready  # noqa: PLC0415 - as above

    con, settings = _prepare(file)
    fit = fit_models(con, settings)
    with scores_ready(con, fit, settings) as (sql, params):
        con.execute(_SAME.format(scores=sql), params)
    return _sums(con, "same") | fit.purchases.params | {"loglik": fit.purchases.loglik}


def _prepare(file: str) -> tuple[Any, Any]:
    """Return a connection that knows the customers, and the settings."""
    import duckdb  # noqa: PLC0415 - one system a process
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - as above

    from cdp_pipeline.core.settings import ClvSettings  # noqa: PLC0415 - as above

    # As in a night, what would fill the memory lies in a file.
    if ParquetFile(file).metadata.num_rows > LARGEST_IN_MEMORY:
        Path(f"{file}.duckdb").unlink(missing_ok=True)  # of an earlier round
        con = duckdb.connect(f"{file}.duckdb", config={"memory_limit": MEMORY_LIMIT})
    else:
        con = duckdb.connect()
    con.execute("create schema features")
    con.execute(f"create view features.customer_purchases as from read_parquet('{file}')")
    return con, ClvSettings(
        horizon_days=12 * DAYS_PER_MONTH, monthly_discount_share=MONTHLY_DISCOUNT
    )


def _sums(con: Any, table: str) -> dict[str, float]:  # noqa: ANN401 - imported with the system
    alive, visits, value = con.execute(
        "select sum(p_alive), sum(expected_visits_90d), sum(clv_12m_amount)::double "  # noqa: S608 - our own table
        f"from {table}"
    ).fetchall()[0]
    return {"p_alive": alive, "visits_90d": visits, "clv_12m": value}


def run_lifetimes(file: str) -> dict[str, float]:
    """Fit and score with lifetimes; return checksums."""
    import duckdb  # noqa: PLC0415 - one system a process
    from lifetimes import GammaGammaFitter, ModifiedBetaGeoFitter  # noqa: PLC0415 - as above

    frame = duckdb.connect().execute(_FRAME, [file]).df()
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


def run_pymc(file: str) -> dict[str, float]:
    """Fit MBG/NBD with pymc-marketing by maximum a posteriori, flat priors; fit only."""
    import duckdb  # noqa: PLC0415 - one system a process
    from pymc_extras.prior import Prior  # noqa: PLC0415 - as above
    from pymc_marketing.clv import ModifiedBetaGeoModel  # noqa: PLC0415 - as above

    frame = duckdb.connect().execute(_FRAME, [file]).df()
    data = frame.rename(columns={"x": "frequency", "t_x": "recency", "t_days": "T"})
    flat = {name: Prior("HalfFlat") for name in ("r", "alpha", "a", "b")}
    model = ModifiedBetaGeoModel(model_config=flat)
    model.fit(data=data[["customer_id", "frequency", "recency", "T"]], method="map")
    found = model.fit_summary()
    return {name: float(found[name]) for name in ("r", "alpha", "a", "b")}


_SAME = """
create table same as
select customer_id, p_alive, expected_visits_90d, expected_visits_365d, clv_12m_amount
from ({scores})
"""
_FRAME = (
    "select customer_id, x::double as x, t_x::double as t_x, t_days::double as t_days, "
    "mean_repeat_amount::double as amount from read_parquet($1) order by customer_id"
)
SYSTEMS: dict[str, Callable[[str], dict[str, float]]] = {
    "ours": run_ours,
    "same": run_same,
    "lifetimes": run_lifetimes,
    "pymc": run_pymc,
}


def peak_megabytes() -> float:
    """Return the largest resident memory of this process so far."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run what the command line names and print its result."""
    system, file = sys.argv[1:3]
    if system in {"ours", "same"}:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    began = time.process_time()
    for module in MODULES[system]:
        importlib.import_module(module)
    imported, wall = time.process_time(), time.perf_counter()
    sums = SYSTEMS[system](file)
    figures = {
        "cpu": time.process_time() - imported,
        "wall": time.perf_counter() - wall,
        "import_cpu": imported - began,
        "megabytes": peak_megabytes(),
    }
    print(json.dumps(figures | {"sums": sums}))


if __name__ == "__main__":
    main()
