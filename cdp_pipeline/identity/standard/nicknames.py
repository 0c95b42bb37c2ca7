"""Which given names are short or other forms of which: Liz and Elizabeth, Gosia and Małgorzata.

The lists are data; how two names are compared by their roots is in ``project/levels``.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import duckdb

_NICKNAMES = """
create temp table if not exists identity_nicknames as
with pairs as (
    select unnest($names) as name, unnest($roots) as root
),
numbered as (
    select name, root, dense_rank() over (order by root) as number from pairs
)
select
    name,
    string_agg(chr(cast(880 + number as integer)), '' order by number) as roots,
    cast(bit_or(cast(1 as ubigint) << cast(hash(root) % 63 as integer)) as ubigint) as root_bits
from numbered
group by name
"""
# A letter of two bytes a root, from the Greek ones on: a short text reaches pairs many times faster
# than a list.


def load_nicknames(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_nicknames``: the root names of each name, one letter each, and as bits."""
    con.execute(_NICKNAMES, name_roots())


@cache
def name_roots() -> dict[str, list[str]]:
    """Return names and their roots side by side.

    Source: the ``nicknames`` package, whose list of English names is curated by hand (has_nickname
    relations); ``short_forms.csv`` says the same for other languages, and how names of other
    alphabets are written.
    """
    text = resources.files("nicknames").joinpath("names.csv").read_text(encoding="utf-8")
    pairs = set()
    for row in csv.DictReader(text.splitlines()):
        pairs.add((row["name1"], row["name1"]))
        if row["relationship"] == "has_nickname":
            pairs.add((row["name2"], row["name1"]))
    file = resources.files("cdp_pipeline.identity.standard").joinpath("short_forms.csv")
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
        pairs |= {(name, row["name"]) for name in (row["name"], *row["short_forms"].split())}
    ordered = sorted(pairs)
    return {"names": [p[0] for p in ordered], "roots": [p[1] for p in ordered]}
