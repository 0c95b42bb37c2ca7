"""Commands that look at what was published: status, query, explain, doctor, version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cdp_pipeline import __version__
from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import MOST, OPTIONS, JsonOption, ReasonOption, app
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.queries import find_query

if TYPE_CHECKING:
    import duckdb


@app.command(epilog="Example: cdp status --json")
def status(*, as_json: JsonOption = False) -> None:
    """Say what is published, from which night, and how the last run ended."""
    from cdp_pipeline.orchestration.status import read_status

    found = read_status(OPTIONS.settings)
    if as_json:
        output.write_json(found.as_dict())
        return
    for line in found.lines():
        output.write(line)


@app.command(epilog='Example: cdp query "from marts.marketing_segments"')
def query(  # noqa: PLR0913 - options of one command
    sql: Annotated[
        str | None,
        typer.Argument(help="A SELECT, `from schema.table`, or the name of a declared query."),
    ] = None,
    *,
    style: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print rows.")
    ] = "table",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Rows at most.")] = 100,
    list_named: Annotated[bool, typer.Option("--list", help="List the declared queries.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Ask an earlier night: its date, or the name of a version."),
    ] = None,
    with_personal_data: Annotated[
        bool, typer.Option("--with-personal-data", help="Read the vault too; needs --reason.")
    ] = False,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask the published warehouse, in SQL or by the name of a declared query; nothing changes.

    Tables with names, addresses and numbers lie in the vault, for those entitled.
    """
    import duckdb

    from cdp_pipeline.project.loader import load_project
    from cdp_pipeline.storage.warehouse import first_line

    if list_named or sql is None:
        _list_named()
        return
    if sql.isidentifier():
        sql = find_query(load_project(OPTIONS.root).queries, sql).sql
    version = _find_version(as_of) if as_of else None
    with _open(version, reason if with_personal_data else None) as con:
        try:
            _note_query(con, sql, reason)
            cursor = con.execute(sql)
            if cursor is None:  # blanks or a comment, though its type says otherwise
                raise ConfigError("no SQL in it", where="the query", hint=_hint_of(sql))
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchmany(limit + 1)
        except duckdb.Error as error:
            raise ConfigError(first_line(error), where="the query", hint=_hint_of(sql)) from error
    _print_rows(names, rows[:limit], style="json" if as_json else style)
    if len(rows) > limit:
        output.say(f"more than {limit} rows; see --limit")


def _list_named() -> None:
    from cdp_pipeline.project.loader import load_project

    named = load_project(OPTIONS.root).queries.values()
    output.write_table(
        ("query", "for", "question"), [(q.name, q.header.role, q.header.question) for q in named]
    )


def _print_rows(names: list[str], rows: list[tuple[Any, ...]], *, style: str) -> None:
    if style == "json":
        output.write_json([dict(zip(names, row, strict=True)) for row in rows])
    elif style == "csv":
        output.write_csv(names, rows)
    else:
        output.write_table(names, rows)


def _find_version(when: str) -> Path:
    """Return the folder of the version as of a date, and say which it is."""
    from cdp_pipeline.storage.history import find_version
    from cdp_pipeline.storage.paths import DataPaths

    found = find_version(DataPaths.of_settings(OPTIONS.settings), when)
    output.say(f"as of {when}: version {found.name}, night of {found.business_date}")
    return found.path


@contextmanager
def _open(version: Path | None, reason: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open what analysts read; with the vault if there is a reason, which must be said."""
    from cdp_pipeline.storage.warehouse import open_published, open_whole

    if reason is None:
        with open_published(OPTIONS.settings.data_dir, version=version) as con:
            yield con
        return
    if not reason.strip():
        raise ConfigError(
            "whoever looks at personal data says why",
            where="--reason",
            hint="Add --reason 'ticket 4711: wrong address'; it is kept in the audit log.",
        )
    with open_whole(OPTIONS.settings, version=version) as con:
        yield con


def _hint_of(sql: str) -> str:
    """Return what to do about a query that DuckDB refuses."""
    from cdp_pipeline.project.lineage import find_tables
    from cdp_pipeline.project.loader import load_project

    try:
        tables = load_project(OPTIONS.root).tables
        asked = [tables[name] for name in find_tables(sql, where="the query") if name in tables]
    except ConfigError:  # not one SELECT
        asked = []
    personal = next((spec.full_name for spec in asked if spec.is_personal), None)
    if personal:
        return f"{personal} holds personal data: add --with-personal-data --reason '...'."
    return '`cdp query "show all tables"` lists what there is.'


def _note_query(con: duckdb.DuckDBPyConnection, sql: str, reason: str) -> None:
    """Write into the audit log which tables are asked; the text of a query may name people."""
    from cdp_pipeline.storage.asked_tables import list_asked_tables
    from cdp_pipeline.storage.audit import Deed, note

    note(OPTIONS.settings, Deed("query", ", ".join(list_asked_tables(con, sql)), why=reason))


@app.command(epilog="Example: cdp explain loyalty_members:1000000123 ecommerce_accounts:A000042")
def explain(
    first: Annotated[str, typer.Argument(help="Customer id, or source:record_key.")],
    second: Annotated[
        str | None, typer.Argument(help="A second one: why they are (not) one person.")
    ] = None,
    *,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write the explanation as one HTML page.")
    ] = None,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Explain a customer (records, journey, segments) or why two records are (not) one person."""
    from cdp_pipeline.identity.explaining.explain import explain_pair
    from cdp_pipeline.identity.explaining.explanation_page import write_page
    from cdp_pipeline.identity.scoring.design import declared_design
    from cdp_pipeline.orchestration.profile import read_profile
    from cdp_pipeline.project.loader import load_project
    from cdp_pipeline.storage.audit import Deed, note
    from cdp_pipeline.storage.warehouse import open_whole

    project = load_project(OPTIONS.root)
    accept = OPTIONS.settings.identity.accept_prob
    people = [first, second] if second else [first]
    with open_whole(OPTIONS.settings) as con:
        note(OPTIONS.settings, Deed("explain", on=people, why=reason))
        if second:
            design = declared_design(project.linkage)
            found: Any = explain_pair(con, first, second, design=design, accept=accept)
        else:
            found = read_profile(con, first, accept=accept)
    if html:
        page = found if second else found.explanation
        write_page(page, html, project=project, settings=OPTIONS.settings)
        output.say(f"wrote {html}")
    if as_json:
        output.write_json(found.as_dict())
    else:
        output.write(found.render_text())


@app.command(epilog="Example: cdp doctor")
def doctor(*, as_json: JsonOption = False) -> None:
    """Check the machine, the settings, the data folder and Airflow; print a fix per failure."""
    from cdp_pipeline.orchestration.doctor import examine

    findings = examine(OPTIONS.root, OPTIONS.data_dir)
    if as_json:
        output.write_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            good = output.good("ok  ") if not finding.hint else "warn"
            mark = good if finding.is_ok else output.bad("FAIL")
            output.write(f"{mark} {finding.subject}: {finding.text}")
            if finding.hint:
                output.write(f"     help: {finding.hint}")
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(2)


@app.command(epilog="Example: cdp version")
def version(*, as_json: JsonOption = False) -> None:
    """Print the versions of the package and of the libraries that decide results."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    found = {"cdp-pipeline": __version__}
    for name in ("duckdb", "pandas", "great-expectations", "recordlinkage", "apache-airflow"):
        try:
            found[name] = installed(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    if as_json:
        output.write_json(found)
        return
    for name, number in found.items():
        output.write(f"{name} {number}")
