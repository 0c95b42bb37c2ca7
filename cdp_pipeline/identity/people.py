"""The step from scored pairs to people: cluster, keep ids, choose the best values, measure.

One step, since a customer without a golden record would be of use to nobody.
"""

from __future__ import annotations

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.identity.golden import survivorship
from cdp_pipeline.identity.grouping import cluster
from cdp_pipeline.identity.measuring import quality


def run(context: RunContext) -> StepResult:
    """Resolve customers, build golden records, measure both; the step ``resolve_customers``.

    Returns:
        Person records in, golden records out; records that belong to nobody are set aside.
    """
    resolved = cluster.run(context)
    golden = survivorship.run(context)
    measured = quality.run(context)
    return StepResult(
        rows_in=resolved.rows_in,
        rows_out=golden.rows_out,
        rows_set_aside=resolved.rows_set_aside,
        messages=(*resolved.messages, *golden.messages, *measured.messages),
        facts={**resolved.facts, **golden.facts, **measured.facts},
    )
