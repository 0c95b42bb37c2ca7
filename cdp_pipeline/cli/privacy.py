"""Commands of the privacy officer: access, erasure, going on after a crash, readmission."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, PERSON, JsonOption, ReasonOption, app, vet_reason
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.paths import DataPaths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from cdp_pipeline.privacy.readmission import Readmission
    from cdp_pipeline.rights.certifying import Certificate

privacy = typer.Typer(help="Rights of people: erasure and its proof.", no_args_is_help=True)
app.add_typer(privacy, name="privacy")


@privacy.command(epilog="Example: cdp privacy erase anna@example.com --reason 'letter of 3 May'")
def erase(
    people: Annotated[
        list[str],
        typer.Argument(help=PERSON),
    ],
    *,
    reason: Annotated[
        str, typer.Option("--reason", callback=vet_reason, help="Why; without personal data.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase people everywhere, keep them out for good, prove that nothing is left."""
    from cdp_pipeline.rights.erasure import erase_people, find_people, open_resolver

    context = open_context()
    with _holding(context):
        with open_resolver(context) as con:
            subjects = find_people(con, context, people)
        if not yes:
            records = sum(len(subject.records) for subject in subjects)
            typer.confirm(
                f"Erase {len(subjects)} people with {records} records for good?", abort=True
            )
        certificate = erase_people(context, subjects, reason=reason)
    _show(certificate, as_json=as_json)


@privacy.command(epilog="Example: cdp privacy resume")
def resume(*, as_json: JsonOption = False) -> None:
    """Finish erasures that were interrupted."""
    from cdp_pipeline.rights.erasure import resume_erasures

    context = open_context()
    with _holding(context):
        certificates = resume_erasures(context)
    for certificate in certificates:
        _show(certificate, as_json=as_json)
    if not certificates and not as_json:
        output.say("no erasure is pending")


@privacy.command(
    epilog="Example: cdp privacy readmit anna@example.com --from 2026-12-01 --reason 'joined again'"
)
def readmit(
    given: Annotated[
        list[str],
        typer.Argument(
            help="What the person had and gives again: addresses, numbers, a card used again."
        ),
    ],
    *,
    since: Annotated[
        datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Day of the first new delivery."),
    ],
    reason: Annotated[
        str,
        typer.Option(
            "--reason", callback=vet_reason, help="Why it is lawful; without personal data."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a person who was erased come back as a new customer; what was erased stays away."""
    from cdp_pipeline.rights.readmitting import find_returning
    from cdp_pipeline.rights.readmitting import readmit as lift
    from cdp_pipeline.storage.lock import hold_lock

    context = open_context()
    with hold_lock(DataPaths.of(context).lock, "readmission"):
        found = find_returning(context, given)
        if not yes:
            typer.confirm(
                f"Let the person of erasure {found.erasure} in again from {since.date()} "
                f"({', '.join(found.kinds)})?",
                abort=True,
            )
        lift(context, found, since=since.date(), reason=reason)
    _show_readmission(found, since.date(), as_json=as_json)


@app.command(epilog="Example: cdp access anna@example.com --to answers --reason 'letter of 3 May'")
def access(
    person: Annotated[str, typer.Argument(help=PERSON)] = "",
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the answer instead.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder for JSON and page; default: print JSON.")
    ] = None,
    reason: ReasonOption = "",
) -> None:
    """Give out everything that is held on a person, as JSON and as a readable page."""
    from cdp_pipeline.rights.access import SCHEMA_FILE, collect_access
    from cdp_pipeline.rights.access_page import render_access
    from cdp_pipeline.rights.erasure import find_people, open_resolver
    from cdp_pipeline.storage.audit import Deed, note
    from cdp_pipeline.storage.files import as_json, write_given
    from cdp_pipeline.storage.leftovers import own_work

    if schema:
        output.write(SCHEMA_FILE.read_text(encoding="utf-8").rstrip())
        return
    if not person:
        raise ConfigError(
            "whose data is not said",
            where="cdp access",
            hint="Example: cdp access C0123456789ABCDEF",
        )
    context = open_context()
    with own_work(context) as looking:  # an erasure may be at work beside it
        with open_resolver(looking) as con:
            subject = find_people(con, looking, [person])[0]
        note(context.settings, Deed("access", "1 person", subject.customers, reason))
        document = collect_access(looking, subject)
    if to is None:
        output.write_json(document)
        return
    DataPaths.of(context).ensure(to)
    page = render_access(document).encode()
    for path, data in ((to / "access.json", as_json(document)), (to / "access.html", page)):
        write_given(path, data)
        path.chmod(0o600)
        output.say(f"wrote {path}")


@contextmanager
def _holding(context: RunContext) -> Iterator[None]:
    """Hold the data folder for an erasure; what it worked with goes in the end."""
    from cdp_pipeline.storage.files import remove_folder
    from cdp_pipeline.storage.lock import hold_lock

    paths = DataPaths.of(context)
    with hold_lock(paths.lock, "erasure"):
        try:
            yield
        finally:
            remove_folder(paths.work)


def open_context() -> RunContext:
    """Return a context of the night that is published: its day is noted on certificates."""
    from cdp_pipeline.storage.versions import current_version

    settings = OPTIONS.settings
    current = current_version(DataPaths.of_settings(settings))
    if current is None:
        raise ConfigError(
            "nothing has been published yet",
            where=str(settings.data_dir),
            hint="Run `cdp run` (or `cdp demo`) first.",
        )
    return RunContext(current.business_date, "privacy", OPTIONS.root, settings)


def _show_readmission(found: Readmission, since: date, *, as_json: bool) -> None:
    if as_json:
        facts = {"erasure": found.erasure, "person": found.person, "from": since.isoformat()}
        output.write_json({**facts, "lifted": len(found.lines), "kept": found.kept})
        return
    output.write(
        f"{found.person or found.erasure}: {len(found.lines)} tombstones lifted from {since} "
        f"({', '.join(found.kinds)}), {found.kept} stay (cards, accounts, records)"
    )
    output.say(
        "deliveries of earlier days are still kept out; what came since and was kept out is gone: "
        "let it be delivered again"
    )


def _show(certificate: Certificate, *, as_json: bool) -> None:
    facts = certificate.facts
    if as_json:
        output.write_json(facts)
        return
    rows = sum(sum(v["rows"].values()) for v in facts["versions"].values())
    output.write(
        f"erasure {certificate.erasure}: {facts['people']} people, {facts['left']} traces left"
    )
    lines = [
        ("tombstones", facts["tombstones"]),
        ("staged rows that went", facts["staged_rows"]),
        ("sales rows without the person and what nothing reads", facts["rows_without_person"]),
        ("quarantined records blanked", facts["quarantined_records"]),
        ("raw files rewritten", facts["raw_files_rewritten"]),
        ("raw files removed", facts["raw_files_removed"]),
        ("stray files rewritten", facts.get("strays_rewritten", 0)),
        ("files whose rows of others lost words", facts.get("files_with_mentions", 0)),
        (f"rows in {len(facts['versions'])} versions", rows),
        ("identities recipients are told", sum(facts["removals"].values())),
        ("files searched", facts["files_looked_at"]),
    ]
    output.write_table(["what", "count"], lines)
    output.write(f"certificate: {certificate.path}")
