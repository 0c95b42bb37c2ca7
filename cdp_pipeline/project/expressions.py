"""Vetting of the SQL that people write in declarations: one scalar expression or one predicate.

``where:`` of a segment, the columns of a feed, a check ``true``: each is parsed by DuckDB's own
parser, and its tree may hold only columns, constants, comparisons, boolean logic, arithmetic,
``case``, casts, ``in``, ``between``, ``like`` and the functions of ``FUNCTIONS``. What passes is
bound against the declared columns, so that a misspelt name is found before any data is read.
Nothing is executed here, and no other kind of SQL (models, macros) is vetted here.
"""

from __future__ import annotations

import difflib
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.sandbox import sandbox

MAXIMUM_CHARACTERS = 10_000
"""Longer expressions are refused: nobody can review them."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TEXT_FUNCTIONS = _words(
    "lower upper trim ltrim rtrim replace substr substring left right length strlen concat "
    "concat_ws split_part starts_with ends_with prefix suffix contains position instr "
    "regexp_matches regexp_full_match regexp_replace regexp_extract lpad rpad reverse "
    "strip_accents translate nfc_normalize md5 sha256 chr hamming levenshtein damerau_levenshtein "
    "jaro_similarity jaro_winkler_similarity json_extract_string"
)
NUMBER_FUNCTIONS = _words(
    "abs round floor ceil ceiling trunc sign greatest least mod sqrt ln exp pow power"
)
DATE_FUNCTIONS = _words(
    "date_diff datediff date_trunc date_part datepart year month day quarter week isoyear hour "
    "minute second dayofweek isodow dayofyear weekofyear dayname monthname last_day strftime "
    "strptime try_strptime make_date make_timestamp timezone to_years to_months to_weeks to_days "
    "to_hours to_minutes to_seconds business_date"
)
LOGIC_FUNCTIONS = frozenset({"if", "nullif"})
OPERATORS = _words(
    "+ - * / // % ** ^ || ~~ !~~ ~~* !~~* like_escape ilike_escape not_like_escape not_ilike_escape"
)
FUNCTIONS = TEXT_FUNCTIONS | NUMBER_FUNCTIONS | DATE_FUNCTIONS | LOGIC_FUNCTIONS
"""Functions that an expression may call; all are deterministic and touch nothing outside it."""

_TYPES = _words(
    "varchar text string boolean bool tinyint smallint integer int bigint hugeint decimal numeric "
    "double float real date time timestamp interval"
)
_CLOCK = _words(
    "now today current_date current_time current_timestamp localtime localtimestamp "
    "get_current_timestamp get_current_time transaction_timestamp random uuid "
    "gen_random_uuid"
)
_AGGREGATES = _words(
    "count count_star sum avg min max any_value first last list string_agg median mode "
    "arg_max arg_min bool_or bool_and"
)
_OPERATOR_KINDS = frozenset(
    {
        "OPERATOR_NOT",
        "OPERATOR_IS_NULL",
        "OPERATOR_IS_NOT_NULL",
        "OPERATOR_COALESCE",
        "OPERATOR_NULLIF",
        "COMPARE_IN",
        "COMPARE_NOT_IN",
    }
)
_PLAIN_CLASSES = frozenset({"CONSTANT", "COMPARISON", "CONJUNCTION", "BETWEEN", "CASE"})
_EMPTY_PARTS = ("where_clause", "having", "qualify", "sample")
_TYPE_TEXT = re.compile(r"[A-Za-z_]+( [A-Za-z]+)*(\(\d+(, ?\d+)?\))?(\[\])?")
_TYPED_COMPARISONS = re.compile(r"^(COMPARISON|BETWEEN)$")
_UNTEXTED_TYPES = re.compile(
    r"^(tiny|small|big|huge)?int|^integer|^decimal|^numeric|^double|^float|^real|^bool"
    r"|^date|^timestamp",
    re.IGNORECASE,
)
Node = dict[str, Any]


def vet_predicate(sql: str, *, columns: Mapping[str, str], where: str) -> str:
    r"""Return a predicate that is safe to place into a query, in brackets.

    Args:
        sql: What the declaration says, such as ``recency_days between 60 and 120``.
        columns: Names that may be used, with their DuckDB types.
        where: Place of the declaration, for messages.

    Returns:
        The text in brackets; true, false or NULL for every row.

    Raises:
        ConfigError: It is not one predicate over these columns; says what was meant.

    >>> vet_predicate("n > 3", columns={"n": "bigint"}, where="doc")
    '(n > 3\n)'
    """
    text, found = _vet(sql, columns=columns, where=where)
    if found != "BOOLEAN":
        raise ConfigError(
            f"`{_short(sql)}` is a {found.lower()}, not a condition",
            where=where,
            hint="Write a comparison, such as `amount > 0` or `is_open`.",
        )
    return text


def vet_scalar(sql: str, *, columns: Mapping[str, str], where: str, cast_to: str = "") -> str:
    r"""Return a scalar expression that is safe to place into a query, in brackets.

    Args:
        sql: What the declaration says, such as ``unit_price * quantity``.
        columns: Names that may be used, with their DuckDB types.
        where: Place of the declaration, for messages.
        cast_to: DuckDB type that the value must be castable to; empty: any.

    Raises:
        ConfigError: It is not one expression over these columns; says what was meant.

    >>> vet_scalar("lower(email)", columns={"email": "varchar"}, where="doc", cast_to="varchar")
    '(lower(email)\n)'
    """
    return _vet(sql, columns=columns, where=where, cast_to=cast_to)[0]


def referenced_columns(sql: str) -> tuple[str, ...]:
    """Return the column names that an expression uses, lower case, in name order.

    >>> referenced_columns("A > 1 and lower(b) = 'x'")
    ('a', 'b')
    """
    tree = _parse(sql, where="expression")
    names = {str(n["column_names"][-1]).lower() for n in _walk(tree) if n["class"] == "COLUMN_REF"}
    return tuple(sorted(names))


def called_functions(sql: str) -> frozenset[str]:
    """Return the functions that an expression calls, lower case.

    >>> sorted(called_functions("lower(trim(a))"))
    ['lower', 'trim']
    """
    tree = _parse(sql, where="expression")
    return frozenset(
        str(n["function_name"]).lower() for n in _walk(tree) if n["class"] == "FUNCTION"
    )


def _vet(sql: str, *, columns: Mapping[str, str], where: str, cast_to: str = "") -> tuple[str, str]:
    return _vet_once(sql, tuple(columns.items()), where, cast_to)


@lru_cache(maxsize=4096)
def _vet_once(
    sql: str, column_types: tuple[tuple[str, str], ...], where: str, cast_to: str
) -> tuple[str, str]:
    """Vet an expression; a run of several nights meets the same ones again."""
    columns = dict(column_types)
    for name, sql_type in (*columns.items(), *([("cast_to", cast_to)] if cast_to else [])):
        if not _TYPE_TEXT.fullmatch(sql_type):
            raise ConfigError(
                f"column {name!r} has the odd type {sql_type!r}",
                where=where,
                hint="Use a DuckDB type such as decimal(18,2).",
            )
    tree = _parse(sql, where=where, columns=columns)
    known = {name.lower(): sql_type for name, sql_type in columns.items()}
    for node in _walk(tree):
        _check_node(node, known, sql=sql, where=where)
    for node in _walk(tree):
        _check_literals(node, known, where=where)
    return f"({sql.strip()}\n)", _bind(sql, known, where=where, cast_to=cast_to)


def _parse(sql: str, *, where: str, columns: Iterable[str] = ()) -> Node:
    """Return the tree of the one expression in a text; columns may be called like words of SQL."""
    if len(sql) > MAXIMUM_CHARACTERS:
        raise ConfigError(
            f"expression has {len(sql)} characters; {MAXIMUM_CHARACTERS} are allowed",
            where=where,
            hint="Split it, or make a column of it.",
        )
    bare, bracketed = _serialise(f"select {sql}\n"), _serialise(f"select ({sql}\n)")
    if bare.get("error") or bracketed.get("error"):
        problem = (bare if bare.get("error") else bracketed)["error_message"].splitlines()[0]
        raise ConfigError(
            f"`{_short(sql)}` is not one SQL expression: {problem}",
            where=where,
            hint=_quoting(sql, columns)
            or "Write a single condition or value; no `;`, no `select`, brackets in pairs.",
        )
    select = bare["statements"][0]["node"]
    is_single = (
        len(bare["statements"]) == 1
        and select["type"] == "SELECT_NODE"
        and len(select["select_list"]) == 1
        and not select["modifiers"]
        and not select["cte_map"]["map"]
        and not select["group_expressions"]
        and not any(select[part] for part in _EMPTY_PARTS)
        and select["from_table"]["type"] == "EMPTY"
        and not select["select_list"][0]["alias"]
    )
    if not is_single:
        raise ConfigError(
            f"`{_short(sql)}` is more than one expression",
            where=where,
            hint="Only a condition or a value: no from, where, order by, union or second column.",
        )
    tree: Node = select["select_list"][0]
    return tree


def _quoting(sql: str, columns: Iterable[str]) -> str:
    """Return how a column that is called like a word of SQL is written; empty if none is."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", " ", sql).lower()
    rows = sandbox().execute(
        "select keyword_name from duckdb_keywords() "
        "where keyword_category in ('reserved', 'type_function')"
    )
    words = {word for (word,) in rows.fetchall()} & {name.lower() for name in columns}
    used = next((word for word in re.findall(r"\w+", bare) if word in words), "")
    return f"`{used}` is a word of SQL: as a column it is written '\"{used}\"'." if used else ""


def _serialise(statement: str) -> Node:
    try:
        rows = sandbox().execute("select json_serialize_sql(?)", [statement]).fetchall()
        document: Node = json.loads(rows[0][0])
    except (duckdb.Error, RecursionError, ValueError) as error:
        return {"error": True, "error_message": str(error)[:200]}
    return document


def _walk(node: object) -> Iterator[Node]:
    """Yield every expression node of a tree, parents first."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, dict):
            if "class" in current:
                yield current
            stack.extend(reversed(list(current.values())))
        elif isinstance(current, list):
            stack.extend(reversed(current))


def _check_node(node: Node, known: Mapping[str, str], *, sql: str, where: str) -> None:
    kind = node["class"]
    if kind in _PLAIN_CLASSES or (kind == "OPERATOR" and node["type"] in _OPERATOR_KINDS):
        return
    check: dict[str, Callable[[Node, Mapping[str, str], str], None]] = {
        "COLUMN_REF": _check_column,
        "FUNCTION": _check_function,
        "TYPE": _check_type,
    }
    if kind in check:
        check[kind](node, known, where)
    elif kind != "CAST":
        names = {
            "SUBQUERY": "a subquery",
            "WINDOW": "a window function",
            "STAR": "a star",
            "PARAMETER": "a parameter",
            "LAMBDA": "a lambda",
        }
        what = names.get(kind, f"{node['type'].lower().replace('_', ' ')}")
        raise ConfigError(
            f"`{_short(sql)}` holds {what}, which is not allowed here",
            where=where,
            hint="Use columns, constants, comparisons, and/or/not, case, in, between, like.",
        )


def _check_column(node: Node, known: Mapping[str, str], where: str) -> None:
    dotted = ".".join(node["column_names"])
    name = dotted.lower()
    if name in known:
        return
    if name in _CLOCK:
        raise ConfigError(
            f"`{dotted}` depends on the clock, so a rerun would give another result",
            where=where,
            hint="Use a column that holds a date or a number of days.",
        )
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(sorted(known)[:40])}."
    if not near and '"' not in name and known:
        hint = f"A text stands in single quotes: \"'{dotted}'\". {hint}"
    raise ConfigError(f"unknown column `{dotted}`", where=where, hint=hint)


def _check_function(node: Node, _known: Mapping[str, str], where: str) -> None:
    name = str(node["function_name"]).lower()
    is_plain = not (node["schema"] or node["catalog"] or node["filter"] or node["distinct"])
    if is_plain and not node["order_bys"]["orders"] and name in (FUNCTIONS | OPERATORS):
        return
    if name in _CLOCK:
        message, hint = f"`{name}` gives another result on every run", "Use a date column."
    elif name in _AGGREGATES:
        message = f"`{name}` looks at many rows; an expression sees one row"
        hint = "Make a column of it in a SQL model first."
    elif name in FUNCTIONS:
        message, hint = f"`{name}` stands with filter, distinct or a schema", "Write it plainly."
    else:
        near = difflib.get_close_matches(name, FUNCTIONS, 1)
        message = f"function `{name}` is not allowed here"
        hint = f"Did you mean `{near[0]}`?" if near else f"Allowed: {', '.join(sorted(FUNCTIONS))}."
    raise ConfigError(message, where=where, hint=hint)


def _check_type(node: Node, _known: Mapping[str, str], where: str) -> None:
    name = str(node["type_name"]).lower()
    if name not in _TYPES or node["schema"] or node["catalog"]:
        raise ConfigError(
            f"cast to `{name}` is not allowed here",
            where=where,
            hint=f"Allowed: {', '.join(sorted(_TYPES))}.",
        )


def _check_literals(node: Node, known: Mapping[str, str], *, where: str) -> None:
    """Refuse ``days > 'abc'``: DuckDB binds it and fails only on the first row."""
    if _TYPED_COMPARISONS.match(node["class"]):
        sides = [
            node[part] for part in ("left", "right", "input", "lower", "upper") if part in node
        ]
    elif node["type"] in {"COMPARE_IN", "COMPARE_NOT_IN"}:
        sides = node["children"]
    else:
        return
    names = [s["column_names"][-1] for s in sides if s["class"] == "COLUMN_REF"]
    typed = [(n, known[n.lower()]) for n in names if _UNTEXTED_TYPES.match(known[n.lower()])]
    for side in sides:
        literal = side.get("literal") if side["class"] == "CONSTANT" else None
        if not typed or not literal or literal["kind"] != "STRING":
            continue
        name, sql_type = typed[0]
        rows = sandbox().execute(
            f"select try_cast(? as {sql_type}) is null",
            [literal["text"]],
        )
        if rows.fetchall()[0][0]:
            raise ConfigError(
                f"`{name}` is a {sql_type.lower()}, but is compared with {literal['text']!r}",
                where=where,
                hint=f"Compare it with a {sql_type.lower()}.",
            )


def _bind(sql: str, known: Mapping[str, str], *, where: str, cast_to: str) -> str:
    """Return the DuckDB type of an expression over empty columns of these types."""
    columns = ", ".join(
        f'cast(null as {sql_type}) as "{name.replace(chr(34), chr(34) * 2)}"'
        for name, sql_type in known.items()
    )
    value = f"cast(({sql}\n) as {cast_to})" if cast_to else f"({sql}\n)"
    origin = f" from (select {columns})" if columns else ""
    try:
        rows = sandbox().execute(f"describe select {value} as value{origin}")
        return str(rows.fetchall()[0][1])
    except duckdb.Error as error:
        problem = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"`{_short(sql)}` does not fit its columns: {problem}",
            where=where,
            hint="Cast one side, or compare like with like.",
        ) from error


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return textwrap.shorten(line, 80, placeholder="...") if " " in line else line[:80]
