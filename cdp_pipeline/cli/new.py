"""Commands that draft declarations: new source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, JsonOption, app

if TYPE_CHECKING:
    from cdp_pipeline.ingest.discovery.proposal import Written

new = typer.Typer(
    help="Draft a declaration from what there is.",
    epilog="Example: cdp new source data/landing/tills/2026-11-20/tills_20261120.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(new, name="new")


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
