"""Payment card numbers in free text: found before anything is stored, masked where it is kept.

A number counts if it has the first digits and the length of a card and its check digit is right,
in whatever digits it is written. Columns that hold declared identifiers are never looked at;
tokens of cards are none.
Source: ISO/IEC 7812-1, annex B (the Luhn check digit); ranges of issuers as the networks say.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.storage.warehouse import quote_literal

RULE = "card_number"
MEANING = "a free text holds what looks like a payment card number"
MASK = "[card number]"
"""What stands for such a number in the texts that are kept."""

_NUMBER = r"[2-6][0-9](?:[ ./\-\x{00a0}]?[0-9]){11,17}"
_BOUNDED = rf"(?:^|[^0-9])({_NUMBER})(?:[^0-9]|$)"

_ISSUERS = (
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11,16}"  # Diners Club
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12,15}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:50|5[6-8]|6[0-9])[0-9]{10,17}"  # Maestro
)

_SCRIPTS = (0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0xFF10)
"""Where the ten digits of other scripts begin: Arabic, Persian, Devanagari, Bengali, Thai, wide."""

_OTHER_DIGITS = "".join(chr(start + digit) for start in _SCRIPTS for digit in range(10))

_MACROS = (
    f"""
    create or replace temp macro with_plain_digits(txt) as (
        case when regexp_matches(txt, '[{_OTHER_DIGITS}]')
            then translate(txt, '{_OTHER_DIGITS}', '{"0123456789" * len(_SCRIPTS)}')
        else txt end
    )
    """,
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
    create or replace temp macro is_card_number(digits) as (
        regexp_full_match(digits, {quote_literal(_ISSUERS)}) and has_check_digit(digits)
    )
    """,
    f"""
    create or replace temp macro has_card_number(txt) as (
        case when regexp_matches(with_plain_digits(txt), {quote_literal(_BOUNDED)}) then
            len(
                list_filter(
                    regexp_extract_all(with_plain_digits(txt), {quote_literal(_BOUNDED)}, 1),
                    lambda found: is_card_number(regexp_replace(found, '[^0-9]', '', 'g'))
                )
            ) > 0
        else false end
    )
    """,
    f"""
    create or replace temp macro without_card_numbers(txt) as (
        regexp_replace(with_plain_digits(txt), {quote_literal(_NUMBER)}, '{MASK}', 'g')
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
