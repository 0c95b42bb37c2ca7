r"""How values look in a file: each platform's normalisation before hashing, and safe free text.

One phone number has different hashes on different platforms, and a wrong rule matches nobody
without any error; so each rule stands here once, as SQL, and is pinned by known answers. A bad
identifier becomes NULL (the row stays), and what already is a SHA-256 is not hashed again. Which
columns a destination gets is decided by its declaration, not here.

Source: Google Ads "Customer Match formatting" and "About Customer Match" (answers 7659867 and
7474263); Meta "Customer file custom audiences", reproduced in HCL Unica "Data normalization".
"""

from __future__ import annotations

from cdp_pipeline.project.marketing import DestinationField
from cdp_pipeline.storage.warehouse import quote_literal

_BLANK = r"[\s\p{Z}]"
_INVISIBLE = r"[\s\p{Z}\x{200B}-\x{200F}\x{2060}\x{FEFF}]"
_ACTIVE = rf"^[\t\r\n]|^{_INVISIBLE}*[=+\-@\x{{FF1D}}\x{{FF0B}}\x{{FF0D}}\x{{FF20}}]"
_STRICT_NUMBER = r"[+-]?[0-9]+([.][0-9]+)?"
_EMAIL = r"[^@\s]+@[^@\s.][^@\s]*[.][^@\s]+"
_UK_POSTCODE = r"[a-z]{1,2}[0-9][a-z0-9]?[0-9][a-z]{2}"

_PUNCTUATION = r"[\p{P}\p{S}]"
_PUNCTUATION_OR_BLANK = r"[\p{P}\p{S}\p{Z}\s]"
_BLANK_OR_HYPHEN = r"[\p{Z}\s-]"

_FREE_TEXT = frozenset(
    {"given_name", "family_name", "street", "city", "message", "product_name", "store_name"}
)


def is_free_text(field: DestinationField) -> bool:
    """Return whether people wrote the value, so that a spreadsheet could take it for a formula."""
    return field.kind == "name" or field.column in _FREE_TEXT or field.column.endswith("_name")


def inert_text(value: str) -> str:
    r"""Return SQL that puts an apostrophe before text which a spreadsheet would execute.

    Applied to free text in CSV only. Numbers and telephone numbers pass byte-exact: a receiving
    machine needs the ``+`` of an international number.

    Args:
        value: SQL of a text.
    """
    return (
        f"case when regexp_matches({value}, {quote_literal(_ACTIVE)}) "
        f"and not regexp_full_match({value}, {quote_literal(_STRICT_NUMBER)}) "
        f"then '''' || {value} else {value} end"
    )


def hashed(value: str, *, dialect: str, kind: str) -> str:
    """Return SQL of a value's hash by a platform's rules: lower-case hex SHA-256, no salt.

    Args:
        value: SQL of a text.
        dialect: ``google`` or ``meta``.
        kind: ``email``, ``phone``, ``name``, and for Meta ``city``, ``postcode``, ``country``.

    Raises:
        KeyError: The platform hashes no such kind; declarations refuse it earlier.
    """
    text = f"trim(nfc_normalize(cast({value} as varchar)))"
    plain = _RULES[dialect][kind](text)
    return (
        f"case when regexp_full_match(lower({text}), '[0-9a-f]{{64}}') then lower({text}) "
        f"else sha256(nullif({plain}, '')) end"
    )


def _without(text: str, pattern: str) -> str:
    return f"regexp_replace({text}, {quote_literal(pattern)}, '', 'g')"


def _google_email(text: str) -> str:
    whole = f"lower({_without(text, _BLANK)})"
    local, domain = f"split_part({whole}, '@', 1)", f"split_part({whole}, '@', 2)"
    box = f"replace(split_part({local}, '+', 1), '.', '')"
    return (
        f"case when not regexp_full_match({whole}, {quote_literal(_EMAIL)}) then null "
        f"when {domain} in ('gmail.com', 'googlemail.com') then {box} || '@' || {domain} "
        f"else {whole} end"
    )


def _meta_email(text: str) -> str:
    whole = f"lower({text})"
    return f"case when regexp_full_match({whole}, {quote_literal(_EMAIL)}) then {whole} end"


def _meta_phone(text: str) -> str:
    digits = _without(text, "[^0-9]")
    national = f"regexp_replace({digits}, '^00', '')"
    # Without a country code the number is ambiguous, and a national 0 never matches anybody.
    return (
        f"case when regexp_matches({text}, '^([+]|00)') "
        f"and regexp_full_match({national}, '[1-9][0-9]{{7,14}}') then {national} end"
    )


def _google_phone(text: str) -> str:
    return f"'+' || {_meta_phone(text)}"


def _google_name(text: str) -> str:
    return f"lower({_without(text, _BLANK)})"


def _meta_name(text: str) -> str:
    return f"lower(trim(regexp_replace({_without(text, _PUNCTUATION)}, '{_BLANK}+', ' ', 'g')))"


def _meta_city(text: str) -> str:
    return f"lower({_without(text, _PUNCTUATION_OR_BLANK)})"


def _meta_postcode(text: str) -> str:
    code = f"lower({_without(text, _BLANK_OR_HYPHEN)})"
    return (
        f"case when regexp_full_match({code}, '{_UK_POSTCODE}') then left({code}, -2) "
        f"when regexp_full_match({code}, '[0-9]{{9}}') then left({code}, 5) else {code} end"
    )


def _meta_country(text: str) -> str:
    return f"case when regexp_full_match({text}, '[A-Za-z]{{2}}') then lower({text}) end"


_RULES = {
    "google": {"email": _google_email, "phone": _google_phone, "name": _google_name},
    "meta": {
        "email": _meta_email,
        "phone": _meta_phone,
        "name": _meta_name,
        "city": _meta_city,
        "postcode": _meta_postcode,
        "country": _meta_country,
    },
}
