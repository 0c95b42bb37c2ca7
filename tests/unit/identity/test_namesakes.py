"""Names alone point to one person only where there is one to point to."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.identity.scoring.namesakes import choose_namesakes


def _choose(
    labels: list[int], pairs: list[tuple[int, int, float]], reachable: list[int] | None = None
) -> set[tuple[int, int]]:
    left, right, bits = zip(*pairs, strict=True) if pairs else ((), (), ())
    low, high = choose_namesakes(
        np.array(labels, np.int64),
        np.array(left, np.int64),
        np.array(right, np.int64),
        np.array(bits, np.float64),
        accept=0.5,
        is_reachable=np.isin(np.arange(len(labels)), reachable or []),
    )
    return set(zip(low.tolist(), high.tolist(), strict=True))


def test_one_candidate_is_taken_at_its_word() -> None:
    assert _choose([0, 1], [(0, 1, 1.0)]) == {(0, 1)}
    assert _choose([0, 1], [(0, 1, -1.0)]) == set()


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


def test_a_group_is_reached_by_any_of_its_records() -> None:
    assert _choose([0, 0, 1], [(0, 2, 2.0), (1, 2, 2.0)], [1, 2]) == set()
    assert _choose([0, 0, 1], [(0, 2, 2.0), (1, 2, 2.0)], [0, 1]) == {(0, 1)}


def test_a_group_knows_what_its_records_know_together() -> None:
    """One record of the group has another address: the silence of the other is no evidence."""
    assert _choose([0, 0, 1], [(0, 2, 3.0), (1, 2, -4.0)]) == set()


@settings(deadline=None)  # a busy machine is no error
@given(
    labels=st.lists(st.integers(0, 6), min_size=2, max_size=12),
    data=st.data(),
)
def test_nobody_gets_two_partners_and_the_order_is_nothing(
    labels: list[int], data: st.DataObject
) -> None:
    ends = st.integers(0, len(labels) - 1)
    pairs = data.draw(st.lists(st.tuples(ends, ends, st.floats(-6, 12)), max_size=30))
    chosen = _choose(labels, pairs)
    partners = [group for pair in chosen for group in pair]
    odds = {group: partners.count(group) for group in partners}
    assert all(count == 1 for count in odds.values())
    assert all(low < high for low, high in chosen)
    turned = [(right, left, bits) for left, right, bits in reversed(pairs)]
    assert _choose(labels, turned) == chosen
