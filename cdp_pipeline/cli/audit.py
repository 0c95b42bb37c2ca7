"""Commands that say whether something was changed: verify, the audit log, keys that sign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import MOST, OPTIONS, JsonOption, app

if TYPE_CHECKING:
    from cdp_pipeline.storage.at_rest import Sealing

audit = typer.Typer(name="audit", help="Who did or saw what, on whom, when, why.",
                    no_args_is_help=True)  # fmt: skip
keys = typer.Typer(name="keys", help="Keys of tokens, signatures and encryption.",
                   no_args_is_help=True)  # fmt: skip
app.add_typer(audit)
app.add_typer(keys)

_TOKEN_SHOWN = 8


@app.command("verify", epilog="Example: cdp verify 2026-11-20")
def verify_versions(
    version: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Date or name of a version; default: the current."),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every version that is kept.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find changed bytes in a version and its deliveries, and records that went missing."""
    from cdp_pipeline.storage.history import find_version
    from cdp_pipeline.storage.paths import DataPaths
    from cdp_pipeline.storage.verification import examine_version
    from cdp_pipeline.storage.versions import published_versions

    settings = OPTIONS.settings
    paths = DataPaths.of_settings(settings)
    chosen = published_versions(paths)
    if not everything or not chosen:
        name = (version or paths.current.resolve().name).removeprefix("night-")
        chosen = [find_version(paths, name)]
    found = [examine_version(settings, each) for each in chosen]
    if as_json:
        output.write_json([each.as_dict() for each in found])
    for each in found if not as_json else ():
        word = output.bad("changed") if each.problems else output.good("whole")
        output.write(
            f"{word} {each.version}: {each.files} files, {each.deliveries} deliveries, "
            f"{each.records:,} records accounted for"
        )
        for line in (*each.problems, *each.remarks):
            output.write(f"     {line}")
    if any(each.problems for each in found):
        raise typer.Exit(3)


@audit.command("list", epilog="Example: cdp audit list --on C0A0B8732CD3FAA7A")
def list_entries(
    *,
    on: Annotated[
        str | None, typer.Option("--on", help="Only deeds on this customer id or record.")
    ] = None,
    who: Annotated[str | None, typer.Option("--who", help="Only deeds of this user.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="The last so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what was done and seen; people appear as tokens."""
    from collections import deque

    from cdp_pipeline.storage.audit import AuditLog, read_entries

    log = AuditLog.of(OPTIONS.settings)
    wanted = log.tokens_of(on) if on else None
    bodies = deque(
        (
            entry.body
            for entry in read_entries(log.path)
            if entry.body
            and (wanted is None or wanted.intersection(entry.body.get("on", ())))
            and who in (None, entry.body.get("who"), entry.body.get("login"))
        ),
        maxlen=limit,
    )
    if as_json:
        output.write_json(list(bodies))
        return
    if not bodies:
        output.say("no such entry")
        return
    output.write_table(
        ("n", "when (UTC)", "who", "did", "what", "on", "why"),
        [
            (
                body.get("n"),
                str(body.get("at"))[:19].replace("T", " "),
                "/".join(filter(None, (body.get("login"), body.get("who"), body.get("run")))),
                body.get("did"),
                body.get("what"),
                _people(body.get("on", ())),
                body.get("why"),
            )
            for body in bodies
        ],
    )


@audit.command(epilog="Example: cdp audit verify")
def verify(*, as_json: JsonOption = False) -> None:
    """Find out whether the log was changed: signatures, numbers, what versions noted of it."""
    from cdp_pipeline.storage.audit_chain import verify_log

    verdict = verify_log(OPTIONS.settings)
    if as_json:
        found = {"problems": verdict.problems, "remarks": verdict.remarks}
        output.write_json({**verdict.end.as_dict(), **found})
    else:
        for remark in verdict.remarks:
            output.say(f"remark: {remark}")
        for problem in verdict.problems:
            output.write(f"{output.bad('problem')}: {problem}")
        word = "whole" if not verdict.problems else "changed"
        output.write(f"{word}: {verdict.end.entries} entries, the last signed {verdict.end.tip}")
    if verdict.problems:
        raise typer.Exit(5)


@keys.command(epilog="Example: cdp keys new /etc/cdp/master.key")
def new(
    file: Annotated[Path, typer.Argument(help="New file; only its owner may read it (0400).")],
) -> None:
    """Make a master key; a key that is lost cannot be made again."""
    from cdp_pipeline.core.keys import write_key_file

    key = write_key_file(file.absolute())
    output.say(f"wrote key {key.id}; keep a copy elsewhere, then set CDP_KEYS__FILE={file}")
    output.say("to replace a key, put the new one before the old one in the same file")


@keys.command(epilog="Example: cdp keys show")
def show(*, as_json: JsonOption = False) -> None:
    """Say which keys are set, by name; never the keys themselves."""
    from cdp_pipeline.core.keys import load_keyring

    ring = load_keyring(OPTIONS.settings.keys)
    rows = [
        (key.id, "in use" if key is ring.current else "recognises what was made with it")
        for key in ring.keys
    ]
    if as_json:
        names = [name for name, _ in rows]
        output.write_json({"keys": names, "origin": ring.origin, "is_public": ring.is_public})
        return
    output.write_table(("key", "use"), rows)
    output.say(f"from {ring.origin}")


@keys.command(epilog="Example: cdp keys rotate")
def rotate(*, as_json: JsonOption = False) -> None:
    """Encrypt vaults and deliveries under the key in use; killed, it goes on where it was."""
    from cdp_pipeline.ingest.sealing import sealable_files
    from cdp_pipeline.project.loader import load_project
    from cdp_pipeline.storage.rotation import rotate_keys

    settings = OPTIONS.settings
    made = rotate_keys(settings, sealable_files(settings, load_project(OPTIONS.root)))
    if as_json:
        found = {"key": made.key, "rotated": made.done, "kept": made.kept}
        output.write_json({**found, "delivered": vars(made.delivered)})
        _fail_if_left(made.delivered)
        return
    for name, before in made.done.items():
        output.write(f"{name}: {before} to {made.key}")
    output.write(
        f"{len(made.done)} vaults encrypted again, {len(made.kept)} were under {made.key} already"
    )
    files = made.delivered
    output.write(
        f"{files.files} files of deliveries encrypted, {files.kept} were under {made.key} already"
    )
    for problem in files.problems:
        output.write(f"{output.bad('left')} {problem}")
    output.say("keep the old key after the new one: the audit log and tombstones rest on it")
    _fail_if_left(files)


def _fail_if_left(delivered: Sealing) -> None:
    if delivered.problems:
        raise typer.Exit(2)


def _people(tokens: list[str]) -> str:
    shown = ", ".join(token[:_TOKEN_SHOWN] for token in tokens[:2])
    return f"{shown} and {len(tokens) - 2} more" if len(tokens) > 2 else shown  # noqa: PLR2004
