"""What each level of agreement is worth, in bits: applying and storing a fitted model.

A pair's match weight W says how much likelier its pattern is for one person than for strangers,
its household weight V the same for two members of one household; both contain the prior. The
probability of a match is 2^W / (1 + 2^W + 2^V). Fitting belongs in ``model``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.scoring.compare import (
    Codes,
    Comparison,
    are_linked,
    frequency_columns,
    have_one_name,
    linked_places,
    unpack,
)

Floats = npt.NDArray[np.float64]

RAREST_BITS = math.log2(1e-6)
"""No value counts as rarer than one in a million: beyond, it is a slip rather than a name."""

NO_CLASS_BITS = -60.0
"""Prior weight of a class that does not exist."""

PRIOR = "prior"
LINKED = "names that go together"


@dataclass(frozen=True)
class Parameters:
    """A fitted model.

    Attributes:
        comparisons: The fields, in the order in which patterns are packed.
        match: Level probabilities of one person's records, one array a comparison.
        household: The same for two people of a household.
        unrelated: The same for strangers.
        match_bits: log2 odds of a match before any evidence.
        household_bits: The same for a household pair.
        linked_bits: How much oftener strangers agree on both linked fields than on each alone.
    """

    comparisons: tuple[Comparison, ...]
    match: tuple[Floats, ...]
    household: tuple[Floats, ...]
    unrelated: tuple[Floats, ...]
    match_bits: float
    household_bits: float
    linked_bits: float = 0.0

    def level_bits(self, place: int) -> tuple[Floats, Floats]:
        """Return match and household weight of each level, frequencies left out."""
        base = np.log2(self.unrelated[place])
        return np.log2(self.match[place]) - base, np.log2(self.household[place]) - base

    def frequency_bits(self, place: int) -> tuple[Floats, Floats]:
        """Return what a frequency-weighted level is worth before its frequency is subtracted.

        Levels without frequency hold NaN. In a household, two people agree on a personal field
        as often as strangers do: no weight either way; on a name, now and then on purpose.
        """
        comparison = self.comparisons[place]
        match, household = np.full(comparison.size, np.nan), np.full(comparison.size, np.nan)
        for outcome, level in enumerate(comparison.levels, 1):
            if level.frequency:
                match[outcome] = math.log2(self.match[place][outcome])
                if comparison.kind in {"shared", "name"}:
                    household[outcome] = math.log2(self.household[place][outcome])
        return match, household

    def pair_bits(
        self, outcomes: Sequence[int], frequencies: dict[int, float | None]
    ) -> list[tuple[float, float]]:
        """Return what each field adds to the match and household weights of one pair.

        The correction for fields that go together is part of the later field's bits.
        """
        bits = [
            self._field_bits(place, outcome, frequencies.get(place))
            for place, outcome in enumerate(outcomes)
        ]
        places = linked_places(self.comparisons)
        if places and all(outcomes[place] == 1 for place in places):
            match, household = bits[places[0]]
            bits[places[0]] = match - self.linked_bits, household - self.linked_bits
        return bits

    def _field_bits(self, place: int, outcome: int, frequency: float | None) -> tuple[float, float]:
        if outcome < 0:
            return 0.0, 0.0
        match, household = (bits[outcome] for bits in self.level_bits(place))
        rare = [bits[outcome] for bits in self.frequency_bits(place)]
        if np.isnan(rare[0]):
            return float(match), float(household)
        rarity = max(frequency or 0.0, RAREST_BITS)
        return float(rare[0] - rarity), 0.0 if np.isnan(rare[1]) else float(rare[1] - rarity)


def match_probability(match_weight: float, household_weight: float) -> float:
    """Return the probability of one person from both weights."""
    highest = max(0.0, match_weight, household_weight)
    odds = [2 ** (weight - highest) for weight in (match_weight, household_weight, 0.0)]
    return odds[0] / sum(odds)


def log_odds_sql(match: str, household: str) -> str:
    """Return SQL for the log2 odds of a match from columns with W and V."""
    return f"{match} - log2(1 + pow(2, least({household}, 200)))"


def score_patterns(
    con: duckdb.DuckDBPyConnection,
    parameters: Parameters,
    *,
    pairs: str,
    scored: str,
    least: float | None = None,
) -> None:
    """Create a temporary table of weights from a table of patterns.

    Args:
        con: Connection.
        parameters: Fitted model.
        pairs: Table with ``pattern`` and the columns of ``frequency_select``.
        scored: Name of the new table: the columns of ``pairs`` but those of frequencies,
            ``match_weight``, ``household_weight``, ``log_odds`` and ``conflict`` (sum of negative
            weights; of what people change and share, where the given name is another).
        least: Log odds below which a pair is left out; default: all pairs.
    """
    found = con.execute(f"select distinct pattern from {pairs} order by pattern").fetchnumpy()  # noqa: S608 - own table name
    codes = np.asarray(found["pattern"], dtype=np.int64)
    table, weighted = _pattern_table(parameters, codes)
    con.register("identity_pattern_rows", table)
    con.execute("create or replace temp table identity_patterns as from identity_pattern_rows")
    con.unregister("identity_pattern_rows")
    match = "".join(f" - m{p} * greatest(coalesce(f{p}, 0), {RAREST_BITS})" for p in weighted)
    household = "".join(f" - h{p} * greatest(coalesce(f{p}, 0), {RAREST_BITS})" for p in weighted)
    names = ", ".join(f"f{p}" for p in weighted)
    but_frequencies = f" exclude ({names})" if weighted else ""
    # Odds are no higher than the match weight says, which is known before.
    kept = f"where match_weight >= {least} and log_odds >= {least}" if least is not None else ""
    con.execute(
        f"""
        create or replace temp table {scored} as
        with weighed as (
            select
                pairs.*{but_frequencies},
                fixed_match{match} as match_weight,
                fixed_household{household} as household_weight,
                conflict
            from {pairs} as pairs
            inner join identity_patterns using (pattern)
        )
        select *, {log_odds_sql("match_weight", "household_weight")} as log_odds
        from weighed
        {kept}
        """  # noqa: S608 - own table names
    )


def frequency_select(comparisons: Sequence[Comparison]) -> str:
    """Return the SELECT items with the frequencies that ``score_patterns`` needs."""
    columns = frequency_columns(comparisons).items()
    return "".join(f", cast({sql} as float) as f{place}" for place, sql in columns)


def _pattern_table(parameters: Parameters, codes: Codes) -> tuple[pa.Table, list[int]]:
    outcomes = unpack(codes, parameters.comparisons)
    fixed_match = np.full(len(codes), parameters.match_bits)
    fixed_household = np.full(len(codes), parameters.household_bits)
    conflict = np.zeros(len(codes))
    factors: dict[str, Floats] = {}
    weighted = list(frequency_columns(parameters.comparisons))
    is_named = have_one_name(outcomes, parameters.comparisons)
    for place in range(len(parameters.comparisons)):
        match, household = parameters.level_bits(place)
        rare_match, rare_household = parameters.frequency_bits(place)
        level = np.clip(outcomes[:, place], 0, None)
        present = outcomes[:, place] >= 0
        is_rare = ~np.isnan(rare_match)
        fixed_match += np.where(present, np.where(is_rare, rare_match, match)[level], 0)
        shared_rare = ~np.isnan(rare_household)
        plain_household = np.where(is_rare, 0.0, household)
        fixed_household += np.where(
            present, np.where(shared_rare, rare_household, plain_household)[level], 0
        )
        against = np.where(is_rare, 0.0, np.minimum(match, 0))
        counts = present & ~(is_named & _changes(parameters.comparisons[place]))
        conflict += np.where(counts, against[level], 0)
        if place in weighted:
            factors[f"m{place}"] = np.where(present, is_rare[level], 0.0)
            factors[f"h{place}"] = np.where(present, shared_rare[level], 0.0)
    linked = are_linked(outcomes, parameters.comparisons) * parameters.linked_bits
    columns = {
        "pattern": codes,
        "fixed_match": fixed_match - linked,
        "fixed_household": fixed_household - linked,
        "conflict": conflict,
        **factors,
    }
    return pa.table(columns), weighted


def _changes(comparison: Comparison) -> bool:
    """Return whether one person has several values: mailboxes, numbers, homes, kinds of record.

    A name is kept, or changed once.
    """
    return comparison.kind in {"shared", "context"} and "family_name" not in comparison.fields


def store_parameters(con: duckdb.DuckDBPyConnection, parameters: Parameters | None) -> None:
    """Write ``identity.model_parameters``; empty when there was nothing to fit."""
    con.execute(
        "create or replace table identity.model_parameters (comparison varchar, level varchar, "
        "m_prob double, household_prob double, u_prob double, weight double)"
    )
    if parameters is None:
        return
    rows: list[tuple[str, str, float | None, float | None, float | None, float]] = [
        (PRIOR, "match", None, None, None, parameters.match_bits),
        (PRIOR, "household", None, None, None, parameters.household_bits),
        (PRIOR, LINKED, None, None, None, -parameters.linked_bits),
    ]
    for place, comparison in enumerate(parameters.comparisons):
        bits = parameters.level_bits(place)[0]
        rows += [
            (
                comparison.name,
                comparison.level_name(outcome),
                float(parameters.match[place][outcome]),
                float(parameters.household[place][outcome]),
                float(parameters.unrelated[place][outcome]),
                float(bits[outcome]),
            )
            for outcome in range(comparison.size)
        ]
    con.executemany("insert into identity.model_parameters values (?, ?, ?, ?, ?, ?)", rows)


def load_parameters(
    con: duckdb.DuckDBPyConnection, comparisons: Sequence[Comparison]
) -> Parameters | None:
    """Read what ``store_parameters`` wrote; None without a model.

    Args:
        con: Connection.
        comparisons: All that are declared; those for which no record had evidence are left out.

    Raises:
        ConfigError: The model was fitted with other levels than are declared.
    """
    rows = con.execute(
        "select comparison, level, m_prob, household_prob, u_prob, weight "
        "from identity.model_parameters"
    ).fetchall()
    if not rows:
        return None
    found = {(row[0], row[1]): row[2:] for row in rows}
    fitted = {row[0] for row in rows}
    comparisons = [c for c in comparisons if c.name in fitted]

    lacking = [
        f"{level!r} of {c.name!r}"
        for c in comparisons
        for level in map(c.level_name, range(c.size))
        if (c.name, level) not in found
    ]
    if lacking:
        raise ConfigError(
            f"the model was fitted without the level {lacking[0]}",
            where="identity.model_parameters",
            hint="What is compared has changed since; run the night again: `cdp run --force`.",
        )

    def column(place: int) -> tuple[Floats, ...]:
        return tuple(
            np.array([found[c.name, c.level_name(o)][place] for o in range(c.size)])
            for c in comparisons
        )

    return Parameters(
        comparisons=tuple(comparisons),
        match=column(0),
        household=column(1),
        unrelated=column(2),
        match_bits=float(found[PRIOR, "match"][3]),
        household_bits=float(found[PRIOR, "household"][3]),
        linked_bits=-float(found[PRIOR, LINKED][3]),
    )
