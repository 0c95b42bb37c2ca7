# ruff: noqa: RUF001, SIM905 - letters of many languages; one word a place is easier to read
"""Words for sexes, and by which people of either are addressed, in many languages."""

from __future__ import annotations

FEMALE = frozenset(
    "f female w weiblich frau fräulein woman women feminin féminin femme madame mademoiselle "
    "femenino mujer señora señorita sra srta femminile femmina donna signora sig.ra feminino "
    "mulher senhora vrouw vrouwelijk mevrouw mevr mw kobieta pani kvinna kvinde kvinne nainen žena "
    "paní kadın bayan nő nữ nu женский жен женщина ж 女 女性 女士 여 여자 여성 أنثى انثى girl lady "
    "mrs ms miss mme mlle".split()
)

MALE = frozenset(
    "m male mann männlich maennlich herr man men masculin homme monsieur masculino hombre señor "
    "sr maschile maschio uomo signor sig homem senhor mannelijk meneer dhr heer mężczyzna pan mies "
    "muž erkek bay férfi nam мужской муж мужчина м 男 男性 先生 남 남자 남성 ذكر boy gentleman mr "
    "mister".split()
)
