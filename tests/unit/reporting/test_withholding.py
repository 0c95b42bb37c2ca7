"""What readers of reports may see: small counts are withheld, with what would give them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.privacy.small_counts import Withheld, is_small
from cdp_pipeline.project.reports import ReportSpec
from cdp_pipeline.project.tables import Sum, TableHeader
from cdp_pipeline.reporting.remembered import Remembered, read_remembered, write_remembered
from cdp_pipeline.reporting.withholding import (
    MartReader,
    PeopleColumns,
    Seen,
    find_hidden_together,
    people_columns,
    remember_hidden,
)
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.reporting.conftest import Night

K = 11
FEW, HIDDEN = Withheld.FEW, Withheld.HIDDEN


def header(*columns: str, key: str = "name", **more: object) -> TableHeader:
    return TableHeader.model_validate(
        {
            "name": "any",
            "description": "Any mart.",
            "grain": "one row a name",
            "key": [key],
            "owner": "me",
            "columns": dict.fromkeys((key, *columns), "Any"),
            **more,
        }
    )


def hidden(
    rows: list[dict[str, Any]], of: TableHeader, columns: PeopleColumns
) -> dict[str, dict[str, Withheld]]:
    found = find_hidden_together({of.name: Seen(rows, of, columns)}, smallest=K)
    return {str(key[0]): marks for key, marks in found[of.name].items() if marks}


def named(column: str, **counts: int | None) -> list[dict[str, Any]]:
    return [{"name": name, column: count} for name, count in counts.items()]


def test_rows_of_a_mart_add_up_unless_its_header_denies_it() -> None:
    rows, counts = named("n", a=492, b=3, c=25, d=None), PeopleColumns({"n"})
    assert hidden(rows, header("n"), counts) == {"b": {"n": HIDDEN}, "c": {"n": HIDDEN}}
    assert hidden(rows, header("n", sums=()), counts) == {"b": {"n": FEW}}


def test_days_do_not_add_up() -> None:
    rows = [{"day_on": day, "n": n} for day, n in (("Mon", 492), ("Tue", 3), ("Wed", 25))]
    assert hidden(rows, header("n", key="day_on"), PeopleColumns({"n"})) == {"Tue": {"n": FEW}}


def test_what_adds_up_in_a_row_is_hidden_in_pairs() -> None:
    flow = header(
        "before",
        "came",
        "went",
        "after",
        sums=[Sum(of=("before", "came"), less=("went",), total="after")],
    )
    row = {"name": "a", "before": 500, "came": 40, "went": 3, "after": 537}
    counts = PeopleColumns({"before", "came", "went", "after"})
    assert hidden([row], flow, counts) == {"a": {"came": HIDDEN, "went": HIDDEN}}


def test_a_change_does_not_tell_the_count_of_the_night_before() -> None:
    rows = [
        {"name": "a", "n": 15, "change": 12},
        {"name": "b", "n": 200, "change": 2},
        {"name": "c", "n": 4, "change": -20},
        {"name": "d", "n": 300, "change": 0},
    ]
    counts = PeopleColumns({"n"}, changes={"change": "n"})
    found = hidden(rows, header("n", "change", sums=()), counts)
    assert found == {"a": {"change": HIDDEN}, "c": {"n": FEW, "change": HIDDEN}}


def report(*blocks: dict[str, object], **more: object) -> ReportSpec:
    return ReportSpec.model_validate(
        {"name": "r", "title": "R", "owner": "me", "audience": "All", "blocks": blocks, **more}
    )


def test_all_reports_together_say_what_counts_people() -> None:
    count = {"column": "n", "format": "people"}
    share = {"column": "share", "format": "share", "people": "part"}
    change = {"column": "change", "format": "people_change", "people": "n"}
    one = report({"kind": "table", "from": "marts.m", "columns": [{"column": "name"}, count]})
    two = report(
        {"kind": "table", "from": "marts.m", "columns": [share, change]},
        {"kind": "table", "from": "marts.other", "columns": [{"column": "x", "format": "people"}]},
        changes=[{"from": "marts.m", "text": "{told:people} people."}],
    )
    found = people_columns([one, two], "marts.m")
    assert found.counts == {"n", "part", "told"}
    assert found.resting == {"share": {"part"}, "change": {"n"}}
    assert found.changes == {"change": "n"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=2, max_size=8))
def test_no_small_count_is_what_the_others_leave_of_the_total(counts: list[int]) -> None:
    rows = [{"name": str(n), "n": count} for n, count in enumerate(counts)]
    found = hidden(rows, header("n"), PeopleColumns({"n"}))
    small = [str(n) for n, count in enumerate(counts) if is_small(count, K)]
    assert set(small) <= set(found)
    assert len(found) != 1 or sum(counts) < K


def nights(*tables: dict[str, int]) -> list[set[str]]:
    """Return which names' counts are hidden, night after night; their total is known."""
    before, found = Remembered(), []
    for counts in tables:
        seen = {"m": Seen(named("n", **counts), header("n"), PeopleColumns({"n"}))}
        marks = find_hidden_together(seen, smallest=K, before=before)
        before = remember_hidden(seen, marks, smallest=K, before=before)
        found.append({str(key[0]) for key, hidden in marks["m"].items() if hidden})
    return found


def test_what_protected_a_small_count_is_not_shown_the_night_after() -> None:
    """With b as it was the night before, the small one would be the rest of that night's total."""
    before, after = {"a": 3, "b": 25, "c": 492}, {"a": 12, "b": 26, "c": 497}
    assert nights(after) == [set()], "alone it hides nothing"
    assert nights(before, after) == [{"a", "b"}, {"a", "b"}]
    assert nights(before, before) == [{"a", "b"}, {"a", "b"}]


def test_what_is_kept_stays_hidden_when_the_whole_becomes_small() -> None:
    before, after = {"a": 0, "b": 1, "c": 10}, {"a": 0, "b": 0, "c": 10}
    assert nights(before, after) == [{"b", "c"}, {"b", "c"}]


def test_it_is_shown_again_when_it_tells_nothing_of_then() -> None:
    grown = {"a": 14, "b": 36, "c": 492}
    assert nights({"a": 3, "b": 25, "c": 492}, grown) == [{"a", "b"}, set()]
    # a few more each night are as many in the end, whatever they were in between
    drifting = [{"a": 3 + 5 * n, "b": 25 + 5 * n, "c": 492} for n in range(5)]
    assert nights(*drifting) == [{"a", "b"}] * 4 + [set()]
    # and what it was on the first of several such nights is not told on the way back
    back = [{"a": 3, "b": 25, "c": 492}, {"a": 3, "b": 45, "c": 492}, {"a": 40, "b": 25, "c": 492}]
    assert "b" in nights(*back)[2]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 60), min_size=3, max_size=7),
    changes=st.lists(st.lists(st.integers(-K + 1, K - 1), min_size=7, max_size=7), max_size=3),
)
def test_no_later_night_gives_a_small_count_back(
    counts: list[int], changes: list[list[int]]
) -> None:
    """Known are all totals and whatever is shown; who guesses that a count stayed is far off."""
    tables = [{str(n): count for n, count in enumerate(counts)}]
    for change in changes:
        tables.append({name: max(0, tables[0][name] + change[int(name)]) for name in tables[0]})
    hidden_by_night = nights(*tables)
    for night, (table, hidden) in enumerate(zip(tables, hidden_by_night, strict=True)):
        if sum(table.values()) < K:  # a total that is hidden itself
            continue
        for name in (n for n, count in table.items() if is_small(count, K)):
            told = zip(tables[night:], hidden_by_night[night:], strict=True)
            given = {
                other
                for later, unseen in told
                for other in later
                if _is_told(other, later, unseen) and abs(later[other] - table[other]) < K
            }
            others = [other in given for other in hidden - {name}]
            assert not all(others), (name, tables, hidden_by_night)


def _is_told(name: str, table: dict[str, int], hidden: set[str]) -> bool:
    """Return whether a night tells a count, shown or as the rest of a total that is shown."""
    return name not in hidden or (hidden == {name} and sum(table.values()) >= K)


def test_a_night_that_is_run_again_hides_the_same(tmp_path: Path) -> None:
    before = Remembered({("m", "a", "n"): (3, 9)})
    after = before.after({("m", "a", "n"): 12, ("m", "b", "n"): 4}, [("m", "b", "n")])
    assert after == Remembered({("m", "a", "n"): (3, 9), ("m", "b", "n"): (4, 4)})
    write_remembered(tmp_path, before, after, business_date="2026-11-20")
    assert read_remembered(tmp_path, business_date="2026-11-20") == before
    assert read_remembered(tmp_path, business_date="2026-11-21") == after
    assert read_remembered(None, business_date="2026-11-21") == Remembered()
    assert after.after({}, []) == Remembered(), "rows that are gone are forgotten"


def test_no_page_shows_a_small_count_of_people(
    rendered: Night, record_property: Callable[[str, object], None]
) -> None:
    """Every mart that a shipped report reads, as its readers see it."""
    looked = 0
    with open_build(rendered.context) as con:
        reader = MartReader(con, rendered.project, smallest=K)
        for mart in sorted({m for r in rendered.project.reports.values() for m in r.marts}):
            columns = people_columns(rendered.project.reports.values(), mart)
            for row in reader.rows(mart, limit=400):
                for column in columns.counts:
                    looked += 1
                    assert not is_small(row[column], K), (mart, column)
                for column, counts in columns.resting.items():
                    if any(isinstance(row[count], Withheld) for count in counts):
                        assert isinstance(row[column], Withheld), (mart, column)
    record_property("counts in reports", looked)
    assert looked > 500


@pytest.mark.parametrize("smallest", [3, 11, 200])
def test_the_setting_decides(rendered: Night, smallest: int) -> None:
    with open_build(rendered.context) as con:
        reader = MartReader(con, rendered.project, smallest=smallest)
        rows = reader.rows("marts.rfm_grid", limit=400)
    shown = [
        row["customer_count"] for row in rows if not isinstance(row["customer_count"], Withheld)
    ]
    assert all(count == 0 or count >= smallest for count in shown)


def test_sums_of_unknown_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="sums name 'm', which is not among `columns:`"):
        header("n", sums=[Sum(of=("n",), total="m")])
