"""What serves a propensity from night to night: learned, recalled, held back, changed, dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.propensity_settings import PropensitySettings
from cdp_pipeline.features.clv_tables import create_tests
from cdp_pipeline.features.propensity import forest, tables
from cdp_pipeline.features.propensity.night import Night, Served
from cdp_pipeline.features.registry import Version, find_serving, retire, write_registry
from cdp_pipeline.project.drafts.propensities import draft_propensity
from cdp_pipeline.project.drafts.words import choose_words
from cdp_pipeline.project.loader import load_project, read_propensity
from cdp_pipeline.project.propensities import PropensityHeader, PropensitySpec

from .conftest import AS_OF, draw_store

HEADER = PropensityHeader(
    name="does_it",
    title="Does it",
    event="deeds done",
    owner="tests",
    horizon_days=30,
    columns={"customer_id": "who", "happened_on": "when"},
)
SPEC = PropensitySpec(
    "does_it", HEADER, Path("does_it.sql"), "select customer_id, happened_on from core.deeds"
)
SETTINGS = PropensitySettings()
DRIFT = (
    "create or replace table features.model_drift (prediction varchar, quantity varchar, "
    "version varchar, stability_index double, status varchar)"
)


class Nights:
    """Nights of one store, each upon the one before."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.versions: tuple[Version, ...] = ()
        con.execute("attach if not exists ':memory:' as base; create schema base.features")

    def run(
        self,
        as_of: date,
        spec: PropensitySpec = SPEC,
        settings: PropensitySettings = SETTINGS,
    ) -> Served:
        tables.create_tables(self.con)
        create_tests(self.con)
        self.con.execute(DRIFT)
        night = Night(self.con, settings, as_of, "refused")
        served, self.versions = night.serve(spec, self.versions)
        write_registry(self.con, self.versions)
        for table in (*tables.LEARNED, "features.model_registry"):
            self.con.execute(f"create or replace table base.{table} as from {table}")
        return served

    def read(self, sql: str) -> list[tuple[object, ...]]:
        return self.con.execute(sql).fetchall()


@pytest.fixture
def nights(con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> Nights:
    monkeypatch.setattr(forest, "ROUNDS", 12)
    draw_store(con, customers=800)
    return Nights(con)


def test_a_propensity_is_learned_serves_a_week_and_is_learned_again(nights: Nights) -> None:
    first = nights.run(AS_OF)
    assert first.status == "serves"
    learned = {table: nights.read(f"from {table} order by all") for table in tables.LEARNED}
    scores = nights.read("from features.propensities order by all")
    assert len(scores) == len(nights.read("select distinct customer_id from features.propensities"))
    again = nights.run(AS_OF)
    assert again.serving == first.serving
    assert nights.read("from features.propensities order by all") == scores
    assert {t: nights.read(f"from {t} order by all") for t in tables.LEARNED} == learned
    later = nights.run(AS_OF + timedelta(days=7))
    assert later.serving is not None
    assert later.serving.trained_on == AS_OF + timedelta(days=7)
    assert len(nights.versions) == 2


def test_a_drafted_propensity_takes_part_in_the_night(
    con: duckdb.DuckDBPyConnection, nights: Nights, tmp_path: Path, repository: Path
) -> None:
    tables = load_project(repository).tables
    text = draft_propensity(
        choose_words("does_it", None, None),
        horizon_days=30,
        department=None,
        sales=tables["core.fct_sales"],
        products=tables["core.dim_product"],
    )
    (tmp_path / "does_it.sql").write_text(text, encoding="utf-8")
    con.execute(
        "create table core.fct_sales as select customer_id, happened_on as sold_on, "
        "'product' as line_kind, false as is_return from core.deeds"
    )
    assert nights.run(AS_OF, read_propensity(tmp_path / "does_it.sql")).status == "serves"


def test_audiences_hold_half_seven_and_nine_tenths_of_those_who_will(nights: Nights) -> None:
    nights.run(AS_OF)
    total = 0.0
    expected: dict[object, float] = dict(
        nights.read("select audience, sum(chance_prob) from features.propensities group by all")
    )
    for audience, share in (("small", 0.5), ("medium", 0.7), ("large", 0.9)):
        total += expected[audience]
        assert total / sum(expected.values()) == pytest.approx(share, abs=0.02)
    borders = nights.read(
        "select min(chance_prob), max(chance_prob) from features.propensities "
        "group by audience order by max(chance_prob) desc"
    )
    lows, highs = [row[0] for row in borders], [row[1] for row in borders]
    assert all(low > high for low, high in zip(lows[:-1], highs[1:], strict=True))  # type: ignore[operator]


def test_yesterdays_model_serves_if_the_gate_fails(nights: Nights) -> None:
    first = nights.run(AS_OF)
    strict = SETTINGS.model_copy(update={"gate_total_share": 1e-9})
    held = nights.run(AS_OF + timedelta(days=7), settings=strict)
    assert held.serving == first.serving
    assert held.newest is not None
    assert (held.newest.gate, held.newest.is_serving) == ("failed", False)
    assert "expected total would change" in held.reason


def test_a_changed_declaration_is_another_propensity(nights: Nights) -> None:
    first = nights.run(AS_OF)
    other = replace(SPEC, sql=SPEC.sql + " where customer_id < 'C1'")
    changed = nights.run(AS_OF + timedelta(days=1), other)
    assert changed.serving is not None
    assert first.serving is not None
    assert changed.serving.document["declaration"] != first.serving.document["declaration"]
    assert len([v for v in nights.versions if v.is_serving]) == 1


def test_without_enough_data_nobody_is_scored_and_the_night_goes_on(nights: Nights) -> None:
    few = SETTINGS.model_copy(update={"minimum_customers": 5_000})
    served = nights.run(AS_OF, settings=few)
    assert (served.status, served.scored) == ("not_enough_data", None)
    assert nights.versions == ()
    assert nights.read("select count(*) from features.propensities") == [(0,)]
    assert "nobody is scored, not enough data" in served.sentence


def test_inputs_unlike_those_of_the_learning_are_seen(nights: Nights) -> None:
    nights.run(AS_OF)
    assert nights.read("select distinct status from features.model_drift") == [("stable",)]
    nights.con.execute(
        "delete from features.customer_day where purchased_on > $1::date - 120", [AS_OF]
    )
    nights.con.execute("drop table if exists propensity_known_20260701_30_1")
    nights.run(AS_OF + timedelta(days=1))
    drifted = nights.read("select quantity from features.model_drift where status = 'drifted'")
    assert ("days since the last visit",) in drifted


def test_what_is_retired_serves_no_longer(nights: Nights) -> None:
    nights.run(AS_OF)
    assert find_serving(retire(nights.versions, "propensity_does_it"), "propensity_does_it") is None
