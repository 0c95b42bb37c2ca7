"""Sentences are told only when every figure in them is known and safe to print."""

from __future__ import annotations

from cdp_pipeline.project.reports import Sentence
from cdp_pipeline.reporting.formats import Formatter
from cdp_pipeline.reporting.headline import fill, write_all, write_first

BRITISH = Formatter("en_GB", "GBP")


def sentence(text: str, **more: object) -> Sentence:
    return Sentence.model_validate({"from": "marts.any", "text": text, **more})


def test_placeholders_are_filled_in_lead_and_text() -> None:
    line = fill(
        sentence("Revenue is {change:change}.", lead="{name} leads."),
        {"name": "Shoes", "change": 0.072},
        BRITISH,
    )
    assert line is not None
    assert (line.lead, line.text) == ("Shoes leads.", "Revenue is up 7.2%.")


def test_a_missing_value_silences_a_sentence_and_the_next_one_speaks() -> None:
    rules = [sentence("We took {a:money}, {b:change}."), sentence("We took {a:money}.")]
    assert write_first(rules, lambda _: {"a": 5, "b": None}, BRITISH) == "We took £5.00."
    assert write_first(rules, lambda _: None, BRITISH) is None


def test_small_counts_of_people_silence_a_sentence() -> None:
    rules = [sentence("{n:people} people moved.")]
    assert write_all(rules, lambda _: {"n": 10}, BRITISH) == []
    assert write_all(rules, lambda _: {"n": 11}, BRITISH)[0].text == "11 people moved."


def test_of_a_topic_only_the_first_sentence_is_told() -> None:
    rules = [
        sentence("Refused.", topic="sources"),
        sentence("Late.", topic="sources"),
        sentence("Other."),
    ]
    assert [line.text for line in write_all(rules, lambda _: {}, BRITISH)] == ["Refused.", "Other."]
