"""The letters that languages are written with beyond a to z, by the encodings that have them."""

from __future__ import annotations

_WESTERN = (
    "äöüßé", "àâçéèêëîïôùûüÿœæ", "áéíñóúüºª", "áâãàçéêíóôõúºª", "àèéìòù", "åäöæøé",
    "áðéíóúýþæö", "éëïèöü", "àçéèíïóòúü",
)  # fmt: skip
_CENTRAL = (
    "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ",
)  # fmt: skip
_RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_CYRILLIC = f"{_RUSSIAN}єіїґўјљњћџ"
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"
_ARABIC = "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگ"

ALPHABETS: dict[str, tuple[str, ...]] = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1254": ("ğışçöüâîûi",),  # noqa: RUF001 - Turkish
    "cp1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",),
    "cp1251": (_CYRILLIC,),
    "cp1253": (_GREEK,),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äöüõšž"),
    "koi8-r": (_RUSSIAN,),
    "koi8-u": (f"{_RUSSIAN}єіїґ",),
    "cp866": (f"{_RUSSIAN}єіїґ",),
    "iso8859-2": _CENTRAL,
    "iso8859-5": (_CYRILLIC,),
    "iso8859-7": (_GREEK,),
    "cp850": _WESTERN,
    "cp852": _CENTRAL,
    "mac-roman": _WESTERN,
    "cp1256": (_ARABIC,),
    "iso8859-6": (_ARABIC,),
    "cp874": ("".join(map(chr, range(0x0E01, 0x0E5C))),),
}
"""Encodings of one byte a letter, each with the small letters of its languages beyond a to z.

Hebrew comes before Russian: it has no capitals, so what is Russian is seldom Hebrew as well.
Thai has a letter for almost every byte, so it comes last."""

OTHER_SCRIPTS = frozenset(
    {"cp1251", "cp1253", "cp1255", "cp1256", "cp866", "cp874"}
    | {"iso8859-5", "iso8859-6", "iso8859-7", "koi8-r", "koi8-u"}
)
"""Encodings of alphabets that do not mix with Latin letters within a word."""

_KANA = frozenset({0xA4, 0xA5})

COMMON_LEADS: dict[str, tuple[str, frozenset[int]]] = {
    "cp949": ("euc-kr", frozenset(range(0xB0, 0xC9))),
    "gb18030": ("gb2312", frozenset(range(0xB0, 0xD8))),
    "euc-jp": ("euc-jp", frozenset(range(0xB0, 0xD0)) | _KANA),
    "big5": ("big5", frozenset(range(0xA4, 0xC7))),
    "cp932": ("shift-jis", frozenset(range(0x82, 0x98))),
}
"""Encodings of two bytes a character: the first bytes of everyday characters, in a stricter one.

Korean comes first, as its everyday syllables would make everyday Chinese, but not the other way.
Chinese comes before Japanese of Unix, which is told by its kana."""
