"""Commands that need no project: what the customers of a file are worth, and their RFM groups."""

from __future__ import annotations

from datetime import date as Date  # noqa: N812 - an option is called date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import JsonOption, app, parse_date
from cdp_pipeline.core.context import Clock
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.wording import counted

if TYPE_CHECKING:
    from cdp_pipeline.features.files.groups import GroupResult
    from cdp_pipeline.features.files.value import ValueResult
    from cdp_pipeline.storage.dates import Order


class PurchaseModel(StrEnum):
    """Purchase models that ``--model`` may name."""

    MBG = "mbg/nbd"
    BG = "bg/nbd"
    PARETO = "pareto/nbd"
    NBD = "nbd"


class TimeUnit(StrEnum):
    """Units in which parameters are shown."""

    DAYS = "days"
    WEEKS = "weeks"


FileArgument = Annotated[
    Path, typer.Argument(help="CSV or Parquet: a row a transaction, or a line of one.")
]
OutOption = Annotated[Path, typer.Option("--out", help="One row a customer: .csv or .parquet.")]
CustomerOption = Annotated[str, typer.Option("--customer", help="Column that says who bought.")]
DateOption = Annotated[str, typer.Option("--date", help="Column that says when.")]
AmountOption = Annotated[
    str, typer.Option("--amount", help="Column that says for how much; returns are negative.")
]
QuantityOption = Annotated[
    str | None, typer.Option("--quantity", help="Column to multiply a price in --amount by.")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", help="HTML page; default: beside the result.")
]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", help="Last day that counts; default: the last there is.")
]
DayFirstOption = Annotated[
    bool | None,
    typer.Option("--day-first/--month-first", help="How to read 01/02/2026; default: as found."),
]
FreeOption = Annotated[
    bool, typer.Option("--count-free", help="A day on which all cost nothing is a visit too.")
]


HorizonOption = Annotated[
    int, typer.Option("--horizon", min=7, max=1830, help="Days ahead to forecast.")
]
ModelOption = Annotated[
    PurchaseModel | None,
    typer.Option("--model", help="Model that must serve; default: the best on past days."),
]
DiscountOption = Annotated[
    float, typer.Option("--discount", min=0, max=0.5, help="Per 30 days, for clv_amount.")
]
MinimumOption = Annotated[
    int, typer.Option("--minimum", min=2, help="Fewest customers for a model.")
]
UnitOption = Annotated[TimeUnit, typer.Option("--unit", help="Time in which parameters are shown.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Column whose values are scored one by one.")
]
WindowOption = Annotated[
    int, typer.Option("--window", min=1, max=36_500, help="Days of purchases that count.")
]
BinsOption = Annotated[int, typer.Option("--bins", min=2, max=10, help="Scores per dimension.")]
ThresholdsOption = Annotated[
    Path | None, typer.Option("--thresholds", help="Frozen thresholds of an earlier run.")
]
SaveOption = Annotated[
    Path | None, typer.Option("--save-thresholds", help="JSON file to freeze them in.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Earlier day to show movements from.")
]


@app.command(
    epilog="Example: cdp clv sales.csv --customer id --date day --amount total --out value.csv"
)
def clv(  # noqa: PLR0913 - one parameter an option
    file: FileArgument,
    *,
    customer: CustomerOption,
    date: DateOption,
    amount: AmountOption,
    out: OutOption,
    quantity: QuantityOption = None,
    horizon: HorizonOption = 365,
    model: ModelOption = None,
    discount: DiscountOption = 0.01,
    minimum: MinimumOption = 100,
    unit: UnitOption = TimeUnit.DAYS,
    report: ReportOption = None,
    as_of: AsOfOption = None,
    day_first: DayFirstOption = None,
    count_free: FreeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Forecast what each customer in a file of transactions will buy. No project needed."""
    from cdp_pipeline.features.files.transactions import Columns
    from cdp_pipeline.features.files.value import ValueOptions
    from cdp_pipeline.features.files.value_report import render_value
    from cdp_pipeline.orchestration.files import value_file
    from cdp_pipeline.storage.outputs import write_table, write_text

    page = check_places(file, out, report)
    found = value_file(
        file,
        Columns(customer, date, amount, quantity),
        ValueOptions(
            horizon_days=horizon,
            model=model.value if model else None,
            monthly_discount=discount,
            minimum_customers=minimum,
            unit_days=7 if unit is TimeUnit.WEEKS else 1,
        ),
        as_of=read_day(as_of, "--as-of"),
        order=read_order(day_first),
        counts_free=count_free,
    )
    write_table(found.customers, out)
    write_text(render_value(found), page)
    say_if_future(found.read.as_of)
    output.write_json(found.as_dict()) if as_json else _show_value(found, out, page)


@app.command(
    epilog="Example: cdp rfm sales.csv --customer id --date day --amount total --out groups.csv"
)
def rfm(  # noqa: PLR0913 - one parameter an option
    file: FileArgument,
    *,
    customer: CustomerOption,
    date: DateOption,
    amount: AmountOption,
    out: OutOption,
    quantity: QuantityOption = None,
    by: ByOption = None,
    window: WindowOption = 365,
    bins: BinsOption = 5,
    thresholds: ThresholdsOption = None,
    save_thresholds: SaveOption = None,
    since: SinceOption = None,
    report: ReportOption = None,
    as_of: AsOfOption = None,
    day_first: DayFirstOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score each customer in a file of transactions by recency, frequency and money."""
    from cdp_pipeline.features.files.groups import GroupOptions, read_thresholds, write_thresholds
    from cdp_pipeline.features.files.groups_report import render_groups
    from cdp_pipeline.features.files.transactions import Columns
    from cdp_pipeline.orchestration.files import group_file
    from cdp_pipeline.storage.outputs import check_folder, write_table, write_text

    page = check_places(file, out, report)
    if save_thresholds:
        check_folder(save_thresholds)
    known = read_thresholds(thresholds) if thresholds else None
    found = group_file(
        file,
        Columns(customer, date, amount, quantity, by),
        GroupOptions(
            window_days=known.window_days if known else window,
            bins=known.bins if known else bins,
            thresholds=known,
            since=read_day(since, "--since"),
        ),
        as_of=read_day(as_of, "--as-of"),
        order=read_order(day_first),
    )
    write_table(found.customers if by else found.customers.drop_columns("part"), out)
    write_text(render_groups(found), page)
    say_if_future(found.read.as_of)
    fixed = found.parts[0].thresholds if found.parts else None
    if save_thresholds and fixed:
        write_text(write_thresholds(fixed), save_thresholds)
    output.write_json(found.as_dict()) if as_json else _show_groups(found, out, page)


def _show_groups(found: GroupResult, out: Path, page: Path) -> None:
    read = found.read
    output.write(
        f"{read.file}: {read.used_rows:,} of {counted(read.rows, 'row')}, "
        f"{counted(read.customers, 'customer')}, {counted(found.window_days, 'day')} up to "
        f"{read.as_of}"
    )
    for note in found.notes:
        output.write(f"note: {note}")
    for part in found.parts:
        if part.name is not None:
            output.write(f"{part.name}:")
        rows = [
            (group["segment"], f"{group['customers']:,}", f"{group['amount']:,.2f}")
            for group in part.segments
        ]
        output.write_table(("group", "customers", "amount"), rows)
    output.write(f"customers: {out}")
    output.write(f"report:    {page}")


def check_places(file: Path, out: Path, report: Path | None) -> Path:
    """Return where the page goes, after both places are known to be writable.

    Raises:
        ConfigError: One of them is not.
    """
    from cdp_pipeline.storage.outputs import check_folder, check_output

    page = report or out.with_suffix(".html")
    check_output(out, [file])
    check_folder(page)
    return page


def read_day(text: str | None, option: str) -> Date | None:
    """Return the day that an option names.

    Raises:
        ConfigError: It is not written as YYYY-MM-DD.
    """
    if text is None:
        return None
    try:
        return parse_date(text)
    except ConfigError as error:
        raise ConfigError(error.message, where=option, hint=error.hint) from error


def say_if_future(as_of: Date) -> None:
    """Say that a file's last day has not come yet, as such a date is a slip more often than not."""
    today = Clock().today("UTC")
    if (as_of - today).days > 1:  # somewhere it is tomorrow already
        output.say(f"the last day, {as_of}, has not come yet; if it is a slip, say --as-of {today}")


def read_order(day_first: bool | None) -> Order | None:  # noqa: FBT001 - three states of a flag
    """Return how dates are written, as far as it was said."""
    if day_first is None:
        return None
    return "day first" if day_first else "month first"


def _show_value(found: ValueResult, out: Path, page: Path) -> None:
    read, report = found.read, found.report
    output.write(
        f"{read.file}: {read.used_rows:,} of {counted(read.rows, 'row')}, "
        f"{counted(read.customers, 'customer')}, {read.first_on} to {read.as_of}"
    )
    output.write(f"model: {found.model_in_words}")
    for total in found.totals:
        if total.interval:
            output.write(
                f"{total.quantity.replace('_', ' ')} in {total.horizon_days} days: "
                f"{total.expected:,.0f}, nine times in ten {total.interval.low:,.0f} to "
                f"{total.interval.high:,.0f}"
            )
    for note in found.notes:
        output.write(f"note: {note}")
    if report.folds:
        output.write(f"on {report.folds[0].cut_on}, looking {report.horizon_days} days ahead:")
        rows = [
            (
                result.name,
                f"{result.predicted_visits:,.0f}",
                f"{report.folds[0].actual_visits:,.0f}",
                f"{result.accuracy.bias:+.1%}",
                f"{result.accuracy.mae:.3f}",
                f"{result.accuracy.rmse:.3f}",
                "serves" if result.name == report.verdict.winner else "",
            )
            for result in sorted(report.folds[0].results, key=lambda one: (one.loss, one.name))
        ]
        output.write_table(("forecast by", "visits", "seen", "off by", "MAE", "RMSE", ""), rows)
    output.write(f"customers: {out}")
    output.write(f"report:    {page}")
