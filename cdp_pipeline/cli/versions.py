"""Commands about published versions: rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, JsonOption, app, vet_reason
from cdp_pipeline.core.wording import counted


@app.command(epilog='Example: cdp rollback --to 2026-11-19 --reason "tills of store 4 sent twice"')
def rollback(
    *,
    reason: Annotated[
        str, typer.Option("--reason", callback=vet_reason, help="Why; kept with your name.")
    ],
    to: Annotated[
        str | None,
        typer.Option("--to", help="Date or name of a version; default: the night before."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to an earlier night: publish a new version that copies it."""
    from cdp_pipeline.storage.rollback import roll_back

    done = roll_back(OPTIONS.settings, to=to, reason=reason)
    if as_json:
        output.write_json(
            {
                "version": done.version.name,
                "copied": done.copied.name,
                "left": done.left.name,
                "carried": done.carried,
            }
        )
        return
    output.write(f"published {done.version.name}, a copy of {done.copied.name}")
    back = f"cdp rollback --to {done.left.name} --reason …"
    output.write(f"left      {done.left.name}; `{back}` takes it back")
    for table, rows in done.carried.items():
        output.write(f"carried   {table}: {counted(rows, 'row')} that tell what was sent since")
    output.say("deliveries of the nights that were undone are loaded again by the next night:")
    output.say("mend them in the landing folder, or take them out, before it runs")
