"""What headers name in a file that is about people alone, where more is told than a feed takes.

A register names the parents of everybody in it; in a feed a parent is somebody else. Some words
name a person only beside others: Turkish *ad* (name) is an advertisement but for *soyad* beside it,
Finnish *isä* (father) a savings account but for *äiti*.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdp_pipeline.project.column_names import plain_header, role_of
from cdp_pipeline.project.role_words import ROLES

PARENTS: dict[str, str] = {
    word: role
    for role, words in {
        "father_name": (
            "father fathers_name father_name father_s_name name_of_father father_full_name "
            "father_husband_name husband_father_name father_or_husband_name father_husband "
            "fathers_husbands_name guardian_name parent_name relation_name relative_name "
            "father_given_name father_first_name father_forename fathers_forename vater "
            "name_des_vaters pere nom_du_pere prenom_du_pere padre nombre_del_padre pai "
            "nome_do_pai nome_del_padre vader naam_vader fader ojciec imie_ojca otec "
            "apja_neve baba_adi"
        ),
        "mother_name": (
            "mother mothers_name mother_name mother_s_name name_of_mother mother_full_name "
            "mother_given_name mother_first_name mother_forename mothers_forename mutter "
            "name_der_mutter mere nom_de_la_mere prenom_de_la_mere madre nombre_de_la_madre mae "
            "nome_da_mae nome_della_madre moeder naam_moeder moder matka imie_matki aiti "
            "anyja_neve anne_adi"
        ),
    }.items()
    for word in words.split()
}
"""Headers that name somebody's parents, by role."""

SECOND_FAMILY = dict.fromkeys(
    [
        "apellido2",
        "apellido_2",
        "segundo_apellido",
        "2_apellido",
        "2o_apellido",
        "apellido_materno",
        "second_surname",
        "second_last_name",
        "second_family_name",
        "surname2",
        "surname_2",
        "last_name_2",
        "lastname2",
        "segundo_sobrenome",
        "sobrenome_2",
        "maternal_surname",
        "mothers_surname",
    ],
    "second_family_name",
)
"""Headers of the family name that follows the first where people have one of each parent."""

TITLES = dict.fromkeys(
    [
        "anrede",
        "civilite",
        "salutation",
        "tratamiento",
        "aanhef",
        "tratamento",
        "honorific",
        "title",
        "titel",
        "titre",
        "titulo",
        "titolo",
        "name_prefix",
    ],
    "sex",
)
"""Headers of what people are addressed by, which tells their sex."""

_OF_FILES = PARENTS | SECOND_FAMILY | TITLES

FILE_ROLES = frozenset(ROLES) | frozenset(_OF_FILES.values())
"""Every role that a column of a file may have."""

_BESIDE = {
    "ad": ("given_name", frozenset({"soyad", "soyadi", "soyisim"})),
    "isa": ("father_name", frozenset({"aiti"})),
    "far": ("father_name", frozenset({"mor"})),
    "mor": ("mother_name", frozenset({"far"})),
    "by": ("city", frozenset({"postnr", "postnummer", "navn", "efternavn", "etternavn"})),
    "il": ("state", frozenset({"soyad", "soyadi", "ilce"})),
    "paterno": ("family_name", frozenset({"materno"})),
    "materno": ("second_family_name", frozenset({"paterno"})),
}
"""Words that have a role only if one of others is there."""


def header_roles(headers: Sequence[str]) -> dict[str, str | None]:
    """Return the role that each header of a file names, ``other`` for somebody else's data.

    >>> header_roles(["Ad", "Soyad", "father", "employer_city"])
    {'Ad': 'given_name', 'Soyad': 'family_name', 'father': 'father_name', 'employer_city': 'other'}
    >>> header_roles(["Ad", "clicks"])
    {'Ad': None, 'clicks': None}
    """
    plain = {header: plain_header(header) for header in headers}
    there = frozenset(plain.values())
    roles: dict[str, str | None] = {}
    for header, word in plain.items():
        role, others = _BESIDE.get(word, (None, frozenset()))
        if not there & others:
            role = _OF_FILES.get(word) or role_of(header)
        roles[header] = role
    return roles
