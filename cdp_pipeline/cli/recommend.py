"""Commands that need no project: what the customers of a file will want next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import JsonOption, app
from cdp_pipeline.cli.value import (
    AsOfOption,
    CustomerOption,
    DayFirstOption,
    ReportOption,
    check_places,
    read_day,
    read_order,
    say_if_future,
)
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.wording import counted

if TYPE_CHECKING:
    from cdp_pipeline.features.recommend.files import RecommendResult


@app.command(
    epilog="Example: cdp recommend sales.csv --customer id --item sku --date day --out lists.csv"
)
def recommend(  # noqa: PLR0913 - one parameter an option
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: a row a line of a basket.")],
    *,
    customer: CustomerOption,
    item: Annotated[str, typer.Option("--item", help="Column that says what was bought.")],
    out: Annotated[
        Path, typer.Option("--out", help="A row a customer, list and rank: .csv or .parquet.")
    ],
    date: Annotated[str | None, typer.Option("--date", help="Column that says when.")] = None,
    basket: Annotated[
        str | None,
        typer.Option("--basket", help="Column with the receipt; default: the customer's day."),
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option("--quantity", help="Column that says how many; below zero is given back."),
    ] = None,
    length: Annotated[int, typer.Option("--length", min=1, max=100, help="Items a list.")] = 10,
    support: Annotated[
        int, typer.Option("--support", min=2, help="Fewest baskets with both items of a rule.")
    ] = 20,
    report: ReportOption = None,
    as_of: AsOfOption = None,
    day_first: DayFirstOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each customer in a file will buy again and may discover. No project needed."""
    from cdp_pipeline.features.files.purchases import ItemColumns
    from cdp_pipeline.features.recommend.files import RecommendOptions, recommend_file
    from cdp_pipeline.features.recommend.page import render_recommendations
    from cdp_pipeline.storage.outputs import write_table, write_text

    _refuse_undated(as_of, date)
    page = check_places(file, out, report)
    found = recommend_file(
        file,
        ItemColumns(customer, item, date, basket, quantity),
        RecommendOptions(length=length, support=support),
        as_of=read_day(as_of, "--as-of"),
        order=read_order(day_first),
    )
    write_table(found.lists, out)
    write_text(render_recommendations(found), page)
    if date:
        say_if_future(found.read.as_of)
    output.write_json(found.as_dict()) if as_json else _show(found, out, page)


def _refuse_undated(as_of: str | None, date: str | None) -> None:
    if as_of and not date:
        raise ConfigError(
            "--as-of says up to which day rows count, and no column says when they are of",
            where="--as-of",
            hint="Name the column with --date, or leave --as-of out.",
        )


def _show(found: RecommendResult, out: Path, page: Path) -> None:
    read = found.read
    output.write(
        f"{read.file}: {read.used_rows:,} of {counted(read.rows, 'row')}, "
        f"{counted(read.customers, 'customer')}, {counted(read.items, 'item')}, "
        f"{counted(read.baskets, 'basket')} {read.until}".rstrip()
    )
    for note in read.notes:
        output.write(f"note: {note}")
    for name, contest in found.contests.items():
        output.write(f"{name.replace('_', ' ')}: {contest.winner.title} ({contest.reason})")
        rows = [
            (
                score.ranker.title,
                f"{score.hit_share:.3f}",
                f"{score.recall:.3f}",
                f"{score.mean_precision:.4f}",
                "serves" if score.serves else "",
            )
            for score in contest.scores
        ]
        if rows:
            output.write_table(("ranked by", "hit@10", "recall@10", "MAP@10", ""), rows)
    output.write(f"lists:  {out}")
    output.write(f"report: {page}")
