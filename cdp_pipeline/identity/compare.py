"""How two people are compared: named levels of agreement, packed into one number a pair.

A comparison is a list of levels from best to worst; the first that holds counts, ``differs`` is
what remains, and a missing value is no evidence. Only the description of pairs belongs here; what
a level is worth is learned in ``model``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

DIFFERS = "differs"
"""Name of the level that holds when no other does."""

Kind: TypeAlias = Literal["personal", "birth", "shared"]
Codes: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """One degree of agreement.

    Attributes:
        name: For people: shown in explanations.
        condition: SQL over the nodes ``l`` and ``r``.
        frequency: SQL for the log2 frequency of the agreed value; a rare surname weighs more.
    """

    name: str
    condition: str
    frequency: str | None = None


@dataclass(frozen=True)
class Comparison:
    """One field, or a few that mean one thing, compared in levels.

    Attributes:
        name: For people: shown in explanations.
        missing: SQL that is true when the pair says nothing about this field.
        levels: Best first.
        kind: ``personal`` fields of two people in one household agree as rarely as strangers';
            ``birth`` likewise, but for twins; ``shared`` ones agree in households.
        fields: Columns of ``identity.records`` to show beside the verdict.
        goes_with: Another comparison whose best level makes this one's likelier among strangers:
            given names follow families' origins.
    """

    name: str
    missing: str
    levels: tuple[Level, ...]
    kind: Kind
    fields: tuple[str, ...]
    goes_with: str | None = None

    @property
    def size(self) -> int:
        """Number of outcomes without ``missing``."""
        return len(self.levels) + 1

    @property
    def frequency(self) -> str | None:
        """SQL of the frequency-weighted level, if there is one."""
        return next((level.frequency for level in self.levels if level.frequency), None)

    def level_name(self, outcome: int) -> str:
        """Return the name of an outcome: -1 missing, 0 differs, 1 the best level."""
        if outcome < 0:
            return "missing"
        return DIFFERS if outcome == 0 else self.levels[outcome - 1].name

    def outcome_sql(self) -> str:
        """Return SQL that yields 0 for missing, 1 for differs, 2 for the best level."""
        branches = " ".join(
            f"when {level.condition} then {place}" for place, level in enumerate(self.levels, 2)
        )
        return f"case when {self.missing} then 0 {branches} else 1 end"


def pattern_sql(comparisons: Sequence[Comparison]) -> str:
    """Return SQL that packs all outcomes of the pair ``l``, ``r`` into one bigint."""
    factors = _factors(comparisons)
    terms = [f"{f} * ({c.outcome_sql()})" for f, c in zip(factors, comparisons, strict=True)]
    return "cast(" + " + ".join(terms) + " as bigint)"


def unpack(codes: Codes, comparisons: Sequence[Comparison]) -> Codes:
    """Return outcomes, one row a code and one column a comparison; -1 is missing."""
    sizes = [c.size + 1 for c in comparisons]
    columns = [
        (codes // f) % size - 1 for f, size in zip(_factors(comparisons), sizes, strict=True)
    ]
    return np.stack(columns, axis=1)


def frequency_columns(comparisons: Sequence[Comparison]) -> dict[int, str]:
    """Return SQL of each frequency-weighted comparison by its place in the list."""
    return {place: c.frequency for place, c in enumerate(comparisons) if c.frequency}


def linked_places(comparisons: Sequence[Comparison]) -> tuple[int, int] | None:
    """Return the places of the comparison that goes with another, and of that other."""
    names = [c.name for c in comparisons]
    for place, comparison in enumerate(comparisons):
        if comparison.goes_with in names:
            return place, names.index(comparison.goes_with or "")
    return None


def are_linked(outcomes: Codes, comparisons: Sequence[Comparison]) -> npt.NDArray[np.bool_]:
    """Return which patterns have both linked comparisons at their best level."""
    places = linked_places(comparisons)
    if places is None:
        return np.zeros(len(outcomes), dtype=bool)
    return np.asarray((outcomes[:, places[0]] == 1) & (outcomes[:, places[1]] == 1))


def _factors(comparisons: Sequence[Comparison]) -> list[int]:
    factors = [1]
    for comparison in comparisons[:-1]:
        factors.append(factors[-1] * (comparison.size + 1))
    return factors


def _either_missing(column: str) -> str:
    return f"l.{column} is null or r.{column} is null"


def _alike(column: str, *, least: float, mask: str, letters: int) -> str:
    return (
        f"bit_count(xor(l.{mask}, r.{mask})) <= {letters} "
        f"and jaro_winkler_similarity(l.{column}, r.{column}) >= {least}"
    )


def _shares_root() -> str:
    places = range(1, 5)
    equal = " or ".join(f"l.root_{a} = r.root_{b}" for a in places for b in places)
    return f"(l.root_bits & r.root_bits) <> 0 and ({equal})"


def _crossed(left: str, right: str) -> str:
    """Return SQL for: one record's given name is the other's family name, give or take a slip."""
    return (
        f"({left}.given_hash in ({right}.family_hash, {right}.family_first) "
        f"or (bit_count(xor({left}.given_mask, {right}.family_mask)) <= 4 "
        f"and jaro_winkler_similarity({left}.given_name, {right}.family_name) >= 0.9))"
    )


def _one_slip(column: str) -> str:
    """Return SQL for: one digit off, or two neighbours swapped."""
    return (
        f"length(l.{column}) = length(r.{column}) and (hamming(l.{column}, r.{column}) <= 1 "
        f"or (hamming(l.{column}, r.{column}) = 2 "
        f"and damerau_levenshtein(l.{column}, r.{column}) = 1))"
    )


_SWAPPED = f"({_crossed('l', 'r')} and {_crossed('r', 'l')})"

_PECULIAR = "greatest(l.email_own, r.email_own) >= 4"
"""One address at least is more than its owner's names: namesakes' addresses are alike as well."""

_ONE_DIGIT = ", ".join(
    str(digit * 10**place)
    for place, most in ((0, 9), (1, 3), (2, 9), (3, 1), (4, 9), (5, 9))
    for digit in range(1, most + 1)
)
"""Differences of two yyyymmdd numbers that a single mistyped digit makes."""

CUSTOMER_COMPARISONS: tuple[Comparison, ...] = (
    Comparison(
        "given name",
        _either_missing("given_initial"),
        (
            Level("same", "l.given_hash = r.given_hash", "l.given_frequency"),
            Level("swapped with family name", _SWAPPED),
            Level("nickname", _shares_root()),
            Level("alike", _alike("given_name", least=0.92, mask="given_mask", letters=4)),
            Level("a little alike", _alike("given_name", least=0.85, mask="given_mask", letters=6)),
            Level(
                "same initial",
                "l.given_initial = r.given_initial "
                "and (l.given_hash is null or r.given_hash is null)",
            ),
        ),
        "personal",
        ("given_name",),
    ),
    Comparison(
        "family name",
        f"{_either_missing('family_hash')} or {_SWAPPED}",
        (
            Level("same", "l.family_hash = r.family_hash", "l.family_frequency"),
            Level("alike", _alike("family_name", least=0.92, mask="family_mask", letters=4)),
            Level(
                "one part of a double name",
                "l.family_first in (r.family_first, r.family_last) "
                "or l.family_last in (r.family_first, r.family_last)",
            ),
            Level(
                "a little alike", _alike("family_name", least=0.85, mask="family_mask", letters=6)
            ),
        ),
        "shared",
        ("family_name",),
        goes_with="given name",
    ),
    Comparison(
        "birth date",
        _either_missing("birth_number"),
        (
            Level("same", "l.birth_number = r.birth_number"),
            Level(
                "day and month swapped",
                "l.birth_year = r.birth_year and l.birth_month_day = r.birth_day_month",
            ),
            Level(
                "one slip",
                f"abs(l.birth_number - r.birth_number) in ({_ONE_DIGIT}) "
                "or (l.birth_month_day = r.birth_month_day "
                "and l.birth_year // 100 = r.birth_year // 100 "
                "and l.birth_year % 10 = r.birth_year % 100 // 10 "
                "and r.birth_year % 10 = l.birth_year % 100 // 10)",
            ),
            Level(
                "same year and month or day",
                "l.birth_year = r.birth_year and (l.birth_month_day // 100 = r.birth_month_day "
                "// 100 or l.birth_month_day % 100 = r.birth_month_day % 100)",
            ),
        ),
        "birth",
        ("birth_date",),
    ),
    Comparison(
        "sex", _either_missing("sex"), (Level("same", "l.sex = r.sex"),), "personal", ("sex",)
    ),
    Comparison(
        "e-mail",
        f"{_either_missing('email_hash')} or (l.email_hash <> r.email_hash "
        f"and l.email_local = r.email_local and not {_PECULIAR})",
        (
            Level("same mailbox", "l.email_hash = r.email_hash"),
            Level("same name at another provider", "l.email_local = r.email_local"),
            Level(
                "alike",
                f"abs(l.email_length - r.email_length) <= 1 and {_PECULIAR} "
                "and jaro_winkler_similarity(l.email, r.email) >= 0.94",
            ),
        ),
        "shared",
        ("email",),
    ),
    Comparison(
        "phone",
        _either_missing("phone_hash"),
        (
            Level("same", "l.phone_hash = r.phone_hash"),
            Level("one slip", _one_slip("phone")),
        ),
        "shared",
        ("phone",),
    ),
    Comparison(
        "address",
        _either_missing("postcode_hash"),
        (
            Level("same", "l.address_hash = r.address_hash"),
            Level("same street line, other postcode", "l.street_hash = r.street_hash"),
            Level(
                "street alike",
                "l.postcode_hash = r.postcode_hash "
                "and jaro_winkler_similarity(l.street, r.street) >= 0.92",
            ),
            Level("same postcode", "l.postcode_hash = r.postcode_hash", "l.postcode_frequency"),
        ),
        "shared",
        ("street", "postcode"),
    ),
    Comparison(
        "loyalty card",
        _either_missing("loyalty_hash"),
        (
            Level("same", "l.loyalty_hash = r.loyalty_hash"),
            Level("one slip", _one_slip("loyalty_id")),
        ),
        "shared",
        ("loyalty_id",),
    ),
    Comparison(
        "web account",
        _either_missing("account_hash"),
        (Level("same", "l.account_hash = r.account_hash"),),
        "shared",
        ("account_id",),
    ),
    Comparison(
        "payment card",
        _either_missing("payment_hash"),
        (Level("same", "l.payment_hash = r.payment_hash"),),
        "shared",
        ("payment_token",),
    ),
)
"""The comparisons of customers. No Damerau distance, which costs microseconds a pair, and
Jaro-Winkler only after a letter mask."""
