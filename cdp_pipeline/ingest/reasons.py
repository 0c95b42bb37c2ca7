"""Why a row is set aside, in words that somebody can act on: column, what was expected, what came.

What was delivered is shown as it was, but of columns with personal data only its shape is
(``xxx@xxx.xxx``, ``99/99/9999``): that tells what is wrong, and nothing of anybody. What breaks a
rule is decided in ``judging``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cdp_pipeline.ingest.casting import DECIMALS, EARLIEST, LATEST, thousands_of
from cdp_pipeline.ingest.headers import called
from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.contracts import Column, SourceContract
from cdp_pipeline.project.layout import Delivery
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

DELIVERED = " (delivered: "
"""What stands in a reason before the row's own values; what goes before is true of any such row."""

MISSING = "_not_null"
"""How rules end of columns that must have a value."""

_SHOWN_CHARACTERS = 60
_SHOWN_VALUES = 12
_SHOWN_COLUMNS = 4


@dataclass(frozen=True)
class Rule:
    """What a row may break.

    Attributes:
        name: Shown in the quarantine and the ledger.
        broken: SQL that is TRUE when the row breaks it.
        meaning: Sentence for people, true of any row that breaks it.
        columns: Columns whose values show what is wrong.
        culprit: SQL that is TRUE of the culprit's text, ``{text}``, where any of the columns may
            be it; its name is shown then, not its value.
    """

    name: str
    broken: str
    meaning: str
    columns: tuple[str, ...] = ()
    culprit: str = ""


def describe_type(name: str, column: Column, written: Delivery) -> str:
    """Return what is wrong with a value that could not be taken as its column's type."""
    return f"{in_file(name, column)} {_wanted(column, written)}"


def in_file(name: str, column: Column | None) -> str:
    """Return a column's name, and what the sender calls it if that differs."""
    headers = called(name, column)
    return f"{name} ({headers} in the file)" if headers else name


def _wanted(column: Column, written: Delivery) -> str:
    if column.type == "text":
        return "is a number as spreadsheets write it (9.9E+12), its digits are lost: export it anew"
    if column.type == "boolean":
        yes, no = "/".join(column.true_values), "/".join(column.false_values)
        return f"is none of the declared words for yes ({yes}) and no ({no})"
    if column.type in {"date", "timestamp"}:
        usual = "2026-11-20" if column.type == "date" else "2026-11-20 17:30:00"
        kind = "a date" if column.type == "date" else "a date and time"
        text = f"is not {kind} of the declared format, {column.format or f'such as {usual}'}"
        text += f", or not between {EARLIEST[:4]} and {LATEST[:4]}"
        if column.type == "timestamp" and (column.time_zone or written.time_zone) != "UTC":
            text += ", or one that clocks left out when they went forward"
        return text
    decimals = DECIMALS[column.type] if column.decimals is None else column.decimals
    mark = column.decimal_mark or written.decimal_mark
    if not decimals:
        return "is not a whole number"
    usual = f"1{thousands_of(column, written)}234{mark}{'50'[:decimals]}"
    kind = "an amount" if column.type == "decimal" else "a number"
    return f"is not {kind} with at most {decimals} decimals, such as {usual}"


def describe_check(check: Check, contract: SourceContract) -> str:
    """Return what a row must be that breaks a check."""
    name = check.column or ""
    said = f"{check.name}: " if check.name else ""
    column = in_file(name, contract.columns.get(name))
    if check.expect in {"between", "length_between"}:
        measured = f"the length of {column}" if check.expect == "length_between" else column
        return f"{said}{measured} {_out_of_bounds(check)}"
    shown = ", ".join(map(str, check.values[:_SHOWN_VALUES]))
    more = len(check.values) - _SHOWN_VALUES
    kinds = {
        "not_null": f"{column} is missing, but required",
        "in_set": f"{column} is none of the declared values {shown}"
        f"{f' and {more} more' if more > 0 else ''}",
        "matches": f"{column} does not match {check.pattern}",
        "true": f"it does not hold that {' '.join((check.where or '').split())}",
    }
    return f"{said}{kinds[check.expect]}"


def _out_of_bounds(check: Check) -> str:
    if check.min is not None and check.max is not None:
        return f"is not between {check.min} and {check.max}"
    return f"is less than {check.min}" if check.min is not None else f"is more than {check.max}"


def check_columns_shown(check: Check, contract: SourceContract) -> tuple[str, ...]:
    """Return the columns whose values show why a row breaks a check."""
    if check.column:
        return (check.column,) if check.expect != "not_null" else ()
    words = set(re.findall(r"\w+", (check.where or "").lower()))
    return tuple(name for name in contract.columns if name in words)[:_SHOWN_COLUMNS]


def reasons_of(
    rules: Sequence[Rule], contract: SourceContract, *, alone: Collection[str] = ()
) -> str:
    """Return SQL of the reason of a row of ``broken``: each rule that it breaks, with values.

    Args:
        rules: What rows may break.
        contract: Contract of the delivery.
        alone: Rules that say it all: where a row breaks one first, the others follow from it.
    """
    names = {rule.name for rule in rules}
    parts = [
        f"case when {_is_broken(rule.name)}{_unless_wrong(rule.name, names)} "
        f"then {quote_literal(rule.meaning)} || {_delivered(rule, contract)} end"
        for rule in rules
    ]
    whole = [
        f"when {quote_literal(rule.name)} then {quote_literal(rule.meaning)}"
        for rule in rules
        if rule.name in alone
    ]
    each = f"concat_ws('; ', {', '.join(parts)})"
    return f"case split_part(_rules, ',', 1) {' '.join(whole)} else {each} end" if whole else each


def _is_broken(rule: str) -> str:
    return f"list_contains(string_split(_rules, ','), {quote_literal(rule)})"


def _unless_wrong(rule: str, names: Collection[str]) -> str:
    """Return SQL that keeps a value from being called missing that is only not of its type."""
    column = rule.removesuffix(MISSING)
    wrong = f"{column}_type"
    return f" and not {_is_broken(wrong)}" if column != rule and wrong in names else ""


def _delivered(rule: Rule, contract: SourceContract) -> str:
    """Return SQL of what a row of ``broken`` had in the columns of a rule, or which of them."""
    texts = {name: _text(name, contract) for name in rule.columns if name in contract.columns}
    if not rule.culprit:
        return _values(texts, contract)
    return _in_brackets(
        f"case when {rule.culprit.format(text=text)} then {quote_literal(name)} end"
        for name, text in texts.items()
    )


def _text(name: str, contract: SourceContract) -> str:
    """Return SQL of what a column held: as delivered, or as computed."""
    if contract.columns[name].value:
        return f"cast({quote_column(name)} as varchar)"
    return f"json_extract_string(_raw, {quote_literal(f'$.{name}')})"


def _values(texts: Mapping[str, str], contract: SourceContract) -> str:
    """Return SQL of the texts of columns, each with its name if there are several."""
    label = {name: f"{name} " if len(texts) > 1 else "" for name in texts}
    return _in_brackets(
        f"{quote_literal(label[name])} || {shown_value(text, contract.columns[name])}"
        for name, text in texts.items()
    )


def _in_brackets(shown: Iterable[str]) -> str:
    """Return SQL of what was delivered; of nothing where there is nothing to show."""
    listed = ", ".join(shown)
    if not listed:
        return "''"
    return (
        f"coalesce({quote_literal(DELIVERED)} || nullif(concat_ws(', ', {listed}), '') || ')', '')"
    )


def shown_value(text: str, column: Column) -> str:
    """Return SQL of a text as it may be shown; NULL if it is.

    Args:
        text: SQL of the text.
        column: Declaration of its column.
    """
    if column.is_sensitive:
        shape = rf"regexp_replace({text}, '[\pL\pM]', 'x', 'g')"
        text = rf"regexp_replace({shape}, '\pN', '9', 'g')"
    dots = f"case when length({text}) > {_SHOWN_CHARACTERS} then '…' else '' end"
    return f"chr(39) || left({text}, {_SHOWN_CHARACTERS}) || {dots} || chr(39)"


def reason_of_conflict(contract: SourceContract) -> str:
    """Return SQL of why a staged row is set aside whose key another row bears."""
    declared = {name: contract.columns.get(name) for name in contract.load.key}
    key = ", ".join(in_file(name, column) for name, column in declared.items())
    said = (
        f"another row with this key ({key}) and other content was loaded before: lengthen "
        "`key:` if both are right, or set `mode: upsert` if the later one is"
    )
    texts = {n: f"cast({quote_column(n)} as varchar)" for n, column in declared.items() if column}
    return f"{quote_literal(said)} || {_values(texts, contract)}"


def describe_fields(meanings: Mapping[str, str], width: int) -> str:
    """Return SQL of the reason of a row of ``rejected``, whose ``fields`` is how many it has.

    Args:
        meanings: What each rule means.
        width: Fields of the header.
    """
    names, texts = (
        "[" + ", ".join(map(quote_literal, values)) + "]"
        for values in (meanings.keys(), meanings.values())
    )
    said = f"map_extract_value(map({names}, {texts}), rule)"
    counted = f"{quote_literal(DELIVERED)} || fields || ' of {width} fields)'"
    return f"{said} || coalesce({counted}, '')"


def of_any_row(reason: str) -> str:
    """Return what a reason says of any row that breaks the rule.

    >>> of_any_row("price is not a whole number (delivered: 'x'); note is missing")
    'price is not a whole number'
    """
    return reason.partition(DELIVERED)[0]
