from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from cdp_pipeline.features.propensity.inputs import INPUTS, purchase_inputs
from cdp_pipeline.features.propensity.windows import Question, Window, list_events, read_window

from .conftest import AS_OF, add_visits

CUT = date(2026, 5, 1)
DEEDS = "select customer_id, happened_on from core.deeds"


def ask(con: duckdb.DuckDBPyConnection, sql: str = DEEDS, *, has_chances: bool = False) -> Question:
    list_events(con, sql, has_chances=has_chances, as_of=AS_OF, table="asked")
    return Question("asked", "refused", 30, 365, has_chances=has_chances)


def known(window: Window, name: str) -> dict[str, float]:
    return {who: values[name] for who, values in _rows(window).items()}


def _rows(window: Window) -> dict[str, dict[str, float]]:
    return {
        who: dict(zip(INPUTS, map(float, row), strict=True))
        for who, row in zip(window.names, window.values, strict=True)
    }


def test_a_day_knows_what_lay_before_it_and_nothing_of_what_followed(
    con: duckdb.DuckDBPyConnection,
) -> None:
    add_visits(con, [("A", CUT - timedelta(days=d)) for d in (100, 40, 10)])
    add_visits(con, [("A", CUT + timedelta(days=3)), ("B", CUT), ("C", CUT + timedelta(days=1))])
    con.execute(
        "insert into core.deeds values ('A', ?), ('A', ?), ('B', ?)",
        [
            CUT - timedelta(days=40),
            CUT + timedelta(days=30),
            CUT + timedelta(days=31),
        ],
    )
    window = read_window(con, ask(con), CUT)
    assert window.names == ("A", "B")
    assert window.has_happened.tolist() == [1.0, 0.0]
    a, b = _rows(window)["A"], _rows(window)["B"]
    assert (a["visits_before"], a["first_ago"], a["last_ago"]) == (2, 100, 10)
    assert (a["visits_recent"], a["visits_90d"], a["usual_gap"]) == (1, 2, 45)
    assert (a["events_ever"], a["event_last_ago"], a["events_recent"]) == (1, 40, 0)
    assert (b["visits_before"], b["events_ever"]) == (0, 0)
    assert np.isnan(b["event_last_ago"])


def test_a_web_event_counts_from_the_day_on_which_its_person_could_be_known(
    con: duckdb.DuckDBPyConnection,
) -> None:
    add_visits(con, [("A", CUT - timedelta(days=9)), ("B", CUT - timedelta(days=9))])
    look = CUT - timedelta(days=5)
    con.execute(
        "insert into core.fct_web_events values "
        "('A', 'product_view', $look, $look, $look), ('B', 'product_view', $look, $look, $later)",
        {"look": look, "later": CUT + timedelta(days=1)},
    )
    looks = known(read_window(con, ask(con), CUT), "looks_30d")
    assert looks["A"] == 1
    assert np.isnan(looks["B"])


def test_who_refused_or_has_long_been_silent_is_not_asked_about(
    con: duckdb.DuckDBPyConnection,
) -> None:
    add_visits(con, [("A", CUT), ("B", CUT), ("C", CUT - timedelta(days=365))])
    con.execute("insert into refused values ('B')")
    assert read_window(con, ask(con), CUT).names == ("A",)


def test_a_deed_that_needs_a_chance_is_asked_of_those_who_were_given_one(
    con: duckdb.DuckDBPyConnection,
) -> None:
    sql = (
        "select customer_id, occurred_on as happened_on, event_type = 'sent' as is_chance "
        "from core.fct_email_events"
    )
    add_visits(con, [("A", CUT), ("B", CUT)])
    con.execute(
        "insert into core.fct_email_events values "
        "('A', 'sent', $day, false), ('A', 'click', $day, false), ('D', 'sent', $day, false)",
        {"day": CUT - timedelta(days=2)},
    )
    window = read_window(con, ask(con, sql, has_chances=True), CUT)
    assert window.names == ("A", "D")
    assert known(window, "events_ever") == {"A": 1, "D": 0}
    assert known(window, "chances_recent") == {"A": 1, "D": 1}
    assert np.isnan(known(window, "p_event")["D"]), "never bought: the purchase model says nothing"


def test_the_share_of_visits_thins_the_chance_of_one(
    drawn_store: duckdb.DuckDBPyConnection,
) -> None:
    window = read_window(drawn_store, ask(drawn_store), CUT)
    names = ("visits_before", "first_ago", "last_ago", "events_ever")
    columns = {name: window.column(name) for name in names}
    always = purchase_inputs(
        window.fit, columns | {"events_ever": columns["visits_before"] + 1}, 30
    )
    assert always["p_event"] == pytest.approx(always["p_active"])
    never = purchase_inputs(window.fit, columns | {"events_ever": 0 * columns["visits_before"]}, 30)
    assert never["p_event"].max() == 0
    some = purchase_inputs(window.fit, columns, 30)
    assert (some["p_event"] <= some["p_active"] + 1e-12).all()


def test_events_listed_anew_lay_out_their_windows_anew(con: duckdb.DuckDBPyConnection) -> None:
    add_visits(con, [("A", CUT - timedelta(days=10))])
    assert known(read_window(con, ask(con), CUT), "events_ever") == {"A": 0}
    con.execute("insert into core.deeds values ('A', ?)", [CUT - timedelta(days=10)])
    assert known(read_window(con, ask(con), CUT), "events_ever") == {"A": 1}
