"""Hand the published files to their destinations and send the reports, each exactly once.

Runs after publication and reads only the current version. A way of delivering is one module in
``delivery`` and one line in ``KINDS``. Failing mail is a warning, since the report is on disk;
failing files are an error, since nobody else would notice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from cdp_pipeline.activation.delivery.folder import deliver_folder
from cdp_pipeline.activation.delivery.mail import MailOutcome, read_letter, send_letter
from cdp_pipeline.activation.outbox import Ledger
from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.exports import MANIFEST, is_of_a_day
from cdp_pipeline.storage.paths import DataPaths


class Kind(Protocol):
    """A way of delivering: all files appear, in clear, or none."""

    def __call__(self, source: Path, target: Path, keys: KeySettings) -> None:
        """Deliver the exports of one destination; ``keys`` open what is kept encrypted."""


KINDS: dict[str, Kind] = {"folder": deliver_folder}
"""Ways of delivering a folder of files, by ``kind:`` of a destination."""

_LOG = get_logger(__name__)


def run(context: RunContext) -> StepResult:
    """Deliver the current version: files to the outbox, reports by mail if a host is set.

    Raises:
        DeliveryError: Files or the ledger could not be written; a retry may help.
    """
    paths = DataPaths.of(context)
    version = paths.current.resolve()
    ledger = Ledger(paths.outbox / "sent.jsonl")
    messages: list[str] = []
    folders = 0
    kinds = {
        name: spec.kind for name, spec in load_project(context.project_root).destinations.items()
    }
    for source in sorted((version / "exports").glob(f"*/{MANIFEST}")):
        name = source.parent.name
        kind = partial(KINDS[kinds.get(name, "folder")], keys=context.settings.keys)
        folders += _deliver_files(source.parent, paths.outbox / name, kind, ledger, messages)
    mails = _send_reports(context, version, ledger, messages)
    _LOG.info("delivered", version=version.name, destinations=folders, mails=mails)
    return StepResult(
        rows_out=folders + mails,
        messages=tuple(messages),
        facts={"destinations": folders, "mails": mails, "version": version.name},
    )


def _deliver_files(
    source: Path,
    outbox: Path,
    deliver: Callable[[Path, Path], None],
    ledger: Ledger,
    messages: list[str],
) -> bool:
    """Deliver one destination's files; returns whether that happened now."""
    manifest = (source / MANIFEST).read_bytes()
    day = json.loads(manifest)["business_date"]
    target, key = outbox / day, f"{source.name}/{day}"
    if target.is_dir():
        if (target / MANIFEST).read_bytes() != manifest:
            messages.append(f"{source.name}: {day} was delivered before with other files, kept")
        elif not ledger.is_settled(key):  # a run died between the delivery and its note
            ledger.note(key, "sent", kind="files", version=source.parent.parent.name)
        return False
    newer = [path.name for path in outbox.glob("*") if is_of_a_day(path) and path.name > day]
    if newer:
        messages.append(f"{source.name}: {max(newer)} was delivered already, so {day} is not")
        return False
    deliver(source, target)
    ledger.note(key, "sent", kind="files", version=source.parent.parent.name)
    return True


def _send_reports(context: RunContext, version: Path, ledger: Ledger, messages: list[str]) -> int:
    if not context.settings.mail.host:
        return 0
    sent = 0
    for path in sorted((version / "reports").glob("*.eml")):
        letter = read_letter(path)
        if ledger.is_settled(letter.message_id):
            continue
        facts = {"kind": "mail", "report": path.stem, "version": version.name}
        # Noted before the act: if this run dies now, the next one does not send twice.
        ledger.note(letter.message_id, "sending", **facts)
        outcome = send_letter(letter, context.settings.mail)
        ledger.note(
            letter.message_id,
            outcome.state,
            **facts,
            reason=outcome.reason,
            refused=dict(sorted(outcome.refused.items())),
        )
        sent += outcome.state == "sent"
        messages += _words(path.stem, outcome)
    return sent


def _words(report: str, outcome: MailOutcome) -> list[str]:
    words = {
        "failed": f"report {report} could not be mailed: {outcome.reason}",
        "deferred": f"report {report} was not mailed yet: {outcome.reason}; the next run will",
        "unknown": f"report {report} may have been mailed: {outcome.reason}; it is not sent again",
    }
    found = [words[outcome.state]] if outcome.state in words else []
    if outcome.refused:
        found.append(f"report {report}: {len(outcome.refused)} recipients were refused")
    return found
