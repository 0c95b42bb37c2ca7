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


@pytest.mark.parametrize(
    ("where", "file", "line", "column"),
    [
        ("a/b.yml:7:3", "a/b.yml", 7, 3),
        ("a/b.yml:7", "a/b.yml", 7, 1),
        ("the landing folder", None, None, None),
        (None, None, None, None),
    ],
)
def test_editors_are_told_the_place(
    where: str | None, file: str | None, line: int | None, column: int | None
) -> None:
    told = errors.ConfigError("is wrong", where=where, hint="Mend it.").as_dict()
    assert (told["file"], told["line"], told["column"]) == (file, line, column)
    assert (told["code"], told["message"], told["where"]) == ("config", "is wrong", where)
    assert (told["hint"], told["exit_code"]) == ("Mend it.", 2)


def test_an_error_without_place_or_hint_is_its_message() -> None:
    assert str(errors.CdpError("is wrong")) == "is wrong"
    assert str(errors.CdpError("is wrong", where="there")) == "there: is wrong"
    assert errors.CdpError("is wrong").parts[0].message == "is wrong"


def test_mistakes_found_together_speak_as_the_first_and_survive() -> None:
    one, two, three = (
        errors.ConfigError(name, where=f"{name}.yml:1", hint="Mend it.") for name in "abc"
    )
    inner = errors.CombinedConfigError([two, three])
    both = errors.CombinedConfigError([one, inner])
    assert both.parts == (one, two, three)
    assert str(both) == "a.yml:1: a\n  help: Mend it. (1 more: `cdp check` lists them.)"
    assert errors.CombinedConfigError([one]).hint == "Mend it."
    bare = errors.CombinedConfigError([errors.ConfigError("x"), one])
    assert bare.hint == " (1 more: `cdp check` lists them.)"
    copy = pickle.loads(pickle.dumps(both))  # noqa: S301 - our own bytes
    assert [part.as_dict() for part in copy.parts] == [part.as_dict() for part in both.parts]
