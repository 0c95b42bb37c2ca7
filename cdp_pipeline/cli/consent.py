"""The command that shows what a person has agreed to, on any day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.cli.app import OPTIONS, PERSON, JsonOption, ReasonOption, app, parse_date
from cdp_pipeline.cli.privacy import open_context
from cdp_pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from cdp_pipeline.privacy.standing import Standing


@app.command(
    epilog="Example: cdp consent anna@example.com --as-of 2026-06-30 --known-at 2026-07-01"
)
def consent(
    person: Annotated[str, typer.Argument(help=PERSON)],
    *,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Day asked about; default: the published night.")
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option("--known-at", help="Night whose knowledge counts; default: the published."),
    ] = None,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what a person permits, by which rule, and the ledger entries behind it."""
    from cdp_pipeline.privacy.standing import read_standing
    from cdp_pipeline.project.loader import load_project
    from cdp_pipeline.rights.erasure import find_people, open_resolver
    from cdp_pipeline.storage.audit import Deed, note
    from cdp_pipeline.storage.leftovers import own_work

    context = open_context()
    rules = load_project(OPTIONS.root).consent
    night = context.business_date
    with own_work(context) as looking, open_resolver(looking) as con:
        subject = find_people(con, looking, [person])[0]
        if not subject.customers:
            raise ConfigError(
                "rows hold this identifier, but no customer does",
                where="cdp consent",
                hint="`cdp access` shows them; what a person permits is kept by customer.",
            )
        note(context.settings, Deed("consent", "1 person", subject.customers, reason))
        standing = read_standing(
            con,
            subject.customers[0],
            rules=rules,
            as_of=parse_date(as_of, option="--as-of") if as_of else night,
            known_at=parse_date(known_at, option="--known-at") if known_at else night,
        )
    if as_json:
        output.write_json(standing.as_dict())
    else:
        _show(standing)


def _show(standing: Standing) -> None:
    output.write(
        f"{standing.customer_id} as of {standing.as_of}, as known on {standing.known_at}\n"
    )
    output.write_table(
        ("purpose", "channel", "permitted", "reason", "rule", "stated at", "entry"),
        [
            (
                state["purpose"],
                state["channel"] or "any",
                "yes" if state["is_permitted"] else "no",
                state["reason"],
                state["rule"],
                state["captured_at"] or "",
                f"{state['source']}:{state['statement_id'][:12]}" if state["statement_id"] else "",
            )
            for state in standing.states
        ],
    )
    output.write("\nledger:" if standing.statements else "\nledger: no entry was known")
    if standing.statements:
        output.write_table(
            ("entry", "purpose", "channel", "status", "stated at", "recorded", "wording", "merged"),
            [
                (
                    f"{said['source']}:{said['statement_id'][:12]}",
                    said["purpose"],
                    said["channel"] or "any",
                    said["status"],
                    said["captured_at"],
                    said["recorded_on"],
                    said["wording_version"] or "",
                    said["merged_on"] or "",
                )
                for said in standing.statements
            ],
        )
