"""The vocabulary of agreement: every named level that a comparison may list, as a SQL template.

``l`` and ``r`` are the two records of a pair. No Damerau distance before a cheap test, since it
costs microseconds a pair; Jaro-Winkler only after a letter mask where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cdp_pipeline.project.evidence import DISTRICT, Evidence

Argument: TypeAlias = float | str | None

BY_FREQUENCY = "by frequency"
"""Argument of ``same``: a rare value agreed upon weighs more than a common one."""


@dataclass(frozen=True)
class Agreement:
    """What one level means for one tag.

    Attributes:
        condition: SQL over ``l`` and ``r``.
        frequency: SQL of the log2 frequency of the agreed value, or None.
    """

    condition: str
    frequency: str | None = None


class UnfitLevelError(ValueError):
    """The level cannot be asked of this tag, or its argument is wrong; says why."""


Template: TypeAlias = Callable[[Evidence, Argument], Agreement]


def same(evidence: Evidence, argument: Argument) -> Agreement:
    """Both records hold one value; ``same: by frequency`` weighs a rare value more."""
    condition = f"l.{evidence.key} = r.{evidence.key}"
    if argument is None:
        return Agreement(condition)
    if argument != BY_FREQUENCY:
        raise UnfitLevelError(f"`same` is plain or `same: {BY_FREQUENCY}`")
    if evidence.frequency is None:
        raise UnfitLevelError(f"frequencies of {evidence.tag} are not kept; write plain `same`")
    return Agreement(condition, f"l.{evidence.frequency}")


def alike(evidence: Evidence, argument: Argument) -> Agreement:
    """Texts of a Jaro-Winkler similarity of at least the argument, such as ``alike: 0.92``."""
    least = _share(argument, "alike")
    similar = f"{_similarity(_text(evidence))} >= {least}"
    if evidence.mask is None:
        return Agreement(similar)
    letters = next(most for bound, most in _MASKS if least >= bound)
    apart = f"bit_count(xor(l.{evidence.mask}, r.{evidence.mask}))"
    return Agreement(f"{apart} <= {letters} and {similar}")


def swapped(_evidence: Evidence, argument: Argument) -> Agreement:
    """Given and family name stand in each other's place, give or take a slip."""
    _plain(argument, "swapped with family name")
    return Agreement(f"({_crossed('l', 'r')} and {_crossed('r', 'l')})")


def nickname(_evidence: Evidence, argument: Argument) -> Agreement:
    """One given name is a short form of the other: Liz and Elizabeth, not Liz and Beth."""
    _plain(argument, "nickname")
    return Agreement(
        "(l.root_bits & r.root_bits) <> 0 and translate(l.roots, r.roots, '') <> l.roots"
    )


def initial(evidence: Evidence, argument: Argument) -> Agreement:
    """One record has only an initial, and it fits the other's name."""
    _plain(argument, "same initial")
    if evidence.tag == "given_name":
        return Agreement(
            "l.given_initial = r.given_initial and (l.given_hash is null or r.given_hash is null)"
        )
    text = _text(evidence)
    return Agreement(
        f"l.{text}[1] = r.{text}[1] and (length(l.{text}) = 1 or length(r.{text}) = 1)"
    )


def one_part(evidence: Evidence, argument: Argument) -> Agreement:
    """One record has one part of the other's double name: Smith and Smith-Jones."""
    _plain(argument, "one part of a double name")
    _only(evidence, "family_name")
    return Agreement(
        "l.family_first in (r.family_first, r.family_last) "
        "or l.family_last in (r.family_first, r.family_last)"
    )


def one_slip(evidence: Evidence, argument: Argument) -> Agreement:
    """One character off or two neighbours swapped; in a date one digit, or two of the year."""
    _plain(argument, "one slip")
    if evidence.nature == "date":
        return Agreement(
            f"abs(l.birth_number - r.birth_number) in ({_ONE_DIGIT}) "
            "or (l.birth_month_day = r.birth_month_day "
            "and l.birth_year // 100 = r.birth_year // 100 "
            "and l.birth_year % 10 = r.birth_year % 100 // 10 "
            "and r.birth_year % 10 = l.birth_year % 100 // 10)"
        )
    text = _text(evidence)
    return Agreement(
        f"length(l.{text}) = length(r.{text}) and (hamming(l.{text}, r.{text}) <= 1 "
        f"or (hamming(l.{text}, r.{text}) = 2 "
        f"and damerau_levenshtein(l.{text}, r.{text}) = 1))"
    )


def slips(evidence: Evidence, argument: Argument) -> Agreement:
    """Texts at most so many insertions, deletions or changes apart, such as ``slips: 2``."""
    if not isinstance(argument, int | float) or argument != int(argument) or argument < 1:
        raise UnfitLevelError("`slips` needs a whole number, such as `slips: 2`")
    text = _text(evidence)
    return Agreement(f"levenshtein(l.{text}, r.{text}) <= {int(argument)}")


def day_and_month_swapped(evidence: Evidence, argument: Argument) -> Agreement:
    """Dates that are equal once day and month of one change places."""
    _plain(argument, "day and month swapped")
    _only(evidence, "birth_date")
    return Agreement("l.birth_year = r.birth_year and l.birth_month_day = r.birth_day_month")


def same_year_and_part(evidence: Evidence, argument: Argument) -> Agreement:
    """Dates of one year that share the month or the day as well."""
    _plain(argument, "same year and month or day")
    _only(evidence, "birth_date")
    return Agreement(
        "l.birth_year = r.birth_year and (l.birth_month_day // 100 = r.birth_month_day "
        "// 100 or l.birth_month_day % 100 = r.birth_month_day % 100)"
    )


def same_year(evidence: Evidence, argument: Argument) -> Agreement:
    """Dates of one year."""
    _plain(argument, "same year")
    _only(evidence, "birth_date")
    return Agreement("l.birth_year = r.birth_year")


def years_apart(evidence: Evidence, argument: Argument) -> Agreement:
    """Years at most so many apart, such as ``years apart: 1``: an age is a year or the next."""
    if not isinstance(argument, int) or argument < 1:
        raise UnfitLevelError("`years apart` needs a whole number, such as `years apart: 1`")
    _only(evidence, "birth_date" if evidence.tag == "birth_date" else "birth_year")
    return Agreement(f"abs(l.birth_year - r.birth_year) <= {argument}")


def both_dates(evidence: Evidence, argument: Argument) -> Agreement:
    """Both records hold a full birth date, which says all that the years could say."""
    _plain(argument, "both dates known")
    if evidence.tag not in {"birth_year", "mailbox_year"}:
        _only(evidence, "birth_year")
    return Agreement("l.birth_number is not null and r.birth_number is not null")


def mailbox_year(evidence: Evidence, argument: Argument) -> Agreement:
    """The year in a mailbox's name is the other's year of birth, or in the other's mailbox too."""
    _plain(argument, "year in the mailbox")
    _only(evidence, "mailbox_year")
    return Agreement(
        "l.mailbox_year = r.birth_year or r.mailbox_year = l.birth_year "
        f"or (l.mailbox_year >= {_FULL_YEAR} and l.mailbox_year = r.mailbox_year)"
    )


def mailbox_digits(evidence: Evidence, argument: Argument) -> Agreement:
    """Two digits in a mailbox's name are the last of the other's year: anna78, born in 1978."""
    _plain(argument, "two digits of the year")
    _only(evidence, "mailbox_year")
    return Agreement(
        "l.mailbox_year in (r.birth_year % 100, r.mailbox_year % 100) "
        "or r.mailbox_year in (l.birth_year % 100, l.mailbox_year % 100)"
    )


def other_digits(evidence: Evidence, argument: Argument) -> Agreement:
    """No full year stands against another: two other digits are hardly a contradiction."""
    _plain(argument, "two other digits")
    _only(evidence, "mailbox_year")
    return Agreement(f"not ({_full_years('l', 'r')} or {_full_years('r', 'l')})")


def same_digits(evidence: Evidence, argument: Argument) -> Agreement:
    """Two mailboxes with equal digits; that they are alike is for the e-mail to say."""
    _plain(argument, "same digits in both mailboxes")
    _only(evidence, "mailbox_year")
    return Agreement("l.email_digits = r.email_digits")


def same_district(evidence: Evidence, argument: Argument) -> Agreement:
    """Postal codes of one district: SW1A of SW1A 1AA, 606 of 60614."""
    _plain(argument, "same postal district")
    _only(evidence, "zip")
    return Agreement(f"{DISTRICT.format('l.zip')} = {DISTRICT.format('r.zip')}")


def same_area(evidence: Evidence, argument: Argument) -> Agreement:
    """Postal codes of one area: SW of SW1A 1AA, 60 of 60614."""
    _plain(argument, "same postal area")
    _only(evidence, "zip")
    return Agreement(_both("regexp_extract({0}.zip, '^([A-Z]+|[0-9]{{2}})')", "="))


def other_provider(evidence: Evidence, argument: Argument) -> Agreement:
    """The same name before the @, at another provider."""
    _plain(argument, "same name at another provider")
    _only(evidence, "email")
    return Agreement(f"l.email_local = r.email_local and {_PECULIAR}")


def namesakes_address(evidence: Evidence, argument: Argument) -> Agreement:
    """Equal names before the @ that hold nothing but their owners' names: no evidence."""
    _plain(argument, "namesakes' address")
    _only(evidence, "email")
    return Agreement(
        f"l.email_hash <> r.email_hash and l.email_local = r.email_local and not {_PECULIAR}"
    )


def mailbox_alike(evidence: Evidence, argument: Argument) -> Agreement:
    """Addresses alike in what is more than a name, or one letter apart at one provider.

    Namesakes choose addresses alike, with other digits where the letters are taken; but at one
    provider every address is given once: with the same digits, a letter too many is a slip. Not
    another first letter, as relatives', nor what tells names apart: joshua.lewis@ is not Lewin's.
    """
    least = _share(argument, "mailbox alike")
    _only(evidence, "email")
    name, host = ("split_part({0}.email, '@', " + part + ")" for part in ("1", "2"))
    core = f"replace(replace(replace({name}, '.', ''), '_', ''), '-', '')"
    slip = (
        f"l.email[1] = r.email[1] and {_similarity('email')} >= {_CLOSE} "
        f"and {_both(host, '=')} and {_both(core, '<>')} "
        f"and damerau_levenshtein({name.format('l')}, {name.format('r')}) <= 1 "
        f"and not {_named('family_name')} and not {_named('given_name')}"
    )
    return Agreement(
        "l.email_digits = r.email_digits and abs(length(l.email) - length(r.email)) <= 1 "
        f"and (({_PECULIAR} and {_similarity('email')} >= {least}) or ({slip}))"
    )


def street_alike(evidence: Evidence, argument: Argument) -> Agreement:
    """One postcode, and street lines of a similarity of at least the argument."""
    least = _share(argument, "street alike")
    _only(evidence, "address")
    return Agreement(f"l.postcode_hash = r.postcode_hash and {_similarity('street')} >= {least}")


def same_but_flat(evidence: Evidence, argument: Argument) -> Agreement:
    """One building, of which only one record names the flat; two flats are two homes."""
    _plain(argument, "same but for the flat")
    _only(evidence, "address")
    return Agreement("l.building_hash = r.building_hash and l.names_flat <> r.names_flat")


def profiles_of_one_source(evidence: Evidence, argument: Argument) -> Agreement:
    """Both records register a person in one source, where hardly anybody registers twice."""
    _plain(argument, "two profiles of one source")
    _only(evidence, "record_kind")
    return Agreement(_ONE_SOURCE)


def two_numbers(evidence: Evidence, argument: Argument) -> Agreement:
    """Two profiles of one source, which gives every profile a number of its own."""
    _plain(argument, "two numbers of one source")
    return Agreement(f"{_ONE_SOURCE} and l.{evidence.key} <> r.{evidence.key}")


def profiles(evidence: Evidence, argument: Argument) -> Agreement:
    """Both records register a person."""
    _plain(argument, "two profiles")
    _only(evidence, "record_kind")
    return Agreement("l.is_profile and r.is_profile")


def profile_and_mention(evidence: Evidence, argument: Argument) -> Agreement:
    """One record registers a person, the other mentions one."""
    _plain(argument, "a profile and a mention")
    _only(evidence, "record_kind")
    return Agreement("l.is_profile <> r.is_profile")


VOCABULARY: dict[str, Template] = {
    "same": same,
    "alike": alike,
    "swapped with family name": swapped,
    "nickname": nickname,
    "same initial": initial,
    "one part of a double name": one_part,
    "one slip": one_slip,
    "slips": slips,
    "day and month swapped": day_and_month_swapped,
    "same year and month or day": same_year_and_part,
    "same year": same_year,
    "years apart": years_apart,
    "both dates known": both_dates,
    "year in the mailbox": mailbox_year,
    "two digits of the year": mailbox_digits,
    "two other digits": other_digits,
    "same digits in both mailboxes": same_digits,
    "same postal district": same_district,
    "same postal area": same_area,
    "same name at another provider": other_provider,
    "namesakes' address": namesakes_address,
    "mailbox alike": mailbox_alike,
    "same but for the flat": same_but_flat,
    "street alike": street_alike,
    "two profiles of one source": profiles_of_one_source,
    "two numbers of one source": two_numbers,
    "two profiles": profiles,
    "a profile and a mention": profile_and_mention,
}
"""Every level by the name that declarations use."""

_CLOSE = 0.9

_FULL_YEAR = 1000
_ONE_SOURCE = "l.is_profile and r.is_profile and l.source_hash = r.source_hash"
_MASKS = ((0.9, 4), (0.84, 6), (0.78, 8), (0.0, 26))
"""Letters in which two words of at least this similarity may differ."""

_PECULIAR = "least(l.email_own, r.email_own) >= 3"
"""Letters of both addresses that their owners' names do not explain. What one record's names
explain is no peculiarity, however misspelt the other's are: namesakes' addresses are alike."""

_ONE_DIGIT = ", ".join(
    str(digit * 10**place)
    for place, most in ((0, 9), (1, 3), (2, 9), (3, 1), (4, 9), (5, 9))
    for digit in range(1, most + 1)
)
"""Differences of two yyyymmdd numbers that a single mistyped digit makes."""


def _crossed(left: str, right: str) -> str:
    """Return SQL for: one record's given name is the other's family name, give or take a slip."""
    return (
        f"({left}.given_hash in ({right}.family_hash, {right}.family_first) "
        f"or (bit_count(xor({left}.given_mask, {right}.family_mask)) <= 4 "
        f"and jaro_winkler_similarity({left}.given_name, {right}.family_name) >= 0.9))"
    )


def _full_years(left: str, right: str) -> str:
    return (
        f"(coalesce({left}.mailbox_year, 0) >= {_FULL_YEAR} "
        f"and coalesce({right}.birth_year, {right}.mailbox_year, 0) >= {_FULL_YEAR})"
    )


def _both(template: str, operator: str) -> str:
    return f"{template.format('l')} {operator} {template.format('r')}"


def _named(column: str) -> str:
    """Return SQL for: all that differs is each owner's name; Jo may have a joanne.smith@ too."""
    name = "split_part({0}.email, '@', 1)"
    told = " or ".join(
        f"replace({name.format(one)}, {one}.{column}, {other}.{column}) = {name.format(other)}"
        for one, other in (("l", "r"), ("r", "l"))
    )
    return f"coalesce(l.{column} <> r.{column} and ({told}), false)"


def _similarity(column: str) -> str:
    return f"jaro_winkler_similarity(l.{column}, r.{column})"


def _text(evidence: Evidence) -> str:
    if evidence.text is None:
        raise UnfitLevelError(f"{evidence.tag} is kept as a number, so only `same` can be asked")
    return evidence.text


def _share(argument: Argument, level: str) -> float:
    if isinstance(argument, int | float) and 0 < argument <= 1:
        return float(argument)
    raise UnfitLevelError(f"`{level}` needs a similarity, such as `{level}: 0.92`")


def _plain(argument: Argument, level: str) -> None:
    if argument is not None:
        raise UnfitLevelError(f"`{level}` takes no argument")


def _only(evidence: Evidence, tag: str) -> None:
    if evidence.tag != tag:
        raise UnfitLevelError(f"this level is for {tag}, not for {evidence.tag}")
