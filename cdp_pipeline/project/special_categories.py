"""Special categories of personal data: health, belief, origin and the like (GDPR, articles 9, 10).

A contract flags a column (``special_category:``). Such a column stays in the source's own rows,
which no analyst sees: no feed and no join may use it, so that it is in no feature, segment, export
or report, unless the contract names the basis (``legal_basis:``) that allows it. Names of columns
that sound like one are told, in the languages of the drafts; contents are judged nowhere, and what
may be inferred from purchases is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from cdp_pipeline.core.errors import CdpError, ConfigError
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.positions import Positions

if TYPE_CHECKING:
    from cdp_pipeline.project.contracts import SourceContract
    from cdp_pipeline.project.loader import Project

SpecialCategory = Literal[
    "health",
    "genetic",
    "biometric",
    "ethnic_origin",
    "political_opinion",
    "religion",
    "trade_union",
    "sex_life",
    "criminal_offence",
    "none",
]
"""Those of articles 9 and 10; ``none`` says that a column only sounds like one."""

SpecialBasis = Literal[
    "explicit_consent",
    "employment_law",
    "vital_interests",
    "members_of_a_body",
    "made_public_by_the_person",
    "legal_claims",
    "substantial_public_interest",
    "health_care",
    "public_health",
    "research",
    "authorised_by_law",
]
"""Those of article 9 (2), a to j; ``authorised_by_law`` is that of article 10, for offences."""

_WORDS: dict[str, str] = {
    "health": (
        "health medical diagnos[ei]s disease illness allerg(y|ies?|en) disabilit(y|ies) "
        "disabled medication medicine prescription patient pregnan(t|cy) blood_(type|group) bmi "
        "diet dietary dietary_requirements? intolerances? gesundheit krankheit krankenkasse "
        "behinderung schwerbehindert(er?)? schwanger(schaft)? blutgruppe medikamente? sante "
        "maladies? handicap(e|ee)? grossesse groupe_sanguin ordonnance salud enfermedad alergias? "
        "discapacidad embaraz(o|ada) salute malattia disabilita gravidanza gezondheid ziekte"
    ),
    "genetic": "genetics? genome dna dns_analyse adn",
    "biometric": (
        "biometrics? biometrie (?<!card_)(?<!device_)(?<!browser_)fingerprints? iris_scan retina "
        "voiceprint face_id"
    ),
    "ethnic_origin": (
        "ethnicit(y|e) ethnic(_origin)? race racial skin_colou?r ethnie hautfarbe etnia raza razza "
        "origine_ethnique etniciteit afkomst"
    ),
    "political_opinion": (
        "politic(s|al)? political_(party|opinion) party_(affiliation|member) voter partei "
        "parteizugehoerigkeit parteizugehorigkeit parti_politique partido_politico partito"
    ),
    "religion": (
        "religions? religious faith denomination church kosher halal konfession kirche "
        "kirchensteuer glaube religionszugehoerigkeit religionszugehorigkeit culte confession "
        "religione godsdienst geloof iglesia"
    ),
    "trade_union": (
        "(trade|labou?r)_union union_member(ship)? union_dues gewerkschaft syndicat sindicato "
        "sindacato vakbond"
    ),
    "sex_life": "sexual(ity|_orientation)? sexualitaet sexualitat sex_life orientation_sexuelle "
    "orientacion_sexual transgender gender_identity",
    "criminal_offence": (
        "criminal(_record)? convictions? offen[cs]es? vorstrafen? strafregister casier_judiciaire "
        "antecedentes_penales"
    ),
}
_SOUNDS = {
    category: re.compile(f"(^|_)({'|'.join(words.split())})(_|$)")
    for category, words in _WORDS.items()
}


def sounds_like(header: str) -> str | None:
    """Return the special category that a column's name speaks of, None for any other.

    >>> sounds_like("Religion"), sounds_like("has_allergies"), sounds_like("Kirchensteuer")
    ('religion', 'health', 'religion')
    >>> sounds_like("sku"), sounds_like("customer_race_no")
    (None, 'ethnic_origin')
    """
    name = plain_header(header)
    return next((c for c, words in _SOUNDS.items() if words.search(name)), None)


def unflagged_columns(contract: SourceContract) -> dict[str, str]:
    """Return columns that sound like a special category and are not flagged, with that category."""
    found = {}
    for name, column in contract.columns.items():
        heard = sounds_like(name) or sounds_like(column.source or "")
        if heard and column.special_category is None:
            found[name] = heard
    return found


def guarded_columns(contract: SourceContract) -> dict[str, str]:
    """Return columns of special categories without a legal basis, and columns computed from them.

    A computed column that bears a flag of its own is judged by that.
    """
    found = {
        name: str(column.special_category)
        for name, column in contract.columns.items()
        if column.special_category not in {None, "none"} and column.legal_basis is None
    }
    computed = {
        name: _used(column.value)
        for name, column in contract.columns.items()
        if found and column.value and column.special_category is None
    }
    before = -1
    while len(found) > before:
        before = len(found)
        for name, used in computed.items():
            for origin in [column for column in used if column in found]:
                found.setdefault(name, found[origin])
    return found


def check_special_uses(project: Project) -> Iterator[ConfigError]:
    """Yield a mistake for each use of a guarded column, with its place."""
    guarded = {name: guarded_columns(contract) for name, contract in project.sources.items()}
    if not any(guarded.values()):
        return
    for name, contract in project.sources.items():
        place = Positions(project.path_of("source", name))
        for loc, source, sql in _uses(contract):
            for column in _used(sql):
                if column in guarded.get(source, {}):
                    yield _refusal(place(*loc), source, column, guarded[source][column])


def _uses(contract: SourceContract) -> Iterator[tuple[tuple[int | str, ...], str, str]]:
    """Yield place, source and SQL of everything by which columns leave a source's own rows."""
    for number, feed in enumerate(contract.feeds):
        at = partial(_at, "feeds", number)
        yield from ((at("columns", name), contract.name, sql) for name, sql in feed.columns.items())
        if feed.where:
            yield at("where"), contract.name, feed.where
    for number, join in enumerate(contract.join):
        at = partial(_at, "join", number)
        yield from ((at("columns", new), join.source, old) for new, old in join.columns.items())
        yield from ((at("by", ours), join.source, theirs) for ours, theirs in join.by.items())
        if join.where:
            yield at("where"), join.source, join.where


def _at(*loc: int | str) -> tuple[int | str, ...]:
    return loc


def _used(sql: str) -> tuple[str, ...]:
    # contracts lie on the way into every command, which imports no DuckDB
    from cdp_pipeline.project.expressions import referenced_columns  # noqa: PLC0415 - see above

    try:
        return referenced_columns(sql)
    except CdpError:  # what is no SQL is told where contracts are vetted
        return ()


def _refusal(where: str, source: str, column: str, category: str) -> ConfigError:
    return ConfigError(
        f"uses {source}.{column}, which is or is made of {category.replace('_', ' ')}: a special "
        "category of personal data",
        where=where,
        hint="Leave it out (listed under `ignore:` it is not even stored), or write under the "
        "column in its contract what allows its use: `legal_basis: explicit_consent`, or another "
        "of article 9 (2) GDPR.",
    )


def declared_categories(sources: Mapping[str, SourceContract]) -> Iterable[tuple[str, ...]]:
    """Yield source, column, category and basis of every flagged column, for the records."""
    for name, contract in sources.items():
        for column, declared in contract.columns.items():
            if declared.special_category not in {None, "none"}:
                category = str(declared.special_category).replace("_", " ")
                basis = declared.legal_basis
                yield name, column, category, basis.replace("_", " ") if basis else "not used"
