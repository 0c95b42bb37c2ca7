"""What all judgements together demand: records that stay together and records that stay apart.

The rule for contradictions is declared here and nowhere else. Of two judgements on the same pair
the newest counts (of the same moment, ``different``). Where a chain of ``same`` joins two records
that are judged ``different``, different wins and the newest links of the chain that can stand
stand. A frozen customer takes nothing in. Every contradiction is reported. The order of lines in
the journal does not matter, only their time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cdp_pipeline.identity.stewardship.judgements import (
    Freeze,
    Judgements,
    PairJudgement,
    ordered_pair,
)

Pair = tuple[str, str]

DISAGREEMENT = "stewards disagree"
CHAIN = "a chain of same joins what is judged different"
FROZEN = "a frozen customer would gain records"
TORN = "frozen records are judged different"
FROZEN_TWICE = "two frozen customers hold the record"

_STRENGTH = {"different": 2, "unsure": 1, "same": 0}


@dataclass(frozen=True, order=True)
class Conflict:
    """Two judgements that cannot both hold.

    Attributes:
        kind: Which rule decided.
        pair: Records concerned.
        winner: Number of the judgement that counts.
        loser: Number of the judgement that does not.
    """

    kind: str
    pair: Pair
    winner: str
    loser: str


@dataclass(frozen=True)
class Constraints:
    """What a night must respect.

    Attributes:
        units: Unit of each judged record; the records of one unit are one customer.
        apart: Pairs of units that are never one customer, the smaller number first.
        closed: Units of frozen customers: nobody else joins them.
        conflicts: Contradictions and how they were decided.
        status: What became of each judged pair: ``(number, pair)`` to ``applied``,
            ``superseded``, ``overridden`` or ``unsure``.
    """

    units: Mapping[str, int] = field(default_factory=dict)
    apart: frozenset[tuple[int, int]] = frozenset()
    closed: frozenset[int] = frozenset()
    conflicts: tuple[Conflict, ...] = ()
    status: Mapping[tuple[str, Pair], str] = field(default_factory=dict)


def resolve(judgements: Judgements) -> Constraints:
    """Work out what the standing judgements demand."""
    pairs = [line for line in judgements.standing if isinstance(line, PairJudgement)]
    winners, status, conflicts = _newest(pairs)
    owners, frozen_ids, twice = _frozen(
        line for line in judgements.standing if isinstance(line, Freeze)
    )
    together = _Together()
    for pair, winner in sorted(winners.items()):
        if winner.verdict != "unsure":
            together.add(pair[0])
            together.add(pair[1])
        if winner.verdict == "different":
            together.part(*pair, reason=winner.id)
    conflicts += twice
    conflicts += _join_frozen(together, owners, frozen_ids)
    same = [(pair, line) for pair, line in winners.items() if line.verdict == "same"]
    for pair, line in sorted(same, key=lambda item: (item[1].at, item[0], item[1].id))[::-1]:
        conflict = _join(together, pair, line, owners, frozen_ids)
        if conflict:
            conflicts.append(conflict)
            status[line.id, pair] = "overridden"
    units = together.units()
    return Constraints(
        units=units,
        apart=together.parted(units),
        closed=frozenset(units[record] for record in owners),
        conflicts=tuple(sorted(set(conflicts))),
        status=status,
    )


def _newest(
    lines: Iterable[PairJudgement],
) -> tuple[dict[Pair, PairJudgement], dict[tuple[str, Pair], str], list[Conflict]]:
    """Return what counts for each pair; who disagrees with it is reported, who resigns is not."""
    by_pair: dict[Pair, list[PairJudgement]] = {}
    for line in lines:
        for pair in line.pairs:
            by_pair.setdefault(pair, []).append(line)
    winners: dict[Pair, PairJudgement] = {}
    status: dict[tuple[str, Pair], str] = {}
    conflicts: list[Conflict] = []
    for pair, said in by_pair.items():
        said.sort(key=lambda line: (line.at, _STRENGTH[line.verdict], line.who, line.id))
        winner = winners[pair] = said[-1]
        status.update({(line.id, pair): "superseded" for line in said})
        status[winner.id, pair] = "unsure" if winner.verdict == "unsure" else "applied"
        last_words = {line.who: line for line in said}
        conflicts += [
            Conflict(DISAGREEMENT, pair, winner.id, line.id)
            for who, line in last_words.items()
            if who != winner.who and line.verdict not in {winner.verdict, "unsure"}
        ]
    return winners, status, conflicts


def _frozen(lines: Iterable[Freeze]) -> tuple[dict[str, str], dict[str, str], list[Conflict]]:
    """Return the frozen customer of each record, and the number of its freeze."""
    newest: dict[str, Freeze] = {}
    for line in sorted(lines, key=lambda line: (line.at, line.id)):
        newest[line.customer] = line
    owners: dict[str, str] = {}
    conflicts: list[Conflict] = []
    for line in sorted(newest.values(), key=lambda line: (line.at, line.id)):
        for record in sorted(set(line.records)):
            if record in owners:
                older = newest[owners[record]]
                conflicts.append(Conflict(FROZEN_TWICE, (record, record), line.id, older.id))
            owners[record] = line.customer
    return owners, {customer: line.id for customer, line in newest.items()}, conflicts


def _join_frozen(
    together: _Together, owners: Mapping[str, str], frozen_ids: Mapping[str, str]
) -> list[Conflict]:
    parts: dict[str, list[str]] = {}
    conflicts: list[Conflict] = []
    for record, customer in sorted(owners.items()):
        together.add(record)
        fitting = None
        for part in parts.setdefault(customer, []):
            reason = together.why_apart(part, record)
            if reason is None:
                fitting = part
                break
            conflicts.append(
                Conflict(TORN, ordered_pair(part, record), reason, frozen_ids[customer])
            )
        if fitting is None:
            parts[customer].append(record)
        else:
            together.join(fitting, record)
    return conflicts


def _join(
    together: _Together,
    pair: Pair,
    line: PairJudgement,
    owners: Mapping[str, str],
    frozen_ids: Mapping[str, str],
) -> Conflict | None:
    holders = [owners.get(record) for record in pair]
    if holders[0] != holders[1]:
        frozen = next(holder for holder in reversed(holders) if holder)
        return Conflict(FROZEN, pair, frozen_ids[frozen], line.id)
    reason = together.why_apart(*pair)
    if reason is not None:
        return Conflict(CHAIN, pair, reason, line.id)
    together.join(*pair)
    return None


class _Together:
    """Groups of records with pairs of groups that must not meet."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._members: dict[str, list[str]] = {}
        self._apart: dict[str, dict[str, str]] = {}

    def add(self, record: str) -> None:
        if record not in self._parent:
            self._parent[record] = record
            self._members[record] = [record]
            self._apart[record] = {}

    def part(self, left: str, right: str, *, reason: str) -> None:
        one, other = self._find(left), self._find(right)
        self._apart[one].setdefault(other, reason)
        self._apart[other].setdefault(one, reason)

    def why_apart(self, left: str, right: str) -> str | None:
        return self._apart[self._find(left)].get(self._find(right))

    def join(self, left: str, right: str) -> None:
        kept, gone = self._find(left), self._find(right)
        if kept == gone:
            return
        if len(self._members[kept]) < len(self._members[gone]):
            kept, gone = gone, kept
        self._parent[gone] = kept
        self._members[kept] += self._members.pop(gone)
        for other, reason in self._apart.pop(gone).items():
            del self._apart[other][gone]
            self._apart[other].setdefault(kept, reason)
            self._apart[kept].setdefault(other, reason)

    def units(self) -> dict[str, int]:
        """Return numbered groups, in the order of their smallest record."""
        roots = sorted(self._members, key=lambda root: min(self._members[root]))
        numbers = {root: number for number, root in enumerate(roots)}
        return {record: numbers[self._find(record)] for record in sorted(self._parent)}

    def parted(self, units: Mapping[str, int]) -> frozenset[tuple[int, int]]:
        return frozenset(self._numbered(units))

    def _numbered(self, units: Mapping[str, int]) -> Iterator[tuple[int, int]]:
        for root, others in self._apart.items():
            for other in others:
                if units[root] < units[other]:
                    yield units[root], units[other]

    def _find(self, record: str) -> str:
        while self._parent[record] != record:
            self._parent[record] = self._parent[self._parent[record]]
            record = self._parent[record]
        return record
