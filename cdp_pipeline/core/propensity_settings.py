"""Settings of propensities: ``[tool.cdp.propensity]``, a group of ``settings.Settings``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PropensitySettings(BaseModel):
    """Propensities."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_customers: int = Field(
        default=500, ge=50, description="Fewest people of a past day that is learned from."
    )
    minimum_events: int = Field(
        default=50, ge=20, description="Fewest of them who did it within the horizon."
    )
    maximum_customers: int = Field(
        default=30_000, ge=1_000, description="People of a past day; of more, a sample is taken."
    )
    refit_days: int = Field(
        default=7, ge=0, description="Age from which models are trained again; 0: nightly."
    )
    gate_total_share: float = Field(
        default=1.0, gt=0, description="Change of the expected total that a new model may bring."
    )
