r"""What a check means in SQL: one predicate per check, TRUE for every row that is fine.

Staging sets rows aside with these predicates and ``quality.suites`` builds Great Expectations'
own rules from them, so that a check has one meaning; a parity test holds that meaning against
Great Expectations' pandas engine. Only text is made here: nothing is run, and neither tables nor
severities are decided upon.

Regular expressions are RE2 and found anywhere: ``$`` is the very end of the value and ``\d`` is
0 to 9, where Python would let a line break or a digit of another script pass.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.checks import ROW_CHECKS, Check

TypedValue = str | int | bool | Decimal | date | datetime

_INTEGERS = frozenset({"tinyint", "smallint", "integer", "bigint", "hugeint"})
_INTEGERS |= {f"u{name}" for name in _INTEGERS}
_NUMBERS = frozenset({"float", "real", "double", "decimal", "numeric"})
_BOOLEANS = {"true": True, "t": True, "yes": True, "1": True}
_BOOLEANS |= {"false": False, "f": False, "no": False, "0": False}
_UNORDERED = ("varchar", "boolean")
_NOT_RE2 = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:=|!|<=|<!|>)|\\[1-9])")


def row_predicate(check: Check, column_type: str = "varchar") -> str:
    """Return SQL that is TRUE when a row satisfies the check and FALSE when it does not.

    A missing value passes every check but ``not_null``; the predicate itself is never NULL. The
    ``where:`` of a check ``true`` is taken as it stands: vet it first (``expressions``).

    Args:
        check: A check of a kind in ``ROW_CHECKS``.
        column_type: DuckDB type of the check's column; bounds and values are read as this type.

    Raises:
        ConfigError: A bound, value or pattern does not suit the column.
        ValueError: The check is judged on the whole table.

    >>> row_predicate(Check(expect="between", column="quantity", min=1, max="99"), "bigint")
    '("quantity" is null or ("quantity" >= 1 and "quantity" <= 99))'
    """
    if check.expect not in ROW_CHECKS:
        message = f"{check.expect!r} is judged on the whole table; no row alone breaks it"
        raise ValueError(message)
    if check.expect == "true":
        # The line break keeps a comment at the condition's end from swallowing the bracket.
        return f"(({check.where}\n) is not false)"
    column = quoted(check.column or "")
    if check.expect == "not_null":
        return f"({column} is not null)"
    return f"({column} is null or {_holds(check, column, column_type)})"


def unique_columns(check: Check) -> tuple[str, ...]:
    """Return the columns that a ``unique`` check names together."""
    return check.columns or ((check.column,) if check.column else ())


def typed_value(value: str | float | bool, column_type: str, *, where: str) -> TypedValue:  # noqa: FBT001 - the value itself
    """Return a declared bound or value as the column's type, so that both engines compare alike.

    Args:
        value: As the declaration spells it.
        column_type: DuckDB type of the column, such as ``decimal(18,2)``.
        where: Rule named in the error.

    Raises:
        ConfigError: The value cannot be read as that type.

    >>> typed_value("2026-11-20", "date", where="sold_on_between")
    datetime.date(2026, 11, 20)
    """
    kind = column_type.lower().split("(")[0].strip()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return _read_value(text, kind)
    except (ValueError, KeyError, InvalidOperation) as error:
        raise ConfigError(
            f"check {where!r}: {text!r} is not a value of type {column_type}",
            where=where,
            hint="Write dates as '2026-11-20' and times as '2026-11-20 17:30', in quotes.",
        ) from error


def literal(value: TypedValue) -> str:
    """Return a value as a SQL literal.

    >>> literal(date(2026, 11, 20)), literal("o'clock"), literal(Decimal("0.10"))
    ("date '2026-11-20'", "'o''clock'", '0.10')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return a column name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def bounds(check: Check, column_type: str) -> tuple[TypedValue | None, TypedValue | None]:
    """Return the smallest and the largest allowed value, typed; None where open.

    Raises:
        ConfigError: A bound is not a value of the type, or the type has no order worth checking.
    """
    if column_type.lower().startswith(_UNORDERED):
        raise ConfigError(
            f"check {check.rule!r}: `between` needs numbers, dates or times, not {column_type}",
            where=check.rule,
            hint="Give the column a type, or use `in_set`, `matches` or `length_between`.",
        )
    return tuple(  # type: ignore[return-value]  # two items in, two items out
        None if value is None else typed_value(value, column_type, where=check.rule)
        for value in (check.min, check.max)
    )


def _holds(check: Check, column: str, column_type: str) -> str:
    if check.expect == "in_set":
        values = [typed_value(v, column_type, where=check.rule) for v in check.values]
        return f"{column} in ({', '.join(literal(v) for v in values)})"
    if check.expect == "matches":
        return f"regexp_matches({as_text(column, column_type)}, {literal(checked_pattern(check))})"
    if check.expect == "length_between":
        return _range(f"length({as_text(column, column_type)})", *bounds(check, "bigint"))
    return _range(column, *bounds(check, column_type))


def _range(measured: str, lowest: TypedValue | None, highest: TypedValue | None) -> str:
    parts = [] if lowest is None else [f"{measured} >= {literal(lowest)}"]
    parts += [] if highest is None else [f"{measured} <= {literal(highest)}"]
    return f"({' and '.join(parts)})"


def as_text(column: str, column_type: str) -> str:
    """Return SQL for the column's text; ``column`` is already quoted."""
    return column if column_type.lower().startswith("varchar") else f"cast({column} as varchar)"


def checked_pattern(check: Check) -> str:
    """Return the check's pattern, free of what RE2 lacks.

    Raises:
        ConfigError: It uses look-around or back-references.
    """
    pattern = check.pattern or ""
    if _NOT_RE2.search(pattern):
        raise ConfigError(
            f"check {check.rule!r}: RE2 has no look-around and no back-references",
            where=check.rule,
            hint="Say it as `expect: true` with a `where:` of two conditions.",
        )
    return pattern


def _read_value(text: str, kind: str) -> TypedValue:
    if kind in _INTEGERS or kind in _NUMBERS:
        number = Decimal(text)
        if not number.is_finite():
            raise ValueError(text)
        return int(number) if number == number.to_integral_value() else number
    if kind == "boolean":
        return _BOOLEANS[text.lower()]
    if kind == "date":
        return date.fromisoformat(text)
    if kind.startswith("timestamp"):
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return text
