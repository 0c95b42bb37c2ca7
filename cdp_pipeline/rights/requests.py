"""Part of the step ``deliver``: what people asked for is done.

Runs after everything of the night has been published and delivered, on the version that knows who
asked. Erasures are done for all at once, on the nights that ``due`` tells; objections and
restrictions already hold, since the consent gate reads them, and are noted as done. A request whose
person is unknown or not verified waits, and the health report counts its days.
"""

from __future__ import annotations

from calendar import day_name
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.privacy.actions import Action, note_actions, read_actions
from cdp_pipeline.privacy.consent import BLOCKING
from cdp_pipeline.privacy.suppression import has_tombstones
from cdp_pipeline.rights.certifying import Certificate
from cdp_pipeline.rights.deliveries import DeliveryCleaning, clean_raw
from cdp_pipeline.rights.due import erases_tonight
from cdp_pipeline.rights.erasure import (
    erase_people,
    find_people,
    open_resolver,
    resume_erasures,
)
from cdp_pipeline.rights.removals import drop_old_removals
from cdp_pipeline.rights.renewing import drop_known
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_dicts, has_table

READY = ("verified", "done")
"""Of erasures: who asked is known to be the person. ``done`` is what the sender has done."""

_LOG = get_logger(__name__)


@dataclass(frozen=True)
class Request:
    """A request as the current version knows it.

    Attributes:
        source: Its source.
        request_id: Its number.
        request_type: erasure, access, objection or restriction.
        customer_id: The person; None if nobody was found.
        status: received, verified or done.
        received_on: Day on which it arrived, if that is told.
    """

    source: str
    request_id: str
    request_type: str
    customer_id: str | None
    status: str
    received_on: date | None

    @property
    def name(self) -> tuple[str, str]:
        """Source and number."""
        return self.source, self.request_id


def run(context: RunContext) -> StepResult:
    """Finish interrupted erasures, then do what can be done of tonight's requests.

    Returns:
        Open requests and those that were done; ``facts`` count them.

    Raises:
        PrivacyError: Something of an erased person is left.
    """
    paths = DataPaths.of(context)
    drop_known(paths)
    certificates = resume_erasures(context)
    told = drop_old_removals(
        paths, night=context.business_date, days=context.settings.privacy.answer_days
    )
    returned = DeliveryCleaning()
    if has_tombstones(paths):
        clean_raw(context, returned)
    requests = open_requests(context)
    erasing = [r for r in requests if r.request_type == "erasure" and r.status in READY]
    known = [r for r in erasing if r.customer_id]
    oldest = min((r.received_on for r in known if r.received_on), default=None)
    later = [] if not known or erases_tonight(context, oldest=oldest) else known
    known = [] if later else known
    if known:
        certificates.append(_erase(context, known))
    blocked = [r for r in requests if r.request_type in BLOCKING and r.request_type != "erasure"]
    blocked = [r for r in blocked if r.customer_id]
    note_actions(paths, [Action(*r.name, "blocked", context.business_date) for r in blocked])
    done = len(known) + len(blocked)
    _LOG.info("requests_honoured", erased=len(known), blocked=len(blocked), open=len(requests))
    return StepResult(
        rows_in=len(requests),
        rows_out=done,
        messages=(
            *_words(requests, [*known, *later], blocked, certificates, returned),
            *_tell_later(context, later),
            *([f"{told} lists of who was erased had their time and went"] if told else ()),
        ),
        facts={
            "erased": len(known),
            "later": len(later),
            "blocked": len(blocked),
            "waiting": len(requests) - done,
            "certificates": [certificate.erasure for certificate in certificates],
        },
    )


def open_requests(context: RunContext) -> list[Request]:
    """Return requests of the current version that were not done by us, by source and number."""
    done = {(a.source, a.request_id) for a in read_actions(DataPaths.of(context))}
    with open_resolver(context) as con:
        if not has_table(con, "core.privacy_requests"):
            return []
        rows = fetch_dicts(
            con,
            "select source, request_id, request_type, customer_id, status, "
            "cast(received_on as date) as received_on "
            "from core.privacy_requests order by source, request_id",
        )
    found = [Request(**row) for row in rows]
    return [request for request in found if request.name not in done]


def _erase(context: RunContext, requests: Sequence[Request]) -> Certificate:
    customers = sorted({r.customer_id for r in requests if r.customer_id})
    with open_resolver(context) as con:
        subjects = find_people(con, context, customers)
    return erase_people(
        context, subjects, reason="requests", requests=[request.name for request in requests]
    )


def _tell_later(context: RunContext, later: Sequence[Request]) -> list[str]:
    if not later:
        return []
    day = day_name[context.settings.privacy.erasure_weekday - 1]
    return [f"{len(later)} requests to be erased wait for {day}, as the data folder is large"]


def _words(
    requests: Sequence[Request],
    erased: Sequence[Request],
    blocked: Sequence[Request],
    certificates: Sequence[Certificate],
    returned: DeliveryCleaning,
) -> list[str]:
    words = [
        f"{c.erasure}: {c.facts['people']} people erased, {c.facts['left']} traces left in "
        f"{c.facts['files_looked_at']} files"
        for c in certificates
    ]
    if returned.rewritten or returned.removed:
        count = len(returned.rewritten) + returned.removed
        words.append(f"{count} files held people who were erased before: taken out")
    if blocked:
        words.append(f"{len(blocked)} objections and restrictions are in force")
    waiting = len(requests) - len(erased) - len(blocked)
    if waiting:
        words.append(f"{waiting} requests wait: for their answer, a check or a known person")
    return words
