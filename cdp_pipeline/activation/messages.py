"""Texts of offers: their placeholders, vetted, and the SQL that fills them in per customer.

A placeholder is the bare name of a column of ``features.customer_features`` or one of the offer's
own words; nothing of Python's format language (attributes, indexes, conversions) is accepted. A
message with a gap is never sent: the SQL gives NULL and the member is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from pathlib import Path
from string import Formatter

from babel.dates import format_date

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.marketing import OfferSpec
from cdp_pipeline.project.mistakes import suggest
from cdp_pipeline.project.positions import Positions
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

OFFER_WORDS = ("discount", "valid_until")
"""Placeholders that come from the offer itself."""


def vet_offer(spec: OfferSpec, *, columns: Collection[str], path: Path) -> None:
    """Check that an offer speaks only of columns that exist.

    Args:
        spec: The declaration.
        columns: Columns of ``features.customer_features``.
        path: The declaring file.

    Raises:
        ConfigError: A placeholder or column is unknown or misformed; says what was meant.
    """
    for key in ("sku_column", "product_column", "store_id_column", "store_name_column"):
        column = getattr(spec, key)
        if key in spec.model_fields_set and column and column not in columns:
            raise _unknown(f"`{key}: {column}` is no column", column, columns, Positions(path)(key))
    for _, name in placeholders(spec.message, path=path):
        if name and name not in columns and name not in OFFER_WORDS:
            message = f"message has the unknown placeholder {{{name}}}"
            raise _unknown(message, name, {*columns, *OFFER_WORDS}, Positions(path)("message"))


def placeholders(message: str, *, path: Path) -> list[tuple[str, str | None]]:
    """Return the text as pairs of fixed words and the placeholder after them, if any.

    Raises:
        ConfigError: Braces do not match, or a placeholder is more than a name.

    >>> placeholders("Hi {city}, {{really}}", path=Path("offer.yml"))
    [('Hi ', 'city'), (', {', None), ('really}', None)]
    """
    try:
        pieces = list(Formatter().parse(message))
    except ValueError as error:
        raise ConfigError(
            f"message: {error}",
            where=Positions(path)("message"),
            hint="Write {{ for a brace that is only text.",
        ) from error
    for _, name, form, conversion in pieces:
        if name is not None and (form or conversion or not name.isidentifier()):
            raise ConfigError(
                f"message has the odd placeholder {{{name}}}",
                where=Positions(path)("message"),
                hint="A placeholder is a column's name in braces and nothing else.",
            )
    return [(text, name) for text, name, _, _ in pieces]


def message_sql(
    spec: OfferSpec, *, columns: Mapping[str, str], words: Mapping[str, str], path: Path
) -> str:
    """Return SQL of the finished message; NULL for a customer for whom it would have a gap.

    Args:
        spec: The offer.
        columns: Columns of ``features.customer_features``, aliased ``features``, with their types.
        words: The offer's own words, see ``offer_words``.
        path: The declaring file.
    """
    parts = []
    for text, name in placeholders(spec.message.strip(), path=path):
        parts.append(quote_literal(text))
        if name:
            own = words.get(name)
            parts.append(quote_literal(own) if own else _spoken(name, columns[name]))
    return " || ".join(parts)


def offer_words(spec: OfferSpec, *, business_date: date, locale: str) -> dict[str, str]:
    """Return the offer's own words as people read them.

    >>> spec = OfferSpec(name="o", title="O", owner="crm", segment="s", channel="push",
    ...                  discount_share=0.1, message="m", valid_days=7)
    >>> offer_words(spec, business_date=date(2026, 11, 20), locale="en_GB")
    {'discount': '10 %', 'valid_until': '27 November 2026'}
    """
    until = valid_until(spec, business_date=business_date)
    return {
        "discount": f"{spec.discount_share * 100:.4g} %",
        "valid_until": format_date(until, format="long", locale=locale),
    }


def valid_until(spec: OfferSpec, *, business_date: date) -> date:
    """Return the last day of an offer made in the night after ``business_date``."""
    return business_date + timedelta(days=spec.valid_days)


def _spoken(name: str, sql_type: str) -> str:
    column = f"features.{quote_column(name)}"
    if sql_type.upper() == "DATE":
        return f"strftime({column}, '%Y-%m-%d')"
    return f"nullif(trim(cast({column} as varchar)), '')"


def _unknown(message: str, name: str, known: Collection[str], where: str) -> ConfigError:
    return ConfigError(message, where=where, hint=suggest(name, sorted(known)))
