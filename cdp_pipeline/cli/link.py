"""Commands that need no project: link files, hold clusters against a truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import JsonOption, app
from cdp_pipeline.core.wording import counted

if TYPE_CHECKING:
    from cdp_pipeline.identity.files.link import LinkResult
    from cdp_pipeline.identity.measuring.grading import Grade


@app.command(epilog="Example: cdp link customers.csv orders.csv --out clusters.csv")
def link(  # noqa: PLR0913 - one parameter an option
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet files with people.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="Clusters: .csv or .parquet.")],
    edges: Annotated[
        Path | None, typer.Option("--edges", help="Also write the pairs: .csv or .parquet.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="HTML page; default: beside the clusters.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML: columns, dates, thresholds, rules.")
    ] = None,
    id_column: Annotated[
        list[str] | None,
        typer.Option("--id", help="Column that names records; again for files that differ."),
    ] = None,
    accept: Annotated[
        float | None,
        typer.Option("--accept", min=0.01, max=0.99, help="Probability from which pairs count."),
    ] = None,
    link_only: Annotated[
        bool, typer.Option("--link-only", help="Compare records of different sources only.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the people in CSV or Parquet files: deduplicate one, link several. No project needed."""
    from cdp_pipeline.identity.files.link import link_files, read_config
    from cdp_pipeline.storage.outputs import (
        check_folder,
        check_output,
        write_table,
        write_text,
    )

    page = report or out.with_suffix(".html")
    for path in (out, *([edges] if edges else [])):
        check_output(path, files)
    check_folder(page)
    said = read_config(config, accept=accept)
    found = link_files(files, config=said, id_column=id_column, link_only=link_only)
    write_table(found.clusters, out)
    if edges:
        write_table(found.edges, edges)
    write_text(found.report(), page)
    if as_json:
        output.write_json(found.as_dict())
    else:
        _show_link(found, out, page)


def _show_link(found: LinkResult, out: Path, page: Path) -> None:
    for recognition in found.recognitions:
        loaded = recognition.loaded
        output.write(f"{loaded.source}: {counted(loaded.rows, 'record')} ({loaded.dialect})")
        for column in recognition.columns:
            mark = output.good("+") if column.is_used else "-"
            role = f"{column.role.replace('_', ' ')}, " if column.role else ""
            output.write(f"  {mark} {column.name}: {role}{column.why}")
        for note in recognition.notes:
            output.write(f"  note: {note}")
    if found.lists:
        output.write(f"each person stands once in: {', '.join(found.lists)}")
    counts = found.counts
    output.write(
        f"{counts['records']:,} records are {counts['entities']:,} entities; "
        f"{counted(counts['review_pairs'], 'pair')} to review, "
        f"{counted(counts['hubs'], 'shared value')} neutralised"
    )
    output.write(f"clusters: {out}")
    output.write(f"report:   {page}")


@app.command(epilog="Example: cdp evaluate clusters.csv --truth truth.csv")
def evaluate(
    clusters: Annotated[Path, typer.Argument(help="What `cdp link --out` wrote.")],
    *,
    truth: Annotated[
        Path, typer.Option("--truth", help="Records with the person behind each, or pairs.")
    ],
    edges: Annotated[
        Path | None, typer.Option("--edges", help="What `cdp link --edges` wrote: calibration.")
    ] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="Column of the truth that names the person.")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="Column of the truth that names the record.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold clusters against a truth: pairwise, B-cubed and exact figures, and the worst errors."""
    from cdp_pipeline.identity.measuring.grading import grade_files

    grade = grade_files(clusters, truth, edges=edges, person=person, id_column=id_column)
    if as_json:
        output.write_json(grade.as_dict())
    else:
        _show_grade(grade)


def _show_grade(grade: Grade) -> None:
    rows = [
        (name, f"{m.precision:.4f}", f"{m.recall:.4f}", f"{m.f1:.4f}")
        for name, m in (
            ("pairwise", grade.pairwise),
            ("B-cubed", grade.b_cubed),
            ("exact clusters", grade.exact),
        )
    ]
    output.write_table(["", "precision", "recall", "F1"], rows)
    output.write(", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in grade.counts.items()))
    if grade.calibration:
        bins = [
            (f"{b['from']} to {b['to']}", b["edges"], b["mean_probability"], b["right_share"])
            for b in grade.calibration
        ]
        output.write_table(["probability", "edges", "mean", "right"], bins)
    for title, part, examples in (
        ("persons in one entity", "person_id", grade.false_merges),
        ("entities of one person", "customer_id", grade.splits),
    ):
        if examples:
            output.write(f"several {title}:")
        for example in examples[:3]:
            output.write(
                f"  {example['id']}: {example['records']} records, {example['parts']} parts"
            )
            for member in example["members"]:
                name = f"{member['source']}:{member['record_id']}"
                output.write(f"    {member[part]}  {name}  {member['shown'] or ''}".rstrip())
