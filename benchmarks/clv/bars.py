"""What the CLV models must reach: published figures, held-out accuracy, cost beside the peers."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy.special import hyp2f1

from benchmarks.clv.customers import CDNOW, published
from cdp_pipeline.features.backtest import backtest
from cdp_pipeline.features.btyd import expected_new, expected_visits, fit_purchases, p_alive
from cdp_pipeline.features.fitting import BtydFit
from cdp_pipeline.features.histories import group_histories
from cdp_pipeline.features.likelihood import DropoutLikelihood
from cdp_pipeline.features.outcomes import BacktestPlan, BacktestReport
from cdp_pipeline.features.spend import fit_spend

Results = dict[int, dict[str, dict[str, Any]]]
LAST_DAY = date(1998, 6, 30)

_DAYS = """
create schema features;
create table features.customer_day as
select customer, date, amount from read_csv({arguments});
create or replace table features.customer_day as
select
    customer::varchar as customer_id,
    date as purchased_on,
    sum(amount)::decimal(18, 2) as net_amount,
    sum(amount) > 0 as is_visit,
from features.customer_day
group by all
"""


@dataclass(frozen=True)
class Bar:
    """One thing to reach: what is asked, what was measured, whether it is met."""

    title: str
    asked: str
    measured: str
    is_met: bool


def accuracy_bars() -> list[Bar]:
    """Return the bars that published data and held-out days decide."""
    return [*_published_bars(), *_formula_bars(), *_held_out_bars()]


def cost_bars(results: Results) -> list[Bar]:
    """Return the bars of cost that the sizes measured decide."""
    bars = []
    customers = 1_000_000
    found = results.get(customers, {})
    if "lifetimes" in found:
        peer = found["lifetimes"]
        for system, least, what in (
            ("same", 25.0, "the same scores"),
            ("ours", 20.0, "them, chances of a visit, ranges and tenths"),
        ):
            ratio = peer["cpu"] / found[system]["cpu"]
            title = f"fewer CPU seconds than lifetimes for {what}, {customers:,} customers"
            bars.append(Bar(title, f"≥ {least:g}x", f"{ratio:.1f}x", ratio >= least))
        apart = abs(found["ours"]["sums"]["visits_90d"] / peer["sums"]["visits_90d"] - 1.0)
        title = f"visits in 90 days as by lifetimes, {customers:,} customers"
        bars.append(Bar(title, "within 1e-6", f"{apart:.1e}", apart <= 1e-6))
    largest = results.get(10_000_000, {}).get("ours")
    if largest:
        memory, wall = largest["megabytes"], largest["wall"]
        bars.append(Bar("10 million, memory", "≤ 1,000 MB", f"{memory:,.0f} MB", memory <= 1000))
        bars.append(Bar("10 million, wall", "≤ 30 s", f"{wall:.1f} s", wall <= 30))
    return bars


def _published_bars() -> list[Bar]:
    data = published()
    history = (data["x"], data["t_x"], data["age"])
    bars = []
    for model, asked, within in (
        ("bg/nbd", {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}, 5e-5),
        ("mbg/nbd", {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, 5e-4),
        ("pareto/nbd", {"r": 0.55315, "alpha": 10.57633, "s": 0.60625, "beta": 11.6715}, 3.5e-3),
    ):
        fit = fit_purchases(*history, model=model)  # type: ignore[arg-type]
        apart = max(abs(fit.params[name] - value) for name, value in asked.items())
        shown = ", ".join(f"{value:.5g}" for value in fit.params.values())
        listed = ", ".join(f"{value:g}" for value in asked.values())
        bars.append(Bar(f"CDNOW {model}", f"{listed} ± {within:g}", shown, apart <= within))
    for model, loglik in (("bg/nbd", -9582.429), ("pareto/nbd", -9594.976)):
        fit = fit_purchases(*history, model=model)  # type: ignore[arg-type]
        is_met = abs(fit.loglik - loglik) <= 1e-3
        bars.append(Bar(f"CDNOW {model} LL", f"{loglik} ± .001", f"{fit.loglik:.4f}", is_met))
    usable = (data["x"] > 0) & (data["amount"] > 0)
    spend = fit_spend(data["x"][usable], data["amount"][usable])
    is_met = abs(spend.loglik + 4055.9177) <= 1e-3
    bars.append(Bar("CDNOW gamma-gamma LL", "-4055.9177 ± .001", f"{spend.loglik:.4f}", is_met))
    return [*bars, *_prediction_bars(fit_purchases(*history, model="bg/nbd"))]


def _prediction_bars(fit: BtydFit) -> list[Bar]:
    history = ([2.0], [30.43], [38.86])
    visits = float(expected_visits(fit, *history, 39.0)[0])
    alive = float(p_alive(fit, *history)[0])
    new = expected_new(fit, [0.1429, 1.0, 3.0, 31.8571, 32.0, 78.0])
    known = np.array([0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576])
    apart = float(np.abs(new - known).max())
    return [
        Bar("E[Y(39)] at (2, 30.43, 38.86)", "1.226", f"{visits:.4f}", round(visits, 3) == 1.226),
        Bar("P(alive) there", ".7266", f"{alive:.4f}", round(alive, 4) == 0.7266),
        Bar("E[X(t)], six published values", "within 5e-4", f"{apart:.1e}", apart <= 5e-4),
    ]


def _formula_bars() -> list[Bar]:
    """Return how far forecasts and gradients are from the formulas of the papers."""
    names = ("r", "alpha", "a", "b")
    worst = 0.0
    for a in (0.4, 0.793, 1.7, 3.2):
        params = dict(zip(names, (0.6, 30.0, a, 2.4), strict=True))
        fit = BtydFit("bg/nbd", params, {}, 0.0, 0.0, 0, converged=True, status="ok")
        for x in (1.0, 3.0, 20.0, 150.0):
            z = 90.0 / (30.0 + 200.0 + 90.0)
            inner = hyp2f1(0.6 + x, 2.4 + x, a + 2.4 + x - 1.0, z)
            shrunk = (230.0 / 320.0) ** (0.6 + x)
            paper = (a + 2.4 + x - 1.0) / (a - 1.0) * (1.0 - shrunk * inner)
            paper *= float(p_alive(fit, [x], [150.0], [200.0])[0])
            ours = float(expected_visits(fit, [x], [150.0], [200.0], 90.0)[0])
            worst = max(worst, abs(ours / paper - 1.0))
    data = published()
    grouped = group_histories(data["x"], data["t_x"], data["age"])
    likelihood = DropoutLikelihood(grouped, leaves_at_once=True)
    point = np.log([0.7, 5.0, 0.7, 2.0])
    gradient = likelihood(point)[1]
    steps = np.eye(4) * 1e-5
    slopes = [(likelihood(point + s)[0] - likelihood(point - s)[0]) / 2e-5 for s in steps]
    apart = float(np.abs(gradient - slopes).max())
    return [
        Bar("E[Y] against the 2F1 of the paper", "within 1e-8", f"{worst:.1e}", worst <= 1e-8),
        Bar("gradient against differences", "within 1e-6", f"{apart:.1e}", apart <= 1e-6),
    ]


def _held_out_bars() -> list[Bar]:
    """Return accuracy on the last 91 days of CDNOW: all customers where lifetimes brings them."""
    con = duckdb.connect()
    master = _master()
    if master:
        _load_master(con, master)
        name = "CDNOW, 23,570 customers"
    else:
        arguments = (
            f"'{CDNOW}', header = true, columns = "
            "{'customer': 'integer', 'date': 'date', 'amount': 'decimal(18,2)'}"
        )
        con.execute(_DAYS.format(arguments=arguments))
        name = "CDNOW sample"
    plan = BacktestPlan(horizon_days=91, folds=4)
    report = backtest(con, as_of=LAST_DAY, plan=plan)
    return [*_contest_bars(name, report), _coverage_bar(name, report)]


def _contest_bars(name: str, report: BacktestReport) -> list[Bar]:
    fold = report.folds[0]
    found = {result.name: result for result in fold.results}
    ours = found[report.verdict.winner]
    rules = [found[rule].accuracy for rule in ("last_horizon", "purchase_rate")]
    mae, rmse = min(rule.mae for rule in rules), min(rule.rmse for rule in rules)
    accuracy = ours.accuracy
    return [
        Bar(f"{name}: MAE of {ours.name}", f"≤ 1.05 x {mae:.3f}", f"{accuracy.mae:.3f}",
            accuracy.mae <= 1.05 * mae),
        Bar(f"{name}: RMSE", f"≤ {rmse:.3f}", f"{accuracy.rmse:.3f}", accuracy.rmse <= rmse),
        Bar(f"{name}: bias", "within 10 %", f"{accuracy.bias:+.1%}", abs(accuracy.bias) <= 0.1),
        Bar(f"{name}: top-tenth lift", "≥ 5.4", f"{accuracy.top_tenth_lift:.2f}",
            accuracy.top_tenth_lift >= 5.4),
        Bar(f"{name}: AUC of P(active)", "≥ .83", f"{ours.active_auc:.4f}",
            ours.active_auc >= 0.83),
        Bar(f"{name}: log-loss of P(active)", "≤ .305", f"{ours.active_log_loss:.4f}",
            ours.active_log_loss <= 0.305),
    ]  # fmt: skip


def _coverage_bar(name: str, report: BacktestReport) -> Bar:
    held, asked = report.coverage
    title = f"{name}: past totals within their range"
    return Bar(title, f"≥ 85 % of {asked}", f"{held}", held >= 0.85 * asked)


def _master() -> Path | None:
    spec = importlib.util.find_spec("lifetimes")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "datasets" / "CDNOW_master.txt"
    return file if file.is_file() else None


def _load_master(con: duckdb.DuckDBPyConnection, file: Path) -> None:
    rows = [
        line.split() for line in file.read_text(encoding="utf-8").splitlines()[1:] if line.strip()
    ]
    con.register(
        "raw",
        {
            "customer": np.array([row[0] for row in rows]),
            "day": np.array([row[1] for row in rows]),
            "amount": np.array([float(row[3]) for row in rows]),
        },
    )
    con.execute("create schema features")
    con.execute(
        "create table features.customer_day as select customer as customer_id, "
        "strptime(day, '%Y%m%d')::date as purchased_on, "
        "sum(amount::decimal(18, 2)) as net_amount, sum(amount) > 0 as is_visit "
        "from raw group by all"
    )
