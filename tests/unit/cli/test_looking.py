"""Who looks a person up beside an erasure works in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.rights import erasure

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    version = tmp_path / "data" / "warehouse" / "versions" / "000001-2026-11-20"
    version.mkdir(parents=True)
    (tmp_path / "data" / "warehouse" / "current").symlink_to(version)
    return tmp_path / "data"


@pytest.mark.parametrize("command", ["access", "consent"])
def test_copies_in_clear_are_their_own(
    data: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Or they take a copy that an erasure is changing, and remove it in the end."""
    runs: list[str] = []

    @contextmanager
    def open_nothing(_: RunContext) -> Iterator[None]:
        yield

    def find_people(_: None, context: RunContext, __: object) -> list[Subject]:
        runs.append(context.run_id)
        assert context.business_date == date(2026, 11, 20)
        assert (data / "work" / context.run_id).is_dir()
        raise ConfigError("nobody", where="here", hint="none")

    monkeypatch.setattr(erasure, "open_resolver", open_nothing)
    monkeypatch.setattr(erasure, "find_people", find_people)
    run_app(["--project", str(PROJECT), "--data-dir", str(data), command, "anna@x.example"])
    assert [run.startswith("looking-privacy-") for run in runs] == [True]
    assert list((data / "work").iterdir()) == []


def test_what_rows_of_no_customer_permit_is_not_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def open_nothing(_: RunContext) -> Iterator[None]:
        yield

    rows = Subject(customers=(), records=(("mail", "bare"),))
    monkeypatch.setattr(erasure, "open_resolver", open_nothing)
    monkeypatch.setattr(erasure, "find_people", lambda *_: [rows])
    code = run_app(
        ["--project", str(PROJECT), "--data-dir", str(data), "consent", "null@x.example"]
    )
    assert code == 2
    assert "no customer does" in capsys.readouterr().err
