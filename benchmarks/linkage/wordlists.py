"""Packed names with their frequencies, and short forms: what the generated people are called.

The lists are of another origin than those of ``cdp_pipeline.sample``: the public-domain frequency
tables of the United States census of 1990, and the name lists of Faker (MIT licence), whose weights
are kept where it has them and are Zipf's otherwise.
"""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Texts = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# fmt: off
SHORT_FORMS: dict[str, tuple[str, ...]] = {
    "Abigail": ("Abby",), "Adelheid": ("Heidi",), "Albert": ("Al", "Bert"),
    "Alejandro": ("Alex", "Jandro"), "Alessandro": ("Sandro", "Ale"),
    "Alexander": ("Alex", "Sascha", "Xander"), "Alexandra": ("Alex", "Sandra"),
    "Alfred": ("Fred", "Al"), "Amanda": ("Mandy",), "Andreas": ("Andi",),
    "Andrew": ("Andy", "Drew"),
    "Anna": ("Anni", "Annie"), "Anthony": ("Tony",), "Antonia": ("Toni",), "Antonio": ("Toni",),
    "Barbara": ("Barb", "Bärbel"), "Benjamin": ("Ben", "Benny"), "Brigitte": ("Gitte", "Gitti"),
    "Carolyn": ("Carol", "Lynn"), "Catherine": ("Cathy", "Kate"), "Charles": ("Charlie", "Chuck"),
    "Christian": ("Chris",), "Christina": ("Tina", "Chris"), "Christine": ("Chris", "Tina"),
    "Christopher": ("Chris", "Topher"), "Cynthia": ("Cindy",), "Daniel": ("Dan", "Danny"),
    "David": ("Dave",), "Deborah": ("Deb", "Debbie"), "Donald": ("Don",), "Dorothea": ("Thea",),
    "Dorothy": ("Dot", "Dottie"), "Edward": ("Ed", "Eddie", "Ted"), "Elisabeth": ("Lisa", "Elli"),
    "Elizabeth": ("Liz", "Beth", "Betty"), "Emanuela": ("Manu",), "Enrique": ("Quique",),
    "Fernando": ("Nando",), "Filippo": ("Pippo",), "Francesca": ("Franca",),
    "Francesco": ("Franco", "Ciccio"), "Francisco": ("Paco", "Pancho"), "Frederick": ("Fred",),
    "Friedrich": ("Fritz",), "Gabriele": ("Gabi",), "George": ("Georgie",), "Gerhard": ("Gerd",),
    "Giovanni": ("Gianni", "Nino"), "Giuseppe": ("Beppe", "Peppe"), "Gregory": ("Greg",),
    "Guillermo": ("Memo",), "Heinrich": ("Heinz",), "Helena": ("Lena",), "Ignacio": ("Nacho",),
    "Isabel": ("Isa", "Bel"), "Jacqueline": ("Jackie",), "Jacob": ("Jake",),
    "James": ("Jim", "Jamie", "Jimmy"), "Janet": ("Jan",), "Jennifer": ("Jen", "Jenny"),
    "Jessica": ("Jess",), "Jesús": ("Chuy",), "Joachim": ("Achim",), "Johanna": ("Hanna",),
    "Johannes": ("Hans", "Hannes"), "John": ("Jack", "Johnny"), "Jonathan": ("Jon", "Nathan"),
    "Josef": ("Sepp",), "Joseph": ("Joe", "Joey"), "Joshua": ("Josh",), "José": ("Pepe",),
    "Juan": ("Juanito",), "Judith": ("Judy",), "Karl-Heinz": ("Heinz", "Kalle"),
    "Katharina": ("Kathi", "Käthe", "Trina"), "Katherine": ("Kate", "Kathy"),
    "Kathleen": ("Kathy",), "Kenneth": ("Ken",), "Kimberly": ("Kim",), "Larry": ("Lawrence",),
    "Laurence": ("Larry",), "Lawrence": ("Larry",), "Leonardo": ("Leo", "Nardo"),
    "Luigi": ("Gigi",), "Magdalena": ("Lena", "Magda"), "Manfred": ("Manni",),
    "Manuel": ("Manolo",),
    "Manuela": ("Manu",), "Margaret": ("Meg", "Peggy", "Maggie"), "Margarethe": ("Greta",),
    "Maria": ("Mia", "Mitzi"), "Matthew": ("Matt",), "Matthias": ("Matze",),
    "Maximilian": ("Max",), "Mercedes": ("Merche",), "Michael": ("Mike", "Mick", "Michi"),
    "Michelle": ("Shelly",), "Nancy": ("Nan",), "Nicholas": ("Nick",), "Nicolas": ("Nico",),
    "Niklas": ("Nik",), "Pamela": ("Pam",), "Patricia": ("Pat", "Patty", "Tricia"),
    "Patrick": ("Pat", "Paddy"), "Philippe": ("Phil",), "Rafael": ("Rafa",), "Raymond": ("Ray",),
    "Rebecca": ("Becky",), "Richard": ("Rick", "Dick", "Rich"), "Robert": ("Bob", "Rob", "Bobby"),
    "Roberto": ("Beto",), "Ronald": ("Ron",), "Rosario": ("Charo",), "Rudolf": ("Rudi",),
    "Salvatore": ("Totò", "Salvo"), "Samantha": ("Sam",), "Samuel": ("Sam",),
    "Sebastian": ("Basti",), "Sharon": ("Shari",), "Stefan": ("Steff",), "Stephanie": ("Steph",),
    "Stephen": ("Steve",), "Steven": ("Steve",), "Susan": ("Sue", "Susie"), "Susanne": ("Sanne",),
    "Theodore": ("Ted", "Theo"), "Theresa": ("Terry", "Resi"), "Thomas": ("Tom", "Tommy"),
    "Timothy": ("Tim",), "Ulrich": ("Uli",), "Ursula": ("Uschi",), "Victoria": ("Vicky",),
    "Vincenzo": ("Enzo",), "Virginia": ("Ginny",), "Walter": ("Walt",), "Wilhelm": ("Willi",),
    "William": ("Bill", "Will", "Billy"), "Wolfgang": ("Wolf",), "Zachary": ("Zach",),
}
# fmt: on


@cache
def load_lists() -> dict[str, tuple[Texts, Floats]]:
    """Return names and probabilities by list, such as ``census_family`` or ``de_female``."""
    grouped: dict[str, tuple[list[str], list[float]]] = {}
    with gzip.open(Path(__file__).with_name("names.csv.gz"), "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            names, weights = grouped.setdefault(row["list"], ([], []))
            names.append(row["name"])
            weights.append(float(row["weight"]))
    return {
        key: (np.array(names, dtype=object), np.array(weights) / sum(weights))
        for key, (names, weights) in grouped.items()
    }


def pick(name: str, count: int, draw: np.random.Generator) -> Texts:
    """Return ``count`` names of a list, drawn by their frequency."""
    names, shares = load_lists()[name]
    return names[draw.choice(len(names), count, p=shares)]


def zipf_shares(count: int, *, exponent: float, shift: float = 2.7) -> Floats:
    """Return probabilities of ranks 1 to ``count`` by the law of Zipf and Mandelbrot.

    Source: Mandelbrot, B. (1953), An informational theory of the statistical structure of language.
    """
    weights = (np.arange(1, count + 1) + shift) ** -exponent
    return weights / weights.sum()
