"""Secret keys: where they come from, what is too weak, and one derived key per purpose.

One master key is all that a store keeps. Whoever needs a key names a purpose and gets a key derived
for it alone (HKDF, RFC 5869), so that tokens of one purpose cannot be joined with those of another.
A ring may hold several masters: the first is in use, the others still recognise what was made with
them. The only module that makes randomness for keys.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError

Purpose = Literal["analyst", "archive", "audit", "manifest", "suppression", "vault"]
"""What a derived key is for; a new use gets a name of its own."""

EXAMPLE_KEY = "VGhpcyBleGFtcGxlIGtleSBpcyBwdWJsaXNoZWQsIG5ldmVyIHVzZSBpdCE="
"""Stands in when no key is set, so that the demo runs; everybody knows it."""

KEY_BYTES = 32
_FEWEST_DISTINCT = 16
_LARGEST_FILE = 16_384
_KEY_FILE_MODE = 0o400
_MAKE_ONE = "Make a key with `cdp keys new FILE`, then set CDP_KEYS__FILE to that file."


@dataclass(frozen=True)
class Key:
    """One master key.

    Attributes:
        secret: At least 32 bytes; never printed.
    """

    secret: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        """Name of the key, which gives nothing of it away."""
        return f"k{self._derive(b'id', 4).hex()}"

    def subkey(self, purpose: Purpose) -> bytes:
        """Return the 32-byte key of a purpose."""
        return self._derive(purpose.encode(), KEY_BYTES)

    def sign(self, purpose: Purpose, data: bytes) -> str:
        """Return HMAC-SHA256 of data under the key of a purpose, in hex."""
        return hmac.digest(self.subkey(purpose), data, "sha256").hex()

    def token(self, purpose: Purpose, kind: str, value: str) -> str:
        """Return what stands for a value where the value itself must not stand.

        Args:
            purpose: Tokens of two purposes cannot be compared.
            kind: What the value is, such as ``email``: equal texts of two kinds differ.
            value: Normalised by the caller.

        Returns:
            128 bits in hex.
        """
        return self.sign(purpose, kind.encode() + b"\0" + value.encode())[:32]

    def _derive(self, info: bytes, length: int) -> bytes:
        kdf = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=b"cdp/" + info)
        return kdf.derive(self.secret)


@dataclass(frozen=True)
class Keyring:
    """The keys of a store.

    Attributes:
        keys: The one in use first.
        origin: Where they came from, for messages.
        is_public: Whether it is the example key, which protects nothing.
    """

    keys: tuple[Key, ...]
    origin: str
    is_public: bool = False

    @property
    def current(self) -> Key:
        """The key that new things are made with."""
        return self.keys[0]

    def find(self, key_id: str) -> Key:
        """Return the key of that name.

        Raises:
            ConfigError: The ring lacks it.
        """
        for key in self.keys:
            if key.id == key_id:
                return key
        raise ConfigError(
            f"key {key_id} is missing: something was made with it",
            where=self.origin,
            hint="Put the old key back, after the one in use; keys are separated by white space.",
        )


def load_keyring(settings: KeySettings) -> Keyring:
    """Return the keys that the settings name, or the example key without any.

    Raises:
        ConfigError: A key is weak, missing or lies open, or two places are named.
    """
    named = [name for name in ("master", "file", "airflow_connection") if getattr(settings, name)]
    if len(named) > 1:
        raise ConfigError(
            f"keys come from two places: {' and '.join(named)}",
            where="settings keys",
            hint="Set one of them only.",
        )
    if settings.master:
        where = "CDP_KEYS__MASTER"
        return Keyring(_parse(settings.master.get_secret_value(), where), where)
    if settings.file:
        return Keyring(_parse(_read_private(settings.file), str(settings.file)), str(settings.file))
    if settings.airflow_connection:
        raise ConfigError(
            f"the keys stand in the Airflow connection {settings.airflow_connection!r}, "
            "which only Airflow's tasks can read",
            where="CDP_KEYS__AIRFLOW_CONNECTION",
            hint="On the command line, set CDP_KEYS__FILE instead.",
        )
    if settings.is_required:
        raise ConfigError("no key is set", where="CDP_KEYS__IS_REQUIRED", hint=_MAKE_ONE)
    example = Key(base64.b64decode(EXAMPLE_KEY))
    return Keyring((example,), "the published example key", is_public=True)


def new_key() -> str:
    """Return a new random key as text."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def new_salt() -> str:
    """Return 128 random bits in hex, which need not be secret."""
    return secrets.token_hex(16)


def _put(draft: Path, path: Path) -> None:
    """Give a file its name: whole, and never over another key."""
    try:
        os.link(draft, path)
    except OSError:
        if os.path.lexists(path):
            raise
        draft.replace(path)  # file systems of memory sticks have no links


def write_key_file(path: Path) -> Key:
    """Make a key, in a new file that only its owner may read, and return it.

    Raises:
        ConfigError: The file exists, or cannot be written.
    """
    text, draft = new_key(), path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, _KEY_FILE_MODE), "w", encoding="ascii") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            _put(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"no key was written: {error.strerror}",
            where=str(path),
            hint="Name a new file in a folder of yours; a key is never overwritten.",
        ) from error
    return Key(base64.b64decode(text))


def _parse(text: str, where: str) -> tuple[Key, ...]:
    keys = tuple(_parse_one(part, where) for part in text.split())
    if not keys:
        raise ConfigError("holds no key", where=where, hint=_MAKE_ONE)
    if len({key.id for key in keys}) < len(keys):
        raise ConfigError("holds a key twice", where=where, hint="Remove one of the two.")
    return keys


def _parse_one(text: str, where: str) -> Key:
    if text == EXAMPLE_KEY:
        raise ConfigError("is the published example key", where=where, hint=_MAKE_ONE)
    try:
        secret = base64.b64decode(text, altchars=b"-_" if {"-", "_"} & set(text) else None,
                                  validate=True)  # fmt: skip
    except (binascii.Error, ValueError) as error:
        raise ConfigError("is not a key in base64", where=where, hint=_MAKE_ONE) from error
    if len(secret) < KEY_BYTES:
        raise ConfigError(
            f"holds a key of {len(secret)} bytes; {KEY_BYTES} are needed",
            where=where,
            hint=_MAKE_ONE,
        )
    # A random key has some thirty different bytes, and hardly ever only those of a keyboard.
    if len(set(secret)) < _FEWEST_DISTINCT or secret.isascii():
        raise ConfigError("holds a key that is not random", where=where, hint=_MAKE_ONE)
    return Key(secret)


def _read_private(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            f"the key file cannot be read: {error.strerror}", where=str(path), hint=_MAKE_ONE
        ) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):  # of a folder no stream could be made
        os.close(descriptor)
        raise ConfigError("the key file is no regular file", where=str(path), hint=_MAKE_ONE)
    with os.fdopen(descriptor, "rb") as stream:
        if found.st_mode & 0o077:
            raise ConfigError(
                f"others may read the key file (mode {stat.S_IMODE(found.st_mode):04o})",
                where=str(path),
                hint=f"chmod 0400 {path}; if others could have read it, make a new key.",
            )
        text = stream.read(_LARGEST_FILE)
    return text.decode("ascii", "replace")
