"""How long rows are kept, as headers of tables and contracts of sources declare it.

A day is the last on which a row may be kept: with ``days: 30`` the night of 31 January keeps what
is of 1 January. Removing what is past its day is done elsewhere.
"""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import Field

from cdp_pipeline.project.checks import Declaration


class Retention(Declaration):
    """How long a table keeps its rows."""

    days: int = Field(ge=1, description="Days that a row is kept.")
    by: str = Field(description="Date or time column that they count from; rows without one stay.")

    def kept_from(self, night: date) -> date:
        """Return the oldest day whose rows a night keeps.

        >>> Retention(days=30, by="sold_on").kept_from(date(2026, 1, 31))
        datetime.date(2026, 1, 1)
        """
        return night - timedelta(days=self.days)

    @property
    def words(self) -> str:
        """The period in words."""
        return f"{self.days:,} days after {self.by}"


class SourceRetention(Declaration):
    """How long a source's deliveries and rows are kept."""

    days: int = Field(
        ge=1, description="Days after its business date that a delivery, and all of it, is kept."
    )
    by: str | None = Field(
        default=None, description="Date or time column by which a row may go before its delivery."
    )
    quarantine_days: int | None = Field(
        default=None, ge=1, description="Days that the text of rows set aside is kept."
    )

    def kept_from(self, night: date) -> date:
        """Return the oldest day whose rows and deliveries a night keeps."""
        return night - timedelta(days=self.days)

    @property
    def words(self) -> str:
        """The period in words."""
        by = f", rows {self.days:,} days after {self.by}" if self.by else ""
        aside = (
            f", texts of rows set aside {self.quarantine_days:,} days"
            if self.quarantine_days
            else ""
        )
        return f"deliveries {self.days:,} days{by}{aside}"


class Statistics(Declaration):
    """A table of aggregates whose rows stay when the rows they were counted from go."""

    day: str = Field(description="Date column; rows of days that are gone are carried forward.")
    of: tuple[str, ...] = Field(min_length=1, description="Sources that the rows are counted from.")
