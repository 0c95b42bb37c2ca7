"""Sealed files: the same content comes back, and nothing else ever does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import Keyring, load_keyring, new_key
from cdp_pipeline.storage import container
from cdp_pipeline.storage.at_rest import editable_file, plain_file, seal_files
from cdp_pipeline.storage.container import (
    SealedFileError,
    content_of,
    key_of,
    open_sealed,
    seal_to,
    size_of,
)
from cdp_pipeline.storage.files import sha256_of
from tests.dying import dies_within

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

CHUNK = 64
FIRST, SECOND = new_key(), new_key()


def keys(*texts: str) -> KeySettings:
    return KeySettings(master=SecretStr(" ".join(texts)))


def ring(*texts: str) -> Keyring:
    return load_keyring(keys(*texts))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "CHUNK", CHUNK)


def sealed(folder: Path, content: bytes, name: str = "members.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    seal_to(path, path, ring(FIRST).current)
    return path


def opened(path: Path, *texts: str) -> bytes:
    return b"".join(open_sealed(path, ring(*texts or (FIRST,))))


@given(st.binary(max_size=5 * CHUNK) | st.integers(0, 6).map(lambda n: b"x" * (n * CHUNK)))
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_content_comes_back(tmp_path: Path, content: bytes) -> None:
    path = sealed(tmp_path, content)
    again = sealed(tmp_path, content, "again.csv")
    assert opened(path) == content
    assert size_of(path) == len(content)
    assert path.read_bytes() == again.read_bytes(), "same content, same key, same bytes"
    assert len(content) < len(container.MARK) + 9 or content not in path.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_every_changed_bit_and_every_shorter_file_is_refused(tmp_path: Path) -> None:
    path = sealed(tmp_path, b"anna@example.com\n" * 10)
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(bytes(damaged))
        if key_of(path) is None:
            continue  # the mark itself: not a sealed file any more, and no content comes out
        with pytest.raises(SealedFileError):
            opened(path)
    for length in range(len(container.MARK), len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SealedFileError):
            opened(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(SealedFileError):
        opened(path)


def test_chunks_are_bound_to_their_place_and_file(tmp_path: Path) -> None:
    start, step = container.START, CHUNK + container.TAG
    one, other = (sealed(tmp_path, bytes([c]) * 4 * CHUNK, f"{c}.csv") for c in (65, 66))
    mine, theirs = one.read_bytes(), other.read_bytes()
    swapped = mine[:start] + mine[start + step : start + 2 * step] + mine[start : start + step]
    for data in (
        swapped + mine[start + 2 * step :],
        mine[: start + step] + mine[start + 2 * step :],
        mine[: start + step] + theirs[start + step :],
        mine[: container.HEADER.size] + theirs[container.HEADER.size :],
        mine[:start] + mine[start : start + step] + mine[start:],
    ):
        one.write_bytes(data)
        with pytest.raises(SealedFileError, match="changed or cut short"):
            opened(one)


def test_a_missing_key_is_named_and_content_proved(tmp_path: Path) -> None:
    path = sealed(tmp_path, b"x" * 500)
    with pytest.raises(ConfigError, match=f"key {ring(FIRST).current.id}, which is not") as caught:
        opened(path, SECOND)
    assert str(path) in str(caught.value)
    assert opened(path, SECOND, FIRST) == b"x" * 500
    clear = tmp_path / "clear"
    clear.write_bytes(b"x" * 500)
    assert content_of(path, ring(FIRST)) == content_of(clear, ring(FIRST))
    assert content_of(path, ring(FIRST)).sha256 == sha256_of(clear)


def test_files_are_sealed_in_place_with_their_mode_links_and_times(tmp_path: Path) -> None:
    frozen, shown = tmp_path / "frozen.csv", tmp_path / "landing.csv"
    frozen.write_bytes(b"anna")
    os.utime(frozen, (1_000, 1_000))
    frozen.chmod(0o440)
    os.link(frozen, shown)
    done = seal_files([frozen, shown], keys(FIRST))
    assert (done.files, done.kept, done.problems) == (2, 0, [])
    assert frozen.stat().st_ino == shown.stat().st_ino
    assert (frozen.stat().st_mode & 0o777, frozen.stat().st_mtime) == (0o440, 1_000)
    assert seal_files([frozen, shown], keys(FIRST)).kept == 2
    assert seal_files([frozen], KeySettings()).files == 0
    turned = seal_files([frozen, shown], keys(SECOND, FIRST), scratch=tmp_path / "work")
    assert (turned.files, key_of(shown)) == (2, ring(SECOND).current.id)
    assert opened(shown, SECOND) == b"anna"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["frozen.csv", "landing.csv"]


def test_what_cannot_be_opened_is_told_and_left(tmp_path: Path) -> None:
    path, fine = sealed(tmp_path, b"anna"), tmp_path / "fine"
    fine.write_bytes(b"x")
    before = path.read_bytes()
    done = seal_files([path, fine], keys(SECOND), scratch=tmp_path / "work")
    assert done.files == 1
    assert [problem.startswith(f"{path}: is encrypted with key") for problem in done.problems] == [
        True
    ]
    assert path.read_bytes() == before


def test_copies_in_clear_are_private_and_go(tmp_path: Path) -> None:
    path, work = sealed(tmp_path, b"anna"), tmp_path / "work"
    with plain_file(path, keys(FIRST), work) as plain:
        assert (plain.name, plain.read_bytes()) == (path.name, b"anna")
        assert plain.stat().st_mode & 0o777 == 0o600
        assert plain.parent.stat().st_mode & 0o777 == 0o700
    with editable_file(path, keys(FIRST), work) as plain:
        copy = plain.with_name("copy")
        copy.write_bytes(b"bert")
        copy.replace(plain)
    assert opened(path) == b"bert"
    before = path.stat().st_ino
    with editable_file(path, keys(FIRST), work):
        pass
    assert path.stat().st_ino == before, "what was not changed is not written again"
    with editable_file(path, keys(FIRST), work) as plain:
        plain.unlink()
    assert not path.exists()
    assert not [p for p in work.rglob("*") if p.is_file()]


def test_an_edit_that_died_before_it_was_sealed_is_made_again(tmp_path: Path) -> None:
    path, work = sealed(tmp_path, b"anna\nbob\n"), tmp_path / "work"

    def die_over_it() -> None:
        with editable_file(path, keys(FIRST), work) as plain:
            plain.write_bytes(b"bob\n")
            os.kill(os.getpid(), signal.SIGKILL)

    assert dies_within(die_over_it, -1)
    with editable_file(path, keys(FIRST), work) as plain:
        assert plain.read_bytes() == b"anna\nbob\n"
        plain.write_bytes(b"bob\n")
    assert b"".join(open_sealed(path, ring(FIRST))) == b"bob\n"
    assert not list((work / "plain").iterdir())
