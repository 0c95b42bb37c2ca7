"""The packed lists: British given names and surnames with their frequencies, and short forms.

Reading name lists belongs here; who is called what is decided in ``people``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from nicknames import NickNamer

from cdp_pipeline.sample.arrays import Floats, Texts

ORIGINS = ("british", "south_asian", "irish", "east_european", "african_caribbean", "chinese")
_ORIGIN_CODES = dict(zip("bsieac", ORIGINS, strict=True))


@dataclass(frozen=True)
class NameList:
    """Names of one kind and origin.

    Attributes:
        names: The names.
        weights: How common each one is, in no particular unit.
        eras: ``o`` given to the old, ``y`` to the young, ``a`` to all ages.
    """

    names: Texts
    weights: Floats
    eras: Texts


def read_packed(file_name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file packed beside this module."""
    text = (files("cdp_pipeline.sample") / file_name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def load_names() -> dict[tuple[str, str], NameList]:
    """Return name lists by (kind, origin); kinds are ``f``, ``m`` and ``s`` (surname)."""
    grouped: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_packed("names.csv"):
        grouped.setdefault((row["kind"], _ORIGIN_CODES[row["origin"]]), []).append(row)
    return {
        key: NameList(
            names=np.array([row["name"] for row in rows]),
            weights=np.array([float(row["weight"]) for row in rows]),
            eras=np.array([row["era"] for row in rows]),
        )
        for key, rows in grouped.items()
    }


@cache
def load_short_forms() -> dict[str, tuple[str, ...]]:
    """Return the usual short forms of each packed given name that has any, sorted."""
    namer = NickNamer()
    short_forms = {}
    for (kind, _), names in load_names().items():
        if kind == "s":
            continue
        for name in names.names.tolist():
            # The first few only: the tail of the list holds forms from other centuries.
            forms = sorted(f.title() for f in namer.nicknames_of(name.lower()) if len(f) > 1)
            if forms:
                short_forms[name] = tuple(forms[:4])
    return short_forms
