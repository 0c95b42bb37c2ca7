"""The one function that forgets a person in all of identity.

Whoever erases calls it on a version that is not published yet, with the person found before on the
published one, and keeps the person out of later nights by a tombstone of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb

from cdp_pipeline.identity.erasure.journals import erase_lines
from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.identity.erasure.tables import erase_rows
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.storage.paths import DataPaths


@dataclass(frozen=True)
class Erasure:
    """What was taken out.

    Attributes:
        customer_count: Ids that were spent.
        record_count: Person records of the subject.
        rows: Rows deleted or blanked, by identity table.
        lines: Lines or rows changed, by file below the data folder.
    """

    customer_count: int
    record_count: int
    rows: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def erase_person(
    con: duckdb.DuckDBPyConnection,
    paths: DataPaths,
    subject: Subject,
    *,
    business_date: str,
    memory: Memory,
) -> Erasure:
    """Forget a person: records, customer, history, judgements, proposals, samples, household.

    Safe to repeat with the same subject, as after a crash: what is gone is not looked for.

    Args:
        con: Connection whose main catalog is the coming version, finished and writable; see
            ``tables.erase_rows`` on what to publish of it.
        paths: Data folder with the journals and proposals.
        subject: The person, by ``subjects.find_subjects`` on a version that still has them.
        business_date: The night, as YYYY-MM-DD.
        memory: How ids that nobody has are remembered.

    Returns:
        Counts for the certificate.
    """
    rows = erase_rows(con, subject, business_date=business_date, memory=memory)
    lines = erase_lines(paths, subject)
    return Erasure(len(subject.customers), len(subject.records), rows, lines)
