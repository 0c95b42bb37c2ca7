"""Mutants of a module: its source with one small mistake in each, in Python or in the SQL it holds.

A mistake is one of those that slip through a review: a bound that is off by one, `and` for `or`,
a `not` that is missing, another number, another word, a call that is left out, nothing returned,
a wrong order or join in SQL. Words of errors, docstrings and annotations are left alone: what they
say changes nothing that is decided.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

SWAPS = {
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"), ast.In: ("in", "not in"), ast.NotIn: (r"not\s+in", "in"),
    ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.Add: (r"\+", "-"), ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*"),
    ast.BitOr: (r"\|", "&"), ast.BitAnd: ("&", "|"), ast.BitXor: (r"\^", "|"),
}  # fmt: skip
"""By operator of Python, how it is written and what takes its place."""

SQL = re.compile(r"\b(select|where|case|coalesce|nullif|cast|insert into|identity_\w+)\b")
"""What tells SQL from other texts."""

SQL_SWAPS = (
    (r"\band\b", "or"), (r"\bor\b(?! replace)", "and"), (r" <= ", " < "), (r" >= ", " > "),
    (r" < ", " <= "), (r" > ", " >= "), (r" <> ", " = "), (r" = ", " <> "),
    (r"\bis not null", "is null"), (r"\bis null", "is not null"),
    (r"\bis not distinct from", "is distinct from"), (r"\bis distinct from", "="),
    (r"\bnot exists", "exists"), (r"\bnot in\b", "in"), (r"(?<!not )\bin\b", "not in"),
    (r"\bnot (?=coalesce)", ""), (r"\bdesc\b", "asc"), (r"\bnulls first", "nulls last"),
    (r"\bmax\(", "min("), (r"\bmin\(", "max("), (r"\bleast\(", "greatest("),
    (r"\blower\(", "("), (r"\btrim\(", "("), (r"\bleft join", "inner join"),
    (r"\binner join", "left join"), (r"\bdistinct (?!from|on)", ""), (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"), (r" \+ ", " - "),
)  # fmt: skip
"""How a piece of SQL is written and what takes its place."""


@dataclass(frozen=True)
class Mutant:
    """A module with one mistake.

    Attributes:
        line: Where it is.
        before: The source as it is.
        after: The source with the mistake.
    """

    line: int
    before: str
    after: str

    @property
    def name(self) -> str:
        """The first line that changes, before and after: ``a < b -> a <= b``."""
        lines = zip(self.before.splitlines(), self.after.splitlines(), strict=False)
        old, new = next((pair for pair in lines if pair[0] != pair[1]), ("", ""))
        return f"{old.strip()} -> {new.strip()}"

    def diff(self, path: str) -> str:
        """Return the mistake as a diff."""
        lines = (self.before.splitlines(), self.after.splitlines())
        return "\n".join(difflib.unified_diff(*lines, path, path, n=1, lineterm=""))


def mutants_of(source: str, *, words: Collection[str] = ()) -> list[Mutant]:
    """Return the mutants of a module, each once, in the order of their places.

    Args:
        source: The module.
        words: Its constants that hold words for people; they are left alone.
    """
    found = {}
    for begin, end, text in sorted(set(_Mistakes(source, words).all())):
        after = source[:begin] + text + source[end:]
        if after != source:
            found[after] = Mutant(source.count("\n", 0, begin) + 1, source, after)
    return list(found.values())


Edit = tuple[int, int, str]
"""First and last place in the source, and what stands there instead."""


class _Mistakes:
    """What could be wrong in a module."""

    def __init__(self, source: str, words: Collection[str]) -> None:
        self.source = source
        self.words = words
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def all(self) -> Iterator[Edit]:
        """Every mistake of every statement that is run."""
        yield from self._within(ast.parse(self.source))

    def _within(self, node: ast.AST) -> Iterator[Edit]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in self.words:
            return
        yield from self._of(node)
        if isinstance(node, ast.JoinedStr):
            return
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns", "decorator_list"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, ast.Raise):
                    yield from self._within(child)

    def _of(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.Compare(left, ops, comparators):
                for op, pair in zip(ops, pairwise([left, *comparators]), strict=True):
                    yield from self._swap(op, *pair)
            case ast.BoolOp(op, values):
                for pair in pairwise(values):
                    yield from self._swap(op, *pair)
            case ast.BinOp(left, op, right) | ast.AugAssign(left, op, right):
                yield from self._swap(op, left, right)
            case ast.UnaryOp(ast.Not(), operand):
                yield self._place(node)[0], self._place(operand)[0], ""
            case ast.Return(ast.expr() as value) if ast.unparse(value) not in {"None", "False"}:
                yield *self._place(value), "None"
            case ast.Expr(ast.Call()):
                yield *self._place(node), "pass"
            case ast.Constant() | ast.JoinedStr():
                yield from self._constant(node)

    def _constant(self, node: ast.Constant | ast.JoinedStr) -> Iterator[Edit]:
        value = "" if isinstance(node, ast.JoinedStr) else node.value
        if isinstance(value, bool):
            yield *self._place(node), str(not value)
        elif isinstance(value, int | float):
            yield *self._place(node), str(value + 1)
        elif isinstance(value, str):
            yield from self._text(node, value)

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end = self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self._at(node.lineno, node.col_offset), end

    def _at(self, line: int, column: int) -> int:
        """Return the place of a column, which Python counts in bytes."""
        before = self.lines[line - 1].encode()[:column]
        return self.starts[line - 1] + len(before.decode())

    def _swap(self, op: ast.AST, one: ast.expr, other: ast.expr) -> Iterator[Edit]:
        begin, end = self._place(one)[1], self._place(other)[0]
        written, instead = SWAPS.get(type(op), ("(?!)", ""))
        between = re.sub(r"#.*", lambda found: " " * len(found[0]), self.source[begin:end])
        found = re.search(written, between)
        if found:
            yield begin + found.start(), begin + found.end(), instead

    def _text(self, node: ast.Constant | ast.JoinedStr, value: str) -> Iterator[Edit]:
        begin, end = self._place(node)
        text = self.source[begin:end]
        if not SQL.search(text):
            yield begin, end, repr(f"{value}~")
            return
        # neither comments nor what is filled in is SQL
        bare = re.sub(r"--.*|\{[^{}]*\}", lambda found: "\0" * len(found[0]), text)
        for written, instead in SQL_SWAPS:
            for found in re.finditer(written, bare):
                yield begin + found.start(), begin + found.end(), instead
        for found in re.finditer(r"(?<![\w.$])\d+\b", bare):
            yield begin + found.start(), begin + found.end(), str(int(found[0]) + 1)
