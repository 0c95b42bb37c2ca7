"""What an erasure says when it is done: the certificate, without saying about whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.privacy.suppression import suppression_keys
from cdp_pipeline.rights.deliveries import DeliveryCleaning
from cdp_pipeline.rights.pending import Pending, end_erasure
from cdp_pipeline.rights.scan import Find, Scan
from cdp_pipeline.rights.versions import Cleaning
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import CERTIFICATES, PENDING

SHOWN_FINDS = 20


@dataclass(frozen=True)
class Certificate:
    """What was done, without saying about whom.

    Attributes:
        erasure: Number, such as ``E000007``.
        path: The certificate's file.
        facts: Its content.
        finds: Traces that were found afterwards; none, or the erasure is not done.
    """

    erasure: str
    path: Path
    facts: dict[str, Any]
    finds: tuple[Find, ...] = ()


@dataclass(frozen=True)
class Done:
    """What an erasure did, place by place."""

    tombstones: int
    deliveries: DeliveryCleaning
    journals: dict[str, int]
    versions: dict[str, Cleaning]
    files: dict[str, int]
    scan: Scan


def state_facts(context: RunContext, pending: Pending, done: Done) -> dict[str, Any]:
    """Return what the certificate says, without saying about whom."""
    deliveries = done.deliveries
    return {
        "erasure": pending.erasure,
        "business_date": context.business_date.isoformat(),
        "reason": pending.reason,
        "requests": [f"{source}:{number}" for source, number in pending.requests],
        "people": len(pending.traces.subjects),
        "key": suppression_keys(context.settings)[0].id,
        "tombstones": done.tombstones,
        "staged_rows": deliveries.staged,
        "rows_without_person": deliveries.detached,
        "quarantined_records": deliveries.quarantined,
        "raw_files_rewritten": len(deliveries.rewritten),
        "raw_files_removed": deliveries.removed,
        "journals": sum(done.journals.values()),
        "versions": {
            name: {"rows": found.rows, "files": found.files, "turnover": found.turnover}
            for name, found in done.versions.items()
        },
        "files": done.files,
        "removals": {
            name: sum(r.destination == name for r in pending.removals)
            for name in sorted({r.destination for r in pending.removals})
        },
        "strays_rewritten": done.scan.cleaned,
        "files_with_mentions": done.scan.mentioning,
        "files_looked_at": done.scan.files,
        "files_unreadable": done.scan.unreadable,
    }


def certificate_of(paths: DataPaths, erasure: str) -> Path:
    """Return where the certificate of an erasure lies once it is done."""
    return paths.privacy / CERTIFICATES / f"{erasure}.json"


def certify(
    paths: DataPaths, pending: Pending, facts: dict[str, Any], finds: Sequence[Find]
) -> Certificate:
    """Write the certificate and end the erasure.

    Raises:
        PrivacyError: Traces are left.
    """
    facts["left"] = len(finds)
    if finds:
        shown = "; ".join(f"{f.file} ({f.place}, {f.kind})" for f in finds[:SHOWN_FINDS])
        raise PrivacyError(
            f"{len(finds)} traces are left after erasure {pending.erasure}: {shown}",
            where=str(paths.privacy / PENDING / f"{pending.erasure}.json"),
            hint="Remove or mend these files, then run `cdp privacy resume`.",
        )
    path = certificate_of(paths, pending.erasure)
    paths.ensure(path.parent)
    write_json(path, facts)
    end_erasure(paths, pending.erasure, facts)
    return Certificate(pending.erasure, path, facts, tuple(finds))
