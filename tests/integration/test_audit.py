"""Looking at people leaves a trace that names the looker and not the people."""

from __future__ import annotations

import json

import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.core.context import operating_user
from cdp_pipeline.storage.warehouse import fetch_value, open_published
from tests.integration.store import ROOT, Store


def cdp(store: Store, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    place = ["--project", str(ROOT), "--data-dir", str(store.data)]
    assert run_app([*place, *arguments]) == 0
    return capsys.readouterr().out


def test_looking_at_a_person_is_logged(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with open_published(store.data) as con:
        person = str(fetch_value(con, "select min(customer_id) from core.dim_customer"))
    cdp(store, capsys, "explain", person, "--reason", "complaint 12")
    seen = json.loads(cdp(store, capsys, "audit", "list", "--on", person, "--json"))[-1]
    assert (seen["who"], seen["did"], seen["why"]) == (operating_user(), "explain", "complaint 12")
    log = (store.data / "audit" / "log.jsonl").read_text()
    assert person not in log
    assert "explain" in cdp(store, capsys, "audit", "list")


def test_a_query_is_logged_by_its_tables_alone(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    cdp(store, capsys, "query", "select 1 from core.dim_customer where customer_id = 'Ann Smith'")
    last = json.loads(cdp(store, capsys, "audit", "list", "--limit", "1", "--json"))[0]
    assert (last["did"], last["what"]) == ("query", "core.dim_customer")


def test_nights_are_logged_and_the_log_is_whole(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = cdp(store, capsys, "audit", "list", "--limit", "100000", "--json")
    published = [entry["what"] for entry in json.loads(listed) if entry["did"] == "publish"]
    assert len(published) >= len(store.outcome.business_dates)
    assert published[0].startswith("000001-")
    assert cdp(store, capsys, "audit", "verify").startswith("whole: ")
