"""SQL that types and judges the rows of one delivery in a single scan.

It gives one row per record that is read, in file order: the typed columns, and for rows that break
a rule the rules' names and the delivered text. Rules are those every source has (a value must have
its column's type) and the checks with severity ``quarantine``. The scan is run in ``splitting``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from cdp_pipeline.core.types import Severity
from cdp_pipeline.ingest import cards, repeated_json_keys, totals
from cdp_pipeline.ingest.casting import (
    Casting,
    DeliveredText,
    Names,
    cast_column,
    text_name,
)
from cdp_pipeline.ingest.filling import fill_computed, fill_texts
from cdp_pipeline.ingest.json_sql import NO_NUMBERS
from cdp_pipeline.ingest.local_time import create_clock_macros
from cdp_pipeline.ingest.plaintext import NUL_MARK
from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.ingest.reasons import (
    Rule,
    check_columns_shown,
    describe_check,
    describe_type,
    in_file,
)
from cdp_pipeline.ingest.records import LONG_LINE
from cdp_pipeline.ingest.rejections import BLANK_RECORD, REPEATED_HEADER, RULED_LINE
from cdp_pipeline.ingest.rejections import MEANINGS as MEANINGS_OF_REJECTED
from cdp_pipeline.ingest.salvage import MAXIMUM_TEXT
from cdp_pipeline.ingest.totals import Totals, find_totals
from cdp_pipeline.project.checks import ROW_CHECKS, Check
from cdp_pipeline.project.contracts import SQL_TYPES, SourceContract
from cdp_pipeline.project.expressions import vet_predicate, vet_scalar
from cdp_pipeline.project.predicates import row_predicate
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

MAXIMUM_FIELD_BYTES = LONG_LINE

_MEANING_OF_NAN = "a field holds NaN or Infinity, which is no value: have null written"

FREE_TEXT = "free_text"
"""Kind of personal data whose columns are searched for payment card numbers."""


_MOST_HEADERS = 20
"""Columns that must hold their own header, so that a record counts as the header."""


@dataclass(frozen=True)
class Judgement:
    """How the rows of one delivery are judged.

    Attributes:
        select: Statement whose one parameter is the file; it gives the contract's columns,
            ``_item``, ``_is_first``, ``_rules`` and ``_raw``, the last two of broken rows only.
        rules: What rows may break.
        file_id: Identity of the delivery.
        business_date: Its business date.
        messages: Warnings for people.
    """

    select: str
    rules: tuple[Rule, ...]
    file_id: str
    business_date: date
    messages: tuple[str, ...] = ()


_NOT_A_RECORD = Rule(
    "not_a_record",
    "_text is not null and not _is_twofold",
    "the record is no JSON object, is longer than 2 MB or nested too deep to be read",
)
_TWOFOLD = Rule(repeated_json_keys.RULE, "_is_twofold", repeated_json_keys.MEANING)


def judge_rows(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    contract: SourceContract,
    *,
    file_id: str,
    business_date: date,
) -> Judgement:
    """Return the statement that judges the rows of a delivery, and the rules in it.

    Args:
        con: Private connection of this delivery; it gets the macros that the statement needs.
        reading: How to read it.
        contract: Its contract.
        file_id: Identity of the delivery, for ``_file``.
        business_date: Its business date, for ``_business_date``.

    Raises:
        ConfigError: A check of the contract is not a predicate.
    """
    cards.create_card_macros(con)
    create_clock_macros(con, contract, around=business_date)
    typed = _typed(reading, contract, file_id=file_id, business_date=business_date)
    is_table = _is_table(contract, reading)
    sums = find_totals(con, reading.path, contract, select=typed) if is_table else Totals()
    rules = (
        *([_TWOFOLD, _NOT_A_RECORD] if reading.is_nested else [_blank_record(contract, reading)]),
        *_repeated_header(reading),
        *([Rule(totals.RULE, sums.predicate, totals.MEANING)] if sums.predicate else []),
        *_type_rules(contract, reading),
        *_text_rules(contract, reading),
        *_key_rules(contract),
        *(_check_rule(check, contract) for check in row_checks(contract)),
    )
    select = _judgement(reading, contract, rules, typed=typed)
    return Judgement(select, rules, file_id, business_date, sums.messages)


def _typed(reading: Reading, contract: SourceContract, *, file_id: str, business_date: date) -> str:
    """Return a query of the rows with clean texts and values; its parameter is the file."""
    read = contract.read_columns
    castings = {
        name: _casting(
            name,
            contract,
            reading.texts.get(name, "cast(null as varchar)"),
            is_padded=reading.traits.has_padding,
        )
        for name in read
    }
    typed = ", ".join(f"{c.typed} as {quote_column(name)}" for name, c in castings.items())
    # A level of its own: within a CASE, DuckDB would parse a text wherever its value is named.
    parsed = "".join(
        f", {c.parsed} as {Names.of(name).parsed}" for name, c in castings.items() if c.parsed
    )
    values = (
        f"(select *{_computed(contract)} from ("  # noqa: S608 - vetted
        f"select *, {typed}, {quote_literal(file_id)} as _file, "
        f"date '{business_date.isoformat()}' as _business_date "
        f"from (select *{parsed} from {_clean_texts(reading, contract, castings)})))"
    )
    return f"select * from {fill_computed(values, contract)}"  # noqa: S608 - vetted


def _judgement(
    reading: Reading, contract: SourceContract, rules: Sequence[Rule], *, typed: str
) -> str:
    """Return the statement that judges; its parameter is the file."""
    any_broken = " or ".join(f"({rule.broken})" for rule in rules)
    names = ", ".join(
        f"case when {rule.broken} then {quote_literal(rule.name)} end" for rule in rules
    )
    columns = ", ".join([*map(quote_column, contract.columns), "_item", "_is_first"])
    # Names and texts are made for broken rows alone; whether a row is broken is found once.
    return (
        f"select {columns}, "  # noqa: S608 - vetted
        f"case when _is_broken then concat_ws(',', {names}) end as _rules, "
        f"case when _is_broken then cast({_delivered(reading, contract)} as varchar) end as _raw "
        f"from (select *, coalesce({any_broken}, false) as _is_broken from ({typed}))"
        f"{' order by _row' if contract.delivery.fill_down else ''}"
    )


def _clean_texts(
    reading: Reading, contract: SourceContract, castings: Mapping[str, Casting]
) -> str:
    """Return a relation of the clean texts, filled down where the contract says so."""
    clean = ", ".join(f"{c.clean} as {text_name(name)}" for name, c in castings.items())
    kept = ["_text", "_is_twofold", "_has_no_number"] if reading.is_nested else []
    kept += (
        ["_item", "_is_first"]
        if reading.is_repeated
        else ["cast(null as bigint) as _item", "true as _is_first"]
    )
    relation = f"(select {', '.join([clean, *kept])} from {reading.relation})"  # noqa: S608 - vetted
    return fill_texts(relation, contract)


def _computed(contract: SourceContract) -> str:
    """Return SQL of the columns that are computed from those that are read."""
    known = read_types(contract)
    return "".join(
        ", try(cast("
        + vet_scalar(
            column.value, columns=known, where=f"{contract.name}: {name}", cast_to=column.sql_type
        )
        + f" as {column.sql_type})) as {quote_column(name)}"
        for name, column in contract.columns.items()
        if column.value
    )


def read_types(contract: SourceContract) -> dict[str, str]:
    """Return what a computed column may be made of, with types."""
    types = {name: column.sql_type for name, column in contract.read_columns.items()}
    return {**types, "_item": "bigint", "_business_date": "date"}


def _delivered(reading: Reading, contract: SourceContract) -> str:
    """Return SQL of the texts that the quarantine keeps of a row."""
    texts = ", ".join(
        f"{quote_literal(name)}, {_kept_text(name, contract)}" for name in contract.read_columns
    )
    whole = f"json_object({texts})"
    if not reading.is_nested:
        return whole
    broken = f"json_object('_text', {cards.masked('_text')})"
    return f"case when _text is not null then {broken} else {whole} end"


def _casting(
    name: str, contract: SourceContract, raw: str = "", *, is_padded: bool = True
) -> Casting:
    return cast_column(
        contract.columns[name],
        contract.delivery,
        text=DeliveredText(raw, is_padded=is_padded),
        names=Names.of(name),
        is_key=name in contract.load.key,
    )


def _type_rules(contract: SourceContract, reading: Reading) -> list[Rule]:
    return [
        Rule(
            f"{name}_type",
            _casting(name, contract).wrong,
            describe_type(name, column, contract.delivery),
            (name,),
        )
        for name, column in contract.read_columns.items()
        if column.type != "text" or reading.traits.has_exponents
    ]


def row_checks(contract: SourceContract) -> list[Check]:
    """Return the checks that set single rows aside."""
    return [
        check
        for check in contract.all_checks()
        if check.severity is Severity.QUARANTINE and check.expect in ROW_CHECKS
    ]


def check_columns(contract: SourceContract) -> dict[str, str]:
    """Return the columns that a check may name, with their types."""
    types = {name: SQL_TYPES[column.type] for name, column in contract.columns.items()}
    return {**types, "_file": "varchar", "_item": "bigint", "_business_date": "date"}


def _is_table(contract: SourceContract, reading: Reading) -> bool:
    return contract.delivery.format in {"csv", "excel"} and reading.width > 1


def _blank_record(contract: SourceContract, reading: Reading) -> Rule:
    texts = ", ".join(text_name(name) for name in contract.read_columns)
    first = text_name(next(iter(contract.read_columns)))
    ruled = f"regexp_full_match(concat_ws('', {texts}), '{RULED_LINE}')"
    # Texts in this range begin with two dashes; to ask so is cheaper than ``starts_with``.
    is_ruled = f"case when {first} >= '--' and {first} < '-.' then {ruled} else false end"
    blank = f"coalesce({texts}) is null or {is_ruled}" if _is_table(contract, reading) else "false"
    return Rule(BLANK_RECORD, blank, MEANINGS_OF_REJECTED[BLANK_RECORD])


def _repeated_header(reading: Reading) -> list[Rule]:
    found = [
        f"{text_name(name)} = {quote_literal(header.strip())}"
        for name, header in list(reading.headers.items())[:_MOST_HEADERS]
    ]
    if not found:
        return []
    return [Rule(REPEATED_HEADER, " and ".join(found), MEANINGS_OF_REJECTED[REPEATED_HEADER])]


def _kept_text(name: str, contract: SourceContract) -> str:
    """Return SQL of the text that the quarantine keeps of a column."""
    text = f"left({text_name(name)}, {MAXIMUM_TEXT})"
    return f"without_card_numbers({text})" if _is_free_text(name, contract) else text


def _is_free_text(name: str, contract: SourceContract) -> bool:
    return contract.columns[name].pii == FREE_TEXT


def _text_rules(contract: SourceContract, reading: Reading) -> list[Rule]:
    names = tuple(contract.read_columns)
    texts = [text_name(name) for name in names]
    rules: list[Rule] = []
    if reading.has_long_fields:
        length = " or ".join(f"strlen({text}) > {MAXIMUM_FIELD_BYTES}" for text in texts)
        cut = f"length({{text}}) = {MAXIMUM_TEXT}"
        rules.append(Rule("field_too_long", length, "a field is longer than 64 KB", names, cut))
    if reading.has_nul or reading.is_nested:
        mark = "chr(0)" if reading.is_nested else quote_literal(NUL_MARK)  # JSON may spell it
        nul = " or ".join(f"contains({text}, {mark})" for text in texts)
        held = f"contains({{text}}, {mark})"
        rules.append(Rule("nul_character", nul, "a field holds a NUL character", names, held))
    if reading.is_nested:
        # Of a column of numbers it is not of the type; as a text, it would be somebody's number.
        held = f"lower(ltrim({{text}}, '-')) in {NO_NUMBERS}"
        plain = [n for n, column in contract.read_columns.items() if column.type == "text"]
        nan = " or ".join(held.format(text=text_name(name)) for name in plain) or "false"
        nan = f"_has_no_number and ({nan})"
        rules.append(Rule("nan_value", nan, _MEANING_OF_NAN, tuple(plain), held))
    free = [text_name(name) for name in contract.read_columns if _is_free_text(name, contract)]
    if free:
        broken = " or ".join(f"has_card_number({text})" for text in free)
        held = f"contains({{text}}, {quote_literal(cards.MASK)})"
        rules.append(Rule(cards.RULE, broken, cards.MEANING, names, held))
    return rules


def _key_rules(contract: SourceContract) -> list[Rule]:
    return [
        Rule(
            f"{name}_not_null",
            f"{quote_column(name)} is null",
            f"{in_file(name, contract.columns[name])} is missing, but part of the key",
        )
        for name in contract.load.key
        if name in contract.columns and not contract.columns[name].required
    ]


def _check_rule(check: Check, contract: SourceContract) -> Rule:
    types = check_columns(contract)
    where = f"{contract.name}: check {check.rule!r}"
    meaning, shown = describe_check(check, contract), check_columns_shown(check, contract)
    if check.where:
        vetted = vet_predicate(check.where, columns=types, where=where)
        check = check.model_copy(update={"where": vetted})
    column_type = types.get(check.column or "", "varchar")
    return Rule(check.rule, f"not {row_predicate(check, column_type)}", meaning, shown)
