"""What a source's contract does about change: columns, values, volumes, missing values.

Part of a ``SourceContract``. Each kind of change has a policy; how change is found is the business
of ``ingest``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cdp_pipeline.project.checks import Declaration

Policy = Literal["pass", "warn", "quarantine", "stop"]
HistoryPolicy = Literal["pass", "warn", "stop"]


class Drift(Declaration):
    """What happens when deliveries change."""

    new_columns: Policy = Field(
        default="warn", description="Columns that are neither declared nor ignored."
    )
    missing_columns: Policy = Field(default="pass", description="Optional columns a file lacks.")
    unknown_values: Policy = Field(
        default="quarantine", description="Values outside the `values:` of a column."
    )
    volume: HistoryPolicy = Field(
        default="warn", description="Records of a day against the same weekday before."
    )
    volume_factor: float = Field(
        default=5.0, gt=1, description="Times more or less than usual that counts as change."
    )
    nulls: HistoryPolicy = Field(
        default="warn", description="Share of missing values against earlier files."
    )
    null_rise: float = Field(
        default=0.3, gt=0, le=1, description="Rise of that share that counts as change."
    )
    shapes: HistoryPolicy = Field(
        default="warn",
        description="Columns that change places; units and ways of writing that do.",
    )
