"""Files that list each person once, such as a census or a register: known by their own pairs.

Two rows of such a file are two people, however alike they are: a son of his father's name, a maid
and her sister. Whether a file is one, its pairs tell. Copies within a file are as sure as pairs
across files are; what is only taken for copies are the doubtful pairs. So where the pairs within
a file are no more than the errors that the model admits among all of the file's pairs, at every
level of certainty, each of them may well be such an error, and none counts. A file of several
years, as of one census after the other, is judged year by year.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from cdp_pipeline.core.errors import ConfigError

Integers = npt.NDArray[np.int64]

MOST_LISTS = 62
"""Lists that one bigint tells apart; more are customers' own lists, not registers."""

FEWEST_ACROSS = 50
"""Pairs with other lists without which a list is not judged."""

LEVELS = (0.5, 0.9, 0.99)
"""Probabilities from which the pairs within a list may not exceed the admitted errors."""

_BITS = """
create or replace temp table link_lists as
with named as (
    select list, cast(dense_rank() over (order by list) - 1 as integer) as number
    from (select distinct list from link_rows)
),
standing as (
    select r.evidence_id, n.number, count(*) as copies
    from identity.records as r
    inner join identity_numbered as i on i.record_id = r.record_id
    inner join link_rows as w on w.rowid = i.place
    inner join named as n on n.list = w.list
    group by r.evidence_id, n.number
)
select
    i.node_id,
    cast(bit_or(cast(1 as bigint) << s.number) as bigint) as bits,
    cast(
        bit_or(if(s.copies > 1, cast(1 as bigint) << s.number, cast(0 as bigint))) as bigint
    ) as copied
from standing as s
inner join identity_node_ids as i on i.record_id = s.evidence_id
group by i.node_id
"""

_PAIRS = """
with sure as materialized (
    select
        l.bits as one,
        r.bits as other,
        cast(1 / (1 + pow(2, least(s.log_odds, 60))) as decimal(18, 12)) as doubt
    from identity_scored as s
    inner join link_lists as l on l.node_id = s.node_a
    inner join link_lists as r on r.node_id = s.node_b
    where s.log_odds >= $least
    union all
    select copied, copied, 0 from link_lists where copied > 0
),
places as (select cast(unnest(range($lists)) as integer) as number)
select
    p.number,
    count(*) filter ((s.one & s.other >> p.number) & 1 = 1) as within,
    count(*) filter ((s.one & s.other >> p.number) & 1 = 0) as across,
    coalesce(sum(s.doubt), 0) as errors
from places as p
left join sure as s on ((s.one | s.other) >> p.number) & 1 = 1
group by p.number
order by p.number
"""

_TAKE_OUT = """
create or replace temp table identity_scored as
with placed as materialized (
    select s.*, l.bits & r.bits as common
    from identity_scored as s
    inner join link_lists as l on l.node_id = s.node_a
    inner join link_lists as r on r.node_id = s.node_b
)
select * exclude (common) from placed where common & $mask = 0
"""
# Not in one step: the condition on both ends would tempt DuckDB to pair all nodes first.


@dataclass(frozen=True)
class Lists:
    """The lists that hold each person once.

    Attributes:
        names: What they are called: a file, or a file and a year.
        bits: By node, the lists among them in which it stands, one bit each.
    """

    names: tuple[str, ...]
    bits: Integers


def find_lists(con: duckdb.DuckDBPyConnection, *, said: bool | None) -> Lists | None:
    """Return the lists that hold each person once; None if there are none.

    Reads ``link_rows``, ``identity_scored`` and ``identity_node_ids``. Pairs within such a list are
    taken out of ``identity_scored``.

    Args:
        con: Connection with the weighed pairs.
        said: What people say of all lists; None: each is judged by its pairs.

    Raises:
        ConfigError: People say so of more lists than can be told apart.
    """
    names = [
        str(name)
        for (name,) in con.execute("select distinct list from link_rows order by list").fetchall()
    ]
    if said is False or (len(names) == 1 and not said):  # one list alone tells nothing
        return None
    if len(names) > MOST_LISTS:
        if said:
            raise ConfigError(
                f"listed_once: there are {len(names)} files and years, more than {MOST_LISTS}",
                hint="Leave listed_once out, or link fewer files at once.",
            )
        return None
    con.execute(_BITS)
    once = list(range(len(names))) if said else _once(con, len(names))
    if not once:
        return None
    mask = sum(1 << number for number in once)
    con.execute(_TAKE_OUT, {"mask": mask})
    found = con.execute("select node_id, bits from link_lists").fetchnumpy()
    bits = np.zeros(len(found["bits"]), dtype=np.int64)
    bits[found["node_id"]] = np.asarray(found["bits"], np.int64) & mask
    return Lists(tuple(names[number] for number in once), bits)


def _once(con: duckdb.DuckDBPyConnection, lists: int) -> list[int]:
    """Return the numbers of the lists that pass at every level."""
    passed = set(range(lists))
    for level in LEVELS:
        least = math.log2(level / (1 - level))
        rows = con.execute(_PAIRS, {"least": least, "lists": lists}).fetchall()
        passed &= {
            number
            for number, within, across, errors in rows
            if within <= errors and (across >= FEWEST_ACROSS or level > LEVELS[0])
        }
    return sorted(passed)
