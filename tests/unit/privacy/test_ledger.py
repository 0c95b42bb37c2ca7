"""The consent ledger over time: merges, sources, lapsing, what was true and what was known.

A thousand random ledgers are judged by the gate and by a plain restatement of the rules.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import duckdb
import pytest

from cdp_pipeline.privacy.consent import permitted
from cdp_pipeline.project.consent_rules import ConsentRules
from tests.unit.privacy.test_consent import make_ledger

FIRST = date(2026, 1, 1)
STRICTNESS = {"granted": 0, "odd": 1, "withdrawn": 2, "objected": 3}
REASONS = ("granted", "unclear", "withdrawn", "objected")


@dataclass(frozen=True)
class Said:
    """One entry of the ledger."""

    customer_id: str
    status: str
    day: int
    purpose: str | None = "marketing"
    channel: str | None = "email"
    source: str = "shop"
    statement_id: str = ""
    recorded: int = 0
    linked: int = 0
    merged_from: str | None = None
    merged: int | None = None

    @property
    def at(self) -> datetime:
        return datetime.combine(FIRST + timedelta(self.day), time(9))

    def row(self) -> list[object]:
        return [
            *(self.customer_id, self.purpose, self.channel, self.status, self.at, self.source),
            *(self.statement_id, day(self.recorded), None, None, day(self.linked)),
            *(self.merged_from, day(self.merged)),
        ]


def day(number: int | None) -> date | None:
    return None if number is None else FIRST + timedelta(number)


def fill(con: duckdb.DuckDBPyConnection, ledger: list[Said]) -> None:
    con.execute("begin")
    marks = ", ".join("?" * 13)
    con.executemany(
        f"insert into core.fct_consents values ({marks})", [said.row() for said in ledger]
    )
    con.execute(
        "insert into core.dim_customer select distinct customer_id from core.fct_consents "
        "where customer_id not in (select customer_id from core.dim_customer)"
    )
    con.execute("commit")


def ask(
    con: duckdb.DuckDBPyConnection, rules: ConsentRules, as_of: int, known_at: int | None
) -> dict[str, tuple[str, str, str | None]]:
    gate = permitted(
        con,
        purpose="marketing",
        channel="email",
        business_date=FIRST + timedelta(as_of),
        rules=rules,
        known_at=day(known_at),
    )
    rows = con.execute(f"select customer_id, reason, rule, statement_id from {gate}").fetchall()
    return {name: (reason, rule, entry) for name, reason, rule, entry in rows}


def is_known(said: Said, known_at: int | None) -> bool:
    return known_at is None or max(said.recorded, said.linked) <= known_at


def is_relevant(said: Said, rules: ConsentRules, as_of: int) -> bool:
    if said.status != "granted":
        names_it = said.purpose in ("marketing", None) and said.channel in ("email", None)
        return names_it and min(said.day, said.recorded) <= as_of
    lasts = rules.grant_lasts_days.get("marketing", as_of + 1)
    return (
        (said.purpose, said.channel) == ("marketing", "email")
        and said.day <= as_of < said.day + lasts
        and said.source not in rules.distrusted_grants
    )


def expected(
    ledger: list[Said], rules: ConsentRules, as_of: int, known_at: int | None
) -> tuple[str, str, str | None]:
    """Restate the rules for one person, without SQL."""
    counts = [s for s in ledger if is_known(s, known_at) and is_relevant(s, rules, as_of)]
    voices: dict[tuple[str, str], list[Said]] = {}
    for s in counts:
        person = ""
        if rules.merged_people == "most_restrictive" and s.merged_from:
            former = [c for c in counts if c.merged_from == s.merged_from]
            speakers = [c for c in counts if c.merged_from in (None, s.merged_from)]
            latest = max((c.day for c in speakers), default=-1)
            if any(latest <= (c.merged or 0) for c in former):
                person = s.merged_from
        source = s.source if rules.between_sources == "most_restrictive" else ""
        voices.setdefault((person, source), []).append(s)
    if not voices:
        return "never_asked", "default_deny", None
    words = [
        (min(v, key=lambda s: (-s.day, -STRICTNESS[s.status], s.source, s.statement_id)), voice)
        for voice, v in voices.items()
    ]
    word, _ = min(
        words,
        key=lambda w: (
            -STRICTNESS[w[0].status], -w[0].day, w[0].source, w[0].statement_id, w[1][0],
        ),
    )  # fmt: skip
    if len({s.status for s, _ in words}) == 1:
        rule = "last_word"
    else:
        rule = "merged_people" if len({p for _, (p, _) in words}) > 1 else "between_sources"
    return REASONS[STRICTNESS[word.status]], rule, word.statement_id


def random_ledger(rng: random.Random, name: str) -> list[Said]:
    parties = [(None, None), ("X", rng.randrange(20)), ("Y", rng.randrange(20))]
    ledger = []
    for number in range(rng.randrange(8)):
        merged_from, merged = rng.choice(parties)
        said = rng.randrange(20)
        ledger.append(
            Said(
                name,
                rng.choice(["granted", "granted", "granted", "withdrawn", "objected", "odd"]),
                said,
                rng.choice(["marketing", "marketing", "marketing", "profiling", None]),
                rng.choice(["email", "email", "email", "sms", None]),
                rng.choice(["shop", "till", "list"]),
                f"s{number}",
                recorded=max(0, said + rng.choice([-1, 0, 0, 0, 1, 5, 12])),
                linked=merged or 0,
                merged_from=merged_from,
                merged=merged,
            )
        )
    return ledger


RULE_SETS = (
    ConsentRules(),
    ConsentRules(between_sources="most_restrictive", grant_lasts_days={"marketing": 9}),
    ConsentRules(merged_people="newest", distrusted_grants=("list",)),
)


def test_a_thousand_random_ledgers_are_judged_by_the_rules() -> None:
    rng = random.Random(7)  # noqa: S311 - no secret
    ledgers = {f"C{number:04}": [] for number in range(1000)}
    for name in ledgers:
        ledgers[name] = random_ledger(rng, name)
    con = make_ledger()
    con.executemany("insert into core.dim_customer values (?)", [[name] for name in ledgers])
    fill(con, [said for ledger in ledgers.values() for said in ledger])
    reasons = set()
    for rules in RULE_SETS:
        for as_of, known_at in ((19, None), (19, 19), (10, 19), (10, 10), (4, 15), (15, 4)):
            found = ask(con, rules, as_of, known_at)
            wanted = {n: expected(said, rules, as_of, known_at) for n, said in ledgers.items()}
            assert found == wanted
            reasons |= {(reason, rule) for reason, rule, _ in found.values()}
    con.close()
    assert len(reasons) > 8  # the rules were all in play


def test_the_order_of_delivery_changes_nothing() -> None:
    rng = random.Random(8)  # noqa: S311 - no secret
    ledger = [said for number in range(60) for said in random_ledger(rng, f"C{number}")]
    answers = []
    for _ in range(3):
        rng.shuffle(ledger)
        con = make_ledger()
        fill(con, ledger)
        answers.append(ask(con, ConsentRules(), 15, None))
        con.close()
    assert answers[0] == answers[1] == answers[2]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = make_ledger()
    yield connection
    connection.close()


def test_after_a_merge_the_refusal_holds_until_somebody_speaks(
    con: duckdb.DuckDBPyConnection,
) -> None:
    merged = {"merged_from": "C9", "merged": 10, "linked": 10}
    fill(
        con,
        [
            Said("held", "granted", 5),
            Said("held", "withdrawn", 2, **merged),
            Said("spoke", "granted", 12),
            Said("spoke", "withdrawn", 2, **merged),
            Said("same day", "granted", 10),
            Said("same day", "withdrawn", 2, **merged),
        ],
    )
    found = ask(con, ConsentRules(), 15, None)
    assert {name: answer[:2] for name, answer in found.items()} == {
        "held": ("withdrawn", "merged_people"),
        "spoke": ("granted", "last_word"),
        "same day": ("withdrawn", "merged_people"),
    }
    assert ask(con, ConsentRules(merged_people="newest"), 15, None)["held"][0] == "granted"


def test_what_was_true_and_what_was_known_are_two_questions(
    con: duckdb.DuckDBPyConnection,
) -> None:
    fill(con, [Said("ann", "granted", 1, recorded=1), Said("ann", "withdrawn", 3, recorded=8)])
    assert ask(con, ConsentRules(), 2, 20)["ann"][0] == "granted"
    assert ask(con, ConsentRules(), 5, 20)["ann"][0] == "withdrawn"
    assert ask(con, ConsentRules(), 5, 5)["ann"][0] == "granted"
    assert ask(con, ConsentRules(), 5, 8)["ann"][0] == "withdrawn"
