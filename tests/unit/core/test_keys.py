"""Keys: strong, private and known, or an error that says what to do."""

from __future__ import annotations

import base64
import errno
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import EXAMPLE_KEY, Key, load_keyring, new_key, new_salt, write_key_file
from cdp_pipeline.core.settings import load_settings
from tests.dying import dies_within

KEY = Key(bytes(range(100, 132)) + b"\xff")


def ring_of(text: str) -> tuple[Key, ...]:
    return load_keyring(KeySettings(master=SecretStr(text))).keys


def test_without_a_key_the_example_key_stands_in_and_says_so() -> None:
    ring = load_keyring(KeySettings())
    assert ring.is_public
    assert "example" in ring.origin


def test_a_store_may_insist_on_a_key() -> None:
    with pytest.raises(ConfigError, match="no key is set") as caught:
        load_keyring(KeySettings(is_required=True))
    assert "cdp keys new" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no key"),
        ("   \n", "holds no key"),
        ("secret!", "not a key in base64"),
        ("ключ", "not a key in base64"),
        (base64.b64encode(os.urandom(31)).decode(), "31 bytes"),
        (base64.b64encode(b"\x90" * 32).decode(), "not random"),
        (base64.b64encode(b"correct horse battery staple, again!").decode(), "not random"),
        (EXAMPLE_KEY, "example key"),
        (f"{new_key()} {EXAMPLE_KEY}", "example key"),
        (f"{base64.b64encode(KEY.secret).decode()} " * 2, "twice"),
    ],
    ids=["none", "blank", "words", "letters", "short", "one", "text", "known", "beside", "twice"],
)
def test_weak_keys_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_keyring(KeySettings(master=SecretStr(text) if text.strip() else SecretStr(" ")))
    assert caught.value.hint
    assert text.strip() == "" or text.strip() not in str(caught.value)


def test_two_places_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two places"):
        load_keyring(KeySettings(master=SecretStr(new_key()), file=tmp_path / "key"))


def test_a_key_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = write_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o400
    assert load_keyring(KeySettings(file=path)).current == made
    with pytest.raises(ConfigError, match="no key was written"):
        write_key_file(path)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_key_file_is_whole_or_absent_and_no_other_file_holds_a_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    kills = 0
    for at in range(1, 20):
        died = dies_within(lambda: write_key_file(path), at)
        kills += died
        if path.exists():
            with pytest.raises(ConfigError, match="File exists"):
                write_key_file(path)
        else:
            write_key_file(path)
        assert load_keyring(KeySettings(file=path)).current
        assert list(tmp_path.iterdir()) == [path]
        if not died:
            break
        path.unlink()
    assert kills > 2


def test_a_key_file_is_made_where_files_have_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a memory stick, or a folder that a container shares with its host."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    made = write_key_file(tmp_path / "key")
    assert load_keyring(KeySettings(file=tmp_path / "key")).current == made
    with pytest.raises(ConfigError, match="no key was written"):
        write_key_file(tmp_path / "key")
    assert load_keyring(KeySettings(file=tmp_path / "key")).current == made
    assert list(tmp_path.iterdir()) == [tmp_path / "key"]


@pytest.mark.parametrize("mode", [0o444, 0o440, 0o604, 0o420])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_key_file(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="others may read") as caught:
        load_keyring(KeySettings(file=path))
    assert "chmod 0400" in str(caught.value.hint)


def test_a_missing_or_odd_key_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_keyring(KeySettings(file=tmp_path / "gone"))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    for odd in (fifo, tmp_path, Path()):  # an empty setting names the folder one is in
        with pytest.raises(ConfigError, match="no regular file"):
            load_keyring(KeySettings(file=odd))


def test_purposes_kinds_and_keys_share_nothing() -> None:
    other = Key(bytes(range(90, 140)))
    tokens = {
        KEY.token("audit", "email", "ann@example.com"),
        KEY.token("suppression", "email", "ann@example.com"),
        KEY.token("audit", "phone", "ann@example.com"),
        other.token("audit", "email", "ann@example.com"),
    }
    assert len(tokens) == 4
    assert {len(token) for token in tokens} == {32}
    assert KEY.token("audit", "e", "mail") != KEY.token("audit", "em", "ail")


def test_derived_keys_stay_as_they_are() -> None:
    """A changed derivation would forget every suppressed person; only with a migration."""
    assert KEY.id == "k706f486b"
    assert KEY.token("suppression", "email", "ann@example.com") == (
        "784140312c3cde8a824c2d1dc5e1462e"
    )


def test_a_ring_finds_old_keys_and_misses_lost_ones() -> None:
    first, second = new_key(), new_key()
    ring = load_keyring(KeySettings(master=SecretStr(f"{first}\n{second}")))
    assert ring.find(ring.keys[1].id) is ring.keys[1]
    with pytest.raises(ConfigError, match="is missing"):
        ring.find("k00000000")


def test_keys_never_show() -> None:
    text = new_key()
    ring = load_keyring(KeySettings(master=SecretStr(text)))
    shown = f"{ring!r} {ring.current!r} {KeySettings(master=SecretStr(text))!r}"
    assert text not in shown
    assert repr(base64.b64decode(text)) not in shown


def test_a_key_may_not_stand_in_the_project_file(project_root: Path) -> None:
    path = project_root / "pyproject.toml"
    path.write_text(f'[tool.cdp.keys]\nmaster = "{new_key()}"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="the master of keys stands in a file") as caught:
        load_settings(project_root)
    assert "CDP_KEYS__MASTER" in str(caught.value.hint)


def test_an_airflow_connection_is_for_tasks() -> None:
    with pytest.raises(ConfigError, match="only Airflow's tasks"):
        load_keyring(KeySettings(airflow_connection="cdp_keys"))


def test_a_salt_is_128_bits_and_never_twice_the_same() -> None:
    salts = {new_salt() for _ in range(20)}
    assert len(salts) == 20
    assert all(len(bytes.fromhex(salt)) == 16 for salt in salts)
