"""Which columns of which tables a column of a SELECT is made of, by DuckDB's own parser.

Value lineage: whatever can change the value (operands, filters of aggregates, windows), not what
merely chooses rows (WHERE, JOIN conditions). Nothing is bound or run; columns of tables are given
by their headers. Which tables a SELECT reads at all is said by ``lineage``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cdp_pipeline.project.lineage import Node, parse_select

Origin = tuple[str, str]
"""Table, as ``schema.table`` or ``base.schema.table``, and column."""

Columns = dict[str, frozenset[Origin]]
"""Output columns in order, each with its origins."""

_NOTHING: frozenset[Origin] = frozenset()


@dataclass(frozen=True)
class Trace:
    """Origins of the columns of a SELECT.

    Attributes:
        columns: Output columns in order.
        unresolved: Names that no table in sight has, and shapes that are not known.
    """

    columns: Columns
    unresolved: tuple[str, ...] = ()


def trace_columns(
    select: str, tables: Mapping[str, Sequence[str]], *, where: str, first_line: int = 1
) -> Trace:
    """Return what every output column of a SELECT is made of.

    Args:
        select: One SELECT without Jinja.
        tables: Columns of every table that it may read, by ``schema.table``.
        where: File of the SELECT, for messages.
        first_line: Line of the file on which the SELECT begins.

    Raises:
        ConfigError: The text is not one SELECT.

    >>> trace_columns("select a as c from x.t", {"x.t": ["a", "b"]}, where="doc").columns
    {'c': frozenset({('x.t', 'a')})}
    """
    tracer = _Tracer(tables)
    columns = tracer.query(parse_select(select, where, first_line)["node"], _Scope())
    return Trace(columns, tuple(sorted(tracer.unresolved)))


def trace_expression(expression: str, table: str, columns: Sequence[str], *, where: str) -> Trace:
    """Return what one expression over the columns of one table is made of.

    >>> trace_expression("coalesce(a, 'x')", "s.t", ["a", "b"], where="doc").columns
    {'value': frozenset({('s.t', 'a')})}
    """
    # The line break keeps a comment at the expression's end from swallowing the alias.
    return trace_columns(
        f"select ({expression}\n) as value from {table}",  # noqa: S608 - parsed, never run
        {table: columns},
        where=where,
    )


@dataclass
class _Scope:
    """What names mean at one place of a query."""

    ctes: dict[str, Columns] = field(default_factory=dict)
    relations: list[tuple[str, Columns]] = field(default_factory=list)
    aliases: Columns = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    outer: _Scope | None = None

    def inner(self) -> _Scope:
        """Return the scope of a subquery: sees our CTEs, and our relations if correlated."""
        return _Scope(dict(self.ctes), outer=self)

    def find(self, names: Sequence[str]) -> frozenset[Origin] | None:
        """Return the origins of a column by its possibly qualified name; None if unknown."""
        path = [name.lower() for name in names]
        if path[0] in self.parameters:
            return _NOTHING
        if len(path) > 1:
            for alias, columns in self.relations:
                if alias == path[0] and path[1] in columns:
                    return columns[path[1]]
        found = [columns[path[0]] for _, columns in self.relations if path[0] in columns]
        if found:  # several only when joined by USING: the value is that of either side
            return _NOTHING.union(*found)
        if path[0] in self.aliases:
            return self.aliases[path[0]]
        return self.outer.find(names) if self.outer else None


class _Tracer:
    """Walks a parsed query and keeps what it could not resolve."""

    def __init__(self, tables: Mapping[str, Sequence[str]]) -> None:
        self._tables = tables
        self.unresolved: set[str] = set()

    def query(self, node: Node, scope: _Scope) -> Columns:
        """Return the output columns of a query node."""
        scope = _Scope(dict(scope.ctes), outer=scope.outer)
        for entry in (node.get("cte_map") or {}).get("map") or []:
            name, value = entry["key"].lower(), entry["value"]
            columns = self.query(value["query_node"], scope)
            scope.ctes[name] = _renamed(columns, value.get("aliases"))
        kind = node["type"]
        if kind == "SELECT_NODE":
            return self._select(node, scope)
        if kind == "SET_OPERATION_NODE":
            parts = [self.query(child, scope) for child in node["children"]]
            return _united(parts, by_name="BY_NAME" in str(node.get("setop_type")))
        if kind == "RECURSIVE_CTE_NODE":
            return self._recursive(node, scope)
        self.unresolved.add(kind)
        return {}

    def _recursive(self, node: Node, scope: _Scope) -> Columns:
        first = _renamed(self.query(node["left"], scope), node.get("aliases"))
        scope.ctes[node["cte_name"].lower()] = first
        columns = _united([first, self.query(node["right"], scope)], by_name=False)
        scope.ctes[node["cte_name"].lower()] = columns
        return _united([columns, self.query(node["right"], scope)], by_name=False)

    def _select(self, node: Node, scope: _Scope) -> Columns:
        self._add_relations(node.get("from_table") or {}, scope)
        columns: Columns = {}
        for number, item in enumerate(node["select_list"]):
            if item["class"] == "STAR" and not item.get("columns"):
                columns |= self._star(item, scope)
                continue
            name = _output_name(item) or f"column{number}"
            columns[name] = self._origins(item, scope)
            scope.aliases[name] = columns[name]
        return columns

    def _star(self, item: Node, scope: _Scope) -> Columns:
        wanted = (item.get("relation_name") or "").lower()
        left_out = {str(_last_name(entry)).lower() for entry in item.get("exclude_list") or []}
        columns: Columns = {}
        for alias, found in scope.relations:
            if wanted in {"", alias}:
                for name, origins in found.items():
                    if name not in left_out:
                        columns[name] = columns.get(name, _NOTHING) | origins
        for entry in item.get("replace_list") or []:
            columns[entry["key"].lower()] = self._origins(entry["value"], scope)
        return columns

    def _add_relations(self, ref: Node, scope: _Scope) -> None:
        kind = ref.get("type", "EMPTY")
        alias = (ref.get("alias") or "").lower()
        names = ref.get("column_name_alias")
        if kind == "JOIN":
            self._add_relations(ref["left"], scope)
            right = _Scope(scope.ctes, list(scope.relations), outer=scope.outer)
            self._add_relations(ref["right"], right)
            if ref.get("join_type") not in {"SEMI", "ANTI"}:
                scope.relations += right.relations[len(scope.relations) :]
        elif kind == "BASE_TABLE":
            path = [part.lower() for part in ref["qualified_name"]["path"]]
            scope.relations.append((alias or path[-1], _renamed(self._table(path, scope), names)))
        elif kind == "SUBQUERY":
            columns = self.query(ref["subquery"]["node"], scope.inner())
            scope.relations.append((alias, _renamed(columns, names)))
        elif kind == "TABLE_FUNCTION":
            made = self._origins(ref["function"].get("arguments"), scope)
            name = str(ref["function"]["function_name"]).lower()
            columns = {column.lower(): made for column in names or [alias or name]}
            scope.relations.append((alias or name, columns))
        elif kind == "EXPRESSION_LIST":
            rows = [[self._origins(cell, scope) for cell in row] for row in ref["values"]]
            made_of = [_NOTHING.union(*cells) for cells in zip(*rows, strict=True)]
            columns = {f"col{number}": origins for number, origins in enumerate(made_of)}
            scope.relations.append((alias, _renamed(columns, names)))
        elif kind != "EMPTY":
            self.unresolved.add(kind)

    def _table(self, path: list[str], scope: _Scope) -> Columns:
        if len(path) == 1 and path[0] in scope.ctes:
            return scope.ctes[path[0]]
        name = ".".join(path)
        known = self._tables.get(name.removeprefix("base."))
        if known is None:
            self.unresolved.add(name)
        return {column: frozenset({(name, column)}) for column in known or ()}

    def _origins(self, item: object, scope: _Scope) -> frozenset[Origin]:
        """Return everything that an expression, or a part of one, is made of."""
        if isinstance(item, dict):
            found = self._special(item, scope)
            if found is not None:
                return found
            item = list(item.values())
        if isinstance(item, list):
            return _NOTHING.union(*(self._origins(part, scope) for part in item))
        return _NOTHING

    def _special(self, item: Node, scope: _Scope) -> frozenset[Origin] | None:
        """Return the origins of an expression that names or queries; None of any other."""
        kind = item.get("class")
        if kind == "COLUMN_REF":
            found = scope.find(item["column_names"])
            if found is None:
                self.unresolved.add(".".join(item["column_names"]))
            return found or _NOTHING
        if kind == "SUBQUERY":
            inner = self.query(item["subquery"]["node"], scope.inner())
            return self._origins(item.get("child"), scope).union(*inner.values())
        if kind == "STAR":
            return _NOTHING.union(*self._star(item, scope).values())
        if kind == "LAMBDA":
            bound = frozenset(name.lower() for name in _lambda_parameters(item["lhs"]))
            names = scope.parameters | bound
            body = _Scope(scope.ctes, scope.relations, scope.aliases, names, outer=scope.outer)
            return self._origins(item["expr"], body)
        return None


def _lambda_parameters(node: object) -> list[str]:
    if isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            return [str(node["column_names"][-1])]
        return [name for part in node.values() for name in _lambda_parameters(part)]
    if isinstance(node, list):
        return [name for part in node for name in _lambda_parameters(part)]
    return []


def _output_name(item: Node) -> str:
    if item.get("alias"):
        return str(item["alias"]).lower()
    return str(item["column_names"][-1]).lower() if item["class"] == "COLUMN_REF" else ""


def _last_name(entry: object) -> object:
    """Return the column that an entry of an EXCLUDE list names, however it is written."""
    if isinstance(entry, dict):
        path = entry.get("path") or [entry.get("column") or ""]
        return path[-1]
    return entry


def _renamed(columns: Columns, names: Iterable[str] | None) -> Columns:
    given = [name.lower() for name in names or ()]
    old = list(columns)
    new = given + old[len(given) :]
    return dict(zip(new, columns.values(), strict=False))


def _united(parts: Sequence[Columns], *, by_name: bool) -> Columns:
    columns = dict(parts[0])
    for part in parts[1:]:
        names = list(part) if by_name else list(columns)
        for name, origins in zip(names, part.values(), strict=False):
            columns[name] = columns.get(name, _NOTHING) | origins
    return columns
