from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.explaining.counterfactuals import find_flips
from cdp_pipeline.identity.explaining.evidence import (
    RECORDS,
    Model,
    load_model,
    weigh_all,
    weigh_outcomes,
)
from cdp_pipeline.identity.explaining.explain import explain_customer, explain_pair
from cdp_pipeline.identity.explaining.explanation_page import render_page, waterfall
from cdp_pipeline.identity.explaining.explanations import odds_in_words
from cdp_pipeline.identity.explaining.reasons import find_reason
from cdp_pipeline.identity.scoring.compare import frequency_columns
from cdp_pipeline.identity.scoring.design import shipped_design
from cdp_pipeline.identity.scoring.supervised import Correction
from cdp_pipeline.identity.stewardship.judgements import record_judgements
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_dicts

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Store, Village

pytest.importorskip("recordlinkage")

FIELDS = {
    "given name", "family name", "birth date", "sex", "e-mail", "phone", "address",
    "year in the mailbox", "loyalty card", "web account", "kinds of record",
}  # fmt: skip
"""What the village's records say about people."""


@pytest.fixture(scope="module")
def published(village: Village) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only, sandboxed connection as readers have it, without the project's macros."""
    with duckdb.connect() as con:
        con.execute(f"attach '{village.made}' as cdp (read_only)")
        con.execute("use cdp; set enable_external_access = false; set lock_configuration = true")
        yield con


def test_the_explanation_adds_up_to_the_stored_edge(published: duckdb.DuckDBPyConnection) -> None:
    left, right, match, household, probability = published.execute(
        "select source_a || ':' || record_key_a, source_b || ':' || record_key_b, match_weight, "
        "household_weight, match_prob from identity.edges where pattern is not null order by all "
        "limit 1"
    ).fetchall()[0]
    found = explain_pair(published, left, right)
    assert found.match_weight == pytest.approx(match, abs=1e-4)
    assert found.household_weight == pytest.approx(household, abs=1e-4)
    assert found.match_prob == pytest.approx(probability, abs=1e-6)
    bits = sum(field.match_bits for field in found.fields)
    assert found.prior_bits + bits == pytest.approx(found.match_weight)
    stated = [c.name for c in shipped_design().comparisons if c.name in FIELDS]
    assert [field.field for field in found.fields] == stated
    last = waterfall(found)[-2]
    assert last.total == f"{match:+.1f}"
    assert last.household_total == f"{household:+.1f}"


def test_every_edge_of_the_night_adds_up(published: duckdb.DuckDBPyConnection) -> None:
    stored = {
        (left, right): weights
        for left, right, *weights in published.execute(
            "select source_a || ':' || record_key_a, source_b || ':' || record_key_b, "
            "match_weight, household_weight, match_prob from identity.edges "
            "where pattern is not null"
        ).fetchall()
    }
    sides = [
        fetch_dicts(published, f"{RECORDS} where r.is_comparable and r.source {which} 'shop'")
        for which in ("<>", "=")
    ]
    model = fitted(published)
    met = 0
    for pair in weigh_all(published, model, sides):
        ends = sorted((pair.left, pair.right), key=lambda row: row["record_id"])
        weights = stored.get((ends[0]["name"], ends[1]["name"]))
        if weights is None:
            assert pair.match_prob < 0.2 or pair.left["evidence_id"] == pair.right["evidence_id"]
            continue
        met += 1
        added = model.parameters.match_bits + sum(match for match, _ in pair.bits)
        assert added == pytest.approx(weights[0], abs=1e-4)
        assert pair.household_weight == pytest.approx(weights[1], abs=1e-4)
        assert pair.match_prob == pytest.approx(weights[2], abs=1e-6)
    assert met > len(stored) * 0.9


def fitted(con: duckdb.DuckDBPyConnection) -> Model:
    found = load_model(con, shipped_design().comparisons)
    assert found is not None
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # a busy machine is no error
@given(data=st.data())
def test_a_counterfactual_flips_when_it_is_applied(
    published: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    model = fitted(published)
    parameters = model.parameters
    if data.draw(st.booleans()):  # with a correction that judgements might have taught
        levels = tuple(np.full(c.size, 0.1) for c in parameters.comparisons)
        learned = Correction(parameters.comparisons, 0.3, (0.8, 0.1, 0.0), levels, -8.0, 8.0)
        model = replace(model, correction=learned)
    outcomes = [data.draw(st.integers(-1, c.size - 1)) for c in parameters.comparisons]
    rare = {
        place: data.draw(st.floats(-18, -2)) for place in frequency_columns(parameters.comparisons)
    }
    now = weigh_outcomes(model, {}, {}, outcomes, rare)
    for flip in find_flips(model, now, accept=0.5):
        changed = list(outcomes)
        for change in flip.changes:
            place = [c.name for c in parameters.comparisons].index(change.field)
            comparison = parameters.comparisons[place]
            assert comparison.kind != "context"
            assert change.level == comparison.level_name(outcomes[place])
            names = [comparison.level_name(outcome) for outcome in range(comparison.size)]
            changed[place] = names.index(change.instead)
        after = weigh_outcomes(model, {}, {}, changed, rare)
        assert after.match_prob == pytest.approx(flip.match_prob, abs=1e-9)
        assert (after.match_prob >= 0.5) is flip.is_accepted
        assert flip.is_accepted is not (now.match_prob >= 0.5)
        assert 1 <= len(flip.changes) <= 2


def test_spouses_are_explained_as_one_household(published: duckdb.DuckDBPyConnection) -> None:
    found = explain_pair(published, "loyalty:0000", "loyalty:0001")
    assert found.left_customer != found.right_customer
    assert found.match_prob < 0.1
    assert found.household_weight > 0
    assert found.note.startswith("Two customers")
    text = found.render_text()
    assert "given name" in text
    assert "differs" in text
    assert found.reason.by == "score"
    assert "two people of one household" in found.odds
    assert "for it" in found.odds
    json.dumps(found.as_dict())


def test_two_customers_are_compared_by_their_best_pair(
    published: duckdb.DuckDBPyConnection,
) -> None:
    ids = [
        published.execute(
            "select customer_id from identity.customer_map "
            "where source = 'loyalty' and record_key = ?",
            [key],
        ).fetchall()[0][0]
        for key in ("0000", "0001")
    ]
    found = explain_pair(published, *ids)
    assert (found.left_customer, found.right_customer) == tuple(ids)
    assert found.match_prob < 0.5


def test_receipts_follow_their_card_and_say_so(published: duckdb.DuckDBPyConnection) -> None:
    found = explain_pair(published, "till:r0", "loyalty:0000")
    assert found.fields == ()
    assert "loyalty_id" in found.note
    assert found.note.startswith("One customer")
    twins = explain_pair(published, "till:r0", "till:r1")
    assert "say exactly the same" in twins.note
    assert (found.reason.by, twins.reason.by) == ("attachment", "identical")
    assert [link.rule for link in twins.path] == ["says the same"]


def test_a_customer_lists_what_holds_each_record(published: duckdb.DuckDBPyConnection) -> None:
    customer = explain_pair(published, "till:r0", "till:r1").left_customer
    found = explain_customer(published, customer)
    reasons = {member.record: (member.reason, member.linked_to) for member in found.members}
    assert set(reasons) == {"loyalty:0000", "shop:0000", "till:r0", "till:r1"}
    assert reasons["till:r1"] == ("says the same as", "till:r0")
    assert reasons["till:r0"][0] == "attached by loyalty_id:"
    assert sum(reason == "first record" for reason, _ in reasons.values()) == 1
    assert found.sources["loyalty_id"] == "loyalty:0000, all agree"
    assert "created" in found.render_text()
    json.dumps(found.as_dict())


def test_unknown_records_are_told_with_a_remedy(published: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ConfigError, match="no person record"):
        explain_pair(published, "loyalty:nobody", "loyalty:0000")
    with pytest.raises(ConfigError, match="no customer"):
        explain_customer(published, "C0000000000000000")


NEIGHBOURS = [
    # same mailbox and names; the birth dates speak against each other
    {"record_key": "1", "given_name": "Ines", "family_name": "Quillfeather", "email": "iq@x.org"},
    {"record_key": "2", "given_name": "Ines", "family_name": "Quillfeather", "email": "iq@x.org",
     "postcode": "LS1 4AP", "street": "7 Mill Lane"},
    {"record_key": "3", "given_name": "I", "family_name": "Quilfeather",
     "postcode": "LS1 4AP", "street": "7 Mill Lane"},
]  # fmt: skip


def test_records_joined_by_a_third_are_shown_the_path(store: Store, families: list[Person]) -> None:
    made = store.night([*families, *NEIGHBOURS])
    with duckdb.connect() as con:
        con.execute(f"attach '{made}' as cdp (read_only)")
        con.execute("use cdp")
        found = explain_pair(con, "crm:1", "crm:3")
        assert found.reason.is_same
        assert [link.left for link in found.path] == ["crm:1", "crm:2"]
        assert found.reason.by in {"path", "score"}
        assert "strongest path between them" in found.render_text()
        customer = explain_customer(con, found.left_customer)
        assert len(customer.bridges) == 2
        assert customer.weakest == min(customer.bridges)
        assert "weakest link" in customer.render_text()


IVORS = [
    {"given_name": "Ivor", "family_name": "Quilfeather"} | person
    for person in (
        {"record_key": "1", "birth_date": date(1950, 1, 2), "phone": "0113 496 0123",
         "postcode": "LS1 4AP", "street": "7 Mill Lane"},
        {"record_key": "2", "phone": "0113 496 0123", "email": "ivor@x.org"},
        {"record_key": "3", "birth_date": date(1981, 6, 30), "email": "ivor@x.org",
         "postcode": "BS8 2NB", "street": "31 Harbour Row"},
    )
]  # fmt: skip
"""A father, his son, and a record that fits both."""


def test_the_guard_of_birth_dates_names_the_two_dates(store: Store, families: list[Person]) -> None:
    made = store.night([*families, *IVORS])
    with duckdb.connect() as con:
        con.execute(f"attach '{made}' as cdp (read_only)")
        con.execute("use cdp")
        customers = dict(
            con.execute(
                "select record_key, customer_id from identity.customer_map where source = 'crm'"
            ).fetchall()
        )
        assert customers["1"] != customers["3"]
        other = next(key for key in "13" if customers[key] != customers["2"])
        reason = explain_pair(con, "crm:2", f"crm:{other}").reason
        assert (reason.is_same, reason.by) == (False, "births")
        assert "1950-01-02" in reason.text
        assert "1981-06-30" in reason.text


def test_a_judgement_is_named_as_what_decided(store: Store, families: list[Person]) -> None:
    day = date(2026, 11, 21)
    record_judgements(
        DataPaths.of(store.context(day)).stewardship,
        [
            {"verdict": "different", "a": "loyalty:0000", "b": "shop:0000", "reason": "twins"},
            {"verdict": "same", "a": "shop:0002", "b": "loyalty:0101"},
        ],
        who="anna",
        now=datetime(2026, 11, 20, 9, tzinfo=UTC),
    )
    made = store.night(families, day=day)
    with duckdb.connect() as con:
        con.execute(f"attach '{made}' as cdp (read_only)")
        con.execute("use cdp")
        apart = explain_pair(con, "loyalty:0000", "shop:0000")
        assert (apart.reason.by, apart.reason.is_same) == ("judgement", False)
        assert apart.match_prob > 0.5
        assert "anna" in apart.note
        assert "twins" in apart.note
        joined = explain_pair(con, "shop:0002", "loyalty:0101")
        assert (joined.reason.by, joined.reason.is_same) == ("judgement", True)
        assert [link.rule for link in joined.path] == ["judged same"]
        through = explain_pair(con, "loyalty:0002", "loyalty:0101")
        assert (through.reason.by, through.reason.is_same) == ("judgement", True)


def test_pages_hold_everything_and_escape_it(
    published: duckdb.DuckDBPyConnection, repository: Path
) -> None:
    project, project_settings = load_project(repository), Settings()
    pair = explain_pair(published, "loyalty:0000", "loyalty:0001")
    hostile = replace(pair, sides=(("Given names", "<script>alert(1)</script>", "-"),))
    page = render_page(hostile, project=project, settings=project_settings)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count('class="fall"') == 2 * len(waterfall(pair))
    assert "http" not in page.replace("http-equiv", "")
    for field in pair.fields:
        if field.level != "missing":
            assert f"{field.field.capitalize()}: {field.level}" in page
    customer = explain_customer(published, pair.left_customer)
    page = render_page(customer, project=project, settings=project_settings)
    assert 'role="img"' in page
    assert all(member.record in page for member in customer.members)
    receipts = explain_pair(published, "till:r0", "loyalty:0000")
    assert "Side by side" in render_page(receipts, project=project, settings=project_settings)


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.5, "even"), (0.75, "3 to 1 for it"), (1.0, "more than a million to 1 for it"),
     (0.0, "more than a million to 1 against it"), (0.02, "49 to 1 against it")],
)  # fmt: skip
def test_odds_are_told_in_words(probability: float, words: str) -> None:
    assert odds_in_words(probability) == words


def test_a_namesake_who_is_not_taken_for_the_person_is_told_so() -> None:
    """The score would join two people called Jan; a third who may be meant is named."""
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as cdp; use cdp; create schema identity")
        con.execute(
            "create table identity.customer_map as select * from (values "
            "('s', 'a', 'C1'), ('s', 'b', 'C2'), ('s', 'c', 'C3')) as t (source, record_key, "
            "customer_id)"
        )
        con.execute(
            "create table identity.edges as select 's' as source_a, one as record_key_a, "
            "'s' as source_b, other as record_key_b, 1.0 as match_weight, "
            "-3.0 as household_weight, 7 as pattern "
            "from (values ('a', 'b'), ('a', 'c')) as t (one, other)"
        )
        con.execute(
            "create table identity.records as select source, record_key, "
            "ascii(record_key) - 97 as evidence_id from identity.customer_map"
        )
        left, right = (
            {"customer_id": customer, "evidence_id": place, "is_usable": True}
            for place, customer in enumerate(("C1", "C2"))
        )
        told: Any = {"weighed": SimpleNamespace(match_prob=0.62, kin_bits=1.1), "accept": 0.5}
        reason = find_reason(con, left, right, (), **told)
        assert (reason.is_same, reason.by) == (False, "namesake")
        assert "1 other customer may be meant" in reason.text
        con.execute("delete from identity.edges where record_key_b = 'c'")
        assert "nobody else" in find_reason(con, left, right, (), **told).text
        # Likely of one home: enough for people of a census, not where one gets the other's mail.
        told["weighed"].kin_bits = 6.0
        for held, is_namesake in (("street_name", False), ("email", True)):
            ends = ({**record, held: "x"} for record in (left, right))
            assert (find_reason(con, *ends, (), **told).by == "namesake") is is_namesake


def test_a_version_of_older_software_is_told_so(village: Village) -> None:
    with duckdb.connect() as con:
        con.execute(f"attach '{village.made}' as made (read_only); attach ':memory:' as cdp")
        con.execute("use cdp; create schema identity")
        for table in ("customer_map", "golden_records", "golden_sources", "changes", "redirects"):
            con.execute(f"create table identity.{table} as from made.identity.{table}")
        con.execute("alter table identity.golden_sources drop column rule")
        with pytest.raises(ConfigError, match="golden_sources of the published version lacks rule"):
            explain_customer(con, "C0000000000000000")
