"""Names alone point to one person only where there is one to point to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.identity.scoring.namesakes import (
    are_kin,
    choose_namesakes,
    nobody_odds,
    stand_records,
)


def _choose(
    labels: list[int],
    pairs: list[tuple[int, int, float]],
    reachable: list[int] | None = None,
    *,
    mentions: list[int] | None = None,
    contacts: list[int] | None = None,
    nobody: float = 1.0,
) -> set[tuple[int, int]]:
    left, right, bits = zip(*pairs, strict=True) if pairs else ((), (), ())
    low, high = choose_namesakes(
        np.array(labels, np.int64),
        (np.array(left, np.int64), np.array(right, np.int64)),
        np.array(bits, np.float64),
        accept=0.5,
        standing=stand_records(
            np.isin(np.arange(len(labels)), reachable or []),
            np.isin(np.arange(len(labels)), mentions or []),
        ),
        is_private=np.isin(np.arange(len(labels)), contacts or []),
        nobody=nobody,
    )
    return set(zip(low.tolist(), high.tolist(), strict=True))


def test_one_candidate_is_taken_at_its_word() -> None:
    assert _choose([0, 1], [(0, 1, 2.0)]) == {(0, 1)}
    assert _choose([0, 1], [(0, 1, 0.5)]) == set(), "a stranger in two of five"


def test_several_candidates_share_one_probability() -> None:
    """Each alone would be accepted; three people of one name cannot all be the fourth."""
    assert _choose([0, 1, 2, 3], [(0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0)]) == set()


def test_a_far_better_candidate_wins() -> None:
    assert _choose([0, 1, 2], [(0, 1, 4.0), (0, 2, -2.0)]) == {(0, 1)}


def test_two_who_can_be_reached_must_be_likelier_one_than_a_mere_name() -> None:
    """A name on a receipt gets nobody's mail; two mailboxes made one do."""
    for reachable, chosen in ([], {(0, 1)}), ([1], {(0, 1)}), ([0, 1], set()):
        assert _choose([0, 1], [(0, 1, 2.0)], reachable) == chosen
    assert _choose([0, 1], [(0, 1, 4.0)], [0, 1]) == {(0, 1)}


def test_a_name_that_wrote_to_the_store_must_be_as_sure_as_one_who_can_be_reached() -> None:
    """Its letter would be read in another's record, and answered to the other's mailbox."""
    for bits, contacts, chosen in (
        (2.0, [], {(0, 1)}),
        (2.0, [0], set()),
        (4.0, [0], {(0, 1)}),
        (2.0, [1], {(0, 1)}),
    ):
        assert _choose([0, 1], [(0, 1, bits)], [1], contacts=contacts) == chosen


@pytest.mark.parametrize("contact", [0, 1])
def test_of_two_mere_names_either_may_be_the_one_that_wrote(contact: int) -> None:
    """Which of them asks is told by their numbers, which a fit gives anew."""
    assert _choose([0, 1], [(0, 1, 2.0)], contacts=[contact]) == set()
    assert _choose([0, 1], [(0, 1, 4.0)], contacts=[contact]) == {(0, 1)}


def test_a_group_is_reached_by_any_of_its_records() -> None:
    assert _choose([0, 0, 1], [(0, 2, 2.0), (1, 2, 2.0)], [1, 2]) == set()
    assert _choose([0, 0, 1], [(0, 2, 2.0), (1, 2, 2.0)], [0, 1]) == {(0, 1)}


def test_a_group_knows_what_its_records_know_together() -> None:
    """One record of the group has another address: the silence of the other is no evidence."""
    assert _choose([0, 0, 1], [(0, 2, 3.0), (1, 2, -4.0)]) == set()


def test_receipts_with_a_name_do_not_compete_for_the_shopper_who_leaves_them() -> None:
    """Anna (0) shops three times and gives her name: three receipts, one Anna."""
    receipts = [(0, 1, 2.0), (0, 2, 2.0), (0, 3, 2.0)]
    alike = [(1, 2, 2.0), (1, 3, 2.0), (2, 3, 2.0)]
    assert _choose([0, 1, 2, 3], receipts + alike, [0]) == {(0, 1), (0, 2), (0, 3)}


def test_a_receipt_is_nobodys_where_two_of_its_name_can_be_reached() -> None:
    pairs = [(0, 2, 1.0), (1, 2, 1.0)]
    assert _choose([0, 1, 2], pairs, [0, 1], nobody=0.1) == set()


def test_where_most_people_are_known_a_common_name_suffices() -> None:
    assert _choose([0, 1], [(0, 1, -0.5)], [0], nobody=0.25) == {(0, 1)}
    assert _choose([0, 1], [(0, 1, -0.5)], [0], nobody=1.0) == set()
    assert _choose([0, 1], [(0, 1, -0.5)], [0, 1], nobody=0.25) == set(), "both can be reached"


def test_a_lone_receipt_with_a_new_mailbox_is_likelier_somebodys_than_a_second_profile() -> None:
    """People change their mailbox; two profiles of one name are mostly two people."""
    pair = [(0, 1, 2.0)]
    assert _choose([0, 1], pair, [0, 1], nobody=0.25) == set()
    assert _choose([0, 1], pair, [0, 1], mentions=[1], nobody=0.25) == {(0, 1)}
    assert _choose([0, 1], pair, [0, 1], mentions=[1], nobody=1.0) == set(), "few are known"


def test_receipts_that_a_mailbox_has_joined_compete_like_a_profile() -> None:
    pairs = [(0, 1, 2.0), (0, 2, 2.0)]
    assert _choose([0, 1, 1], pairs, [0, 1, 2], mentions=[1, 2], nobody=0.25) == set()


def test_lone_receipts_do_not_compete_for_the_shopper_who_leaves_them() -> None:
    pairs = [(0, 1, 2.0), (0, 2, 2.0), (1, 2, 2.0)]
    chosen = _choose([0, 1, 2], pairs, [0, 1, 2], mentions=[1, 2], nobody=0.25)
    assert chosen >= {(0, 1), (0, 2)}


def test_a_lone_receipt_is_nobodys_where_two_of_its_name_can_be_reached() -> None:
    pairs = [(0, 2, 2.0), (1, 2, 2.0)]
    assert _choose([0, 1, 2], pairs, [0, 1, 2], mentions=[2], nobody=0.25) == set()


def test_a_lone_receipt_competes_for_a_mere_name() -> None:
    """It may be another Anna's: her mailbox is new."""
    pairs = [(0, 1, 2.0), (1, 2, 2.0)]
    assert _choose([0, 1, 2], pairs[:1], [0, 2], mentions=[2]) == {(0, 1)}
    assert _choose([0, 1, 2], pairs, [0, 2], mentions=[2]) == set()


def test_two_lone_receipts_are_one_shoppers_sooner_than_a_receipt_is_a_persons() -> None:
    pair = [(0, 1, 2.0)]
    assert _choose([0, 1], pair, [0, 1], mentions=[0, 1]) == {(0, 1)}
    assert _choose([0, 1], pair, [0, 1], mentions=[0]) == set()


def test_two_who_can_be_reached_are_kin_on_better_evidence_than_a_mere_name_is() -> None:
    bits, both, one = np.full(2, 6.0), np.array([True, True]), np.array([True, False])
    assert are_kin(bits, both, one).tolist() == [False, True]
    assert are_kin(bits + 2, both, one).all()


def test_the_odds_of_being_nobody_come_from_records_that_can_be_reached() -> None:
    """Three of four have a partner; the fifth is but a name, and its pair is not counted."""
    left, right = np.array([0, 1, 0, 3]), np.array([1, 2, 4, 2])
    certain = np.array([True, True, True, False])
    odds = nobody_odds(left, right, certain, np.array([True] * 4 + [False]))
    assert abs(np.log2(odds) - np.log2(1 / 3)) <= 0.25


def test_the_odds_of_being_nobody_are_bounded() -> None:
    none = np.zeros(0, np.int64)
    assert nobody_odds(none, none, none.astype(bool), np.ones(3, dtype=bool)) == 1
    assert nobody_odds(none, none, none.astype(bool), np.zeros(0, dtype=bool)) == 1
    pair = np.array([0]), np.array([1])
    assert nobody_odds(*pair, np.array([True]), np.ones(2, dtype=bool)) > 0.04


@settings(deadline=None)  # a busy machine is no error
@given(
    labels=st.lists(st.integers(0, 6), min_size=2, max_size=12),
    data=st.data(),
)
def test_nobody_gets_two_partners_who_can_be_reached_and_the_order_is_nothing(
    labels: list[int], data: st.DataObject
) -> None:
    ends = st.integers(0, len(labels) - 1)
    pairs = data.draw(st.lists(st.tuples(ends, ends, st.floats(-6, 12)), max_size=30))
    reachable = data.draw(st.lists(ends, max_size=12))
    mentions = data.draw(st.lists(ends, max_size=12))
    nobody = data.draw(st.floats(0.05, 1))
    chosen = _choose(labels, pairs, reachable, mentions=mentions, nobody=nobody)
    lone = {labels[place] for place in mentions if labels.count(labels[place]) == 1}
    reached = {labels[place] for place in reachable} - lone
    both_ways = [*chosen, *((high, low) for low, high in chosen)]
    partners = [one for one, other in both_ways if other in reached]
    assert len(set(partners)) == len(partners)
    assert all(low < high for low, high in chosen)
    turned = [(right, left, bits) for left, right, bits in reversed(pairs)]
    assert _choose(labels, turned, reachable, mentions=mentions, nobody=nobody) == chosen
