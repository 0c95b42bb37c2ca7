from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from cdp_pipeline.core.errors import ConfigError, ContractError
from cdp_pipeline.identity.files.link import LinkResult, link_files, link_tables, read_config
from cdp_pipeline.identity.measuring.grading import grade_files
from cdp_pipeline.project.linkage import LinkConfig
from cdp_pipeline.storage.outputs import check_output, write_table

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person

RENAMED = {
    "record_key": "record_id",
    "given_name": "Vorname",
    "family_name": "Nachname",
    "birth_date": "Geburtsdatum",
    "email": "E-Mail",
    "phone": "Telefon",
    "street": "Strasse",
    "postcode": "PLZ",
    "loyalty_id": "card_number",
}


def _frame(people: list[Person], source: str) -> pd.DataFrame:
    rows = [person for person in people if person["source"] == source]
    frame = pd.DataFrame(rows)[list(set(RENAMED) & set(rows[0]))].rename(columns=RENAMED)
    if "Geburtsdatum" in frame:
        frame["Geburtsdatum"] = [
            d.strftime("%d.%m.%Y") if isinstance(d, date) else None for d in frame["Geburtsdatum"]
        ]
    return frame[sorted(frame.columns)]


@pytest.fixture(scope="module")
def files(families: list[Person], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for source in ("loyalty", "shop"):
        paths.append(folder / f"{source}.csv")
        _frame(families, source).to_csv(paths[-1], index=False, sep=";")
    return paths


@pytest.fixture(scope="module")
def linked(files: list[Path]) -> LinkResult:
    return link_files(files)


def test_two_files_in_german_become_people(linked: LinkResult, tmp_path: Path) -> None:
    assert linked.clusters.column_names == ["source", "record_id", "entity_id", "probability"]
    assert linked.clusters.num_rows == 240
    write_table(linked.clusters, tmp_path / "c.csv")
    write_table(linked.edges, tmp_path / "e.parquet")
    truth = linked.clusters.select(["source", "record_id"]).append_column(
        "person", linked.clusters.column("record_id")
    )
    write_table(truth.rename_columns(["source", "record_id", "person_id"]), tmp_path / "t.csv")
    grade = grade_files(tmp_path / "c.csv", tmp_path / "t.csv", edges=tmp_path / "e.parquet")
    assert grade.counts["persons"] == 120
    assert grade.pairwise.f1 >= 0.95
    assert sum(row["edges"] for row in grade.calibration) == linked.edges.num_rows


def test_equal_files_give_equal_bytes(
    files: list[Path], linked: LinkResult, tmp_path: Path
) -> None:
    again = link_files(files)
    assert again.report() == linked.report()
    for name in ("clusters", "edges", "parameters"):
        for result, path in ((linked, tmp_path / "a.csv"), (again, tmp_path / "b.csv")):
            write_table(getattr(result, name), path)
        assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_frames_tables_and_parquet_give_what_csv_gives(
    families: list[Person], linked: LinkResult, tmp_path: Path
) -> None:
    frames = [_frame(families, source) for source in ("loyalty", "shop")]
    from_frames = link_tables(*frames, names=["loyalty", "shop"])
    assert from_frames.clusters.equals(linked.clusters)
    paths = []
    for name, frame in zip(("loyalty", "shop"), frames, strict=True):
        paths.append(tmp_path / f"{name}.parquet")
        parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), paths[-1])
    assert link_files(paths).clusters.equals(linked.clusters)


def test_the_page_tells_all_and_holds_no_values(linked: LinkResult) -> None:
    page = linked.report()
    for told in ("240 records", "Vorname", "day first", "given name", "same mailbox"):
        assert told in page
    assert "Ashdown" not in page
    assert "@example.com" not in page
    assert "<script" not in page


def test_records_with_identifiers_only_follow_their_holder() -> None:
    people = pa.table(
        {
            "first_name": ["Anna", "Anna", "Bob", None, None],
            "last_name": ["Lee", "Lee", "Stone", None, None],
            "dob": ["1980-02-11", "1980-02-11", "1975-05-30", None, None],
            "email": ["anna@web.de", None, "bob@web.de", "anna@web.de", "x@web.de"],
        }
    )
    found = link_tables(people).clusters.column("entity_id").to_pylist()
    assert found[0] == found[3]
    assert len({found[0], found[2], found[4]}) == 3


def test_a_file_of_unknown_columns_is_refused_until_they_are_named() -> None:
    people = pa.table({"foo": ["Anna Lee", "Anna Lee", "Bob Stone"], "bar": ["1", "2", "3"]})
    with pytest.raises(ContractError, match="no column tells anything") as caught:
        link_tables(people)
    assert "foo" in (caught.value.hint or "")
    config = LinkConfig.model_validate({"columns": {"foo": "full_name", "bar": "ignore"}})
    assert link_tables(people, config=config).counts["records"] == 3
    wrong = LinkConfig.model_validate({"columns": {"foo": "fullname"}})
    with pytest.raises(ConfigError, match="not a role"):
        link_tables(people, config=wrong)


def test_link_only_compares_different_sources() -> None:
    people = pd.DataFrame(
        {
            "first_name": [f"Name{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(80)],
            "last_name": [f"Family{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(80)],
            "dob": [f"19{10 + n}-0{1 + n % 9}-1{n % 10}" for n in range(80)],
        }
    )
    found = link_tables(people, people.iloc[:40], link_only=True)
    edges = found.edges.to_pylist()
    assert edges
    assert all(edge["source_a"] != edge["source_b"] for edge in edges)


def test_nothing_is_linked_to_a_file_of_nobody() -> None:
    people = pd.DataFrame(
        {
            "first_name": ["Anna", "Bert", "Carla", "Anna", "Bert", "Carla"],
            "last_name": ["Smithers", "Barnes", "Dale", "Smithers", "Barnes", "Dale"],
        }
    )
    nobody = pd.DataFrame(
        {"first_name": ["Unknown", "Test"] * 3, "last_name": ["None", "Customer"] * 3}
    )
    found = link_tables(people, nobody, link_only=True)
    assert found.edges.num_rows == 0
    assert found.counts["records"] == 12


def test_a_configuration_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "link.yml"
    path.write_text("accept: 0.8\nreview: 0.9\n")
    with pytest.raises(ConfigError, match="lies above"):
        read_config(path)
    path.write_text("acept: 0.8\n")
    with pytest.raises(ConfigError, match="acept"):
        read_config(path)
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "none.yml")
    assert read_config(None, accept=0.1).review == 0.1


@pytest.mark.parametrize("name", ["out.xlsx", "out", "missing/out.csv"])
def test_an_impossible_output_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        check_output(tmp_path / name)


def _write(path: Path, **columns: list[str]) -> Path:
    arrow_csv.write_csv(pa.table(columns), path)
    return path


CLUSTERS = {"record_id": list("abcdef"), "entity_id": ["1", "1", "1", "2", "3", "3"]}


def test_figures_are_exact(tmp_path: Path) -> None:
    clusters = _write(tmp_path / "c.csv", **CLUSTERS)
    truth = _write(tmp_path / "t.csv", id=list("abcdef"), person=["p", "p", "q", "q", "r", "r"])
    grade = grade_files(clusters, truth)
    assert (grade.pairwise.precision, grade.pairwise.recall) == (2 / 4, 2 / 3)
    assert grade.b_cubed.precision == pytest.approx((4 / 3 + 1 / 3 + 1 + 2) / 6)
    assert grade.b_cubed.recall == pytest.approx((2 + 1 / 2 + 1 / 2 + 2) / 6)
    assert (grade.exact.precision, grade.exact.recall) == (1 / 3, 1 / 3)
    assert grade.counts["mixed_entities"] == grade.counts["split_persons"] == 1
    assert [row["id"] for row in grade.false_merges] == ["1"]
    assert [row["id"] for row in grade.splits] == ["q"]


def test_truth_may_be_pairs(tmp_path: Path) -> None:
    clusters = _write(tmp_path / "c.csv", **CLUSTERS)
    truth = _write(tmp_path / "t.csv", rec_id_1=["a", "c", "e"], rec_id_2=["b", "d", "f"])
    assert grade_files(clusters, truth).pairwise.precision == 2 / 4


def test_an_answer_that_looks_like_record_ids_is_the_answer(tmp_path: Path) -> None:
    clusters = _write(tmp_path / "c.csv", record_id=["0", "1", "2"], entity_id=["x", "x", "y"])
    truth = _write(tmp_path / "t.csv", unique_id=["0", "1", "2"], cluster=["0", "0", "1"])
    grade = grade_files(clusters, truth)
    assert grade.counts["persons"] == 2
    assert grade.pairwise.f1 == 1


def test_six_records_suffice_and_a_number_of_each_record_is_its_id() -> None:
    people = pd.DataFrame(
        [
            ("11", "Jürgen", "Müller", "05.03.1961", "Hauptstr. 12", "10115", "j.mueller@web.de"),
            ("12", "Juergen", "Mueller", "5.3.1961", "Hauptstraße 12", "10115", None),
            ("13", "Anna", "Schmidt", "17.11.1984", "Gartenweg 3", "80331", "anna.s@gmx.de"),
            ("14", "Anna", "Schmitd", "17.11.1984", "Gartenweg 3a", "80331", "anna.s@gmx.de"),
            ("15", "Peter", "Groß", "01.12.1970", "Am Markt 1", "50667", "p.gross@web.de"),
            ("16", "Gross", "Peter", "01.12.1970", "Am Markt 1", "50667", None),
        ],
        columns=["Kundennr", "Vorname", "Nachname", "Geburtsdatum", "Straße", "PLZ", "E-Mail"],
    )
    found = link_tables(people).clusters
    assert found.column("record_id").to_pylist() == ["11", "12", "13", "14", "15", "16"]
    assert [e[-1] for e in found.column("entity_id").to_pylist()] == list("112233")


def test_ages_of_two_years_are_set_against_each_other() -> None:
    people = pd.DataFrame(
        {
            "first_name": [f"Anna{chr(97 + n % 26)}" for n in range(60)],
            "last_name": [f"Lee{chr(97 + n // 26)}{chr(97 + n % 7)}" for n in range(60)],
            "zip": [f"{27000 + n * 13}" for n in range(60)],
            "age": [str(20 + n) for n in range(60)],
        }
    )
    later = people.assign(age=[str(24 + n) for n in range(60)])
    rows = link_tables(people, later).parameters.to_pylist()
    same = [r for r in rows if (r["comparison"], r["level"]) == ("year of birth", "same")]
    assert same[0]["m_prob"] > 0.9


def _born_from(name: str, born: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "full_name": [
                f"{name}{chr(97 + n % 26)} Lee{chr(97 + n // 26)}{chr(97 + n % 7)}"
                for n in range(len(born))
            ],
            "birth year": [str(year) for year in born],
        }
    )


def test_ages_are_counted_back_from_the_year_that_fits_the_namesakes_years_of_birth() -> None:
    born = [1790 + n % 50 for n in range(80)]
    baptisms = _born_from("Anna", born)
    census = baptisms.assign(age=[str(1851 - year) for year in born]).drop(columns="birth year")
    rows = link_tables(census, baptisms).parameters.to_pylist()
    same = [r for r in rows if (r["comparison"], r["level"]) == ("year of birth", "same")]
    assert same[0]["m_prob"] > 0.9


def test_a_column_of_years_says_when_each_age_was_told() -> None:
    born = [1790 + n % 50 for n in range(80)]
    once, again = _born_from("Anna", born), _born_from("Anna", born)
    once["age"], once["census_year"] = [str(1851 - year) for year in born], "1851"
    again["age"], again["census_year"] = [str(1861 - year) for year in born], "1861"
    stacked = pd.concat([once, again]).drop(columns="birth year")
    rows = link_tables(stacked).parameters.to_pylist()
    same = [r for r in rows if (r["comparison"], r["level"]) == ("year of birth", "same")]
    assert same[0]["m_prob"] > 0.9


def test_namesakes_who_stayed_where_they_were_born_are_not_joined_for_that() -> None:
    draw = random.Random(11)  # noqa: S311 - no secret
    parts = ("hof", "ter", "wie", "pop", "dek", "lan", "rij", "sto", "gro", "kam")
    given = [f"{a}{b}" for a in ("Jan", "Piet", "Kees", "Wim", "Dirk") for b in ("", "je", "us")]
    families = [f"{a}{b}ma" for a in parts for b in parts]
    towns = [f"{part}dam" for part in parts]
    people, person = [], []
    for number in range(1500):
        born = draw.choice(towns)
        town = born if draw.random() < 0.85 else draw.choice(towns)
        name, family = draw.choice(given), draw.choice(families)
        year = draw.randint(1790, 1840)
        for census in (1851, 1861):
            spelled = family.replace("a", "ae", 1) if draw.random() < 0.2 else family
            age = census - year + draw.choice([0, 0, 0, 1])
            people.append((name, spelled, town, born, str(age), str(census)))
            person.append(number)
    columns = ["first_name", "last_name", "town", "birth_place", "age", "census_year"]
    found = link_tables(pd.DataFrame(people, columns=columns))
    held: dict[str, set[int]] = {}
    for entity, number in zip(found.clusters.column("entity_id").to_pylist(), person, strict=True):
        held.setdefault(entity, set()).add(number)
    assert sum(len(together) > 1 for together in held.values()) < 0.03 * len(held)
    assert len(held) < 1700


def test_records_without_a_name_are_joined_by_what_they_hold() -> None:
    people = pd.DataFrame({"email": [f"a{number // 2}@web.de" for number in range(60)]})
    assert link_tables(people).counts["entities"] == 30


def test_a_truth_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    clusters = _write(tmp_path / "c.csv", **CLUSTERS)
    truth = _write(tmp_path / "t.csv", x=list("uvwxyz"), y=list("pqrstu"), z=list("aabbcc"))
    with pytest.raises(ConfigError, match="cannot tell"):
        grade_files(clusters, truth)
    with pytest.raises(ContractError, match="lack the column"):
        grade_files(truth, clusters)
