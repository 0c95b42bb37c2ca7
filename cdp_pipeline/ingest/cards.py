"""Payment card numbers in free text: found before anything is stored, masked where it is kept.

A number counts if it has the length and first digit of a card and its check digit is right.
Columns that hold declared identifiers are never looked at; tokens of cards are none.
Source: ISO/IEC 7812-1, annex B (the Luhn check digit).
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.storage.warehouse import quote_literal

RULE = "card_number"
MEANING = "a free text holds what looks like a payment card number"
_NUMBER = r"[2-6][0-9](?:[ ./\-\x{00a0}]?[0-9]){11,17}"
_BOUNDED = rf"(?:^|[^0-9])({_NUMBER})(?:[^0-9]|$)"

_MACROS = (
    # From the right, every second digit counts double; of two-digit products the digits count.
    """
    create or replace temp macro has_check_digit(digits) as (
        list_sum(
            list_transform(
                range(length(digits)),
                lambda place: case
                    when place % 2 = 0 then cast(digits[length(digits) - place] as integer)
                    else list_extract(
                        [0, 2, 4, 6, 8, 1, 3, 5, 7, 9],
                        cast(digits[length(digits) - place] as integer) + 1
                    )
                end
            )
        ) % 10 = 0
    )
    """,
    f"""
    create or replace temp macro has_card_number(txt) as (
        case when regexp_matches(txt, {quote_literal(_BOUNDED)}) then
            len(
                list_filter(
                    regexp_extract_all(txt, {quote_literal(_BOUNDED)}, 1),
                    lambda found: has_check_digit(regexp_replace(found, '[^0-9]', '', 'g'))
                )
            ) > 0
        else false end
    )
    """,
    f"""
    create or replace temp macro without_card_numbers(txt) as (
        regexp_replace(txt, {quote_literal(_NUMBER)}, '[card number]', 'g')
    )
    """,
)


def create_card_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``has_card_number(text)`` and ``without_card_numbers(text)`` on a connection."""
    for macro in _MACROS:
        con.execute(macro)


def masked(text: str) -> str:
    """Return SQL of a text without the card numbers in it, if it has any."""
    return f"case when has_card_number({text}) then without_card_numbers({text}) else {text} end"
