"""One self-contained HTML page about the result of ``cdp clv``.

Only the layout of figures that ``value`` computed belongs here. No script, no outside file, and no
customer's name or number, so the page may be shown around.
"""

from __future__ import annotations

import math
from collections import Counter
from html import escape

from cdp_pipeline.core.page import draw_bar, draw_figures, draw_table, write_page
from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.certainty import Interval
from cdp_pipeline.features.files.value import ValueResult
from cdp_pipeline.features.outcomes import BacktestReport, Fold, Result
from cdp_pipeline.features.totals import Total

_STAGES = ("active", "cooling", "at_risk", "lapsed", "lost", "prospect")
_TENTHS = 10
_RULES = {
    "last_horizon": "as often as in the days before",
    "last_year": "as often as in the same days a year ago",
    "purchase_rate": "as often as ever",
    "average_customer": "everybody like the average customer",
}
_MEANINGS = (
    ("expected_visits, expected_amount", "visits and amount of the days ahead, not discounted"),
    ("expected_low_amount, expected_high_amount", "hold a customer's amount nine times in ten"),
    ("clv_amount", "the amount ahead, discounted by month"),
    ("p_active_90d", "chance of a visit in the next 90 days: the churn score"),
    ("p_alive", "chance of not having left for good; rank by p_active_90d instead"),
    ("lifecycle", "silence over the usual gap, in words in lifecycle_reason"),
)


def render_value(found: ValueResult) -> str:
    """Return the page."""
    read = found.read
    sections = [
        f"<h1>{escape(_headline(found))}</h1>",
        (
            f'<p class="soft">{escape(read.file)}: {read.used_rows:,} of '
            f"{counted(read.rows, 'row')}, {read.first_on} to {read.as_of}.</p>"
        ),
        _figures(found),
        *(f'<p class="note">{escape(note)}</p>' for note in found.notes),
        _proof(found),
        _contest(found.report),
        _calibration(found.report),
        _tenths(found),
        _lifecycle(found),
        _models(found),
        _meanings(),
    ]
    return write_page(f"Customer value: {read.file}", sections)


def _headline(found: ValueResult) -> str:
    totals = {total.quantity: total for total in found.totals}
    visits, amount = totals["visits"], totals["amount"]
    if visits.interval is None or amount.interval is None:
        return "Not enough data for a forecast"
    return (
        f"{counted(found.customers.num_rows, 'customer')} will make {visits.expected:,.0f} visits "
        f"and spend "
        f"{amount.expected:,.0f} in the next {found.options.horizon_days} days"
    )


def _figures(found: ValueResult) -> str:
    has_model = found.fit.status != "not_enough_data"
    season = ", seasonal" if found.fit.clock.is_seasonal else ""
    held, asked = found.report.coverage
    shown = [
        ("customers", f"{found.customers.num_rows:,}"),
        ("model", escape(found.fit.purchases.model + season) if has_model else "none"),
    ]
    for total in found.totals:
        if total.interval and total.quantity in {"visits", "amount"}:
            shown.append((f"{total.quantity} expected", f"{total.expected:,.0f}"))
            shown.append((f"{total.quantity}, nine times in ten", _range(total.interval)))
    if asked:
        shown.append(("past totals within their range", f"{held} of {asked}"))
    basis = "".join(f"<p>{escape(_sentence(total))}</p>" for total in found.totals[:1] if has_model)
    return draw_figures(shown) + basis


def _sentence(total: Total) -> str:
    if total.interval is None:
        return total.basis.capitalize() + "."
    return (
        f"{total.basis.capitalize()}. Chance and estimated parameters alone spread the total by "
        f"{total.interval.model_sd:.1%}, changing times by {total.interval.drift_sd:.1%}."
    )


def _proof(found: ValueResult) -> str:
    title, report = "<h2>Would it have been right?</h2>", found.report
    if found.fit.status == "not_enough_data":
        return f"{title}<p>There is no forecast to test.</p>"
    if not report.folds:
        return f"{title}<p>History does not allow a test: {escape(report.reason)}.</p>"
    rows = []
    for fold in report.folds:
        by_name = {result.name: result for result in fold.results}
        served = by_name.get(report.verdict.winner, fold.results[0])
        rules = [result for result in fold.results if result.is_naive]
        nearest = min(rules, key=lambda rule: (abs(_bias(rule)), rule.name))
        rows.append(
            (
                str(fold.cut_on),
                f"{served.predicted_visits:,.0f}",
                _range(fold.visits_interval),
                f"{fold.actual_visits:,.0f}",
                _held(fold),
                f"{served.accuracy.bias:+.1%}",
                f"{nearest.accuracy.bias:+.1%}",
                f"{served.amount_accuracy.bias:+.1%}",
            )
        )
    headers = ("known until", "visits forecast", "range", "visits seen", "within", "off by",
               "nearest rule", "amount off by")  # fmt: skip
    return (
        f"{title}<p>On each of these days the model knew only what lay before, and looked "
        f"{report.horizon_days} days ahead. The nearest rule is known in hindsight only.</p>"
        + draw_table(headers, rows, numbers={1, 2, 3, 5, 6, 7})
    )


def _contest(report: BacktestReport) -> str:
    if not report.folds:
        return ""
    latest = {result.name: result for result in report.folds[0].results}
    rows = [
        (
            escape(_RULES.get(standing.entrant, standing.entrant)),
            "<b>serves</b>" if standing.serves else "rule" if standing.is_naive else "model",
            str(standing.folds),
            f"{standing.relative_loss:.3f}",
            *_latest(latest.get(standing.entrant)),
        )
        for standing in report.verdict.standings
    ]
    headers = ("forecast by", "", "windows", "loss", "off by", "error a customer", "RMSE",
               "top tenth", "AUC")  # fmt: skip
    return (
        "<h2>Models and rules that anybody could apply</h2>"
        "<p>Loss is the error of a customer's visits plus what the total was off by, over that of "
        "the default model on the same windows; the next columns are those of the latest window. "
        "Top tenth: how many times more often the tenth ranked highest came than the average.</p>"
        + draw_table(headers, rows, numbers={2, 3, 4, 5, 6, 7, 8})
        + "".join(
            f"<p>{escape(s.entrant)} {escape(s.reason)}.</p>"
            for s in report.verdict.standings
            if s.serves
        )
    )


def _latest(result: Result | None) -> tuple[str, ...]:
    if result is None:
        return ("", "", "", "", "")
    accuracy = result.accuracy
    return (
        f"{accuracy.bias:+.1%}" if math.isfinite(accuracy.bias) else "",
        f"{accuracy.mae:.3f}",
        f"{accuracy.rmse:.3f}",
        _figure(accuracy.top_tenth_lift),
        _figure(result.active_auc),
    )


def _calibration(report: BacktestReport) -> str:
    if not report.folds:
        return ""
    latest = report.folds[0]
    most = max((max(tenth.predicted, tenth.actual) for tenth in latest.tenths), default=0.0)
    rows = [
        (
            str(visits.tenth),
            f"{visits.predicted:.2f}",
            f"{visits.actual:.2f}",
            draw_bar(visits.actual / most if most else 0.0),
            f"{active.predicted:.0%}",
            f"{active.actual:.0%}",
        )
        for visits, active in zip(latest.tenths, latest.active_tenths, strict=True)
    ]
    headers = ("tenth", "visits forecast", "visits seen", "", "chance of a visit", "came")
    return f"<h2>Forecast against outcome by tenth, known until {latest.cut_on}</h2>" + draw_table(
        headers, rows, numbers={0, 1, 2, 4, 5}, bars={3}
    )


def _tenths(found: ValueResult) -> str:
    tenths = found.customers.column("clv_tenth").to_pylist()
    amounts = found.customers.column("expected_amount").to_pylist()
    people: Counter[int] = Counter()
    total: dict[int, float] = dict.fromkeys(range(1, _TENTHS + 1), 0.0)
    for tenth, amount in zip(tenths, amounts, strict=True):
        if tenth is not None and amount is not None:
            people[tenth] += 1
            total[tenth] += float(amount)
    whole = sum(total.values())
    if not whole:
        return ""
    rows = [
        (
            str(_TENTHS + 1 - tenth),
            f"{people[tenth]:,}",
            f"{total[tenth]:,.0f}",
            f"{total[tenth] / people[tenth]:,.2f}",
            f"{total[tenth] / whole:.1%}",
            draw_bar(total[tenth] / whole),
        )
        for tenth in range(_TENTHS, 0, -1)
        if people[tenth]
    ]
    headers = ("tenth", "customers", "amount expected", "a customer", "share", "")
    return "<h2>Who the value comes from</h2>" + draw_table(
        headers, rows, numbers={0, 1, 2, 3, 4}, bars={5}
    )


def _lifecycle(found: ValueResult) -> str:
    stages = Counter(found.customers.column("lifecycle").to_pylist())
    amounts: dict[str, float] = {}
    for stage, amount in zip(
        found.customers.column("lifecycle").to_pylist(),
        found.customers.column("expected_amount").to_pylist(),
        strict=True,
    ):
        amounts[stage] = amounts.get(stage, 0.0) + float(amount or 0)
    most = max(stages.values(), default=1)
    has_model = found.fit.status != "not_enough_data"
    rows = [
        (
            "nothing kept" if stage == "prospect" else stage.replace("_", " "),
            f"{stages[stage]:,}",
            draw_bar(stages[stage] / most),
            f"{amounts[stage]:,.0f}" if has_model else "",
        )
        for stage in _STAGES
        if stages[stage]
    ]
    return (
        "<h2>Where customers stand</h2><p>By silence over the gap that is usual for each.</p>"
        + draw_table(("stage", "customers", "", "amount expected"), rows, numbers={1, 3}, bars={2})
    )


def _models(found: ValueResult) -> str:
    if not found.fits:
        return ""
    unit = found.options.unit_days
    rows = []
    for name, fit in found.fits.items():
        described = found.as_dict()["models"][name]
        shown = ", ".join(
            f"{parameter} {value:.4g}" + _error(described["standard_errors"].get(parameter))
            for parameter, value in described["parameters"].items()
        )
        likelihood = described["log_likelihood"]
        rows.append(
            (
                escape(name),
                escape(shown),
                f"{likelihood:,.2f}" if likelihood is not None else "",
                escape(fit.status.replace("_", " ")),
            )
        )
    spend = found.fit.spend
    shown = ", ".join(f"{name} {value:.4g}{_error(spend.se.get(name))}"
                      for name, value in spend.params.items())  # fmt: skip
    rows.append(("gamma-gamma (spend)", shown, _figure(spend.loglik, 2), spend.status))
    return (
        f"<h2>Models</h2><p>Time in {'days' if unit == 1 else f'units of {unit} days'}; standard "
        "errors in brackets. A state other than ok says that the data do not tell a model's "
        "parameters.</p>"
        + draw_table(("model", "parameters", "log-likelihood", "state"), rows, numbers={2})
    )


def _meanings() -> str:
    rows = [(f"<code>{escape(name)}</code>", escape(text)) for name, text in _MEANINGS]
    return "<h2>Columns of the file</h2>" + draw_table(("column", "meaning"), rows, numbers=set())


def _range(interval: Interval | None) -> str:
    return f"{interval.low:,.0f} to {interval.high:,.0f}" if interval else ""


def _held(fold: Fold) -> str:
    if fold.visits_interval is None:
        return ""
    return "yes" if fold.visits_interval.holds(fold.actual_visits) else "<b>no</b>"


def _bias(result: Result) -> float:
    return result.accuracy.bias if math.isfinite(result.accuracy.bias) else math.inf


def _figure(value: float, digits: int = 3) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else ""


def _error(value: float | None) -> str:
    return f" ({value:.2g})" if value is not None and math.isfinite(value) else ""
