"""How two people are compared: named levels of agreement, packed into one number a pair.

A comparison is a list of levels from best to worst; the first that holds counts, ``differs`` is
what remains, and a missing value is no evidence. Comparisons are declared in ``sql/linkage``; how
they become SQL over pairs belongs here. What a level is worth is learned in ``model``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt

from cdp_pipeline.identity.standard.extras import held_columns
from cdp_pipeline.project.evidence import EVIDENCE
from cdp_pipeline.project.linkage import ComparisonSpec, Kind, LinkageSpec
from cdp_pipeline.storage.warehouse import describe

DIFFERS = "differs"
"""Name of the level that holds when no other does."""

Codes: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """One degree of agreement.

    Attributes:
        name: For people: shown in explanations.
        condition: SQL over the nodes ``l`` and ``r``.
        frequency: SQL for the log2 frequency of the agreed value; a rare surname weighs more.
        is_apart: Full birth dates of which only this is told are two births, as no slip explains.
    """

    name: str
    condition: str
    frequency: str | None = None
    is_apart: bool = False


@dataclass(frozen=True)
class Comparison:
    """One field, or a few that mean one thing, compared in levels.

    Attributes:
        name: For people: shown in explanations.
        missing: SQL that is true when the pair says nothing about this field.
        levels: Best first.
        no_conflict: SQL that is true when it says nothing that no level holds.
        kind: ``personal`` fields of two people in one household agree as rarely as strangers';
            ``name`` and ``birth`` likewise, but for sons named after fathers and for twins;
            ``shared`` ones agree in households; ``context`` is no evidence about a person, but
            tells how often such records are of one family at all.
        fields: Columns of ``identity.records`` to show beside the verdict.
        goes_with: Another comparison whose best level makes this one's likelier among strangers:
            given names follow families' origins.
        needs: Node columns without which the comparison cannot be made.
    """

    name: str
    missing: str
    levels: tuple[Level, ...]
    kind: Kind
    fields: tuple[str, ...]
    goes_with: str | None = None
    needs: tuple[str, ...] = ()
    no_conflict: str | None = None

    @property
    def size(self) -> int:
        """Number of outcomes without ``missing``."""
        return len(self.levels) + 1

    @property
    def frequency(self) -> str | None:
        """SQL of the frequency-weighted level, if there is one."""
        return next((level.frequency for level in self.levels if level.frequency), None)

    def level_name(self, outcome: int) -> str:
        """Return the name of an outcome: -1 missing, 0 differs, 1 the best level."""
        if outcome < 0:
            return "missing"
        return DIFFERS if outcome == 0 else self.levels[outcome - 1].name

    def outcome_sql(self) -> str:
        """Return SQL that yields 0 for missing, 1 for differs, 2 for the best level."""
        branches = " ".join(
            f"when {level.condition} then {place}" for place, level in enumerate(self.levels, 2)
        )
        if self.no_conflict:
            branches += f" when {self.no_conflict} then 0"
        return f"case when {self.missing} then 0 {branches} else 1 end"


def declared_comparisons(spec: LinkageSpec) -> tuple[Comparison, ...]:
    """Return the comparisons of a declaration, in its order."""
    return tuple(_compile(name, found) for name, found in spec.comparisons.items())


def _compile(name: str, spec: ComparisonSpec) -> Comparison:
    present = spec.evidence.present
    silent = [f"l.{present} is null or r.{present} is null"]
    silent += [level.agreement(spec.compares).condition for level in spec.silent_if]
    agreements = [(level, level.agreement(spec.compares)) for level in spec.levels]
    tags = sorted(spec.needed_tags())
    return Comparison(
        name=name,
        missing=" or ".join(f"({condition})" for condition in silent),
        levels=tuple(
            Level(level.name, made.condition, made.frequency, level.is_ == "years apart")
            for level, made in agreements
        ),
        kind=spec.kind,
        fields=spec.evidence.fields,
        goes_with=spec.goes_with,
        needs=tuple(EVIDENCE[tag].held or EVIDENCE[tag].present for tag in tags),
        no_conflict=" or ".join(
            f"({level.agreement(spec.compares).condition})" for level in spec.no_conflict_if
        )
        or None,
    )


def held_node_columns(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the columns of ``identity_nodes`` in which any record has a value."""
    return set(held_columns(con, "identity_nodes", list(describe(con, "identity_nodes"))))


def used_columns(comparisons: Sequence[Comparison]) -> set[str]:
    """Return the columns of ``identity_nodes`` that comparisons look at."""
    conditions = " ".join(
        f"{c.missing} {c.no_conflict} "
        f"{' '.join(f'{level.condition} {level.frequency}' for level in c.levels)}"
        for c in comparisons
    )
    named = set(re.findall(r"\b[lr]\.(\w+)", conditions))
    return named.union(*(c.needs for c in comparisons))


def pattern_sql(comparisons: Sequence[Comparison]) -> str:
    """Return SQL that packs all outcomes of the pair ``l``, ``r`` into one bigint."""
    if not comparisons:
        return "cast(0 as bigint)"
    factors = _factors(comparisons)
    terms = [f"{f} * ({c.outcome_sql()})" for f, c in zip(factors, comparisons, strict=True)]
    return "cast(" + " + ".join(terms) + " as bigint)"


def unpack(codes: Codes, comparisons: Sequence[Comparison]) -> Codes:
    """Return outcomes, one row a code and one column a comparison; -1 is missing."""
    sizes = [c.size + 1 for c in comparisons]
    columns = [
        (codes // f) % size - 1 for f, size in zip(_factors(comparisons), sizes, strict=True)
    ]
    return np.stack(columns, axis=1)


def frequency_columns(comparisons: Sequence[Comparison]) -> dict[int, str]:
    """Return SQL of each frequency-weighted comparison by its place in the list."""
    return {place: c.frequency for place, c in enumerate(comparisons) if c.frequency}


def linked_places(comparisons: Sequence[Comparison]) -> tuple[int, int] | None:
    """Return the places of the comparison that goes with another, and of that other."""
    names = [c.name for c in comparisons]
    for place, comparison in enumerate(comparisons):
        if comparison.goes_with in names:
            return place, names.index(comparison.goes_with or "")
    return None


def are_linked(outcomes: Codes, comparisons: Sequence[Comparison]) -> npt.NDArray[np.bool_]:
    """Return which patterns have both linked comparisons at their best level."""
    places = linked_places(comparisons)
    if places is None:
        return np.zeros(len(outcomes), dtype=bool)
    return np.asarray((outcomes[:, places[0]] == 1) & (outcomes[:, places[1]] == 1))


def two_births(comparisons: Sequence[Comparison]) -> dict[int, tuple[int, ...]]:
    """Return which outcomes are two birth dates that no slip explains, by comparison's place."""
    return {
        place: (0, *(n for n, level in enumerate(c.levels, 1) if level.is_apart))
        for place, c in enumerate(comparisons)
        if c.fields == ("birth_date",)
    }


def have_two_births(codes: Codes, comparisons: Sequence[Comparison]) -> npt.NDArray[np.bool_]:
    """Return which patterns have two birth dates that no slip explains.

    Nobody is born twice: a group with two such dates is a father and his son, or namesakes, however
    well their other records fit each other. Two records alone are left to their weights.
    """
    births = two_births(comparisons)
    if not births:
        return np.zeros(len(codes), dtype=bool)
    outcomes = unpack(codes, comparisons)
    marks = [np.isin(outcomes[:, place], found) for place, found in births.items()]
    return np.asarray(np.any(marks, axis=0), np.bool_)


def have_one_name(outcomes: Codes, comparisons: Sequence[Comparison]) -> npt.NDArray[np.bool_]:
    """Return which patterns agree fully on the given name.

    Args:
        outcomes: As ``unpack`` returns them.
        comparisons: What they are the outcomes of.
    """
    places = [place for place, c in enumerate(comparisons) if c.kind == "name"]
    return np.asarray((outcomes[:, places] == 1).any(axis=1), np.bool_)


def _factors(comparisons: Sequence[Comparison]) -> list[int]:
    factors = [1]
    for comparison in comparisons[:-1]:
        factors.append(factors[-1] * (comparison.size + 1))
    return factors
