"""What is compared and which pairs are proposed: the declaration, cut to what the records hold.

Making a ``Design`` from ``sql/linkage`` and leaving out what no record has evidence for belong
here; SQL of comparisons and rules is made in ``compare`` and ``blocking``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import duckdb

from cdp_pipeline.identity.scoring.blocking import BlockingRule, declared_rules
from cdp_pipeline.identity.scoring.compare import (
    Comparison,
    declared_comparisons,
    held_node_columns,
    linked_places,
    used_columns,
)
from cdp_pipeline.project.evidence import KEYS
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.project.linkage import LinkageSpec, flat_sides, pair_columns
from cdp_pipeline.project.loader import starter_folder
from cdp_pipeline.project.yaml_source import read_model


@dataclass(frozen=True)
class Design:
    """What is compared and how pairs are proposed.

    Attributes:
        comparisons: Fields in the order in which patterns are packed.
        rules: Blocking rules.
        classes: 3, or 2 to leave the household class out (for ablation).
        sides: SQL over nodes ``l`` and ``r`` that a pair must satisfy; default: any pair.
        most_pairs: Pairs a node that one rule may propose; default: no bound.
    """

    comparisons: tuple[Comparison, ...]
    rules: tuple[BlockingRule, ...]
    classes: int = 3
    sides: str = "true"
    most_pairs: float | None = None

    @property
    def node_columns(self) -> set[str]:
        """The columns of ``identity_nodes`` that any of it looks at."""
        keys = [key for rule in self.rules for key in (*rule.columns, *rule.needs, self.sides)]
        words = {word for key in keys for word in re.findall(r"\w+", key)}
        return words | used_columns(self.comparisons)

    def rule_of(self, comparison: Comparison) -> BlockingRule | None:
        """Return the rule that proposes all pairs at the best level of a comparison, if any."""
        best = comparison.levels[0].condition
        return next((r for r in self._alone() if best == _equal(*r.columns)), None)

    def rule_of_names(self) -> BlockingRule | None:
        """Return the rule that proposes all namesakes, if it is names that go together."""
        places = linked_places(self.comparisons) or ()
        linked = {self.comparisons[place].levels[0].condition for place in places}
        if linked != {_equal(KEYS["given_name"]), _equal(KEYS["family_name"])}:
            return None
        return next((r for r in self._alone() if r.columns == (KEYS["both names"],)), None)

    def _alone(self) -> Iterator[BlockingRule]:
        """Yield the rules that ask for nothing but one key to be equal."""
        return (rule for rule in self.rules if len(rule.columns) == 1 and rule.most is None)


def _equal(column: str) -> str:
    return f"l.{column} = r.{column}"


def declared_design(spec: LinkageSpec) -> Design:
    """Return everything that a declaration compares, whether or not records hold it.

    Raises:
        ConfigError: A level's own SQL is not one condition over two records.
    """
    for name, comparison in spec.comparisons.items():
        for level in (*comparison.levels, *comparison.silent_if, *comparison.no_conflict_if):
            if level.is_ == "sql":
                place = f"sql/linkage/{spec.name}.yml: {name}, {level.name}"
                vet_predicate(flat_sides(str(level.with_)), columns=pair_columns(), where=place)
    return Design(declared_comparisons(spec), declared_rules(spec))


@lru_cache(maxsize=4)
def shipped_linkage(name: str = "people") -> LinkageSpec:
    """Return a declaration that ships with the package, for work without a project.

    Args:
        name: ``people`` for stores, ``files`` for ``cdp link``.
    """
    return read_model(LinkageSpec, starter_folder("sql") / "linkage" / f"{name}.yml")


@lru_cache(maxsize=4)
def shipped_design(name: str = "people") -> Design:
    """Return the design of ``shipped_linkage``."""
    return declared_design(shipped_linkage(name))


def fitting_design(con: duckdb.DuckDBPyConnection, design: Design) -> Design:
    """Return a design without the comparisons and rules for which no record holds evidence.

    Args:
        con: Connection with the temporary table ``identity_nodes``.
        design: What could be compared.
    """
    held = held_node_columns(con)
    return replace(
        design,
        comparisons=tuple(c for c in design.comparisons if held.issuperset(c.needs)),
        rules=tuple(r for r in design.rules if held.issuperset(r.needs or r.columns)),
    )
