from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.features.recommend.alike import fit_ease
from cdp_pipeline.features.recommend.contest import Contest, ContestPlan, hold_contests
from cdp_pipeline.features.recommend.lists import LEAST_SHARED, make_lists, plan_lists
from cdp_pipeline.features.recommend.log import count_purchases
from cdp_pipeline.features.recommend.ranking import Entries, ListName, learn
from cdp_pipeline.features.recommend.rules import make_rules
from cdp_pipeline.storage.warehouse import fetch_dicts

from .conftest import AS_OF, BUILDERS, COOKS, Row, at, load, two_habits

PLAN = ContestPlan(minimum_customers=20)
Make = Callable[[Iterable[Row]], str]


def contests(con: duckdb.DuckDBPyConnection, relation: str) -> dict[ListName, Contest]:
    return hold_contests(con, relation, as_of=AS_OF, plan=PLAN, name="past")


def served(con: duckdb.DuckDBPyConnection, relation: str, **limits: str) -> list[dict[str, Any]]:
    log = count_purchases(con, relation, as_of=AS_OF, name="now")
    models = learn(con, log, relation, maximum_items=3_000)
    plan = plan_lists(log, length=3, **limits)
    table = make_lists(log, models, contests(con, relation), plan)
    return fetch_dicts(con, f"select * from {table} order by customer_id, list, rank_no")


def test_ease_is_the_least_squares_solution_with_an_empty_diagonal() -> None:
    history = np.random.default_rng(1).poisson(1.0, (40, 6)).astype(float)
    ridge = 3.0
    gram = history.T @ history
    weights = fit_ease(gram, ridge_share=ridge / (np.trace(gram) / 6))
    for column in range(6):
        others = [i for i in range(6) if i != column]
        inside = gram[np.ix_(others, others)] + ridge * np.eye(5)
        expected = np.linalg.solve(inside, gram[others, column])
        np.testing.assert_allclose(weights[others, column], expected, rtol=1e-4, atol=1e-6)
        assert weights[column, column] == 0


@pytest.mark.parametrize("size", [0, 1, 4])
def test_ease_of_nothing_is_nothing(size: int) -> None:
    assert not fit_ease(np.zeros((size, size))).any()


def test_models_foresee_what_rules_of_thumb_cannot(
    con: duckdb.DuckDBPyConnection, make: Make
) -> None:
    discover = contests(con, make(two_habits()))["discover"]
    assert not discover.winner.is_naive
    by_name = {score.ranker.name: score for score in discover.scores}
    assert by_name[discover.winner.name].mean_precision == 1.0
    assert by_name["popular"].mean_precision < 0.8
    assert by_name["popular"].gain == 0
    assert discover.reason.startswith("beats popular")


def test_of_many_customers_a_sample_takes_part_and_finds_the_same_winner(
    con: duckdb.DuckDBPyConnection, make: Make
) -> None:
    relation = make(two_habits(300))
    plan = ContestPlan(minimum_customers=20, learned=100)
    some = hold_contests(con, relation, as_of=AS_OF, plan=plan, name="past")["discover"]
    everybody = contests(con, relation)["discover"]
    assert "learned on" not in everybody.reason
    assert some.reason.endswith(" of 300 customers")
    assert 20 < some.scores[0].customers < 200
    assert some.winner == everybody.winner


def test_a_model_that_is_no_better_than_habit_does_not_serve(
    con: duckdb.DuckDBPyConnection, make: Make
) -> None:
    draw = np.random.default_rng(3)
    goods = [f"g{i}" for i in range(30)]
    rows = [
        (f"C{c}", good, f"C{c}-{b}", at(100 - b))
        for c in range(150)
        for b in range(4)
        for good in draw.choice(goods, 3, replace=False).tolist()
    ]
    found = contests(con, make(rows))
    assert found["discover"].winner.name == "popular"
    assert "no model beats" in found["discover"].reason


def test_too_few_baskets_are_a_result(con: duckdb.DuckDBPyConnection, make: Make) -> None:
    found = contests(con, make(two_habits(6)))
    assert [c.scores for c in found.values()] == [(), ()]
    assert found["buy_again"].winner.name == "own_share"
    assert found["discover"].winner.name == "popular"
    assert "20 are needed" in found["discover"].reason


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("C1", "milk", "B1", at(1))],
        [("C1", None, "B1", at(1)), (None, "milk", "B2", at(1)), ("C2", "milk", None, at(1))],
        [(f"C{i}", "milk", f"B{i}", at(1)) for i in range(30)],
        [("C1", "milk", f"B{i}", at(i)) for i in range(30)],
    ],
    ids=["nothing", "one line", "holes", "one item, one day", "one customer"],
)
def test_degenerate_stores_have_lists_or_none_but_never_fail(
    rows: list[Row], con: duckdb.DuckDBPyConnection, make: Make
) -> None:
    found = served(con, make(rows))
    assert {row["item_id"] for row in found} <= {"milk"}
    assert all(row["list"] == "buy_again" for row in found)


def test_reasons_are_counted_facts(con: duckdb.DuckDBPyConnection, make: Make) -> None:
    rows = two_habits()
    owned: dict[str, set[str]] = {}
    for customer, good, _, _ in rows:
        owned.setdefault(str(customer), set()).add(str(good))
    # Forget the last basket of one customer, so that something is left to discover.
    kept = [row for row in rows if row[2] != "C001-9"]
    owned["C001"] = {str(row[1]) for row in kept if row[0] == "C001"}
    found = served(con, make(kept))
    first = next(r for r in found if r["customer_id"] == "C001" and r["list"] == "discover")
    assert first["item_id"] in COOKS
    assert first["reason_kind"] == "bought_with"
    because = first["reason_item_id"]
    assert because in owned["C001"]
    both = sum({because, first["item_id"]} <= goods for goods in owned.values())
    assert first["reason_count"] == both >= LEAST_SHARED
    again = next(r for r in found if r["customer_id"] == "C001" and r["list"] == "buy_again")
    assert (again["item_id"], again["reason_count"], again["reason_of_count"]) == ("milk", 3, 3)


def test_few_people_are_no_reason(con: duckdb.DuckDBPyConnection, make: Make) -> None:
    found = served(con, make(two_habits(20)))
    for row in found:
        if row["reason_kind"] == "bought_with":
            assert row["reason_count"] >= LEAST_SHARED


def test_what_is_not_offered_or_was_returned_is_not_shown(
    con: duckdb.DuckDBPyConnection, make: Make
) -> None:
    relation = make(two_habits())
    con.execute("create table offered as select unnest(['milk', 'pasta', 'hammer']) as item_id")
    con.execute("create table returned as select 'C000' as customer_id, 'milk' as item_id")
    found = served(con, relation, offered="offered", returned="returned")
    assert {row["item_id"] for row in found} == {"milk", "pasta", "hammer"}
    mine = {row["item_id"] for row in found if row["customer_id"] == "C000"}
    assert "milk" not in mine
    assert "milk" in {row["item_id"] for row in found if row["customer_id"] == "C002"}


def test_lists_keep_to_their_promise_and_to_any_order_of_rows(
    con: duckdb.DuckDBPyConnection, make: Make
) -> None:
    rows = two_habits()
    found = served(con, make(rows))
    owned = {(row[0], row[1]) for row in rows}
    for row in found:
        is_owned = (row["customer_id"], row["item_id"]) in owned
        assert is_owned == (row["list"] == "buy_again")
    turned = [*rows[17:], *reversed(rows[:17]), *rows[:7]]
    assert served(con, make(turned)) == found  # a repeated line is no new basket


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0])),
        max_size=40,
        unique_by=lambda cell: cell[:2],
    ),
    st.integers(1, 4),
)
@settings(deadline=None)
def test_top_is_the_best_of_each_row(cells: list[tuple[int, int, float]], most: int) -> None:
    columns = [np.array([cell[i] for cell in cells]) for i in range(3)]
    entries = Entries(columns[0].astype(int), columns[1].astype(int), columns[2].astype(float))
    best, rank = entries.top(most)
    expected = [
        (row, item, place)
        for row in range(4)
        for place, (_, item) in enumerate(
            sorted((-score, item) for r, item, score in cells if r == row)[:most], start=1
        )
    ]
    assert list(zip(best.row, best.item, rank, strict=True)) == expected


BASKETS = st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=8), max_size=25)


@given(BASKETS, st.integers(1, 4), st.sampled_from([1, 7, 20_000_000]))
@settings(deadline=None, max_examples=40)
def test_rules_count_baskets(scanned: list[list[str]], support: int, at_once: int) -> None:
    """A thing scanned twice counts once, whatever part of the pairs is added up at a time."""
    baskets = [set(goods) for goods in scanned]
    con = duckdb.connect()
    rows = [("C", good, f"B{i}", at(1)) for i, goods in enumerate(scanned) for good in goods]
    with mock.patch("cdp_pipeline.features.recommend.rules.PRODUCTS_AT_ONCE", at_once):
        table = make_rules(con, load(con, rows), support=support, name="r")
    found = {
        (item, partner): (count, confidence, lift)
        for item, partner, count, confidence, lift in con.execute(
            f"select item_id, partner_id, basket_count, confidence, lift from {table}"
        ).fetchall()
    }
    con.close()
    expected = {}
    for one, two in combinations("abcde", 2):
        both = sum({one, two} <= basket for basket in baskets)
        sizes = {good: sum(good in basket for basket in baskets) for good in (one, two)}
        if both < support:
            continue
        lift = both * len(baskets) / (sizes[one] * sizes[two])
        if lift > 1:
            for item, partner in ((one, two), (two, one)):
                expected[item, partner] = (both, both / sizes[item], lift)
    assert found.keys() == expected.keys()
    for pair, (count, confidence, lift) in expected.items():
        assert found[pair] == (
            count,
            pytest.approx(confidence, abs=1e-6),
            pytest.approx(lift, abs=1e-4),
        )


def test_rare_pairs_do_not_lead_though_their_lift_is_highest(
    con: duckdb.DuckDBPyConnection, make: Make
) -> None:
    rows = [("C", good, f"B{i}", at(1)) for i in range(50) for good in ("tea", "milk")]
    rows += [("C", good, f"R{i}", at(1)) for i in range(2) for good in ("tea", "caviar")]
    rows += [("C", "bread", f"X{i}", at(1)) for i in range(50)]
    table = make_rules(con, make(rows), support=2, name="r")
    best = con.execute(
        f"select partner_id, lift from {table} where item_id = 'tea' order by rank_no"
    ).fetchall()
    assert [partner for partner, _ in best] == ["milk", "caviar"]


def test_goods_of_the_other_kind_come_last(con: duckdb.DuckDBPyConnection, make: Make) -> None:
    rows = [row for row in two_habits() if row[2] != "C000-9"]
    mine = [r["item_id"] for r in served(con, make(rows)) if r["customer_id"] == "C000"]
    new = [good for good in mine if good != "milk"]
    assert new[0] in BUILDERS
