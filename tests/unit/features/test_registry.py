from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cdp_pipeline.features.registry import Check, Version, admit, find_serving, is_due, train

GOOD, BAD = Check(True, "never said"), Check(False, "it was worse")  # noqa: FBT003 - holds or not


def version(day: int, **document: float) -> Version:
    return train(
        "clv",
        model="mbg/nbd",
        status="ok",
        window=(date(2026, 1, 1), date(2026, 11, day)),
        customer_count=9,
        document=document,
    )


def test_the_first_version_serves_whatever_its_gate_says() -> None:
    (first,) = admit((), version(1), [BAD])
    assert (first.is_serving, first.gate, first.reason) == (True, "failed", "it was worse")


def test_a_version_that_passes_takes_over() -> None:
    versions = admit(admit((), version(1), [GOOD]), version(8, r=2.0), [GOOD])
    assert [v.is_serving for v in versions] == [True, False]
    assert versions[0].trained_on == date(2026, 11, 8)


def test_a_version_that_fails_leaves_the_one_before_serving() -> None:
    versions = admit(admit((), version(1), [GOOD]), version(8, r=2.0), [GOOD, BAD])
    serving = find_serving(versions, "clv")
    assert serving is not None
    assert serving.trained_on == date(2026, 11, 1)
    assert versions[0].reason == "it was worse"


def test_predictions_do_not_touch_each_other() -> None:
    other = replace(version(1), prediction="churn", is_serving=True)
    versions = admit((other,), version(8), [GOOD])
    assert find_serving(versions, "churn") == other


def test_the_same_document_on_the_same_day_is_the_same_version() -> None:
    assert version(1, r=0.5).version == version(1, r=0.5).version != version(1, r=0.6).version


@pytest.mark.parametrize(
    ("day", "refit_days", "due"), [(7, 7, False), (8, 7, True), (2, 7, False), (1, 0, True)]
)
def test_training_is_due_by_age(day: int, refit_days: int, due: bool) -> None:  # noqa: FBT001 - a table
    (serving,) = admit((), version(1), [GOOD])
    assert is_due(serving, date(2026, 11, day), refit_days) is due


def test_training_is_due_without_a_version() -> None:
    assert is_due(None, date(2026, 11, 1), 7)
