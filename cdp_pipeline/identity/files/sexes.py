"""What a column of sexes says: words of many languages, and letters as they are used together.

*M* is a man beside *F*, *W* and *K*, but beside *H* it is a woman: mujer and hombre.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import duckdb

from cdp_pipeline.project.sex_words import FEMALE, MALE
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

_LETTERS = (
    ("f", "m"), ("w", "m"), ("f", "h"), ("m", "h"), ("k", "m"), ("k", "e"), ("v", "m"),
    ("n", "m"), ("n", "f"), ("z", "m"),
)  # fmt: skip
"""Letters for women and for men that are used together, the usual ones first."""

_OFTEN = 0.05
"""Share of the letters of a column from which one stands there on purpose."""

_AS_MANY = 4
"""A pair is about as frequent as another if it stands there a fourth as often."""

_NEITHER = frozenset({"unknown", "divers", "other", "u", "d", "x", "o"})


def _plain(word: str) -> str:
    """Return a word without accents, as ``strip_accents`` does: Korean syllables stay whole."""
    bare = (c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", "".join(bare))


def looks_like_sex(value: str) -> str:
    """Return SQL for: a value is a word or a letter for a sex."""
    return f"{_word(value)} in ({_listed({*FEMALE, *MALE, *_NEITHER, *'hknvze'})})"


def sex_sql(con: duckdb.DuckDBPyConnection, table: str, column: str) -> str:
    """Return SQL of F, M or null for a column of sexes.

    Args:
        con: Connection.
        table: Table with the column.
        column: Its name.
    """
    word = _word(quote_column(column))
    rows = con.execute(
        f"select {word} as word, count(*) as n from {table} "  # noqa: S608 - quoted
        "where length(word) = 1 group by word order by n desc, word"
    ).fetchall()
    seen = {str(letter): int(n) for letter, n in rows}
    female, male = _letters_of(seen)
    women = {word for word in FEMALE if len(word) > 1 or word > "z"} | {female, "w"}
    men = {word for word in MALE if len(word) > 1 or word > "z"} | {male, "h"}
    return (
        f"case when {word} in ({_listed(women)}) then 'F' when {word} in ({_listed(men)}) then 'M' "
        "end"
    )


def _letters_of(seen: Mapping[str, int]) -> tuple[str, str]:
    """Return the letters for women and men: of pairs about as frequent, the usual one.

    An N beside both F and M is of those who do not say.
    """
    usual = min(seen.get(letter, 0) for letter in "fm")
    is_usual = usual > _OFTEN * sum(seen.values())
    counts = {
        pair: 0 if is_usual and "n" in pair else min(seen.get(letter, 0) for letter in pair)
        for pair in _LETTERS
    }
    best = max(counts.values())
    return next(pair for pair, count in counts.items() if count * _AS_MANY >= best)


def _word(value: str) -> str:
    return f"rtrim(lower(strip_accents(trim({value}))), '.')"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(quote_literal(word) for word in sorted({_plain(word) for word in words}))
