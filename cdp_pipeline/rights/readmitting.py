"""An erased person comes back: whom the values mean, and the lift with its entry in the audit log.

Which tombstones go and which stay is decided in ``privacy.readmission``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.privacy.readmission import Readmission, find_readmission, lift_tombstones
from cdp_pipeline.privacy.suppression import create_normalisers, suppression_keys
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.rights.pending import pending_files
from cdp_pipeline.storage.audit import Deed, note
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import connect


def find_returning(context: RunContext, given: Sequence[str]) -> Readmission:
    """Return which tombstones belong to the person who had these values.

    Raises:
        ConfigError: Nobody who was erased had them, or several people had, or an erasure has
            begun and not ended.
    """
    paths = DataPaths.of(context)
    pending = pending_files(paths)
    if pending:
        raise ConfigError(
            "an erasure has begun and not ended",
            where=str(pending[0]),
            hint="Run `cdp privacy resume` first.",
        )
    con = connect(context.settings.engine)
    try:
        create_normalisers(con)
        return find_readmission(
            con,
            paths,
            suppression_keys(context.settings),
            given,
            sources=load_project(context.project_root).sources,
        )
    finally:
        con.close()


def readmit(context: RunContext, found: Readmission, *, since: date, reason: str) -> None:
    """Let a person's values in again; the caller holds the lock.

    The log says so before it is done, and on whom by the number within the erasure.

    Args:
        context: Settings, and the business date on which it is decided.
        found: By ``find_returning``.
        since: First business date whose deliveries may hold the person.
        reason: Why it is lawful, without personal data.

    Raises:
        ConfigError: The day lies within what was erased, or no reason is given.
    """
    if not reason.strip():
        raise ConfigError(
            "a readmission needs its reason, since it undoes what a person was promised",
            where="cdp privacy readmit --reason",
            hint="Example: --reason 'registered again on 1 December, agreed to the terms'",
        )
    found.require_later(since)
    person = found.person or found.erasure
    what = f"{person}: {len(found.lines)} tombstones from {since.isoformat()}"
    note(context.settings, Deed("readmit", what, [person], reason, context.run_id))
    lift_tombstones(DataPaths.of(context), found, since=since, on=context.business_date)
