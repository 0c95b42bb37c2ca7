"""After publication: every destination and every report is served once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.activation import deliver
from cdp_pipeline.activation.delivery.folder import deliver_folder
from cdp_pipeline.activation.delivery.mail import Letter, MailOutcome
from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import DeliveryError
from cdp_pipeline.core.keys import load_keyring, new_key
from cdp_pipeline.storage.container import SealedFileError, seal_to
from cdp_pipeline.storage.paths import DataPaths

if TYPE_CHECKING:
    from cdp_pipeline.core.context import RunContext

MAIL = {"mail": {"host": "localhost", "recipients": {}}}


@pytest.fixture
def publish(make_context: Callable[..., RunContext]) -> Callable[..., RunContext]:
    """Return a maker of published versions with one destination and one report."""

    def make(
        day: str = "2026-11-20", *, version: str = "v1", rows: str = "C1", **settings: object
    ) -> RunContext:
        context = make_context(date.fromisoformat(day), **settings)
        paths = DataPaths.of(context)
        folder = paths.versions / version
        (folder / "exports" / "list").mkdir(parents=True)
        (folder / "reports").mkdir()
        (folder / "exports" / "list" / "vips.csv").write_text(f"customer_id\r\n{rows}\r\n")
        manifest = json.dumps({"business_date": day, "rows": rows})
        (folder / "exports" / "list" / "manifest.json").write_text(manifest)
        (folder / "reports" / "daily.eml").write_text(
            f"Message-ID: <{day}.daily@cdp>\r\nTo: ann@example.com\r\n\r\nHello\r\n"
        )
        paths.current.unlink(missing_ok=True)
        paths.current.symlink_to(folder)
        return context

    return make


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the message ids that were sent; sending succeeds."""
    ids: list[str] = []

    def send(letter: Letter, _settings: object) -> MailOutcome:
        ids.append(letter.message_id)
        return MailOutcome("sent", refused={"bob@example.com": 550})

    monkeypatch.setattr(deliver, "send_letter", send)
    return ids


def outbox(context: RunContext) -> Path:
    return DataPaths.of(context).outbox


def test_files_and_reports_go_out_once(publish: Callable[..., RunContext], sent: list[str]) -> None:
    context = publish(**MAIL)
    first = deliver.run(context)
    folder = outbox(context) / "list" / "2026-11-20"
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "vips.csv"]
    assert (folder / "vips.csv").read_bytes() == b"customer_id\r\nC1\r\n"
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o640}
    assert sent == ["<2026-11-20.daily@cdp>"]
    assert first.rows_out == 2
    assert first.messages == ("report daily: 1 recipients were refused",)
    ledger = (outbox(context) / "sent.jsonl").read_text()
    again = deliver.run(context)
    assert (again.rows_out, again.messages) == (0, ())
    assert len(sent) == 1
    assert (outbox(context) / "sent.jsonl").read_text() == ledger


def test_a_run_that_died_after_a_delivery_notes_it_later(
    publish: Callable[..., RunContext], sent: list[str]
) -> None:
    context = publish()
    deliver.run(context)
    ledger = outbox(context) / "sent.jsonl"
    whole = ledger.read_text()
    ledger.unlink()
    assert deliver.run(context).rows_out == 0
    assert ledger.read_text() == whole
    assert sent == []


def test_without_a_mail_host_only_files_go_out(
    publish: Callable[..., RunContext], sent: list[str]
) -> None:
    result = deliver.run(publish())
    assert (result.rows_out, sent) == (1, [])


def test_a_second_version_of_a_day_does_not_replace_what_was_delivered(
    publish: Callable[..., RunContext],
) -> None:
    deliver.run(publish())
    context = publish(version="v2", rows="C2")
    result = deliver.run(context)
    assert (outbox(context) / "list" / "2026-11-20" / "vips.csv").read_text().endswith("C1\n")
    assert result.messages == ("list: 2026-11-20 was delivered before with other files, kept",)


def test_an_older_day_does_not_overtake_a_newer_one(
    publish: Callable[..., RunContext],
) -> None:
    deliver.run(publish())
    context = publish("2026-11-19", version="v0")
    result = deliver.run(context)
    assert not (outbox(context) / "list" / "2026-11-19").exists()
    assert result.messages == ("list: 2026-11-20 was delivered already, so 2026-11-19 is not",)


@pytest.mark.parametrize(
    ("state", "tries", "words"),
    [
        ("failed", 2, "could not be mailed"),
        ("deferred", 2, "not mailed yet"),
        ("unknown", 1, "may have been mailed"),
    ],
)
def test_failing_mail_is_a_warning(
    publish: Callable[..., RunContext],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    tries: int,
    words: str,
) -> None:
    calls: list[str] = []

    def send(letter: Letter, _settings: object) -> MailOutcome:
        calls.append(letter.message_id)
        return MailOutcome(state, "why")  # type: ignore[arg-type]

    monkeypatch.setattr(deliver, "send_letter", send)
    context = publish(**MAIL)
    result = deliver.run(context)
    assert any(words in message for message in result.messages)
    deliver.run(context)
    assert len(calls) == tries


def test_a_run_that_dies_while_sending_does_not_send_again(
    publish: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    def die(_letter: Letter, _settings: object) -> MailOutcome:
        raise KeyboardInterrupt

    context = publish(**MAIL)
    with monkeypatch.context() as patch:
        patch.setattr(deliver, "send_letter", die)
        with pytest.raises(KeyboardInterrupt):
            deliver.run(context)
    deliver.run(context)
    assert sent == []


def test_a_failed_copy_leaves_nothing_behind(tmp_path: Path) -> None:
    source = tmp_path / "list"
    (source / "a_folder").mkdir(parents=True)
    target = tmp_path / "outbox" / "list" / "2026-11-20"
    with pytest.raises(DeliveryError, match="could not be copied"):
        deliver_folder(source, target, KeySettings())
    assert list(target.parent.iterdir()) == []


def test_leftovers_of_a_crash_are_swept(tmp_path: Path) -> None:
    source = tmp_path / "list"
    source.mkdir()
    (source / "manifest.json").write_text("{}")
    target = tmp_path / "outbox" / "2026-11-20"
    (tmp_path / "outbox" / ".2026-11-20.part").mkdir(parents=True)
    (tmp_path / "outbox" / ".2026-11-20.part" / "half.csv").write_text("half")
    deliver_folder(source, target, KeySettings())
    assert [path.name for path in target.iterdir()] == ["manifest.json"]
    assert [path.name for path in target.parent.iterdir()] == ["2026-11-20"]


def test_sealed_exports_are_handed_over_in_clear_or_not_at_all(
    publish: Callable[..., RunContext],
) -> None:
    context = publish(keys={"master": new_key()})
    file = DataPaths.of(context).current.resolve() / "exports" / "list" / "vips.csv"
    seal_to(file, file, load_keyring(context.settings.keys).current)
    sealed = file.read_bytes()
    other = publish(version="v1b", keys={"master": new_key()})
    (DataPaths.of(other).current.resolve() / "exports" / "list" / "vips.csv").write_bytes(sealed)
    with pytest.raises(SealedFileError, match="not among those set"):
        deliver.run(other)
    assert list((outbox(context) / "list").iterdir()) == []
    DataPaths.of(context).current.unlink()
    DataPaths.of(context).current.symlink_to(file.parents[2])
    deliver.run(context)
    handed = outbox(context) / "list" / "2026-11-20" / "vips.csv"
    assert handed.read_bytes() == b"customer_id\r\nC1\r\n"
    assert handed.stat().st_mode & 0o777 == 0o640
