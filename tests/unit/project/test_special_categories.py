"""Special categories of personal data: flagged by contract, used nowhere without a basis."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.errors import CombinedConfigError, ConfigError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.documentation.processing import write_record
from cdp_pipeline.orchestration.checking import check_project
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.special_categories import sounds_like

CONTRACT = """\
title: Opticians
owner: stores
delivery: {path: "optician/*.csv", format: csv}
load: {mode: append, key: [visit]}
columns:
  visit: {required: true}
  finding: {special_category: health}
  shown: {value: "upper(finding)"}
  again: {value: "shown || '!'"}
  was_found: {type: boolean, value: "finding is not null", special_category: none}
feeds:
  - entity: service_contacts
    columns: {contact_id: visit}
"""
JOINING = """\
title: Calls
owner: stores
delivery: {path: "calls/*.csv", format: csv}
load: {mode: append, key: [call]}
columns: {call: {required: true}, visit: {}}
join:
  - source: optician
    by: {visit: visit}
    columns: {what: shown}
feeds:
  - entity: service_contacts
    columns: {contact_id: call, topic: what}
"""


def write(root: Path, text: str, name: str = "optician") -> Path:
    path = root / "expectations" / f"{name}.yml"
    path.write_text(text, encoding="utf-8")
    return path


def errors(root: Path) -> list[ConfigError]:
    with pytest.raises(ConfigError) as caught:
        load_project(root)
    error = caught.value
    return list(error.parts) if isinstance(error, CombinedConfigError) else [error]


@pytest.mark.parametrize("used", ["finding", "lower(FINDING)", "shown", "again", "visit || again"])
def test_a_feed_may_not_use_it_in_any_guise(project_root: Path, used: str) -> None:
    text = CONTRACT.replace("contact_id: visit}", f'contact_id: visit, topic: "{used}"}}')
    path = write(project_root, text)
    (error,) = errors(project_root)
    assert error.message.startswith("uses optician.")
    assert "health" in error.message
    assert "legal_basis: explicit_consent" in (error.hint or "")
    line = text[: text.index("topic:")].count("\n") + 1
    assert str(error.where).startswith(f"{path}:{line}:")


def test_nor_choose_rows_by_it(project_root: Path) -> None:
    text = CONTRACT + "    where: finding = 'myopia'\n"
    path = write(project_root, text)
    (error,) = errors(project_root)
    assert str(error.where).startswith(f"{path}:{text.count(chr(10))}:")


def test_nor_another_source_take_it_by_a_join(project_root: Path) -> None:
    write(project_root, CONTRACT)
    path = write(project_root, JOINING, "calls")
    (error,) = errors(project_root)
    assert str(error.where).startswith(f"{path}:9:")


def test_a_basis_in_the_contract_allows_it(project_root: Path) -> None:
    write(project_root, CONTRACT.replace("health}", "health, legal_basis: explicit_consent}"))
    write(project_root, JOINING, "calls")
    project = load_project(project_root)
    record = write_record(project, load_settings(project_root))
    assert "| optician | finding | health | explicit consent |" in record


def test_without_use_it_stays_in_the_rows_of_its_source(project_root: Path) -> None:
    write(
        project_root, CONTRACT.replace("contact_id: visit", "contact_id: visit, topic: was_found")
    )
    record = write_record(load_project(project_root), load_settings(project_root))
    assert "| optician | finding | health | not used |" in record


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("special_category: health", "special_category: helth", "health"),
        ("special_category: health", "legal_basis: explicit_consent", "none is named"),
        (
            "special_category: health",
            "special_category: health, legal_basis: authorised_by_law",
            "criminal offences",
        ),
    ],
)
def test_wrong_flags_are_refused(project_root: Path, old: str, new: str, said: str) -> None:
    write(project_root, CONTRACT.replace(old, new))
    (error,) = errors(project_root)
    assert said in str(error)


def test_columns_that_sound_like_one_are_named_with_their_place(project_root: Path) -> None:
    text = CONTRACT.replace("special_category: health", "").replace("finding", "diagnosis")
    path = write(project_root, text.replace(", special_category: none", ""))
    remarks = check_project(project_root, load_settings(project_root)).remarks
    (remark,) = [each for each in remarks if "sounds like" in each]
    assert remark.startswith(f"{path}:7:")
    assert "'diagnosis' sounds like health" in remark
    write(project_root, text.replace("diagnosis: {}", "diagnosis: {special_category: none}"))
    remarks = check_project(project_root, load_settings(project_root)).remarks
    assert not [each for each in remarks if "sounds like" in each]


@pytest.mark.parametrize(
    ("header", "category"),
    [
        ("Religionszugehörigkeit", "religion"),
        ("customer_ethnicity", "ethnic_origin"),
        ("TradeUnionMember", "trade_union"),
        ("Allergies", "health"),
        ("numéro de casier judiciaire", "criminal_offence"),
        ("sexual orientation", "sex_life"),
        ("Partei", "political_opinion"),
        ("Fingerprint", "biometric"),
        ("department", None),
        ("party_size_id", None),
        ("trace_id", None),
        ("brace_length", None),
        ("email", None),
    ],
)
def test_names_are_heard_in_several_languages(header: str, category: str | None) -> None:
    assert sounds_like(header) == category
