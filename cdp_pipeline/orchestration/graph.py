"""Steps and the graph that their data sets make.

Imports nothing heavy: Airflow parses this for every DAG file. What the steps are is decided in
``steps``; how they are run in ``runner`` and ``airflow``.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib import import_module

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.errors import ConfigError


@dataclass(frozen=True)
class Step:
    """One unit of work of the night.

    Attributes:
        name: Stable name: the Airflow task id.
        entry: ``module:function``, imported only when the step runs.
        reads: Data sets that must exist before.
        makes: Data sets that exist afterwards.
        stage: Group shown to people.
        params: Keyword arguments of the entry.
        writes_warehouse: Needs the one slot of the build file.
        retries: Tries after the first, for transient errors only.
        summary: What it does, in a few words.
    """

    name: str
    entry: str
    makes: tuple[str, ...]
    stage: str
    reads: tuple[str, ...] = ()
    params: dict[str, str | bool] = field(default_factory=dict)
    writes_warehouse: bool = False
    retries: int = 0
    summary: str = ""

    def load(self) -> Callable[..., StepResult]:
        """Import and return the entry."""
        module, _, function = self.entry.partition(":")
        with _collecting_nothing():
            entry: Callable[..., StepResult] = getattr(import_module(module), function)
        return entry

    def run(self, context: RunContext) -> StepResult:
        """Run the entry."""
        return self.load()(context, **self.params)


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Put off the search for garbage: imports leave none, and search all that they have made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class StepGraph:
    """Steps with edges computed from what they read and make.

    Args:
        steps: In any order.

    Raises:
        ConfigError: Two makers of one data set, a data set nobody makes, or a cycle.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        """Compute the edges; see the class for errors."""
        self.steps: dict[str, Step] = {}
        makers: dict[str, str] = {}
        for step in steps:
            if step.name in self.steps:
                raise ConfigError(f"two steps are named {step.name!r}", where="step graph")
            self.steps[step.name] = step
            for data_set in step.makes:
                if data_set in makers:
                    raise ConfigError(
                        f"{data_set!r} is made by {makers[data_set]!r} and {step.name!r}",
                        where="step graph",
                        hint="One data set has one maker.",
                    )
                makers[data_set] = step.name
        self.needs = {step.name: self._needs(step, makers) for step in self.steps.values()}
        self.order = self._sort()

    def _needs(self, step: Step, makers: dict[str, str]) -> tuple[str, ...]:
        for data_set in step.reads:
            if data_set not in makers:
                raise ConfigError(
                    f"step {step.name!r} reads {data_set!r}, which no step makes",
                    where="step graph",
                )
        return tuple(sorted({makers[data_set] for data_set in step.reads}))

    def _sort(self) -> tuple[Step, ...]:
        # static_order alone is unstable between processes; ties are broken by declaration order.
        position = {name: number for number, name in enumerate(self.steps)}
        sorter = TopologicalSorter(self.needs)
        ordered: list[Step] = []
        try:
            sorter.prepare()
        except CycleError as error:
            raise ConfigError(f"steps form a cycle: {error.args[1]}", where="step graph") from error
        ready: list[str] = []
        while sorter.is_active():
            ready = sorted([*ready, *sorter.get_ready()], key=lambda name: position[name])
            name = ready.pop(0)
            ordered.append(self.steps[name])
            sorter.done(name)
        return tuple(ordered)

    @property
    def edges(self) -> set[tuple[str, str]]:
        """All pairs (before, after)."""
        return {(before, after) for after, needs in self.needs.items() for before in needs}

    def select(self, *, first: str | None = None, last: str | None = None) -> tuple[Step, ...]:
        """Return the steps from ``first`` to ``last`` in running order.

        Raises:
            ConfigError: A name is unknown; suggests the known ones.
        """
        names = [step.name for step in self.order]
        for name in filter(None, (first, last)):
            if name not in names:
                raise ConfigError(
                    f"unknown step {name!r}",
                    where="--from/--to",
                    hint=f"Known: {', '.join(names)}.",
                )
        begin = names.index(first) if first else 0
        end = names.index(last) + 1 if last else len(names)
        return self.order[begin:end]
