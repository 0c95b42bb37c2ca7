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
import pyarrow as pa

from cdp_pipeline.core.errors import ConfigError

Integers = npt.NDArray[np.int64]

MOST_LISTS = 62
"""Lists that one bigint tells apart; more are customers' own lists, not registers."""

FEWEST_ACROSS = 50
"""Pairs with other lists without which a list is not judged."""

LEVELS = (0.5, 0.9, 0.99)
"""Probabilities from which the pairs within a list may not exceed the admitted errors."""

DOUBT_UNITS = 10**12
"""Doubts are summed as whole numbers of this part: the order of pairs then changes nothing."""

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


@dataclass(frozen=True)
class _Standing:
    """In which lists each node stands, and in which of them more than once, one bit a list."""

    bits: Integers
    copied: Integers


@dataclass(frozen=True)
class _Pairs:
    """Likely pairs, by the lists of both ends; doubts are whole parts of ``DOUBT_UNITS``."""

    one: Integers
    other: Integers
    log_odds: npt.NDArray[np.float64]
    doubts: Integers


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
    if said is False:
        return None
    numbers, names = _number_lists(con)
    if len(names) == 1 and not said:  # one list alone tells nothing
        return None
    if len(names) > MOST_LISTS:
        if said:
            raise ConfigError(
                f"listed_once: there are {len(names)} files and years, more than {MOST_LISTS}",
                hint="Leave listed_once out, or link fewer files at once.",
            )
        return None
    standing = _stand_nodes(con, numbers, lists=len(names))
    once = list(range(len(names))) if said else _once(con, standing, lists=len(names))
    if not once:
        return None
    mask = sum(1 << number for number in once)
    nodes = np.arange(len(standing.bits), dtype=np.int32)
    con.register("link_lists", pa.table({"node_id": nodes, "bits": standing.bits}))
    con.execute(_TAKE_OUT, {"mask": mask})
    con.unregister("link_lists")
    return Lists(tuple(names[number] for number in once), standing.bits & mask)


def _number_lists(con: duckdb.DuckDBPyConnection) -> tuple[Integers, list[str]]:
    """Return the list of each row of ``link_rows``, and the names of the lists in their order."""
    found = con.sql("select list from link_rows").to_arrow_table()
    rows = found["list"].combine_chunks().dictionary_encode()
    names = rows.dictionary.to_pylist()
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(np.array(names, dtype=object))] = np.arange(len(names))
    return rank[rows.indices.to_numpy()], sorted(names)


def _stand_nodes(con: duckdb.DuckDBPyConnection, numbers: Integers, *, lists: int) -> _Standing:
    """Return the lists of each node from those of the rows."""
    said = con.execute("select record_id, evidence_id from identity.records").fetchnumpy()
    ids = con.execute("select record_id, node_id from identity_node_ids").fetchnumpy()
    rows = con.execute("select place, record_id from identity_numbered").fetchnumpy()
    node = np.full(len(said["record_id"]), -1, dtype=np.int64)  # by the record that stands for it
    node[ids["record_id"]] = ids["node_id"]
    evidence = np.empty(len(node), dtype=np.int64)
    evidence[said["record_id"]] = said["evidence_id"]
    held = node[evidence[rows["record_id"]]]
    codes = (held * lists + numbers[rows["place"]])[held >= 0]
    codes, copies = np.unique(codes, return_counts=True)
    bits, copied = (np.zeros(len(ids["node_id"]), dtype=np.int64) for _ in range(2))
    flags = np.int64(1) << (codes % lists)
    np.bitwise_or.at(bits, codes // lists, flags)
    np.bitwise_or.at(copied, codes // lists, np.where(copies > 1, flags, 0))
    return _Standing(bits, copied)


def _once(con: duckdb.DuckDBPyConnection, standing: _Standing, *, lists: int) -> list[int]:
    """Return the numbers of the lists that pass at every level."""
    pairs = _read_pairs(con, standing.bits)
    passed = list(range(lists))
    for level in LEVELS:
        sure = pairs.log_odds >= math.log2(level / (1 - level))
        one, other, doubts = pairs.one[sure], pairs.other[sure], pairs.doubts[sure]
        fewest = FEWEST_ACROSS if level == LEVELS[0] else 0
        passed = [
            number
            for number in passed
            if _is_once(one >> number & 1, other >> number & 1, doubts, fewest=fewest,
                        copies=int((standing.copied >> number & 1).sum()))
        ]  # fmt: skip
    return passed


def _read_pairs(con: duckdb.DuckDBPyConnection, bits: Integers) -> _Pairs:
    found = con.execute(
        "select node_a, node_b, log_odds from identity_scored where log_odds >= $least",
        {"least": math.log2(LEVELS[0] / (1 - LEVELS[0]))},
    ).fetchnumpy()
    log_odds = np.asarray(found["log_odds"])
    doubts = DOUBT_UNITS / (1 + np.exp2(np.minimum(log_odds, 60)))
    return _Pairs(
        bits[found["node_a"]], bits[found["node_b"]], log_odds, np.rint(doubts).astype(np.int64)
    )


def _is_once(one: Integers, other: Integers, doubts: Integers, *, copies: int, fewest: int) -> bool:
    """Return whether the pairs within a list are no more than the errors among all of its pairs.

    Args:
        one: Whether the one record of each pair stands in the list, as 1 or 0.
        other: The same of the other record.
        doubts: How likely each pair is an error.
        copies: Records that stand in the list more than once, word for word.
        fewest: Pairs with other lists without which the list is not judged.
    """
    within = int((one & other).sum()) + copies
    across = int((one ^ other).sum())
    errors = int(doubts[(one | other) == 1].sum())
    return within * DOUBT_UNITS <= errors and across >= fewest
