"""The step that predicts: value, recommendations, propensities, one after the other.

They are one step because each reads what the one before made and none is worth a retry alone. Each
is trained and tested once a week; on the other nights it only scores.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.features import clv
from cdp_pipeline.features.propensity import night as propensity
from cdp_pipeline.features.recommend import night as recommend


def run(context: RunContext) -> StepResult:
    """Make all tables of predictions.

    Returns:
        Rows of all of them, and everything that each has to say.

    Raises:
        DataQualityError: A purchase history is impossible.
        PrivacyError: The consent ledger is missing.
        WarehouseError: A table differs from its header.
    """
    # On matrices as small as these, threads of linear algebra cost more than they save.
    with threadpool_limits(1):
        results = [step(context) for step in (clv.run, recommend.run, propensity.run)]
    return StepResult(
        rows_in=results[0].rows_in,
        rows_out=sum(result.rows_out for result in results),
        messages=tuple(message for result in results for message in result.messages),
        facts={name: fact for result in results for name, fact in result.facts.items()},
    )
