"""The sender against a real SMTP server that refuses, delays, breaks off and remembers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from cdp_pipeline.activation.delivery.mail import ATTEMPTS, Letter, read_letter, send_letter
from cdp_pipeline.core.access_settings import MailSettings

ANN, BOB = "ann@example.com", "bob@example.com"


class Postmaster:
    """Answers by plan, call by call, then accepts; remembers what it took."""

    def __init__(self) -> None:
        self.plan: dict[str, list[str]] = {}
        self.taken: list[tuple[tuple[str, ...], bytes]] = []
        self.transport_to_drop: Any = None

    def next(self, key: str) -> str:
        answers = self.plan.get(key, [])
        return answers.pop(0) if answers else "250 OK"

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name and signature
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.next("mail")
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(  # noqa: N802 - same
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.next(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - same
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.next("data")
        if answer.startswith("250") or answer == "drop":
            self.taken.append((tuple(envelope.rcpt_tos), bytes(envelope.content or b"")))
        if answer == "drop":
            server.transport.close()
        return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def postmaster() -> Iterator[tuple[Postmaster, MailSettings]]:
    handler = Postmaster()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield (
        handler,
        MailSettings(
            host="127.0.0.1", port=port, security="none", sender="cdp@example.com",
            timeout_seconds=5,
        ),
    )  # fmt: skip
    controller.stop()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def letter(tmp_path: Path) -> Letter:
    return read_letter(write_message(tmp_path / "daily.eml"))


def write_message(path: Path, **headers: str) -> Path:
    message = EmailMessage(policy=policy.SMTP)
    defaults = {"From": "CDP <cdp@example.com>", "To": f"Ann <{ANN}>, {BOB}", "Subject": "£1.85m"}
    for name, value in {**defaults, "Message-ID": "<v1.daily@cdp>", **headers}.items():
        message[name.replace("_", "-")] = value
    message.set_content("Takings\n.a line that starts with a dot\n")
    message.add_alternative("<p>Takings</p>", subtype="html")
    path.write_bytes(message.as_bytes())
    return path


def test_a_letter_is_read_as_it_lies(tmp_path: Path) -> None:
    path = write_message(
        tmp_path / "a.eml", Cc="Cy <cy@example.com>", Bcc=f"dee@example.com, {ANN}"
    )
    letter = read_letter(path)
    assert letter.message_id == "<v1.daily@cdp>"
    assert letter.recipients == (ANN, BOB, "cy@example.com", "dee@example.com")
    assert b"dee@example.com" not in letter.content
    assert b"\n" not in letter.content.replace(b"\r\n", b"")


def test_everybody_gets_one_copy(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    handler, settings = postmaster
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert (outcome.state, outcome.refused, waits) == ("sent", {}, [])
    ((recipients, content),) = handler.taken
    assert recipients == (ANN, BOB)
    assert content == letter.content


def test_a_partial_refusal_is_told(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    handler, settings = postmaster
    handler.plan = {BOB: ["550 no such user"]}
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert (outcome.state, outcome.refused) == ("sent", {BOB: 550})
    assert [recipients for recipients, _ in handler.taken] == [(ANN,)]
    assert waits == []


def test_a_delayed_recipient_is_tried_again_alone(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    handler, settings = postmaster
    handler.plan = {BOB: ["451 greylisted", "451 greylisted"]}
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert (outcome.state, outcome.refused) == ("sent", {})
    assert [recipients for recipients, _ in handler.taken] == [(ANN,), (BOB,)]
    assert len(waits) == 2


def test_a_recipient_who_is_put_off_for_ever_is_told(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    handler, settings = postmaster
    handler.plan = {BOB: ["451 later"] * ATTEMPTS}
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert (outcome.state, outcome.refused) == ("sent", {BOB: 450})
    assert len(handler.taken) == 1


@pytest.mark.parametrize("step", ["mail", "data"])
def test_a_temporary_answer_is_waited_for(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float], step: str
) -> None:
    handler, settings = postmaster
    handler.plan = {step: ["451 busy"]}
    assert send_letter(letter, settings, sleep=waits.append).state == "sent"
    assert len(handler.taken) == len(waits) == 1


def test_a_busy_server_defers_to_the_next_run(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    handler, settings = postmaster
    handler.plan = {"mail": ["421 busy"] * ATTEMPTS}
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert outcome.state == "deferred"
    assert len(waits) == ATTEMPTS - 1
    assert waits == sorted(waits)


@pytest.mark.parametrize(("step", "answer"), [("data", "552 too big"), ("mail", "553 who are you")])
def test_a_permanent_answer_is_final(
    postmaster: tuple[Postmaster, MailSettings],
    letter: Letter,
    waits: list[float],
    step: str,
    answer: str,
) -> None:
    handler, settings = postmaster
    handler.plan = {step: [answer]}
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert outcome.state == "failed"
    assert answer[:3] in outcome.reason
    assert waits == handler.taken == []


def test_silence_after_the_message_is_doubt_and_is_not_repeated(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    handler, settings = postmaster
    handler.plan = {"data": ["drop"]}
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert outcome.state == "unknown"
    assert len(handler.taken) == 1
    assert waits == []


def test_no_server_is_waited_for_and_then_deferred(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    _, settings = postmaster
    closed = settings.model_copy(update={"port": free_port()})
    outcome = send_letter(letter, closed, sleep=waits.append)
    assert (outcome.state, len(waits)) == ("deferred", ATTEMPTS - 1)


def test_reports_go_only_to_allowed_domains(
    postmaster: tuple[Postmaster, MailSettings],
    tmp_path: Path,
    waits: list[float],
) -> None:
    handler, settings = postmaster
    outside = "eve@elsewhere.test"
    letter = read_letter(write_message(tmp_path / "a.eml", To=f"{ANN}, {outside}"))
    settings = settings.model_copy(update={"allowed_domains": ["Example.com"]})
    outcome = send_letter(letter, settings, sleep=waits.append)
    assert (outcome.state, outcome.refused) == ("sent", {outside: 550})
    assert [recipients for recipients, _ in handler.taken] == [(ANN,)]
    barred = settings.model_copy(update={"allowed_domains": ["other.test"]})
    assert send_letter(letter, barred, sleep=waits.append).state == "failed"
    assert len(handler.taken) == 1


def test_a_server_without_the_login_that_settings_ask_for_is_final(
    postmaster: tuple[Postmaster, MailSettings], letter: Letter, waits: list[float]
) -> None:
    handler, settings = postmaster
    named = settings.model_copy(update={"user": "cdp", "password": SecretStr("secret")})
    outcome = send_letter(letter, named, sleep=waits.append)
    assert (outcome.state, outcome.reason) == (
        "failed",
        "no safe connection (SMTPNotSupportedError)",
    )
    guarded = settings.model_copy(update={"security": "starttls"})
    assert send_letter(letter, guarded, sleep=waits.append).state == "failed"
    assert handler.taken == waits == []


# The test server warns of logins in the clear, on every connection and in its own thread.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize(("password", "state"), [("secret", "sent"), ("wrong", "failed")])
def test_a_login_is_used_and_its_refusal_is_final(
    letter: Letter, waits: list[float], password: str, state: str
) -> None:
    def check(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=data.password == b"secret", handled=False)

    handler = Postmaster()
    port = free_port()
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=port,
        authenticator=check,
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    try:
        settings = MailSettings(
            host="127.0.0.1",
            port=port,
            security="none",
            user="cdp",
            password=SecretStr(password),
            timeout_seconds=5,
        )
        outcome = send_letter(letter, settings, sleep=waits.append)
    finally:
        controller.stop()
    assert outcome.state == state
    assert len(handler.taken) == (state == "sent")
    assert waits == []
    assert "secret" not in outcome.reason
