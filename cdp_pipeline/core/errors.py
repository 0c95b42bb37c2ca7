"""Every error this package raises on purpose, with its exit code and whether a retry can help.

::

    CdpError                          code, where (file:line or step), hint
    ├─ ConfigError           exit 2   a setting or declaration is wrong       never retried
    │  └─ CombinedConfigError         several of them, found together
    ├─ ContractError         exit 3   a delivery breaks its contract          never retried
    ├─ DataQualityError      exit 3   a quality gate failed                   never retried
    ├─ IdentityError         exit 4   linkage impossible or below its floor   never retried
    ├─ PrivacyError          exit 5   consent or erasure would be breached    never retried
    ├─ WarehouseError        exit 6   a SQL model failed (names the model)    never retried
    └─ TransientError        exit 75  worth another try                       retried
       ├─ SourceNotReadyError         a delivery is late
       ├─ OriginError                 a place deliveries come from did not answer
       ├─ LockedError                 another run holds the data folder
       └─ DeliveryError               mail, SFTP or webhook did not answer

Only errors belong here; nothing that handles them. Exit code 75 is ``EX_TEMPFAIL`` of sysexits.h.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(:(?P<column>\d+))?")


class CdpError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What went wrong, in one sentence a newcomer understands.
        where: ``file:line`` or the name of the step, model or delivery concerned.
        hint: What to do about it, in the imperative.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    is_transient: ClassVar[bool] = False

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        """Keep the three parts apart, so that every front end can lay them out."""
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """Render as ``where: message`` with the hint on its own line."""
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  help: {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling: Airflow sends exceptions between processes."""
        return (_rebuild, (type(self), self.message, self.where, self.hint))

    @property
    def parts(self) -> tuple[CdpError, ...]:
        """Return the single mistakes that it reports: itself, or those it gathers."""
        return (self,)

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the error as plain data for ``--json``, editors and logs."""
        place = _PLACE.fullmatch(self.where or "")
        return {
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "file": place["file"] if place else None,
            "line": int(place["line"]) if place else None,
            "column": int(place["column"] or 1) if place else None,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


def _rebuild(kind: type[CdpError], message: str, where: str | None, hint: str | None) -> CdpError:
    return kind(message, where=where, hint=hint)


class ConfigError(CdpError):
    """A setting or a declaration is wrong; nothing was run."""

    code = "config"
    exit_code = 2


class CombinedConfigError(ConfigError):
    """Several mistakes in declarations, found together.

    Args:
        errors: The mistakes, in the order in which people should read them; at least one.
    """

    def __init__(self, errors: Sequence[CdpError]) -> None:
        """Speak as the first of them, and say how many more there are."""
        first, more = errors[0], len(errors) - 1
        hint = f"{first.hint or ''} ({more} more: `cdp check` lists them.)" if more else first.hint
        super().__init__(first.message, where=first.where, hint=hint)
        self.errors = tuple(part for error in errors for part in error.parts)

    @property
    def parts(self) -> tuple[CdpError, ...]:
        """Return the single mistakes."""
        return self.errors

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with all mistakes."""
        return (CombinedConfigError, (self.errors,))


class ContractError(CdpError):
    """A delivered file breaks its contract as a whole; none of it was loaded."""

    code = "contract"
    exit_code = 3


class DataQualityError(CdpError):
    """A quality gate failed; what was published before stays."""

    code = "data_quality"
    exit_code = 3


class IdentityError(CdpError):
    """Record linkage is impossible or fell below its floor."""

    code = "identity"
    exit_code = 4


class PrivacyError(CdpError):
    """Going on would breach consent or an erasure."""

    code = "privacy"
    exit_code = 5


class WarehouseError(CdpError):
    """A SQL model failed; ``where`` names the model's file."""

    code = "warehouse"
    exit_code = 6


class TransientError(CdpError):
    """Something outside did not answer; the same call may succeed later."""

    code = "transient"
    exit_code = 75
    is_transient = True


class SourceNotReadyError(TransientError):
    """A delivery that the contract calls required has not arrived yet."""

    code = "source_not_ready"


class OriginError(TransientError):
    """A folder, bucket or server that deliveries come from did not answer."""

    code = "origin"


class LockedError(TransientError):
    """Another run holds the data folder."""

    code = "locked"


class DeliveryError(TransientError):
    """A mail server or a destination did not take what we sent."""

    code = "delivery"
