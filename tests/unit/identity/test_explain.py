from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.design import shipped_design
from cdp_pipeline.identity.explain import explain_customer, explain_pair

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Village

pytest.importorskip("recordlinkage")

FIELDS = {
    "given name", "family name", "birth date", "sex", "e-mail", "phone", "address",
    "loyalty card", "web account",
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
    stored = published.execute(
        "select source_a || ':' || record_key_a, source_b || ':' || record_key_b, match_weight, "
        "household_weight, match_prob from identity.edges where pattern is not null order by all"
    ).fetchall()
    assert stored
    for left, right, match, household, probability in stored[:3]:
        found = explain_pair(published, left, right)
        assert found.match_weight == pytest.approx(match, abs=1e-4)
        assert found.household_weight == pytest.approx(household, abs=1e-4)
        assert found.match_prob == pytest.approx(probability, abs=1e-6)
        bits = sum(field.match_bits for field in found.fields)
        assert found.prior_bits + bits == pytest.approx(found.match_weight)
        stated = [c.name for c in shipped_design().comparisons if c.name in FIELDS]
        assert [field.field for field in found.fields] == stated


def test_spouses_are_explained_as_one_household(published: duckdb.DuckDBPyConnection) -> None:
    found = explain_pair(published, "loyalty:0000", "loyalty:0001")
    assert found.left_customer != found.right_customer
    assert found.match_prob < 0.1
    assert found.household_weight > 0
    assert found.note.startswith("Two customers")
    text = found.render_text()
    assert "given name" in text
    assert "differs" in text
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
    assert twins.note == "Both records say exactly the same."


def test_a_customer_lists_what_holds_each_record(published: duckdb.DuckDBPyConnection) -> None:
    customer = explain_pair(published, "till:r0", "till:r1").left_customer
    found = explain_customer(published, customer)
    reasons = {member.record: (member.reason, member.linked_to) for member in found.members}
    assert set(reasons) == {"loyalty:0000", "shop:0000", "till:r0", "till:r1"}
    assert reasons["till:r1"] == ("says the same as", "till:r0")
    assert reasons["till:r0"][0] == "attached by loyalty_id:"
    assert sum(reason == "first record" for reason, _ in reasons.values()) == 1
    assert found.sources["loyalty_id"] == "loyalty:0000"
    assert "created" in found.render_text()
    json.dumps(found.as_dict())


def test_unknown_records_are_told_with_a_remedy(published: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ConfigError, match="no person record"):
        explain_pair(published, "loyalty:nobody", "loyalty:0000")
    with pytest.raises(ConfigError, match="no customer"):
        explain_customer(published, "C0000000000000000")
