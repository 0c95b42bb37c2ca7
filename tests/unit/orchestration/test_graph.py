from __future__ import annotations

import gc
import json

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.orchestration.graph import Step, StepGraph


def step(name: str, *, reads: tuple[str, ...] = (), makes: tuple[str, ...] = ()) -> Step:
    return Step(name, "a:b", makes=makes or (name,), stage="s", reads=reads)


def test_edges_follow_from_data_sets() -> None:
    graph = StepGraph([step("c", reads=("a", "b")), step("b", reads=("a",)), step("a")])
    assert graph.edges == {("a", "b"), ("a", "c"), ("b", "c")}
    assert [s.name for s in graph.order] == ["a", "b", "c"]


def test_ties_keep_the_order_of_declaration() -> None:
    graph = StepGraph([step("z"), step("m", reads=("z",)), step("a", reads=("z",))])
    assert [s.name for s in graph.order] == ["z", "m", "a"]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([step("a"), step("a")], "two steps"),
        ([step("a", makes=("x",)), step("b", makes=("x",))], "made by"),
        ([step("a", reads=("x",))], "no step makes"),
        ([step("a", reads=("b",)), step("b", reads=("a",))], "cycle"),
    ],
)
def test_inconsistent_graphs_are_refused(steps: list[Step], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StepGraph(steps)


def test_a_part_is_selected_by_name() -> None:
    graph = StepGraph([step("a"), step("b", reads=("a",)), step("c", reads=("b",))])
    assert [s.name for s in graph.select(first="b")] == ["b", "c"]
    assert [s.name for s in graph.select(last="b")] == ["a", "b"]
    with pytest.raises(ConfigError, match="Known: a, b, c"):
        graph.select(first="d")


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_searched_for_as_before_once_a_step_is_loaded(*, enabled: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        assert Step("load", "json:loads", makes=("x",), stage="s").load() is json.loads
        with pytest.raises(ModuleNotFoundError):
            Step("no", "no_such_module:run", makes=("y",), stage="s").load()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()
