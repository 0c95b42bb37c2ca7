"""Commands of the data steward: review, judge, unmerge, freeze, judgements."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import MOST, OPTIONS, JsonOption, app, vet_reason
from cdp_pipeline.core.context import Clock, operating_user
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.paths import DataPaths

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from cdp_pipeline.identity.stewardship.decisions import Decision
    from cdp_pipeline.identity.stewardship.judgements import Judgements, Line
    from cdp_pipeline.identity.stewardship.review import ReviewPair

ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason", callback=vet_reason, help="Why, in a few words; kept with the judgement."
    ),
]
WHEN = "in force from the next night on (or tonight, if `cdp run` runs last night again)"


@app.command(epilog="Example: cdp review --limit 20")
def review(
    *,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Pairs at most.")] = 50,
    sample: Annotated[
        bool, typer.Option("--sample", help="The month's random sample instead: it measures.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the queue to this new CSV file.")
    ] = None,
    import_file: Annotated[
        Path | None, typer.Option("--import", help="Read verdicts from such a file.")
    ] = None,
) -> None:
    """Look at the pairs that matter most, side by side, and say whether they are one person."""
    if export and import_file:
        raise ConfigError(
            "--export and --import exclude each other", where="cdp review", hint="Use one of them."
        )
    if import_file:
        _import_verdicts(import_file)
    elif export:
        _export_queue(export, limit, is_sample=sample)
    else:
        _review_in_terminal(limit, is_sample=sample)


@app.command(epilog="Example: cdp judge different crm:17 loyalty_members:42 --reason twins")
def judge(
    verdict: Annotated[
        Literal["same", "different", "unsure"], typer.Argument(help="One person or two.")
    ],
    first: Annotated[str, typer.Argument(help="source:record_key, or a customer id.")],
    second: Annotated[str, typer.Argument(help="The other one.")],
    *,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say that two records are one person, or are not: it outranks every score."""
    from cdp_pipeline.identity.stewardship.decisions import judge_pair

    with _published() as con:
        decision = judge_pair(con, verdict, (first, second), reason)
    _record(decision, as_json=as_json)


@app.command(epilog="Example: cdp unmerge C0A0B8732CD3FAA7A crm:17 --reason 'her sister'")
def unmerge(
    customer: Annotated[str, typer.Argument(help="Customer id.")],
    records: Annotated[
        list[str] | None,
        typer.Argument(help="Records to take out; none: take all named records apart."),
    ] = None,
    *,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take records out of a customer, for good: the next night splits them off."""
    from cdp_pipeline.identity.stewardship.decisions import unmerge as work_out

    with _published() as con:
        decision = work_out(con, customer, records or [], reason)
    _record(decision, as_json=as_json)


@app.command(epilog="Example: cdp freeze C0A0B8732CD3FAA7A --reason 'dispute, see mail of 3 May'")
def freeze(
    customer: Annotated[str, typer.Argument(help="Customer id.")],
    *,
    thaw: Annotated[bool, typer.Option("--thaw", help="Let it change again.")] = False,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Keep a customer exactly as it is: it neither gains nor loses records until thawed."""
    from cdp_pipeline.identity.stewardship import decisions

    held = _judgements()
    if thaw:
        decision = decisions.thaw(held, customer, reason)
    else:
        with _published() as con:
            decision = decisions.freeze(con, held, customer, reason)
    _record(decision, as_json=as_json)


@app.command(epilog="Example: cdp judgements --withdraw J12")
def judgements(
    *,
    withdraw: Annotated[
        str | None, typer.Option("--withdraw", help="Number of a judgement to take back.")
    ] = None,
    conflicts: Annotated[
        bool, typer.Option("--conflicts", help="Show judgements that contradict each other.")
    ] = False,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """List what stewards decided; take a judgement back; show contradictions."""
    from cdp_pipeline.identity.stewardship import decisions

    held = _judgements()
    if withdraw:
        _record(decisions.withdraw(held, withdraw, reason), as_json=as_json)
    elif conflicts:
        _list_conflicts(held, as_json=as_json)
    else:
        _list_judgements(held, as_json=as_json)


def _queue(con: duckdb.DuckDBPyConnection, limit: int, *, is_sample: bool) -> list[ReviewPair]:
    from cdp_pipeline.identity.stewardship.review import review_queue, sample_queue

    if is_sample:
        return sample_queue(con, _judgements(), limit=limit)
    accept = OPTIONS.settings.identity.accept_prob
    return review_queue(con, _judgements(), accept=accept, limit=limit)


def _review_in_terminal(limit: int, *, is_sample: bool) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "cdp review asks questions, so it needs a terminal",
            where="standard input and output",
            hint="Without one: `cdp review --export FILE.csv`, fill the column verdict, "
            "`cdp review --import FILE.csv`.",
        )
    from cdp_pipeline.cli.asking import ask, show_pair
    from cdp_pipeline.identity.scoring.design import declared_design
    from cdp_pipeline.identity.stewardship.pair_views import describe_pair
    from cdp_pipeline.project.loader import load_project

    design = declared_design(load_project(OPTIONS.root).linkage)
    answered = 0
    with _published() as con:
        queue = _queue(con, limit, is_sample=is_sample)
        for number, pair in enumerate(queue, start=1):
            _note("review", [pair.record_a, pair.record_b])
            show_pair(describe_pair(con, design, pair), number=number, total=len(queue))
            answer = ask()
            if answer.verdict == "quit":
                break
            if answer.verdict != "skip":
                draft = {"verdict": answer.verdict, "a": pair.record_a, "b": pair.record_b}
                _write([draft | {"reason": answer.reason, "match_prob": round(pair.match_prob, 6)}])
                answered += 1
    if not queue:
        output.say("nothing to review: every pair of the published version's queue is judged")
    elif answered:
        output.say(f"{answered} answers recorded as {operating_user()}; {WHEN}")
    else:
        output.say("nothing recorded")


def _export_queue(path: Path, limit: int, *, is_sample: bool) -> None:
    from cdp_pipeline.identity.scoring.design import declared_design
    from cdp_pipeline.identity.stewardship.pair_views import describe_pair
    from cdp_pipeline.identity.stewardship.review_files import write_queue
    from cdp_pipeline.project.loader import load_project

    design = declared_design(load_project(OPTIONS.root).linkage)
    with _published() as con:
        queue = _queue(con, limit, is_sample=is_sample)
        _note("review", [name for pair in queue for name in (pair.record_a, pair.record_b)])
        views = [describe_pair(con, design, pair) for pair in queue]
    write_queue(path, views)
    output.say(
        f"{len(views)} pairs in {path}, which holds personal data; "
        f"fill the column verdict, then `cdp review --import {path}`"
    )


def _import_verdicts(path: Path) -> None:
    from cdp_pipeline.identity.stewardship.decisions import Decision, missing_records, not_recorded
    from cdp_pipeline.identity.stewardship.review_files import read_verdicts

    with _published() as con:
        drafts, empty = read_verdicts(path, missing=lambda names: missing_records(con, names))
    new = not_recorded(_judgements(), drafts, who=operating_user())
    known = f", {len(drafts) - len(new)} recorded before" if len(new) < len(drafts) else ""
    note = f"{len(drafts)} verdicts in {path}{known}, {empty} rows without one"
    _record(Decision(new, (note,)), as_json=False)


def _list_judgements(held: Judgements, *, as_json: bool) -> None:
    withdrawn = held.withdrawn
    rows = [
        line.model_dump(mode="json") | {"withdrawn_by": _by(withdrawn.get(line.id))}
        for line in held.lines
        if line.verdict not in {"withdraw", "erased"}
    ]
    if as_json:
        output.write_json(rows)
        return
    if not rows:
        output.write("no judgements yet; `cdp review` asks for some")
        return
    output.write_table(
        ("id", "verdict", "records", "who", "when (UTC)", "withdrawn", "reason"),
        [
            (
                row["id"],
                row["verdict"],
                _records_of(row),
                row["who"],
                row["at"][:16].replace("T", " "),
                row["withdrawn_by"] or "",
                row["reason"],
            )
            for row in rows
        ],
    )
    if held.torn:
        output.say(f"the journal ends in an unfinished line of {held.torn} bytes; it is ignored")


def _by(line: Any) -> str | None:  # noqa: ANN401 - a withdrawal, or nothing
    return f"{line.who} ({line.id})" if line else None


def _records_of(row: dict[str, Any]) -> str:
    if row["verdict"] == "freeze":
        return f"{row['customer']}, {len(row['records'])} records"
    others = row["b"] if isinstance(row["b"], list) else [row["b"]]
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return f"{row['a']} | {others[0]}{more}"


def _list_conflicts(held: Judgements, *, as_json: bool) -> None:
    from cdp_pipeline.identity.stewardship.constraints import resolve

    found = resolve(held).conflicts
    columns = ("conflict", "record", "record", "counts", "does not count")
    rows = [(c.kind, *c.pair, c.winner, c.loser) for c in found]
    if as_json:
        names = ("kind", "record_a", "record_b", "winner", "loser")
        output.write_json([dict(zip(names, row, strict=True)) for row in rows])
    elif rows:
        output.write_table(columns, rows)
    else:
        output.say("no judgements contradict each other")


def _record(decision: Decision, *, as_json: bool) -> None:
    """Write a decision and say what was written, by whom, from when, and what it contradicts."""
    from cdp_pipeline.identity.stewardship.decisions import new_conflicts, with_lines

    before = _judgements()
    lines = _write(decision.drafts)
    conflicts = new_conflicts(before, with_lines(before, lines))
    if as_json:
        output.write_json([line.model_dump(mode="json") for line in lines])
        return
    for note in decision.notes:
        output.say(note)
    if not lines:
        output.say("nothing recorded")
        return
    numbers = lines[0].id if len(lines) == 1 else f"{lines[0].id} to {lines[-1].id}"
    output.say(f"recorded as {operating_user()}: {numbers}; {WHEN}")
    for conflict in conflicts:
        output.say(
            f"conflict: {conflict.kind}: {conflict.pair[0]} and {conflict.pair[1]}; "
            f"{conflict.winner} counts, {conflict.loser} does not"
        )


def _write(drafts: Sequence[Any]) -> tuple[Line, ...]:
    from cdp_pipeline.identity.stewardship.judgements import record_judgements

    if not drafts:
        return ()
    people = [name for draft in drafts for name in _people_of(draft)]
    _note(f"judge {drafts[0]['verdict']}", people)
    folder = DataPaths.of_settings(OPTIONS.settings).stewardship
    return record_judgements(folder, drafts, who=operating_user(), now=Clock().now())


def _people_of(draft: Mapping[str, Any]) -> list[str]:
    named = [draft.get("a"), draft.get("customer"), *draft.get("records", ())]
    others = draft.get("b", ())
    named += others if isinstance(others, list) else [others]
    return [str(name) for name in named if name]


def _note(did: str, people: Sequence[str]) -> None:
    """Write into the audit log that somebody looks at people."""
    from cdp_pipeline.storage.audit import Deed, note

    note(OPTIONS.settings, Deed(did, on=people))


def _judgements() -> Judgements:
    from cdp_pipeline.identity.stewardship.judgements import read_judgements

    return read_judgements(DataPaths.of_settings(OPTIONS.settings).stewardship)


@contextmanager
def _published() -> Iterator[duckdb.DuckDBPyConnection]:
    from cdp_pipeline.storage.warehouse import open_whole

    with open_whole(OPTIONS.settings) as con:
        yield con
