"""The generated populations: equal bytes, a truth that fits, and no traps of their own making."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks.linkage.populations import KINDS, make_population

SIZE = 3000


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_population(request.param, SIZE, tmp_path_factory.mktemp(request.param))


def _ask(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as con:
        for name in ("records", "truth"):
            con.execute(f"create view {name} as from read_parquet('{folder / name}.parquet')")
        con.execute(
            "create view joined as from records inner join truth using (source, record_key)"
        )
        return con.execute(sql).fetchall()


def test_equal_settings_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    kind = next(k for k in sorted(KINDS, key=len, reverse=True) if folder.name.startswith(k))
    again = make_population(kind, SIZE, tmp_path)
    other = make_population(kind, SIZE, tmp_path / "other", seed=5)
    for name in ("records.parquet", "truth.parquet"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
        assert (other / name).read_bytes() != (folder / name).read_bytes()


def test_every_record_has_one_truth(folder: Path) -> None:
    counts = [
        _ask(folder, f"select count(*) from {name}") for name in ("records", "truth", "joined")
    ]
    assert counts[0] == counts[1] == counts[2]


def test_people_live_in_one_household(folder: Path) -> None:
    sql = "from truth select person_id group by 1 having count(distinct household_id) > 1"
    assert _ask(folder, sql) == []


def test_records_say_nothing_about_the_truth(folder: Path) -> None:
    """Neighbouring keys belong to one person no more often than chance has it."""
    sql = """
        select avg((person_id = before)::int)
        from (select person_id, lag(person_id) over (order by record_key) as before from truth)
    """
    assert _ask(folder, sql)[0][0] < 0.005


@pytest.mark.parametrize("column", ["email", "phone", "payment_token"])
def test_only_junk_is_shared_by_many_households(folder: Path, column: str) -> None:
    sql = f"""
        select count(*)
        from (
            select {column} from joined where {column} is not null
            group by {column} having count(distinct household_id) between 4 and 10
        )
    """
    assert _ask(folder, sql)[0][0] <= 25


def test_names_and_birth_dates_have_no_peak(folder: Path) -> None:
    sql = """
        select max(people)
        from (
            select count(distinct person_id) as people from joined
            where birth_date > date '1901-01-01' and day(birth_date) > 1 group by birth_date
        )
    """
    assert _ask(folder, sql)[0][0] <= 8
    namesakes = """
        select max(people) from (
            select count(distinct person_id) as people from joined
            where upper(given_name) <> 'TEST' group by lower(given_name), lower(family_name)
        )
    """
    assert _ask(folder, namesakes)[0][0] <= 8
