"""Commands to begin with: init and demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, JsonOption, app
from cdp_pipeline.cli.progress import show_step


@app.command(epilog="Example: cdp init mystore")
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project.")] = Path(),
) -> None:
    """Make a project: contracts, SQL, segments, reports, DAGs, ready to be edited."""
    from cdp_pipeline.project.starter import create_project

    made = create_project(folder.absolute())
    output.say(f"made {len(made)} files in {folder.absolute()}")
    output.say("next:")
    output.say("  1. edit [tool.cdp] in pyproject.toml: store name, time zone, currency")
    output.say("  2. put deliveries below data/landing and describe them in expectations/*.yml")
    output.say("  3. cdp check, then cdp run --date YYYY-MM-DD")


@app.command(epilog="Example: cdp demo --customers 2000 --nights 1")
def demo(
    *,
    customers: Annotated[int, typer.Option(min=500, help="Customers of the store.")] = 20_000,
    nights: Annotated[int, typer.Option(min=0, max=90, help="Nights after the load.")] = 3,
    seed: Annotated[int, typer.Option(help="Another seed is another store.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Generate a store with known truth, run the initial load and the nights, show the results."""
    from cdp_pipeline.orchestration.demo import DemoSpec, run_demo

    spec = DemoSpec(customers=customers, nights=nights, seed=seed)
    found = run_demo(
        OPTIONS.root,
        OPTIONS.settings,
        spec,
        say=(lambda _text: None) if as_json else output.say,
        listener=None if as_json else show_step,
    )
    if as_json:
        output.write_json(found.as_dict())
        return
    for line in found.lines():
        output.write(line)
