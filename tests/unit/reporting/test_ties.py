"""Two marts side by side tell no small count that each of them hides."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.privacy.small_counts import Withheld, is_small
from cdp_pipeline.project.tables import Sum, TableHeader
from cdp_pipeline.reporting.ties import Counted, find_ties
from cdp_pipeline.reporting.withholding import Hidden, PeopleColumns, Seen, find_hidden_together

K = 4
Rows = list[dict[str, Any]]


def header(name: str, *key: str, sums: tuple[Sum, ...] | None = None) -> TableHeader:
    return TableHeader.model_validate(
        {
            "name": name, "description": "Any mart.", "grain": "one row a key", "key": list(key),
            "owner": "me", "columns": dict.fromkeys((*key, "n"), "Any"),
            **({} if sums is None else {"sums": sums}),
        }
    )  # fmt: skip


def seen(name: str, rows: Rows, *key: str, sums: tuple[Sum, ...] | None = None) -> Seen:
    return Seen(rows, header(name, *key, sums=sums), PeopleColumns({"n"}))


def by_store(cells: dict[tuple[str, str], int]) -> Rows:
    stores = sorted({store for store, _ in cells})
    return [
        {"store": store, "n": sum(n for (other, _), n in cells.items() if other == store)}
        for store in stores
    ]


def detailed(cells: dict[tuple[str, str], int]) -> Rows:
    return [{"store": store, "tier": tier, "n": n} for (store, tier), n in sorted(cells.items())]


def marks(found: dict[str, Hidden]) -> dict[tuple[str, ...], Withheld]:
    return {
        (mart, *map(str, key)): columns["n"]
        for mart, rows in found.items()
        for key, columns in rows.items()
        if columns
    }


def both(cells: dict[tuple[str, str], int]) -> dict[tuple[str, ...], Withheld]:
    marts = {
        # neither header speaks of the other mart, nor of sums by store
        "fine": seen("fine", detailed(cells), "store", "tier", sums=()),
        "coarse": seen("coarse", by_store(cells), "store", sums=()),
    }
    return marks(find_hidden_together(marts, smallest=K))


def test_a_total_in_another_mart_takes_a_neighbour_with_a_small_count() -> None:
    cells = {("a", "x"): 3, ("a", "y"): 40, ("a", "z"): 50, ("b", "x"): 70, ("b", "y"): 80}
    hidden = both(cells)
    assert hidden.keys() == {("fine", "a", "x"), ("fine", "a", "y")}
    alone = {"fine": seen("fine", detailed(cells), "store", "tier", sums=())}
    assert marks(find_hidden_together(alone, smallest=K)) == {("fine", "a", "x"): Withheld.FEW}


def test_what_one_mart_hides_beside_a_small_count_its_parts_do_not_tell() -> None:
    cells = {("a", "x"): 3, ("a", "y"): 0, ("b", "x"): 5, ("b", "y"): 6, ("c", "x"): 70}
    marts = {
        "fine": seen("fine", detailed(cells), "store", "tier", sums=()),
        "coarse": seen("coarse", by_store(cells), "store"),  # adds up to a known whole
    }
    hidden = marks(find_hidden_together(marts, smallest=K))
    assert {("coarse", "a"), ("coarse", "b")} <= hidden.keys()
    assert any(mark[:2] == ("fine", "b") for mark in hidden), "else 5 + 6 gives 11 back, and 3"


def test_one_count_in_two_marts_is_hidden_in_both() -> None:
    flow = (Sum(of=("before", "n"), total="after"),)
    rows: Rows = [
        {"day": 1, "before": 90, "n": 2, "after": 92},
        {"day": 2, "before": 92, "n": 60, "after": 152},
    ]
    made = TableHeader.model_validate(
        {
            "name": "flow", "description": "Any mart.", "grain": "one row a day", "key": ["day"],
            "owner": "me", "columns": dict.fromkeys(("day", "before", "n", "after"), "Any"),
            "sums": flow,
        }
    )  # fmt: skip
    daily: Rows = [{"day": row["day"], "n": row["before"]} for row in rows]
    marts = {
        "flow": Seen(rows, made, PeopleColumns({"before", "n", "after"})),
        "daily": seen("daily", daily, "day", sums=()),
    }
    found = find_hidden_together(marts, smallest=K)
    assert found["flow"][1,] == {"before": Withheld.HIDDEN, "n": Withheld.HIDDEN}
    assert found["daily"][1,] == {"n": Withheld.HIDDEN}
    assert (found["flow"][2,], found["daily"][2,]) == ({}, {})


def test_figures_that_agree_once_or_are_nothing_are_not_tied() -> None:
    def ties(one: Rows, other: Rows) -> int:
        counts = frozenset({"n"})
        marts = {"a": Counted(one, ("k",), counts), "b": Counted(other, ("k",), counts)}
        return len(list(find_ties(marts)))

    assert ties([{"k": 1, "n": 5}], [{"k": 1, "n": 5}]) == 0
    assert ties([{"k": 1, "n": 0}, {"k": 2, "n": 0}], [{"k": 1, "n": 0}, {"k": 2, "n": 0}]) == 0
    assert ties([{"k": 1, "n": 5}, {"k": 2, "n": 7}], [{"k": 1, "n": 5}, {"k": 2, "n": 8}]) == 0
    assert ties([{"k": 1, "n": 5}, {"k": 2, "n": 7}], [{"k": 1, "n": 5}, {"k": 2, "n": 7}]) == 2
    assert ties([{"k": 1, "n": 5}, {"k": 2, "n": None}], [{"k": 1, "n": 5}, {"k": 2, "n": 7}]) == 0
    assert ties([], [{"k": 1, "n": 5}]) == 0


STORES, TIERS = ("a", "b"), ("x", "y")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=4, max_size=4))
def test_two_marts_tell_no_small_count(counts: list[int]) -> None:
    """Held by trying every table that a reader of both marts cannot rule out."""
    cells = dict(zip(product(STORES, TIERS), counts, strict=True))
    hidden = both(cells)
    small = {("fine", *key) for key, n in cells.items() if is_small(n, K)}
    assert small <= hidden.keys()
    is_tied = len([row for row in by_store(cells) if row["n"]]) > 0
    possible: dict[tuple[str, ...], set[int]] = {key: set() for key in hidden}
    zeros = any(n == 0 for key, n in cells.items() if ("fine", *key) in hidden)
    totals = {
        row["store"]: row["n"] for row in by_store(cells) if ("coarse", row["store"]) not in hidden
    }
    for guess in product(*(_thinkable(hidden, key, n, zeros) for key, n in cells.items())):
        tried = dict(zip(cells, guess, strict=True))
        if any(sum(tried[store, tier] for tier in TIERS) != n for store, n in totals.items()):
            continue
        for key, n in tried.items():
            possible.setdefault(("fine", *key), set()).add(n)
    everything = {("fine", *key) for key in cells} | {("coarse", store) for store in STORES}
    if is_tied and hidden.keys() != everything:
        assert all(len(possible[key]) >= K - 1 for key in small)


def _thinkable(
    hidden: dict[tuple[str, ...], Withheld],
    key: tuple[str, str],
    count: int,
    zeros: bool,  # noqa: FBT001
) -> list[int]:
    """Return the counts that a reader thinks possible in a cell, of those up to 16."""
    mark = hidden.get(("fine", *key))
    if mark is None:
        return [count]
    if mark is Withheld.FEW:
        return list(range(0 if zeros else 1, K))
    return list(range(17)) if mark is not Withheld.HIDDEN or zeros else list(range(1, 17))
