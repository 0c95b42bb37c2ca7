"""Delivery by e-mail: one message over SMTP, sent once, with every refusal told.

Only what cannot have arrived is repeated: no connection, or an answer 4xx. An answer 5xx is final.
A connection that breaks after the message was handed over is ambiguous (the server may have taken
it) and is never repeated. Messages are written by ``reporting``; which were sent before is known to
``outbox``.

Source: RFC 5321 sections 4.2.1 (reply codes) and 6.1 (who answers for a message after DATA).
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from cdp_pipeline.activation.outbox import State
from cdp_pipeline.core.access_settings import MailSettings

ATTEMPTS = 4
"""Tries before a message is put off to the next run."""

_NOT_ALLOWED = 550
_PUT_OFF = 450
_ACCEPTED = frozenset({250, 251})


@dataclass(frozen=True)
class MailOutcome:
    """What became of one message.

    Attributes:
        state: ``sent`` (to all who were not refused), ``failed`` for good, ``deferred`` to the next
            run, or ``unknown``: it may have arrived.
        reason: The server's last word, without addresses.
        refused: Refused addresses with their reply codes.
    """

    state: State
    reason: str = ""
    refused: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Letter:
    """A finished message and where it goes.

    Attributes:
        message_id: Its Message-ID, stable across reruns.
        recipients: Envelope addresses: To, Cc and Bcc, in order, each once.
        content: Bytes as sent, with CRLF and without Bcc.
    """

    message_id: str
    recipients: tuple[str, ...]
    content: bytes


class _TryLater(Exception):  # noqa: N818 - control flow for tenacity, never leaves this module
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_letter(path: Path) -> Letter:
    """Read an ``.eml`` file."""
    content = path.read_bytes()
    message = message_from_bytes(content, policy=policy.SMTP)
    headers = [*message.get_all("To", []), *message.get_all("Cc", []), *message.get_all("Bcc", [])]
    found = [address for _, address in getaddresses([str(header) for header in headers]) if address]
    if "Bcc" in message:
        del message["Bcc"]
        content = message.as_bytes()
    return Letter(
        message_id=str(message.get("Message-ID", f"<{path.name}>")).strip(),
        recipients=tuple(dict.fromkeys(found)),
        content=re.sub(rb"\r\n|\r|\n", b"\r\n", content),
    )


def send_letter(
    letter: Letter, settings: MailSettings, *, sleep: Callable[[float], None] = time.sleep
) -> MailOutcome:
    """Send a message, waiting and trying again while the server asks for it.

    Args:
        letter: The message.
        settings: Server, login, sender and allowed domains.
        sleep: Waits so many seconds; replaced in tests.
    """
    dispatch = _Dispatch.of(letter, settings)
    if not dispatch.waiting:
        return MailOutcome("failed", "no allowed recipient", dispatch.refused)
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=1, max=30),
        retry=retry_if_exception_type(_TryLater),
        sleep=sleep,
        reraise=True,
    )
    try:
        outcome = retrying(dispatch.attempt)
    except _TryLater as put_off:
        if not dispatch.has_reached_some:
            return MailOutcome("deferred", put_off.reason, dispatch.refused)
        late = dict.fromkeys(dispatch.waiting, _PUT_OFF)
        return MailOutcome("sent", put_off.reason, dispatch.refused | late)
    is_partial = outcome.state == "failed" and dispatch.has_reached_some
    return MailOutcome("sent" if is_partial else outcome.state, outcome.reason, dispatch.refused)


@dataclass
class _Dispatch:
    """One message on its way: who still waits, who was refused."""

    letter: Letter
    settings: MailSettings
    waiting: list[str]
    refused: dict[str, int]
    has_reached_some: bool = False

    @classmethod
    def of(cls, letter: Letter, settings: MailSettings) -> _Dispatch:
        barred = {a: _NOT_ALLOWED for a in letter.recipients if not _is_allowed(a, settings)}
        waiting = [address for address in letter.recipients if address not in barred]
        return cls(letter, settings, waiting, barred)

    def attempt(self) -> MailOutcome:
        outcome, later = _try_once(self.letter, self.waiting, self.settings)
        self.refused |= outcome.refused
        self.has_reached_some = self.has_reached_some or outcome.state == "sent"
        if later and outcome.state != "unknown":
            self.waiting = later
            raise _TryLater("some recipients were put off")
        return outcome


def _try_once(
    letter: Letter, recipients: list[str], settings: MailSettings
) -> tuple[MailOutcome, list[str]]:
    """Return what one connection achieved, and who asked to be tried again."""
    try:
        client = _connect(settings)
    except smtplib.SMTPAuthenticationError as error:
        return _judge(error.smtp_code, "login"), []
    except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
        # The settings ask for what this server does not offer; waiting does not help.
        return MailOutcome("failed", f"no safe connection ({type(error).__name__})"), []
    except (OSError, smtplib.SMTPException) as error:
        raise _TryLater(f"no connection ({type(error).__name__})") from error
    try:
        return _converse(client, letter, recipients, settings)
    finally:
        _hang_up(client)


def _converse(
    client: smtplib.SMTP, letter: Letter, recipients: list[str], settings: MailSettings
) -> tuple[MailOutcome, list[str]]:
    refused: dict[str, int] = {}
    later: list[str] = []
    accepted = 0
    try:
        code, _ = client.mail(settings.sender)
        if code != 250:  # noqa: PLR2004 - RFC 5321: the only success
            return _judge(code, "sender"), []
        for address in recipients:
            code, _ = client.rcpt(address)
            if code in _ACCEPTED:
                accepted += 1
            elif _is_temporary(code):
                later.append(address)
            else:
                refused[address] = code
    except (OSError, smtplib.SMTPServerDisconnected) as error:
        raise _TryLater("connection lost before the message") from error
    if not accepted:
        reason = "every recipient was refused" if not later else "every recipient was put off"
        return MailOutcome("failed", reason, refused), later
    outcome = _hand_over(client, letter.content)
    return MailOutcome(outcome.state, outcome.reason, refused), later


def _hand_over(client: smtplib.SMTP, content: bytes) -> MailOutcome:
    try:
        code, _ = client.data(content)
    except smtplib.SMTPDataError as error:
        # The server declined before it got the message.
        return _judge(error.smtp_code, "message")
    except (OSError, smtplib.SMTPServerDisconnected):
        return MailOutcome("unknown", "no answer after the message was handed over")
    if code == 250:  # noqa: PLR2004 - RFC 5321: the only success
        return MailOutcome("sent")
    return _judge(code, "message")


def _judge(code: int, what: str) -> MailOutcome:
    if _is_temporary(code):
        raise _TryLater(f"{what} put off ({code})")
    return MailOutcome("failed", f"{what} refused ({code})")


def _is_temporary(code: int) -> bool:
    return 400 <= code < 500  # noqa: PLR2004 - RFC 5321: transient negative completion


def _connect(settings: MailSettings) -> smtplib.SMTP:
    host, timeout = settings.host or "", settings.timeout_seconds
    if settings.security == "tls":
        secure = ssl.create_default_context()
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            host, settings.port, timeout=timeout, context=secure
        )
    else:
        client = smtplib.SMTP(host, settings.port, timeout=timeout)
    try:
        client.ehlo_or_helo_if_needed()
        if settings.security == "starttls":
            client.starttls(context=ssl.create_default_context())
        if settings.user and settings.password:
            client.login(settings.user, settings.password.get_secret_value())
    except (OSError, smtplib.SMTPException):
        client.close()
        raise
    return client


def _hang_up(client: smtplib.SMTP) -> None:
    try:
        client.quit()
    except (OSError, smtplib.SMTPException):
        # The fate of the message is settled; a rude goodbye does not change it.
        client.close()


def _is_allowed(address: str, settings: MailSettings) -> bool:
    allowed = {domain.lower() for domain in settings.allowed_domains}
    return not allowed or address.rpartition("@")[2].lower() in allowed
