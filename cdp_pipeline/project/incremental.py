"""How a model is brought up to date with a night's changes: the key ``incremental`` of a header.

The rows of a table fall into units that are made independently of each other: a receipt with its
returns, a web session, a person. The declaration says what a unit is, in the table and in what it
reads, and to which units a changed row of an input leads. Applying it is ``warehouse.increment``'s
business; a model without the declaration is built in one scan.
"""

from __future__ import annotations

from pydantic import Field

from cdp_pipeline.project.checks import Declaration

Unit = dict[str, str]
"""Name of each part of a unit, with SQL over the columns of a table."""


class Trail(Declaration):
    """Rows of another table that a changed row leads to."""

    table: str = Field(
        description="An input that has a unit; or the table itself, as it was published."
    )
    by: dict[str, str] = Field(min_length=1, description="Its column, and that of the changed row.")
    gone: tuple[str, ...] = Field(
        default=(), description="Only published rows lead there whose values of these are gone."
    )


class IncrementalInput(Declaration):
    """One table that an incremental model reads."""

    unit: Unit = Field(
        default_factory=dict, description="SQL of each part; only rows of changed units are read."
    )
    columns: tuple[str, ...] = Field(
        default=(), description="Columns that the model reads; default: all."
    )
    where: str = Field(default="", description="SQL true of rows that the model reads.")
    turns: dict[str, tuple[int, ...]] = Field(
        default_factory=dict,
        description="By SQL of a date: the ages in days from which a row counts otherwise than the "
        "night before; 0 is its own day.",
    )
    anniversaries: tuple[str, ...] = Field(
        default=(), description="SQL of dates whose full years up to the business date count."
    )
    is_whole: bool = Field(
        default=False, description="A changed row of it may change all rows: then one scan."
    )
    changes_with: str = Field(
        default="",
        description="Another input, of which the step that makes it notes every row of a unit "
        "whenever this one has changed there.",
    )
    found_in: tuple[Trail, ...] = Field(
        default=(), description="Where changed rows lead; default: to their own unit."
    )

    @property
    def is_dated(self) -> bool:
        """Whether its rows may count otherwise because days have gone by."""
        return bool(self.turns or self.anniversaries)


class Incremental(Declaration):
    """What changes with what."""

    unit: Unit = Field(min_length=1, description="SQL of each part, over the table's own columns.")
    inputs: dict[str, IncrementalInput] = Field(
        min_length=1, description="Every table that the model reads."
    )

    def mistakes(self, table: str, reads: frozenset[str]) -> list[str]:
        """Return what is wrong with the declaration, in words.

        Args:
            table: The model.
            reads: Tables that it reads.
        """
        found = [f"reads {name}, which `inputs:` lacks" for name in sorted(reads - {*self.inputs})]
        found += [f"does not read {name}" for name in sorted({*self.inputs} - reads)]
        for name, entry in self.inputs.items():
            if entry.unit and set(entry.unit) != set(self.unit):
                found.append(f"unit of {name} has other parts than `unit:`")
            has_keys = name.startswith("staging.")
            if has_keys and (entry.columns or entry.where or any(t.gone for t in entry.found_in)):
                found.append(f"only keys of changed rows of {name} are known, nothing else")
            if entry.is_dated and not entry.unit:
                found.append(f"`turns:` of {name} lead nowhere without `unit:`")
            found += self._mistaken_leader(name, entry)
            if not (entry.unit or entry.found_in or entry.changes_with or entry.is_whole):
                found.append(f"a change of {name} leads nowhere: give `unit:` or `found_in:`")
            found += [
                f"{name} leads to {trail.table}, which has no unit"
                for trail in entry.found_in
                if trail.table != table
                and not (trail.table in self.inputs and self.inputs[trail.table].unit)
            ]
        return found

    @property
    def leaders(self) -> frozenset[str]:
        """Inputs with which others change: their changed rows must have been noted."""
        return frozenset(entry.changes_with for entry in self.inputs.values()) - {""}

    def _mistaken_leader(self, name: str, entry: IncrementalInput) -> list[str]:
        leader = self.inputs.get(entry.changes_with)
        if not entry.changes_with:
            return []
        if entry.found_in or entry.is_dated or entry.is_whole:
            return [f"{name} changes with {entry.changes_with}, so it leads nowhere by itself"]
        if leader is None or leader.changes_with or leader.columns or leader.where:
            return [f"{name} changes with {entry.changes_with}, which is no input noted whole"]
        return []
