from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.identity.stewardship.parts import Link, parts_held


def reach(links: list[Link], start: str) -> set[str]:
    neighbours = defaultdict(set)
    for left, right in links:
        neighbours[left].add(right)
        neighbours[right].add(left)
    found, border = {start}, [start]
    while border:
        for other in neighbours[border.pop()] - found:
            found.add(other)
            border.append(other)
    return found


LINKS = st.sets(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")).filter(
        lambda link: link[0] < link[1]
    ),
    max_size=14,
)


@given(LINKS)
def test_a_bridge_is_a_link_whose_removal_separates_its_ends(links: set[Link]) -> None:
    every = sorted(links)
    weights = {"a": 3, "b": 2}
    found = parts_held(every, weights)
    for link in every:
        rest = [other for other in every if other != link]
        part = reach(rest, link[0])
        assert (link in found) == (link[1] not in part)
        if link in found:
            sides = part, reach(rest, link[1])
            assert found[link] == min(sum(weights.get(n, 1) for n in side) for side in sides)


def test_a_long_chain_needs_no_recursion() -> None:
    chain = [(f"n{i:05d}", f"n{i + 1:05d}") for i in range(20_000)]
    found = parts_held(chain, {})
    assert len(found) == 20_000
    assert found[chain[0]] == 1
