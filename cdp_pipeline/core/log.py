"""Structured logging with redaction: fixed event names, fields, no personal data.

``configure`` is called once by the CLI or the Airflow adapter; modules call ``get_logger``.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

PERSONAL_FIELDS = frozenset(
    {
        "email",
        "phone",
        "mobile",
        "given_name",
        "family_name",
        "full_name",
        "street",
        "postcode",
        "birth_date",
        "loyalty_id",
        "card",
        "password",
        "token",
        "secret",
        "authorization",
        "api_key",
        "master",
    }
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_LONG_NUMBER = re.compile(r"(?<![\w.-])(?!\d{4}-\d{2}-\d{2}\b)\+?\d[\d ()-]{8,}\d(?![\w.-])")


def redact_text(text: str) -> str:
    """Return the text with e-mail addresses and long digit groups masked.

    >>> redact_text("sent to ann@example.com, call +44 7700 900123")
    'sent to [email], call [number]'
    """
    return _LONG_NUMBER.sub("[number]", _EMAIL.sub("[email]", text))


def redact_event(
    _logger: Any,  # noqa: ANN401 - structlog's processor signature
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Mask personal fields and personal-looking text in one log event."""
    for key, value in event.items():
        if key in PERSONAL_FIELDS:
            event[key] = "[redacted]"
        elif key not in {"timestamp", "business_date"}:
            event[key] = _redact(value)
    return event


def _redact(value: Any) -> Any:  # noqa: ANN401 - whatever an event holds
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list | tuple):
        return [_redact(each) for each in value]
    if isinstance(value, dict):
        return {
            name: "[redacted]" if name in PERSONAL_FIELDS else _redact(each)
            for name, each in value.items()
        }
    return value


def configure(
    *, stream: TextIO | None = None, as_json: bool = False, verbose: bool = False
) -> None:
    """Set up logging for the process.

    Args:
        stream: Where lines go; default standard error, since standard output is for data.
        as_json: One JSON object a line instead of readable text.
        verbose: Include debug events.
    """
    target = stream or cast("TextIO", _StandardError())
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.WARNING
        ),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )


class _StandardError(io.TextIOBase):
    """Standard error as it is when a line is written; a line that it does not take is lost.

    What is at work goes on when the terminal is gone, a pipe is closed, or a test has its own.
    """

    def write(self, text: str, /) -> int:
        with suppress(OSError, ValueError):
            if sys.stderr:
                sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            if sys.stderr:
                sys.stderr.flush()


class _LogFile(io.TextIOBase):
    """Text that is appended to a file at once, if the file takes it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            self._file.write(text.encode())
        return len(text)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Append every event of the block, debug included, to a JSON-lines file.

    A line that a full disk does not take is lost: what stopped the block is to be told, and not
    that it could not be logged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _LogFile(path) as stream:
        configure(stream=cast("TextIO", stream), as_json=True, verbose=True)
        try:
            yield
        finally:
            structlog.contextvars.clear_contextvars()
            configure()


def bind_run(**fields: str) -> None:
    """Attach fields (run_id, business_date, step, source) to every later event."""
    structlog.contextvars.bind_contextvars(**fields)


def get_logger(name: str) -> Any:  # noqa: ANN401 - structlog types its loggers as Any
    """Return a logger; ``name`` is the module's name."""
    return structlog.get_logger(module=name)
