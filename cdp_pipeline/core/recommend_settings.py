"""Settings of recommendations: ``[tool.cdp.recommend]``, a group of ``settings.Settings``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RecommendSettings(BaseModel):
    """Recommendations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    list_length: int = Field(default=5, ge=1, le=50, description="Items of a list.")
    window_days: int = Field(default=730, ge=30, description="Days of purchases that count.")
    in_range_days: int = Field(
        default=90, ge=1, description="Days in which somebody must have bought what is shown."
    )
    maximum_items: int = Field(
        default=3_000, ge=10, le=10_000, description="Items of a model, the most bought ones."
    )
    rule_support: int = Field(
        default=20, ge=2, description="Fewest baskets that hold both items of a basket rule."
    )
    minimum_customers: int = Field(
        default=200, ge=20, description="Fewest customers by whom ways to rank are compared."
    )
    refit_days: int = Field(
        default=7,
        ge=0,
        description="Age from which models are learned and compared again; 0: nightly.",
    )
