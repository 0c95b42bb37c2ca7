"""Commands that draft declarations: new source, segment, destination, report, propensity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, JsonOption, app
from cdp_pipeline.core.types import Channel

if TYPE_CHECKING:
    from cdp_pipeline.ingest.discovery.proposal import Written

new = typer.Typer(
    help="Draft a declaration: one commented file that `cdp check` can read.",
    epilog="Example: cdp new segment quiet_gold --where \"tier = 'gold' and recency_days > 90\"",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(new, name="new")

NameArgument = Annotated[
    str, typer.Argument(help="Name of its file: lower-case letters, digits, underscores.")
]
TitleOption = Annotated[
    str | None, typer.Option("--title", help="What people call it; default: from the name.")
]
OwnerOption = Annotated[
    str | None, typer.Option("--owner", help="Who answers questions; default: analytics.")
]


@new.command("source", epilog="Example: cdp new source orders.csv --name web_orders")
def new_source(
    place: Annotated[Path, typer.Argument(help="A delivery, or a folder of deliveries.")],
    *,
    name: Annotated[str | None, typer.Option(help="Name; default: from the file.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File or folder to write; default: expectations.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a delivery and draft its contract; what files cannot tell is asked in the draft."""
    from cdp_pipeline.ingest.discovery.proposal import propose_sources

    written = propose_sources(
        place.absolute(),
        name=name,
        out=out.absolute() if out else OPTIONS.root / "expectations",
        settings=OPTIONS.settings,
        root=OPTIONS.root,
    )
    if as_json:
        output.write_json([_as_dict(each) for each in written])
        return
    for each in written:
        _show(each)


@new.command(
    "segment",
    epilog="Example: cdp new segment quiet_gold --where \"tier = 'gold' and recency_days > 90\"",
)
def new_segment(
    name: NameArgument,
    *,
    where: Annotated[
        str | None,
        typer.Option("--where", help="Who: a condition on columns; default: an example."),
    ] = None,
    channel: Annotated[
        Channel | None, typer.Option("--channel", help="Served on it; default: analysis only.")
    ] = None,
    title: TitleOption = None,
    owner: OwnerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a segment: who is meant, in sql/marketing/segments."""
    from cdp_pipeline.orchestration.drafting import Drafts
    from cdp_pipeline.project.drafts.words import choose_words

    words = choose_words(name, title, owner)
    path = Drafts(OPTIONS.root).segment(words, where=where, channel=channel)
    then = 'after the next night: cdp query "from segments.definitions"'
    _show_draft(path, "a segment", [] if where else ["say in `where:` who is meant"], then, as_json)


@new.command("destination", epilog="Example: cdp new destination sms_tool --channel sms")
def new_destination(  # noqa: PLR0913 - one parameter an option
    name: NameArgument,
    *,
    channel: Annotated[
        Channel | None,
        typer.Option("--channel", help="Consent channel; default: analysis, no personal data."),
    ] = None,
    offers: Annotated[
        bool, typer.Option("--offers", help="Send the offers of the channel, not its segments.")
    ] = False,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", help="Segment to send; can be repeated.")
    ] = None,
    title: TitleOption = None,
    owner: OwnerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a destination: what is sent to which system, in sql/marketing/destinations."""
    from cdp_pipeline.orchestration.drafting import Drafts
    from cdp_pipeline.project.drafts.words import choose_words

    words = choose_words(name, title, owner)
    path = Drafts(OPTIONS.root).destination(
        words, channel=channel, has_offers=offers, segments=segment or []
    )
    then = "after the next night: cdp export"
    _show_draft(
        path, "a destination", ["name in `fields:` what the receiver expects"], then, as_json
    )


@new.command("report", epilog="Example: cdp new report week --from marts.sales_by_day")
def new_report(
    name: NameArgument,
    *,
    mart: Annotated[
        str | None, typer.Option("--from", help="Mart to show first; the draft lists all.")
    ] = None,
    title: TitleOption = None,
    owner: OwnerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a report: marts drawn on a page, in reports."""
    from cdp_pipeline.orchestration.drafting import Drafts
    from cdp_pipeline.project.drafts.words import choose_words

    path = Drafts(OPTIONS.root).report(choose_words(name, title, owner), mart=mart)
    then = "after the next night: cdp report"
    _show_draft(path, "a report", ["write `description:` and `audience:`"], then, as_json)


@new.command("propensity", epilog="Example: cdp new propensity buys_toys --department Toys")
def new_propensity(
    name: NameArgument,
    *,
    days: Annotated[
        int, typer.Option("--days", min=7, max=180, help="Days ahead in which it happens.")
    ] = 30,
    department: Annotated[
        str | None, typer.Option("--department", help="Bought from it; default: anything.")
    ] = None,
    title: TitleOption = None,
    owner: OwnerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a propensity: who is likely to do something soon, in sql/propensities."""
    from cdp_pipeline.orchestration.drafting import Drafts
    from cdp_pipeline.project.drafts.words import choose_words

    words = choose_words(name, title, owner)
    path = Drafts(OPTIONS.root).propensity(words, horizon_days=days, department=department)
    asked = [] if department else ["say in the SELECT what they do"]
    then = 'after the next night: cdp query "from marts.propensity_overview"'
    _show_draft(path, "a propensity", asked, then, as_json)


def _show_draft(path: Path, kind: str, asked: list[str], then: str, as_json: bool) -> None:  # noqa: FBT001 - the option as it came
    if as_json:
        output.write_json({"path": str(path), "next": [*asked, "cdp check", then]})
        return
    output.write(f"wrote {_shown(path)}: {kind}")
    for step in [*asked, "cdp check", then]:
        output.say(f"  next: {step}")


def _show(each: Written) -> None:
    output.write(f"wrote {_shown(each.path)}: {each.summary}")
    for question in each.questions:
        output.write(f"  asks   {question}")
    for line in each.trial:
        output.write(f"  {line}")
    if each.questions:
        output.say("write the answers in place of each `!ask`, then run `cdp check`")
    else:
        output.say("read it through, then run `cdp check`")


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _as_dict(each: Written) -> dict[str, Any]:
    return {
        "path": str(each.path),
        "summary": each.summary,
        "questions": list(each.questions),
        "trial": list(each.trial),
    }
