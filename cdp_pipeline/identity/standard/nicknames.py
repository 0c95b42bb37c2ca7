"""Which given names are short or other forms of which: Liz and Elizabeth, Gosia and Małgorzata.

Two short forms of one name are no forms of each other: brothers are called Hans and Jan, sisters
Lena and Leni, and hardly anybody goes by two. The lists are data; how two names are compared by
their roots is in ``project/levels``.
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
# A letter a root, from the Greek ones on: a short text reaches pairs many times faster than a list.


def load_nicknames(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_nicknames``: the root names of each name, one letter each, and as bits."""
    con.execute(_NICKNAMES, name_roots())


@cache
def name_roots() -> dict[str, list[str]]:
    """Return names and their roots side by side; a root is a name with one of its short forms.

    Source: the ``nicknames`` package, whose list of English names is curated by hand (has_nickname
    relations); ``short_forms.csv`` says the same for other languages, and how names of other
    alphabets are written.
    """
    text = resources.files("nicknames").joinpath("names.csv").read_text(encoding="utf-8")
    forms = {
        (row["name1"], row["name2"])
        for row in csv.DictReader(text.splitlines())
        if row["relationship"] == "has_nickname"
    }
    file = resources.files("cdp_pipeline.identity.standard").joinpath("short_forms.csv")
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
        forms |= {(row["name"], short) for short in row["short_forms"].split()}
    ordered = sorted({(name, f"{full}/{short}") for full, short in forms for name in (full, short)})
    return {"names": [p[0] for p in ordered], "roots": [p[1] for p in ordered]}
