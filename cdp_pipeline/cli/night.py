"""Commands that run things: plan, run, check, report, export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, JsonOption, ReasonOption, app
from cdp_pipeline.cli.progress import show_end, show_step
from cdp_pipeline.core.errors import ConfigError

DateOption = Annotated[
    str | None, typer.Option("--date", help="Business date, YYYY-MM-DD; default: yesterday.")
]


@app.command(epilog="Example: cdp plan --json")
def plan(*, as_json: JsonOption = False) -> None:
    """Print the steps of a night, in order, and what each waits for."""
    from cdp_pipeline.orchestration.steps import nightly_graph

    graph = nightly_graph(OPTIONS.root)
    if as_json:
        output.write_json(
            [
                {
                    "step": step.name,
                    "stage": step.stage,
                    "after": graph.needs[step.name],
                    "reads": step.reads,
                    "makes": step.makes,
                    "entry": step.entry,
                    "summary": step.summary,
                }
                for step in graph.order
            ]
        )
        return
    rows = [
        (number, step.stage, step.name, step.summary, _short(graph.needs[step.name]))
        for number, step in enumerate(graph.order, start=1)
    ]
    output.write_table(("#", "stage", "step", "what it does", "after"), rows)


def _short(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 2 else f"{names[0]} and {len(names) - 1} more"  # noqa: PLR2004 - a pair reads well


@app.command(epilog="Example: cdp run --date 2026-11-20")
def run(  # noqa: PLR0913 - options of a command
    *,
    date: DateOption = None,
    from_step: Annotated[str | None, typer.Option("--from", help="First step to run.")] = None,
    to_step: Annotated[str | None, typer.Option("--to", help="Last step to run.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what an earlier try has done.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Build again although nothing has changed.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Build every table anew, carry nothing over; publish.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a night: from deliveries to published warehouse, files and reports."""
    from cdp_pipeline.orchestration.runner import RunOptions, run_night

    context = replace(OPTIONS.context(date), is_full=full)
    options = RunOptions(first=from_step, last=to_step, resume=resume, force=force)
    if not as_json:
        output.say(f"night of {context.business_date}, {context.settings.store_name}")
    outcome = run_night(context, options, listener=None if as_json else show_step)
    if as_json:
        output.write_json(outcome.as_dict())
        if outcome.error:
            raise typer.Exit(outcome.error.exit_code)
        return
    if outcome.error:
        raise outcome.error
    show_end(outcome)


@app.command(epilog="Example: cdp check")
def check(*, as_json: JsonOption = False) -> None:
    """Validate every declaration and SQL model in seconds, without data."""
    from cdp_pipeline.orchestration.checking import Findings, check_project

    try:
        findings = check_project(OPTIONS.root, OPTIONS.settings)
    except ConfigError as wrong:  # a setting is wrong, so nothing else can be judged
        findings = Findings(errors=list(wrong.parts))
    if as_json:
        output.write_json(findings.as_dict())
    else:
        for error in findings.errors:
            output.show_error(error, as_json=False)
        for remark in findings.remarks:
            output.say(remark)
        output.say(findings.summary)
    if findings.errors:
        raise typer.Exit(findings.errors[0].exit_code)


@app.command(epilog="Example: cdp report --open")
def report(
    *,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    to_file: Annotated[
        Path | None, typer.Option("--to-file", help="Also copy the first report here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say where the published reports are; open or copy one."""
    from cdp_pipeline.storage.files import write_given

    pages = sorted((OPTIONS.settings.data_dir / "reports").glob("*.html"))
    if not pages:
        raise ConfigError(
            "no report has been published yet",
            where=str(OPTIONS.settings.data_dir / "reports"),
            hint="Run `cdp run` (or `cdp demo`) first.",
        )
    if to_file:
        write_given(to_file.resolve(), pages[0].read_bytes())
    if as_json:
        output.write_json([str(page) for page in pages])
    else:
        for page in pages:
            output.write(str(page))
    if open_browser:
        import webbrowser

        webbrowser.open(pages[0].resolve().as_uri())


@app.command(epilog="Example: cdp docs --open")
def docs(
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the site; default: docs in data.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    processing: Annotated[
        bool, typer.Option("--processing", help="Print the records of processing instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the documentation: dictionary, lineage, segments, contracts, timetable, search."""
    from cdp_pipeline.documentation.processing import write_record
    from cdp_pipeline.documentation.site import FOLDER, write_site
    from cdp_pipeline.project.loader import load_project

    settings = OPTIONS.settings
    if processing:
        output.write(write_record(load_project(OPTIONS.root), settings))
        return
    folder = out.absolute() if out else settings.data_dir / FOLDER
    site = write_site(OPTIONS.root, settings, folder)
    if as_json:
        output.write_json(
            {"index": str(site.index), "files": site.files, "version": site.version or None}
        )
    else:
        output.write(str(site.index))
    if open_browser:
        import webbrowser

        webbrowser.open(site.index.as_uri())


@app.command(epilog="Example: cdp export --to /mnt/marketing")
def export(
    *,
    to: Annotated[
        Path | None, typer.Option("--to", help="Copy all published files below this folder.")
    ] = None,
    show: Annotated[
        str | None, typer.Option("--show", help="Print one file instead: DESTINATION/FILE.")
    ] = None,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the published segment and trigger files; give them out in clear, which is audited."""
    from cdp_pipeline.storage.audit import Deed, note
    from cdp_pipeline.storage.exports import copy_exports, read_export
    from cdp_pipeline.storage.reader import open_snapshot
    from cdp_pipeline.storage.warehouse import fetch_dicts

    settings = OPTIONS.settings
    with open_snapshot(settings.data_dir) as night:
        files = fetch_dicts(night.con, "select * from ops.exports order by destination, file_name")
        if show:
            content = read_export(night.folder, show, settings.keys)
            note(settings, Deed("export", f"{night.version.name}: {show} shown", why=reason))
            output.write_bytes(content)
            return
        if to:
            note(settings, Deed("export", f"{night.version.name}: {len(files)} files", why=reason))
            copy_exports(night.folder, to, settings.keys)
            output.say(f"copied to {to}")
    if as_json:
        output.write_json(files)
        return
    columns = (
        "destination",
        "file_name",
        "kind",
        "rows",
        "excluded_no_consent",
        "excluded_holdout",
        "excluded_cap",
        "excluded_no_contact",
    )
    output.write_table(columns, [[file[column] for column in columns] for file in files])
