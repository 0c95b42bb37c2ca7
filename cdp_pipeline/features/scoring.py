"""Scores of every customer, in SQL: the models' costly parts join in from small tables.

What a fit says of a customer depends on ``(x, T)`` alone but for the chance of being alive, and
that is elementary (Pareto/NBD's is looked up by history). Writing ``features.clv`` belongs here;
its statement belongs to ``score_sql``, fitting to ``clv_fit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.btyd import alive_table, p_alive
from cdp_pipeline.features.certainty import LEVEL
from cdp_pipeline.features.clv_fit import ClvFit, one_thread
from cdp_pipeline.features.histories import Vector, pair_up
from cdp_pipeline.features.score_sql import ScoreKind, score_sql, tenth_sql
from cdp_pipeline.features.sharpness import find_lift
from cdp_pipeline.storage.warehouse import fetch_value

MONTHS = 12
_TENTHS = 10

_AMOUNTS = """
select clv_12m_amount::double as amount
from features.clv
where clv_12m_amount is not null
"""

_DISORDER = """
select coalesce(bool_or(customer_id < before), false)
from (select customer_id, lag(customer_id) over () as before from features.clv)
"""


def score_customers(
    con: duckdb.DuckDBPyConnection,
    fit: ClvFit,
    settings: ClvSettings,
    *,
    has_horizon: bool = False,
    times_variance: float = 0.0,
) -> None:
    """Create ``features.clv``: one row per customer, ordered by customer_id.

    Forecasts are NULL without enough data, and ``p_alive`` also when the model knows no dropout.

    Args:
        con: Connection that knows ``features.customer_purchases``.
        fit: Models, with the histories of that table.
        settings: Horizon and discount of the value.
        has_horizon: Also forecast visits and undiscounted amount over the value's horizon.
        times_variance: What changing times add to the variance of the logarithm of an amount.
    """
    with (
        one_thread(con),
        scores_ready(
            con, fit, settings, has_horizon=has_horizon, times_variance=times_variance
        ) as (sql, params),
    ):
        con.execute(f"create or replace table features.clv as {sql}", params)
        _finish(con, fit.status)


@contextmanager
def scores_ready(
    con: duckdb.DuckDBPyConnection,
    fit: ClvFit,
    settings: ClvSettings,
    *,
    has_horizon: bool = False,
    times_variance: float = 0.0,
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the query for everybody's scores and its parameters, while what it joins is there.

    What is not chosen from it costs nothing. Arguments are those of ``score_customers``.
    """
    # On matrices as small as these, threads of linear algebra cost more than they save.
    with _linear_algebra().limit(limits=1, user_api="blas"):
        ahead = _while_alive(fit, settings)
    model, is_known = fit.purchases.model, bool(fit.purchases.params)
    kind = ScoreKind(
        is_known=is_known,
        is_looked_up=model == "pareto/nbd",
        is_sure_at_first=model == "bg/nbd",
        is_seasonal=not fit.clock.is_even,
        is_changing=times_variance > 0,
        is_sharp=is_known and not fit.sharpness.is_plain,
        has_horizon=has_horizon,
    )
    params = _score_parameters(fit) | {"times_variance": times_variance}
    if kind.is_sharp:
        params |= _sharpness_parameters(fit, ahead)
    tables: dict[str, Mapping[str, NDArray[Any]]] = {"clv_while_alive": ahead}
    if kind.is_seasonal:
        tables["clv_silence"] = _silence(fit)
    if kind.is_looked_up:
        tables["clv_alive"] = _alive(fit)
    try:
        for name, columns in tables.items():
            con.register(name, dict(columns))
        yield score_sql(kind), params
    finally:
        for name in tables:
            con.unregister(name)


def _finish(con: duckdb.DuckDBPyConnection, status: str) -> None:
    """Order the scores by customer; add what is known last."""
    # In a small store the engine may turn a join round; to look costs a quarter of sorting.
    if fetch_value(con, _DISORDER):
        con.execute(
            "create or replace table features.clv as from features.clv order by customer_id"
        )
    # One column is written again, which costs a third of an update. A column that is the same for
    # everybody is filled in half the time of a query's.
    steps = _find_steps(con)
    if steps:
        con.execute(
            f"alter table features.clv alter clv_tenth type integer using {tenth_sql(steps)}"
        )
    con.execute(f"alter table features.clv add column model_status varchar default '{status}'")
    con.execute("alter table features.clv alter model_status drop default")


def _find_steps(con: duckdb.DuckDBPyConnection) -> list[float]:
    """Return the values that each tenth but the last does not exceed; each is somebody's."""
    amounts = np.asarray(con.execute(_AMOUNTS).fetchnumpy()["amount"])
    # Sorting all costs half of the engine's search for nine of them.
    amounts.sort()
    places = [-(-tenth * len(amounts) // _TENTHS) - 1 for tenth in range(1, _TENTHS)]
    return [float(amounts[max(place, 0)]) for place in places] if len(amounts) else []


@cache
def _linear_algebra() -> ThreadpoolController:
    # Finding the libraries costs as much as scoring 50,000 customers.
    return ThreadpoolController()


def _while_alive(fit: ClvFit, settings: ClvSettings) -> dict[str, NDArray[Any]]:
    # Without a model there is nothing to join: every forecast is NULL.
    known = slice(None if fit.purchases.params else 0)
    x, t_days, _ = pair_up(fit.x[known], fit.t_days[known])
    table = alive_table(
        fit.purchases,
        x,
        fit.clock.since(t_days),
        months=MONTHS,
        month_days=settings.horizon_days / MONTHS,
        monthly_discount=settings.monthly_discount_share,
        ahead=fit.clock.ahead,
    )
    # Every day has its own age, so both orders are the same.
    table |= {"age": table.pop("T"), "t_days": t_days}
    return table | {"pair": (x * _span(fit) + t_days).astype(np.int64)}


def _span(fit: ClvFit) -> int:
    """Return what makes one whole number of x and t_days, which joins faster than two."""
    return int(fit.t_days.max(initial=0.0)) + 1


def _silence(fit: ClvFit) -> dict[str, NDArray[Any]]:
    days = np.arange(_span(fit))
    return {"days": days, "elapsed": fit.clock.since(days.astype(np.float64))}


def _alive(fit: ClvFit) -> dict[str, Vector]:
    columns = {"x": fit.x, "t_x": fit.t_x, "t_days": fit.t_days}
    return columns | {"p_alive": p_alive(fit.purchases, *fit.measured)}


def _score_parameters(fit: ClvFit) -> dict[str, object]:
    names = ("r", "alpha", "a", "b", "p", "q", "v")
    params: dict[str, object] = dict.fromkeys(names)
    params |= fit.purchases.params | fit.spend.params
    has_dropout = fit.purchases.model != "nbd"
    if "a" not in fit.purchases.params:
        params |= {"a": 0.0, "b": 1.0}  # no odds of having left
    if fit.purchases.model == "pareto/nbd":
        params = {name: params[name] for name in ("p", "q", "v")}
    else:
        params |= {"least_x": 1.0 if fit.purchases.model == "bg/nbd" else 0.0}
    return params | {
        "has_dropout": has_dropout,
        "amount_cap": fit.amount_cap,
        "spend_scale": fit.spend.scale,
        "span": _span(fit),
        "tail": (1.0 - LEVEL) / 2,
    }


def _sharpness_parameters(fit: ClvFit, ahead: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    place = np.searchsorted(ahead["pair"], (fit.x * _span(fit) + fit.t_days).astype(np.int64))
    alive = p_alive(fit.purchases, *fit.measured)
    return find_lift(alive, ahead, place, fit.customers, fit.sharpness.power)
