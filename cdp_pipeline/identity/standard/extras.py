"""Evidence beyond the fixed columns of person records: whatever of it the sources bring.

A tag of ``project.evidence.EXTRAS`` that ``staging.person_records`` holds is cleaned into
``identity.records`` and, where any record has a value, becomes columns of ``identity_nodes``. The
SQL pieces for these columns are made here; ``records`` and ``nodes`` place them.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.project.evidence import EXTRAS

TAGS: tuple[str, ...] = tuple(extra.tag for extra in EXTRAS)


def brought_tags(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the tags that a table has as columns, in the vocabulary's order."""
    columns = {row[0] for row in con.execute(f"describe {table}").fetchall()}
    return [tag for tag in TAGS if tag in columns]


def held_tags(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the tags of which a table holds any value."""
    return held_columns(con, table, brought_tags(con, table))


def held_columns(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> list[str]:
    """Return the columns of which a table holds any value, in the order given.

    The first value found is enough, and of a column without any the statistics say so: counting
    them would read everything.
    """
    if not columns:
        return []
    firsts = " union all ".join(
        f"(select {place} from {table} where {name} is not null limit 1)"  # noqa: S608 - column names
        for place, name in enumerate(columns)
    )
    return [columns[place] for (place,) in sorted(con.execute(firsts).fetchall())]


def clean_select(brought: list[str], held: list[str]) -> str:
    """Return SELECT items with every tag in comparable form; NULL where no record has a value."""
    return " ".join(
        f"{extra.clean}({extra.tag}) as {extra.tag},"
        if extra.tag in held
        else f"cast(null as varchar) as {extra.tag},"
        for extra in EXTRAS
        if extra.is_declared or extra.tag in brought
    )


def node_select(held: list[str]) -> str:
    """Return SELECT items over ``identity.records as r`` and the word tables of the tags."""
    items = []
    for tag in held:
        if tag == "birth_year":
            items.append("try_cast(r.birth_year as integer) as stated_year,")
        else:
            items.append(
                f"r.{tag}, x_{tag}.word_hash as {tag}_hash, x_{tag}.mask as {tag}_mask, "
                f"x_{tag}.frequency as {tag}_frequency,"
            )
    return " ".join(items)


def node_joins(held: list[str]) -> str:
    """Return the joins that ``node_select`` needs."""
    return " ".join(
        f"left join identity_{tag}_words as x_{tag} on x_{tag}.word = r.{tag}"
        for tag in word_tags(held)
    )


def word_tags(held: list[str]) -> list[str]:
    """Return the tags whose distinct values get a letter mask and a frequency."""
    return [tag for tag in held if tag != "birth_year"]


def birth_year_sql(held: list[str]) -> str:
    """Return SQL of the year of birth: the date's, or the stated one."""
    if "birth_year" not in held:
        return "year(r.birth_date)"
    return "coalesce(year(r.birth_date), try_cast(r.birth_year as integer))"
