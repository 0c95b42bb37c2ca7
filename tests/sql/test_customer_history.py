"""The history of customers over random nights: no gap, no overlap, and every night as it was."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby, pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.warehouse.build import build_model
from cdp_pipeline.warehouse.rendering import Base, RenderValues, render_model

from .conftest import EmptyWarehouse

HISTORY = "core.dim_customer_history"
FIRST = date(2026, 11, 1)
BEGINNING, END = date(1900, 1, 1), date(9999, 12, 31)

people = st.dictionaries(
    st.sampled_from(["C1", "C2", "C3"]),
    st.tuples(st.sampled_from(["Leeds", "York", None]), st.sampled_from([True, False])),
)
nights = st.lists(st.tuples(people, st.integers(1, 3)), min_size=1, max_size=6)

Seen = dict[str, tuple[str | None, bool]]


def play_night(warehouse: EmptyWarehouse, seen: Seen, day: date, *, has_base: bool) -> list[tuple]:
    con, spec = warehouse.con, warehouse.project.table(HISTORY)
    con.execute("delete from core.dim_customer")
    for person, (city, has_account) in seen.items():
        con.execute(
            "insert into core.dim_customer (customer_id, city, has_account) values (?, ?, ?)",
            [person, city, has_account],
        )
    base = Base({HISTORY} if has_base else ())
    build_model(con, spec, render_model(spec, RenderValues(day, warehouse.settings, base=base)))
    return con.execute(
        "select customer_id, valid_from, valid_to, is_current, state_no, city, has_account "
        f"from {HISTORY} order by customer_id, valid_from"
    ).fetchall()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(played=nights)
def test_states_follow_each_other(
    warehouse: EmptyWarehouse, played: list[tuple[Seen, int]]
) -> None:
    con = warehouse.con
    day = FIRST
    told: dict[str, dict[date, tuple[str | None, bool]]] = {}
    for number, (seen, gap) in enumerate(played):
        rows = play_night(warehouse, seen, day, has_base=number > 0)
        assert rows == play_night(warehouse, seen, day, has_base=number > 0)
        # Who is not known tonight is forgotten, and begins again on return.
        told = {p: {**told.get(p, {}), day: seen[p]} for p in seen}
        assert {row[0] for row in rows} == set(seen)
        for person, group in groupby(rows, key=lambda row: row[0]):
            states = list(group)
            assert states[0][1] == BEGINNING
            assert states[-1][2] == END
            assert [state[3] for state in states] == [False] * (len(states) - 1) + [True]
            assert [state[4] for state in states] == list(range(1, len(states) + 1))
            for one, other in pairwise(states):
                assert other[1] == one[2] + timedelta(1)
                assert one[5:] != other[5:]
            for night, values in told[person].items():
                (at,) = [s for s in states if s[1] <= night <= s[2]]
                assert at[5:] == values
        con.execute(f"create or replace table base.{HISTORY} as from {HISTORY}")
        day += timedelta(gap)
    con.execute(f"drop table base.{HISTORY}")
