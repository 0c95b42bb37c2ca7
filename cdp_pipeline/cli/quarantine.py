"""Commands of the quarantine: list, show, replay."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import MOST, OPTIONS, JsonOption, ReasonOption, app

if TYPE_CHECKING:
    from cdp_pipeline.core.context import RunContext

quarantine = typer.Typer(
    help="Rows that were set aside: see them, mend the cause, replay them.",
    epilog="Example: cdp quarantine list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(quarantine, name="quarantine")

SourceArgument = Annotated[str | None, typer.Argument(help="Only this source.")]


@quarantine.command("list", epilog="Example: cdp quarantine list pos_sales")
def list_rules(source: SourceArgument = None, *, as_json: JsonOption = False) -> None:
    """List what is set aside, by file and rule, with the reason."""
    from cdp_pipeline.ingest.quarantine import list_findings
    from cdp_pipeline.storage.leftovers import own_work

    with own_work(_context()) as context:
        found = [finding.as_dict() for finding in list_findings(context, source=source)]
    if as_json:
        output.write_json(found)
        return
    headers = ("source", "file", "rule", "rows", "reason")
    output.write_table(headers, [[row[name] for name in headers] for row in found])
    output.say(f"{sum(row['rows'] for row in found)} rows; `cdp quarantine show` prints them")


@quarantine.command("show", epilog="Example: cdp quarantine show pos_sales --rule quantity_type")
def show_rows(
    source: SourceArgument = None,
    *,
    rule: Annotated[str | None, typer.Option(help="Only rows that broke this rule.")] = None,
    file: Annotated[str | None, typer.Option(help="Only files whose path holds this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Rows at most.")] = 20,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show rows as they were delivered, with file, line, rule and reason; this is audited."""
    from cdp_pipeline.ingest.quarantine import list_findings, read_rows
    from cdp_pipeline.storage.audit import Deed, note
    from cdp_pipeline.storage.leftovers import own_work

    note(OPTIONS.settings, Deed("quarantine show", source or "all sources", why=reason))
    with own_work(_context()) as context:
        findings = list_findings(context, source=source)
        rows = list(islice(read_rows(context, findings, rule=rule, file=file), limit))
    if as_json:
        output.write_json([row.as_dict() for row in rows])
        return
    for row in rows:
        output.write(f"{row.file}:{row.line}  {row.rule}  {row.reason}")
        output.write(f"  {row.delivered}")
    output.say(f"{len(rows)} rows shown, at most {limit}; --limit shows more")


@quarantine.command("replay", epilog="Example: cdp quarantine replay pos_sales")
def replay_rows(source: SourceArgument = None, *, as_json: JsonOption = False) -> None:
    """Stage set-aside rows again after a contract or a file was mended; say what became of each."""
    from cdp_pipeline.ingest.quarantine import replay

    fates = replay(_context(), source=source)
    if as_json:
        output.write_json([asdict(fate) for fate in fates])
        return
    headers = ("file", "line", "rule", "rows", "outcome", "detail")
    output.write_table(headers, [[getattr(fate, name) for name in headers] for fate in fates])
    counts: Counter[str] = Counter()
    for fate in fates:
        counts[fate.outcome] += fate.rows
    output.say(", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items())) or "nothing")
    if counts["accepted"]:
        output.say("`cdp run` loads what is accepted now")


def _context() -> RunContext:
    from dataclasses import replace

    from cdp_pipeline.ingest.quarantine import REPLAY_RUN

    return replace(OPTIONS.context(None), run_id=REPLAY_RUN)
