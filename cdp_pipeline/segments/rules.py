r"""Vetting of a segment's ``where:`` against the columns of ``features.customer_features``.

What SQL is safe is decided by ``project.expressions``; here stand the segment's place in its
file and the table it may speak of. Members are found by ``membership``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.marketing import SegmentSpec
from cdp_pipeline.project.positions import Positions

FEATURES_TABLE = "features.customer_features"
"""The one table that a segment may speak of."""


def vet_segment(spec: SegmentSpec, *, columns: Mapping[str, str], path: Path) -> str:
    r"""Return a segment's predicate, safe to place into a query.

    Args:
        spec: The declaration.
        columns: Columns of ``features.customer_features`` with their DuckDB types.
        path: The declaring file.

    Raises:
        ConfigError: The predicate is not one condition over these columns; names file and line.

    >>> spec = SegmentSpec(name="vips", title="VIPs", owner="crm", where="visits > 9")
    >>> vet_segment(spec, columns={"visits": "bigint"}, path=Path("vips.yml"))
    '(visits > 9\n)'
    """
    return vet_predicate(spec.where, columns=columns, where=Positions(path)("where"))


def served(project: Project, *, business_date: date) -> tuple[list[SegmentSpec], list[str]]:
    """Return the segments that are still served, most urgent first, and words on the others."""
    current, messages = [], []
    for spec in sorted(project.segments.values(), key=lambda s: (s.priority, s.name)):
        if spec.expires_on and spec.expires_on < business_date:
            messages.append(f"segment {spec.name} expired on {spec.expires_on}: not served")
        else:
            current.append(spec)
    return current, messages
