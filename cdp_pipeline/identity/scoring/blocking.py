"""Which pairs are worth comparing: records that share at least one blocking key.

Rules are declared and named (``sql/linkage``), so that a meeting can discuss them; a key held by
more records than the cap is dropped and counted, never silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from cdp_pipeline.project.evidence import EVIDENCE, KEY_COLUMNS, KEYS, TELLING
from cdp_pipeline.project.linkage import LinkageSpec
from cdp_pipeline.storage.warehouse import fetch_value, quote_literal


@dataclass(frozen=True)
class BlockingRule:
    """One reason for comparing two nodes.

    Attributes:
        name: For people and for ``identity.edges.rule``.
        columns: SQL over node columns that must all be present and equal.
        needs: Node columns without which the rule is left out.
        is_wide: Whether its keys tell so little that it may be dropped as a whole.
    """

    name: str
    columns: tuple[str, ...]
    needs: tuple[str, ...] = ()
    is_wide: bool = False

    def key_sql(self, number: int, *, nodes: str = "identity_nodes") -> str:
        """Return SQL for the rows (key, rule, node_id) of this rule."""
        present = " and ".join(f"({column}) is not null" for column in self.columns)
        parts = ", ".join(self.columns)
        return (
            f"select hash({parts}, {number}) as key, {number} as rule, node_id "  # noqa: S608 - constants
            f"from {nodes} where {present}"
        )


def declared_rules(spec: LinkageSpec) -> tuple[BlockingRule, ...]:
    """Return the blocking rules of a declaration, in its order."""
    return tuple(
        BlockingRule(
            name,
            tuple(KEYS[key] for key in keys),
            tuple(_needed(key) for key in keys),
            sum(TELLING.get(key, 2.0) for key in keys) < 2,  # noqa: PLR2004 - see TELLING
        )
        for name, keys in spec.rules.items()
    )


def _needed(key: str) -> str:
    """Return the node column that must hold values for a key to be of use."""
    if key in EVIDENCE:
        return EVIDENCE[key].held or EVIDENCE[key].key
    return KEY_COLUMNS.get(key, KEYS[key])


def propose_pairs(
    con: duckdb.DuckDBPyConnection,
    rules: Sequence[BlockingRule],
    *,
    cap: int,
    most_pairs: float | None = None,
) -> int:
    """Create temporary ``identity_pairs`` (node_a < node_b, rule) and ``identity.blocking``.

    Args:
        con: Connection with the temporary table ``identity_nodes``.
        rules: A pair found by several rules carries the first.
        cap: Largest number of nodes that a key may hold.
        most_pairs: Pairs a node that a wide rule may propose; one that proposes more is dropped
            as a whole, and all of its keys are counted as dropped. Default: no bound.

    Returns:
        Number of pairs.
    """
    union = " union all ".join(rule.key_sql(number) for number, rule in enumerate(rules)) or _NO_KEY
    con.execute(f"create or replace temp table identity_keys as {union}")
    con.execute(
        "create or replace temp table identity_key_sizes as "
        "select key, rule, count(*) as size, min(node_id) as lowest, max(node_id) as highest, "
        "false as is_dear from identity_keys group by key, rule having size > 1"
    )
    if most_pairs is not None:
        wide = [number for number, rule in enumerate(rules) if rule.is_wide]
        con.execute(_DROP_RULES, {"cap": cap, "most": most_pairs, "wide": wide})
    con.execute(_PAIRS, {"cap": cap})
    report_blocking(con, rules, cap=cap)
    con.execute("drop table identity_keys; drop table identity_key_sizes")
    return int(fetch_value(con, "select count(*) from identity_pairs"))


_NO_KEY = "select cast(0 as ubigint) as key, 0 as rule, 0 as node_id where false"

_DROP_RULES = """
create or replace temp table identity_key_sizes as
with costs as (
    select rule, sum(size * (size - 1)) / 2 as pairs
    from identity_key_sizes
    where size <= $cap
    group by rule
)
select
    k.key, k.rule, k.size, k.lowest, k.highest,
    k.rule in (select unnest(cast($wide as integer[])))
        and c.pairs > $most * (select count(*) from identity_nodes) as is_dear
from identity_key_sizes as k
inner join costs as c on c.rule = k.rule
"""

_PAIRS = """
create or replace temp table identity_pairs as
with allowed as (
    select * from identity_key_sizes where size <= $cap and not is_dear
),
kept as (
    select k.key, k.rule, k.node_id
    from identity_keys as k
    semi join (select key from allowed where size > 2) as s on s.key = k.key
),
proposed as (
    select lowest as node_a, highest as node_b, rule from allowed where size = 2
    union all
    select l.node_id, r.node_id, l.rule
    from kept as l
    inner join kept as r on l.key = r.key and l.node_id < r.node_id
)
select node_a, node_b, min(rule) as rule
from proposed
group by node_a, node_b
"""
# Most keys are held by two nodes, whose pair is known from counting them.


def rule_rows(rules: Sequence[BlockingRule]) -> str:
    """Return a SELECT of the rules' numbers and names: (rule, name)."""
    numbered = ", ".join(f"({n}, {quote_literal(rule.name)})" for n, rule in enumerate(rules))
    if not numbered:
        return "select 0 as rule, '' as name where false"
    return f"select * from (values {numbered}) as t (rule, name)"  # noqa: S608 - quoted literals


def report_blocking(
    con: duckdb.DuckDBPyConnection, rules: Sequence[BlockingRule], *, cap: int
) -> None:
    """Write ``identity.blocking`` from ``identity_key_sizes`` and ``identity_pairs``."""
    con.execute(
        f"""
        create or replace table identity.blocking as
        with rules as ({rule_rows(rules)}),
        sizes as (
            select
                rule,
                count(*) filter (size <= $cap and not is_dear) as keys,
                count(*) filter (size > $cap or is_dear) as dropped_keys,
                sum(size) filter (size > $cap or is_dear) as dropped_records
            from identity_key_sizes
            group by rule
        ),
        pairs as (select rule, count(*) as pairs from identity_pairs group by rule)
        select
            r.name as rule,
            coalesce(s.keys, 0) as keys,
            coalesce(p.pairs, 0) as pairs,
            coalesce(s.dropped_keys, 0) as dropped_keys,
            cast(coalesce(s.dropped_records, 0) as bigint) as dropped_records
        from rules as r
        left join sizes as s using (rule)
        left join pairs as p using (rule)
        order by r.rule
        """,  # noqa: S608 - names are quoted literals
        {"cap": cap},
    )
