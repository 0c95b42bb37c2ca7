"""How a running night is shown: one line a step, one line at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdp_pipeline.cli import output

if TYPE_CHECKING:
    from cdp_pipeline.orchestration.graph import Step
    from cdp_pipeline.orchestration.runner import NightOutcome, StepOutcome


def show_step(step: Step, outcome: StepOutcome | None) -> None:
    """Print one line a step, once it has ended: rows in, out, set aside, seconds."""
    if outcome is None:
        return
    if outcome.result is None:
        output.say(f"  {output.bad('✗')} {step.name:<30} failed after {outcome.seconds:.1f} s")
        return
    result = outcome.result
    counts = (
        f"{result.rows_in:>10,} in {result.rows_out:>10,} out {result.rows_set_aside:>7,} aside"
    )
    note = "" if outcome.status == "done" else f"  {outcome.status}"
    output.say(f"  {output.good('✓')} {step.name:<30}{counts} {outcome.seconds:>6.1f} s{note}")
    for message in result.messages[:3]:
        output.say(f"      {message}")


def _show_findings(outcome: NightOutcome) -> None:
    """Say where to look at what was set aside, and at what was checked."""
    from cdp_pipeline.storage.paths import DataPaths

    loading = outcome.steps.get("load_staging")
    aside = int(loading.result.facts.get("quarantined", 0)) if loading and loading.result else 0
    if aside:
        rows = "1 row is" if aside == 1 else f"{aside:,} rows are"
        output.say(f"  {rows} set aside: `cdp quarantine list`, then `show`")
    pages = DataPaths.of(outcome.context).current / "quality" / "data_docs" / "index.html"
    if pages.is_file():
        output.say(f"  checks of the deliveries: {pages}")


def show_end(outcome: NightOutcome) -> None:
    """Print how the night ended."""
    if outcome.cleared:
        output.say(f"  deleted the work of runs that died: {', '.join(outcome.cleared)}")
    if outcome.status == "unchanged":
        output.say(f"nothing to do: {outcome.version} already holds this night")
    elif outcome.status == "published":
        output.say(f"published {outcome.version} in {outcome.seconds:.1f} s")
        _show_findings(outcome)
    else:
        output.say(
            f"done up to the last step asked for, in {outcome.seconds:.1f} s; nothing published"
        )
