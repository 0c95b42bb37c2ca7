"""What the values of a column look like, and whether they fit the role that its name proposes.

Only values are judged here; names are judged in ``project.column_names``, and both together in
``columns``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb

from cdp_pipeline.identity.files.sexes import looks_like_sex
from cdp_pipeline.project.column_names import names_a_customer, plain_header, says_nothing
from cdp_pipeline.storage.dates import DateReading, Order, read_dates
from cdp_pipeline.storage.tabular import ROW, Loaded
from cdp_pipeline.storage.warehouse import quote_column

SAMPLE_ROWS = 20_000
"""Rows by which columns are judged, spread over the file."""

_MOST = 0.5
_SURE = 0.8


@dataclass(frozen=True)
class Profile:
    """Counts of sampled values by what they look like."""

    rows: int
    filled: int
    distinct: int
    email: int
    phone: int
    digits: int
    words: int
    given: int
    sexes: int
    blanks: int
    firms: int

    def share(self, count: int) -> float:
        """Return a count as a share of the filled values."""
        return count / self.filled if self.filled else 0.0


def sample_rows(con: duckdb.DuckDBPyConnection, loaded: Loaded) -> None:
    """Create ``link_sample`` from rows spread over the file."""
    step = max(1, loaded.rows // SAMPLE_ROWS)
    con.execute(
        f"create or replace temp table link_sample as from {loaded.table} where {ROW} % {step} = 0"
    )


_LOOKS = {
    "email": r"regexp_matches(v, '^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$')",
    "phone": """regexp_full_match(v, '[0-9+() ./-]+')
        and length(regexp_replace(v, '[^0-9]', '', 'g')) between 8 and 15
        and (regexp_matches(v, '^[+0(]') or regexp_matches(v, '[() .-]'))""",
    "digits": "regexp_full_match(v, '[0-9]+')",
    "words": r"regexp_full_match(v, '[\p{L}\p{M} .''\x{2019}`,-]+')",
    "given": "lower(split_part(v, ' ', 1)) in (select name from identity_nicknames)",
    "sexes": looks_like_sex("v"),
    "blanks": "contains(v, ' ')",
    "firms": r"""regexp_matches(
        lower(v),
        ' (gmbh|ag|kg|ohg|ug|e[.]? ?v|ltd|limited|llc|inc|corp|plc|sarl|sas|bv|nv|srl|spa)[.]?$'
    )""",
}
"""SQL of what a value ``v`` may look like."""


def profile_column(
    con: duckdb.DuckDBPyConnection, name: str, looks: Collection[str] = tuple(_LOOKS)
) -> Profile:
    """Return what the sampled values of a column look like.

    Args:
        con: Connection with ``link_sample``.
        name: The column.
        looks: What is looked for; everything else is counted as none.
    """
    counts = ", ".join(
        f"count(*) filter ({sql})" if look in looks else "0" for look, sql in _LOOKS.items()
    )
    row = con.execute(
        f"select count(*), count(*) filter (v <> ''), count(distinct v) filter (v <> ''), {counts} "  # noqa: S608 - quoted
        f"from (select trim({quote_column(name)}) as v from link_sample)"
    ).fetchall()[0]
    return Profile(*(int(value) for value in row))


def needed_looks(name: str, role: str | None) -> Collection[str]:
    """Return what has to be looked for in a column, given the role that its name proposes."""
    if role is None:
        return tuple(_LOOKS) if says_nothing(name) or names_a_customer(name) else ("email",)
    kinds = _LEAST[role][0] if role in _LEAST else ()
    return (*kinds, "blanks") if role == "full_name" else kinds


def role_by_values(
    con: duckdb.DuckDBPyConnection,
    name: str,
    profile: Profile,
    dates: dict[str, DateReading],
    order: Order | None,
) -> str | None:
    """Return the role of a column whose name is unknown, if the values leave no doubt.

    A name that says something else leaves only addresses, which are unmistakable.
    """
    if profile.share(profile.email) >= _SURE:
        return "email"
    if names_a_customer(name):
        return "full_name" if _holds_people(profile) else None
    if not says_nothing(name):
        return None
    reading = read_dates(con, "link_sample", quote_column(name), order=order)
    if reading.share >= _SURE:
        dates[name] = reading
        return "birth_date"
    if profile.share(profile.phone) >= _SURE:
        return "phone"
    return _name_by_values(profile)


def _holds_people(profile: Profile) -> bool:
    """Return whether values are names of people: a firm's would hide who is named beside it."""
    is_names = min(profile.share(profile.words) / _SURE, profile.share(profile.blanks) / _MOST)
    return is_names >= 1 and profile.share(profile.firms) < _MOST


def _name_by_values(profile: Profile) -> str | None:
    if profile.share(profile.words) >= _SURE:
        if profile.share(profile.given) >= 0.4:  # noqa: PLR2004 - most nicknames are given names
            return "full_name" if profile.share(profile.blanks) >= _MOST else "given_name"
        if profile.distinct > 200 and profile.share(profile.blanks) < 0.2:  # noqa: PLR2004 - words
            return "family_name"
    return None


def names_by_values(con: duckdb.DuckDBPyConnection, names: Collection[str]) -> dict[str, str]:
    """Return the columns of people's names among those whose headers say nothing known.

    A column of words in which known given names stand shows that there are any. One field for all
    names has blanks; of two fields the one with fewer different values holds the given names.
    """
    profiles = {name: profile_column(con, name) for name in names}
    words = {
        name: found
        for name, found in profiles.items()
        if found.share(found.words) >= _SURE and found.distinct >= _MANY
    }
    if not any(found.share(found.given) >= _FEW for found in words.values()):
        return {}
    best = max(words, key=lambda name: words[name].share(words[name].given))
    if _holds_people(words[best]):
        return {best: "full_name"}
    rest = [
        name
        for name, found in words.items()
        if name != best and found.distinct > words[best].distinct and not _holds_people(found)
    ]
    return {best: "given_name"} | dict.fromkeys(rest[:1], "family_name")


def birth_date_by_values(
    con: duckdb.DuckDBPyConnection,
    names: Collection[str],
    dates: dict[str, DateReading],
    order: Order | None,
) -> str | None:
    """Return the column whose dates are spread over the years as only births are, if any."""
    for name in names:
        reading = read_dates(con, "link_sample", quote_column(name), order=order)
        if reading.share < _SURE:
            continue
        year = f"year({reading.sql(quote_column(name))})"
        rows = con.execute(
            f"select quantile_cont({year}, 0.9) - quantile_cont({year}, 0.1) from link_sample"  # noqa: S608 - quoted
        ).fetchall()
        if rows[0][0] is not None and rows[0][0] >= _LIFETIME_YEARS:
            dates[name] = reading
            return name
    return None


_MANY = 50
"""Different values that a column of names has at least."""

_LIFETIME_YEARS = 30
"""Years over which four of five birth dates are spread; orders and visits are of fewer."""

_FEW = 0.2
"""Share of fitting values that dirty data still have."""

_LEAST: dict[str, tuple[tuple[str, ...], float, str]] = {
    "email": (("email",), _FEW, "holds no e-mail addresses"),
    "phone": (("phone", "digits"), _FEW, "holds no telephone numbers"),
    "sex": (("sexes",), _MOST, "holds no sexes"),
    "given_name": (("words",), _FEW, "holds no names"),
    "family_name": (("words",), _FEW, "holds no names"),
    "full_name": (("words",), _FEW, "holds no names"),
    "father_name": (("words",), _FEW, "holds no names"),
    "mother_name": (("words",), _FEW, "holds no names"),
    "age": (("digits",), _MOST, "holds no numbers"),
    "age_year": (("digits",), _MOST, "holds no numbers"),
    "birth_year": (("digits",), _MOST, "holds no numbers"),
    "birth_month": (("digits",), _MOST, "holds no numbers"),
    "birth_day": (("digits",), _MOST, "holds no numbers"),
}
"""Shares of values that must fit a role, and what is said if they do not."""

_MAY_BE_CONSTANT = frozenset({"record_id", "source", "sex", "state", "city", "age_year"})


def misfit(
    con: duckdb.DuckDBPyConnection,
    name: str,
    role: str,
    profile: Profile,
    dates: dict[str, DateReading],
    order: Order | None,
) -> str | None:
    """Return why the values do not fit the role that the name proposes, or None."""
    if role == "birth_date":
        reading = read_dates(con, "link_sample", quote_column(name), order=order)
        dates[name] = reading
        return None if reading.share >= _FEW else "holds no dates"
    if role in _LEAST:
        kinds, least, complaint = _LEAST[role]
        if sum(profile.share(getattr(profile, kind)) for kind in kinds) < least:
            return complaint
    is_constant = profile.distinct == 1 and profile.filled > 20  # noqa: PLR2004 - more than chance
    if is_constant and role not in _MAY_BE_CONSTANT:
        return "has one value everywhere"
    return None


def refine_role(name: str, role: str, profile: Profile) -> str:
    """Return the role that values and name give together."""
    plain = plain_header(name)
    if (
        role == "full_name"
        and plain in {"name", "naam", "namn", "navn", "nom"}
        and (
            profile.share(profile.blanks) < 0.2  # noqa: PLR2004 - one word is no full name
        )
    ):
        return "family_name"
    return role


def year_misfit(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, used: Mapping[str, str]
) -> str | None:
    """Return why a column of years does not say when ages were told, or None.

    Where namesakes do not grow older with the years, a year is that of an order, say, and the age
    the one that the customer has by now.

    Args:
        con: Connection with the file's table.
        loaded: The file.
        used: Columns by role, among them ``age_year``.
    """
    if "age" not in used:
        return "a year without an age tells nothing of a person"
    names = [used[role] for role in ("full_name", "given_name", "family_name") if role in used]
    if not names:
        return None
    person = ", ".join(f"lower(trim({quote_column(name)}))" for name in names)
    age, year = (f"try_cast({quote_column(used[r])} as integer)" for r in ("age", "age_year"))
    same, older = con.execute(
        "select count(*) filter (ages = 0), "  # noqa: S608 - quoted
        "count(*) filter (ages > 0 and abs(ages - years) <= 1) "
        f"from (select max({age}) - min({age}) as ages, max({year}) - min({year}) as years "
        f"from {loaded.table} where {age} is not null group by {person} having years > 0)"
    ).fetchall()[0]
    return "namesakes are of one age in several years" if same > older else None
