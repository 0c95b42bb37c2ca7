from __future__ import annotations

import pickle

import pytest

from cdp_pipeline.core import errors


def test_message_says_what_where_and_how() -> None:
    error = errors.ContractError("row is short", where="pos.csv:7", hint="Ask the store.")
    assert str(error) == "pos.csv:7: row is short\n  help: Ask the store."


def test_errors_survive_the_way_between_processes() -> None:
    error = errors.DeliveryError("no answer", where="mail", hint="Wait.")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.as_dict()) == (type(error), error.as_dict())


@pytest.mark.parametrize(
    ("kind", "code", "is_transient"),
    [
        (errors.ConfigError, 2, False),
        (errors.ContractError, 3, False),
        (errors.DataQualityError, 3, False),
        (errors.IdentityError, 4, False),
        (errors.PrivacyError, 5, False),
        (errors.WarehouseError, 6, False),
        (errors.SourceNotReadyError, 75, True),
        (errors.LockedError, 75, True),
        (errors.DeliveryError, 75, True),
    ],
)
def test_exit_codes(kind: type[errors.CdpError], code: int, is_transient: bool) -> None:  # noqa: FBT001 - a table of cases
    assert (kind.exit_code, kind.is_transient) == (code, is_transient)
