"""Commands of the operator: what the release gate held back, and the word on it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, JsonOption, app, vet_reason
from cdp_pipeline.core.context import Clock, operating_user
from cdp_pipeline.core.wording import counted
from cdp_pipeline.storage.paths import DataPaths

identity = typer.Typer(
    name="identity", help="Identities held back by the release gate.", no_args_is_help=True
)
app.add_typer(identity)

VERDICTS = {
    "first": "the first night, so there was nothing to compare",
    "released": "tonight's identities serve; nothing went beyond what may change in a night",
    "accepted": "tonight's identities serve, as an operator accepted them",
    "held": "tonight's identities are held back; yesterday's serve until an operator decides",
    "rejected": "yesterday's identities serve, as an operator rejected tonight's",
}
"""What each verdict of the gate means."""

MEASURES = {
    "moved_share": "known records that change customer or lose it",
    "merged_share": "known customers merged into others",
    "split_share": "known customers that are split",
    "largest_merge": "known customers that become one, at most",
    "mixed_household_share": "customers that join two households",
    "segment_share": "members of the segment most affected",
    "clv_share": "expected value of affected customers",
    "consent_share": "customers whose contact permission changes",
    "export_share": "exported rows of affected customers",
}
"""What each metric of the gate counts, in the order of the report."""

RunArgument = Annotated[str, typer.Argument(help="Run, such as night-2026-11-20.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", callback=vet_reason, help="Why; kept with the decision.")
]


@identity.command(epilog="Example: cdp identity status --json")
def status(*, as_json: JsonOption = False) -> None:
    """Say what the published night changed, what is held back and what was decided."""
    from cdp_pipeline.identity.release.decided import held_runs, read_decisions, read_summary
    from cdp_pipeline.storage.warehouse import fetch_dicts, has_table, open_whole

    paths = DataPaths.of_settings(OPTIONS.settings)
    with open_whole(OPTIONS.settings) as con:
        has_release = has_table(con, "identity.release")
        gate = fetch_dicts(con, "from identity.release") if has_release else []
    gate.sort(key=lambda row: [*MEASURES, row["metric"]].index(row["metric"]))
    decisions = read_decisions(paths.stewardship)
    held = [read_summary(paths, run) for run in held_runs(paths)]
    if as_json:
        decided = {run: decision.as_dict() for run, decision in decisions.items()}
        output.write_json({"published": gate, "held": held, "decisions": decided})
        return
    if gate:
        output.write(f"{gate[0]['run_id']}: {VERDICTS[gate[0]['verdict']]}")
        measured = [row for row in gate if row["metric"] in MEASURES]
        if measured:
            output.write_table(
                ("what changes", "affected", "of", "share", "at most", ""),
                [_measure(row) for row in measured],
            )
    for summary in held:
        decision = decisions.get(summary["run"])
        said = f"{decision.decision} by {decision.by}" if decision else "waits for a decision"
        _show(summary, said)
        if decision is None:
            run = summary["run"]
            output.say(f"decide with `cdp identity accept {run}` or `cdp identity reject {run}`")


def _measure(row: dict[str, Any]) -> tuple[str, ...]:
    counts = f"{row['affected']:,}"
    mark = "beyond" if row["is_exceeded"] else ""
    if row["metric"] == "largest_merge":
        return MEASURES[row["metric"]], counts, "", "", f"{row['threshold']:.0f}", mark
    shares = (f"{row[name]:.2%}" for name in ("value", "threshold"))
    return MEASURES[row["metric"]], counts, f"{row['of_all']:,}", *shares, mark


def _show(summary: dict[str, Any], said: str) -> None:
    output.write(f"{summary['run']} {said}")
    for line in summary["why"]:
        output.write(f"  {line}")
    for row in summary["causes"]:
        what = "customer" if row["change"] == "gone" else "record"
        output.write(f"  {counted(row['records'], what)} {row['change']}: {row['cause']}")
    columns = ("customer_id", "customers_before", "records", "records_moved")
    output.write_table(
        columns, [[row[column] for column in columns] for row in summary["largest_changes"]]
    )


@identity.command(epilog="Example: cdp identity accept night-2026-11-20 --reason 'new shop system'")
def accept(run: RunArgument, *, reason: ReasonOption = "", as_json: JsonOption = False) -> None:
    """Take over the identities that a run held back, from the next night on."""
    _decide(run, "accepted", reason, as_json=as_json)


@identity.command(epilog="Example: cdp identity reject night-2026-11-20 --reason 'keys renumbered'")
def reject(run: RunArgument, *, reason: ReasonOption = "", as_json: JsonOption = False) -> None:
    """Keep known customers as they are until evidence changes or the model is fitted again."""
    _decide(run, "rejected", reason, as_json=as_json)


def _decide(run: str, decision: str, reason: str, *, as_json: bool) -> None:
    from cdp_pipeline.identity.release.decided import decide

    paths = DataPaths.of_settings(OPTIONS.settings)
    made = decide(paths, run, decision, by=operating_user(), now=Clock().now(), reason=reason)
    if as_json:
        output.write_json(made.as_dict())
    else:
        output.write(
            f"{made.run} {made.decision} by {made.by}; it counts from the next night on, "
            "or tonight if the same night is run again"
        )
