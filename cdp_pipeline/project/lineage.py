"""Which tables a SELECT reads, found by DuckDB's own parser without binding or running it.

Also refuses what would make a model irreproducible: files, clocks, chance and unqualified tables.
Ordering and running of models belong to ``warehouse.build``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError

TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
"""Table functions a model may call: they make rows out of nothing but their arguments."""

IRREPRODUCIBLE = frozenset(
    {
        "now",
        "today",
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "get_current_timestamp",
        "get_current_time",
        "transaction_timestamp",
        "random",
        "uuid",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "setseed",
    }
)
"""Functions whose result differs between two runs of the same night."""

Node = dict[str, Any]


@lru_cache(maxsize=512)
def find_tables(select: str, *, where: str, first_line: int = 1) -> tuple[str, ...]:
    """Return the tables that a SELECT reads, each once, in name order.

    A night asks of every model twice, when it builds it and when it documents it.

    Args:
        select: One SELECT without Jinja.
        where: File of the SELECT, for messages.
        first_line: Line of the file on which the SELECT begins.

    Returns:
        ``schema.table``, or ``base.schema.table`` for the version a night builds upon; names of
        CTEs are not tables.

    Raises:
        ConfigError: The text is not one SELECT, reads a file, asks for the clock or for chance, or
            names a table without its schema.

    >>> find_tables("with a as (select * from core.fct_sales) select * from a", where="doc")
    ('core.fct_sales',)
    """
    nodes = list(_walk(parse_select(select, where, first_line)))
    ctes = {entry["key"].lower() for node in nodes for entry in _ctes(node)}
    found: set[str] = set()
    for node in nodes:
        _refuse_irreproducible(node, partial(_place, select, node, where, first_line))
        if node.get("type") != "BASE_TABLE":
            continue
        path = [part.lower() for part in node["qualified_name"]["path"]]
        if len(path) > 1:
            found.add(".".join(path))
        elif path[0] not in ctes:
            raise ConfigError(
                f"table {path[0]!r} is named without its schema",
                where=_place(select, node, where, first_line),
                hint=f"Write core.{path[0]}, staging.{path[0]} or whatever layer holds it.",
            )
    return tuple(sorted(found))


def sort_by_lineage(reads: Mapping[str, Iterable[str]], *, where: str) -> list[str]:
    """Return names so that each stands after everything it reads, ties in name order.

    Args:
        reads: Name of each model and the tables it reads; tables that are not keys are ignored.
        where: Folder of the models, for messages.

    Raises:
        ConfigError: Models read each other in a circle; names the circle.

    >>> sort_by_lineage({"b": ["a"], "a": [], "c": ["b"]}, where="doc")
    ['a', 'b', 'c']
    """
    waiting = {
        name: {table for table in tables if table in reads and table != name}
        for name, tables in sorted(reads.items())
    }
    for name, tables in reads.items():
        if name in tables:
            raise ConfigError(
                f"{name} reads itself",
                where=where,
                hint=f"Yesterday's rows are in base.{name}, inside an if base.has().",
            )
    ordered: list[str] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if needs.isdisjoint(waiting)]
        if not ready:
            raise ConfigError(
                f"models read each other in a circle: {' -> '.join(_circle(waiting))}",
                where=where,
                hint="Move the shared part into a model of its own.",
            )
        ordered += ready
        for name in ready:
            del waiting[name]
    return ordered


@lru_cache(maxsize=512)
def _serialise(select: str) -> str:
    parser = _open_parser(os.getpid()).cursor()
    rows = parser.execute("select json_serialize_sql(?::varchar)", [select]).fetchall()
    return str(rows[0][0])


@lru_cache(maxsize=1)
def _open_parser(process: int) -> duckdb.DuckDBPyConnection:  # noqa: ARG001 - one a process
    """Return the connection that parses; opening one for each model costs more than parsing it."""
    return duckdb.connect(":memory:", config={"threads": 1})


def parse_select(select: str, where: str, first_line: int = 1) -> Node:
    """Return DuckDB's syntax tree of one SELECT, as plain data.

    Args:
        select: One SELECT without Jinja.
        where: File of the SELECT, for messages.
        first_line: Line of the file on which the SELECT begins.

    Raises:
        ConfigError: The text does not parse, or is not exactly one SELECT.
    """
    result: Node = json.loads(_serialise(select))
    if result.get("error"):
        before = select[: int(result.get("position") or 0)]
        line, column = first_line + before.count("\n"), len(before.rpartition("\n")[2]) + 1
        raise ConfigError(
            result["error_message"],
            where=f"{where}:{line}:{column}",
            hint="A model is one SELECT.",
        )
    if len(result["statements"]) != 1:
        raise ConfigError(
            f"{len(result['statements'])} statements where one SELECT is expected",
            where=f"{where}:{first_line}:1",
            hint="One file makes one table; move the rest into files of their own.",
        )
    tree: Node = result["statements"][0]
    return tree


def _walk(tree: object) -> Iterator[Node]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _walk(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _walk(value)


def _ctes(node: Node) -> list[Node]:
    found: list[Node] = (node.get("cte_map") or {}).get("map") or []
    return found


def _place(select: str, node: Node, where: str, first_line: int) -> str:
    # Positions count bytes, so a comment with an accent before them must not shift the line.
    position = node.get("query_location")
    before = select.encode()[: position if isinstance(position, int) else 0]
    line = first_line + before.count(b"\n")
    column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    return f"{where}:{line}:{column}"


def _refuse_irreproducible(node: Node, place: Callable[[], str]) -> None:
    kind, name = node.get("type"), ""
    if kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise ConfigError(
                f"a model may not call the table function {name}()",
                where=place(),
                hint="Read files through a contract in expectations/; then staging has the rows.",
            )
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
    elif node.get("class") == "COLUMN_REF":
        # Without brackets, `current_date` parses as a column.
        names = node.get("column_names") or []
        name = str(names[0]).lower() if len(names) == 1 else ""
        name = name if name.startswith(("current_", "local")) else ""
    if name in IRREPRODUCIBLE:
        raise ConfigError(
            f"{name} gives another result on every run",
            where=place(),
            hint="Write {{ business_date }}; derive choices from a hash of the key.",
        )


def _circle(waiting: Mapping[str, set[str]]) -> list[str]:
    name = min(waiting)
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = min(need for need in waiting[name] if need in waiting)
    return [*path[path.index(name) :], name]
