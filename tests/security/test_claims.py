"""Every promise of the README's threat model has its test, and the setting and command it names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cdp_pipeline.core.privacy_settings import PrivacySettings

UNIT, FAULTS = "tests/unit", "tests/faults"

PROOFS = {
    "a crash": [
        f"{FAULTS}/test_kills.py::test_a_night_killed_within_each_step",
        f"{FAULTS}/test_publication.py::test_everything_is_on_disk_before_readers_come",
        f"{FAULTS}/test_surroundings.py::test_a_full_disk_is_named_and_the_next_night_is_right",
    ],
    "two runs at once": [
        f"{FAULTS}/test_surroundings.py::test_of_runs_at_once_one_wins_and_the_others_name_it",
        f"{FAULTS}/test_surroundings.py::test_no_lock_outlives_its_holder",
    ],
    "damaged bytes": ["tests/integration/test_verify.py::test_a_flipped_bit_is_found"],
    "a file in the drop folder": [
        (
            "tests/hostile/test_hostile_files.py::"
            "test_a_file_that_cannot_be_trusted_is_refused_with_cause_and_remedy"
        ),
        "tests/security/test_injection.py::test_any_text_is_inert_in_sql",
    ],
    "a declaration": [
        "tests/security/test_injection.py::test_hostile_declarations_are_refused_with_their_file"
    ],
    "somebody who asks the warehouse": ["tests/security/test_sandbox.py::test_escapes_are_refused"],
    "another user of the machine": [
        (
            "tests/security/test_modes.py::"
            "test_whole_nights_under_a_key_are_private_though_the_umask_is_zero"
        )
    ],
    "an analyst who needs no names": [
        "tests/integration/test_vault.py::test_no_trace_of_people_is_in_any_file_for_analysts",
        "tests/integration/test_vault.py::test_the_vault_is_for_the_pipeline_alone",
    ],
    "a reader of a report": [
        f"{UNIT}/reporting/test_withholding.py::test_no_page_shows_a_small_count_of_people",
        f"{UNIT}/reporting/test_ties.py::test_two_marts_tell_no_small_count",
        f"{UNIT}/privacy/test_small_counts.py::test_grids_tell_no_small_count",
    ],
    "curiosity": [
        "tests/integration/test_audit.py::test_looking_at_a_person_is_logged",
        "tests/integration/test_audit.py::test_a_query_is_logged_by_its_tables_alone",
    ],
    "somebody who hides what they did": [
        f"{UNIT}/storage/test_audit.py::test_tampering_is_found_at_its_line",
        f"{UNIT}/storage/test_audit.py::test_versions_note_the_log_and_find_its_end_gone",
    ],
    "a stolen disk": [
        (
            f"{FAULTS}/test_encrypted_store.py::"
            "test_a_night_ends_with_everything_delivered_encrypted_and_the_next_reads_it"
        ),
        f"{UNIT}/storage/test_container.py::test_every_changed_bit_and_every_shorter_file_is_refused",
        f"{UNIT}/storage/test_exports.py::test_the_outbox_is_closed_when_its_time_is_over",
        (
            f"{UNIT}/rights/test_removals.py::"
            "test_a_list_goes_when_its_time_is_over_and_not_without_a_certificate"
        ),
        (
            f"{UNIT}/storage/test_leftovers.py::"
            "test_the_work_of_the_dead_goes_unless_it_can_be_resumed"
        ),
        f"{UNIT}/orchestration/test_doctor.py::test_what_protects_nothing_is_said_plainly",
    ],
    "secrets in logs": [
        f"{UNIT}/core/test_keys.py::test_a_key_may_not_stand_in_the_project_file",
        f"{UNIT}/core/test_keys.py::test_keys_never_show",
        "tests/security/test_injection.py::test_secrets_of_settings_never_show",
    ],
}
"""Tests by the beginning of the row that they prove."""


@pytest.fixture(scope="module")
def section(repository: Path) -> str:
    text = (repository / "README.md").read_text(encoding="utf-8")
    return text.partition("## Security")[2].partition("\n## ")[0]


def test_every_row_has_its_tests_and_they_exist(section: str, repository: Path) -> None:
    rows = [line[2:] for line in section.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        assert sum(row.startswith(beginning) for beginning in PROOFS) == 1, row
    assert len(rows) == len(PROOFS)
    for proof in (proof for proofs in PROOFS.values() for proof in proofs):
        file, _, name = proof.partition("::")
        tree = ast.parse((repository / file).read_text(encoding="utf-8"))
        assert name in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}, proof


def test_the_figures_of_the_section_are_those_of_the_settings(section: str) -> None:
    settings = PrivacySettings()
    assert f"fewer than {settings.smallest_count} people" in section
    assert re.search(rf"for {settings.outbox_days} days \(`\[tool\.cdp\.privacy\] outbox", section)
    assert f"for {settings.answer_days} (`answer_days`)" in section
