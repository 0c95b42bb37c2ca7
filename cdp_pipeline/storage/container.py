"""Sealed files: any file, encrypted as it is with AES-256-GCM, a chunk at a time.

Layout: a header (mark, name of the master key, salt), the facts (SHA-256 and size of the content,
encrypted), then chunks. Each file has a key of its own, derived from the master key and its salt;
the nonce of a chunk is its number and whether it is the last, and the header is authenticated with
each: so a chunk that was changed, moved, repeated, left out or taken from another file does not
open, nor does a file that was cut short. The salt follows from key and content, so that the same
content gives the same bytes. Which files are sealed, and when, is decided by others.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import Key, Keyring
from cdp_pipeline.storage.files import fsync, sha256_of

MARK = b"CDPSEAL1"
CHUNK = 1 << 20
"""Bytes of content in a chunk."""

HEADER = struct.Struct("<8s9s16s")
FACTS = struct.Struct("<32sQ")
TAG = 16
START = HEADER.size + FACTS.size + TAG


class SealedFileError(ConfigError):
    """A sealed file was changed, cut short, or its key is not among those set."""


@dataclass(frozen=True)
class Content:
    """What a file holds, sealed or not.

    Attributes:
        sha256: Hash of the content, in hex.
        size: Its bytes.
    """

    sha256: str
    size: int


def key_of(path: Path) -> str | None:
    """Return the name of the key that a file is sealed with; None if it lies in clear."""
    with path.open("rb") as stream:
        head = stream.read(HEADER.size)
    return _key_name(head) if head.startswith(MARK) else None


def size_of(path: Path) -> int:
    """Return the bytes of a file's content, which a sealed one tells without its key."""
    size = path.stat().st_size
    if key_of(path) is None:
        return size
    chunks = -(-(size - START) // (CHUNK + TAG))
    return size - START - chunks * TAG


def read_facts(stream: BinaryIO, ring: Keyring, *, where: str) -> Content | None:
    """Return what the open file says of its content; None, rewound, if it is not sealed.

    Raises:
        SealedFileError: It was changed, or its key is missing.
    """
    head = stream.read(HEADER.size)
    if not head.startswith(MARK):
        stream.seek(0)
        return None
    return _Opener(head, ring, where).facts(stream)


def content_of(path: Path, ring: Keyring) -> Content:
    """Return hash and size of a file's content; all of it is read and proved.

    Raises:
        SealedFileError: It was changed, or its key is missing.
    """
    if key_of(path) is None:
        return Content(sha256_of(path), path.stat().st_size)
    digest, size = hashlib.sha256(), 0
    for chunk in open_sealed(path, ring):
        digest.update(chunk)
        size += len(chunk)
    return Content(digest.hexdigest(), size)


def open_sealed(path: Path, ring: Keyring) -> Iterator[bytes]:
    """Yield the content of a sealed file, each chunk proved before it is given out.

    Raises:
        SealedFileError: It was changed or cut short, or its key is missing.
    """
    with path.open("rb") as stream:
        opener = _Opener(stream.read(HEADER.size), ring, str(path))
        facts = opener.facts(stream)
        digest = hashlib.sha256()
        for chunk in opener.chunks(stream):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != facts.sha256:
            raise _changed(str(path))


def seal_to(content: Path, target: Path, key: Key) -> None:
    """Seal the content of a file into another place, which may be its own.

    The new file has mode and times of the one that was there (else of the content), is on disk
    before it takes the place, and takes it by one rename.

    Args:
        content: File in clear.
        target: Where the sealed file is to lie.
        key: The master key.
    """
    kept = (target if target.exists() else content).stat()
    digest = hashlib.sha256()
    copy = target.with_name(f".{target.name}.sealing")
    with content.open("rb") as source:
        facts = Content(hashlib.file_digest(source, "sha256").hexdigest(), source.tell())
        source.seek(0)
        copy.unlink(missing_ok=True)
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            for part in _sealed(source, facts, key, digest):
                stream.write(part)
            stream.flush()
            os.fsync(descriptor)
    if digest.hexdigest() != facts.sha256:  # it was written to meanwhile: nothing is replaced
        copy.unlink()
        raise SealedFileError(
            "was written to while it was encrypted, and stays in clear",
            where=str(content),
            hint="Wait until it is written completely; the next night encrypts it.",
        )
    copy.chmod(kept.st_mode & 0o777)
    os.utime(copy, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    copy.replace(target)
    fsync(target.parent)


def _sealed(source: BinaryIO, facts: Content, key: Key, digest: hashlib._Hash) -> Iterator[bytes]:
    salt = bytes.fromhex(key.sign("archive", b"salt" + bytes.fromhex(facts.sha256)))[:16]
    header = HEADER.pack(MARK, key.id.encode(), salt)
    cipher = _cipher(key, salt)
    yield header
    packed = FACTS.pack(bytes.fromhex(facts.sha256), facts.size)
    yield cipher.encrypt(_nonce(0, is_last=False), packed, header)
    number, chunk = 0, source.read(CHUNK)
    while chunk or not number:
        number, following = number + 1, source.read(CHUNK)
        digest.update(chunk)
        yield cipher.encrypt(_nonce(number, is_last=not following), chunk, header)
        chunk = following


class _Opener:
    """Opens one sealed file, whose header has been read."""

    def __init__(self, header: bytes, ring: Keyring, where: str) -> None:
        if len(header) < HEADER.size or not header.startswith(MARK):
            raise _changed(where)
        name = _key_name(header)
        key = next((key for key in ring.keys if key.id == name), None)
        if key is None:
            raise SealedFileError(
                f"is encrypted with key {name}, which is not among those set",
                where=where,
                hint="Put that key back, after the one in use (`cdp keys show` lists them).",
            )
        self._header, self._where = header, where
        self._cipher = _cipher(key, HEADER.unpack(header)[2])

    def facts(self, stream: BinaryIO) -> Content:
        packed = self._open(stream.read(FACTS.size + TAG), 0, is_last=False)
        digest, size = FACTS.unpack(packed)
        return Content(digest.hex(), size)

    def chunks(self, stream: BinaryIO) -> Iterator[bytes]:
        number, chunk = 0, stream.read(CHUNK + TAG)
        while chunk or not number:
            number, following = number + 1, stream.read(CHUNK + TAG)
            yield self._open(chunk, number, is_last=not following)
            chunk = following

    def _open(self, sealed: bytes, number: int, *, is_last: bool) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(number, is_last=is_last), sealed, self._header)
        except InvalidTag as error:
            raise _changed(self._where) from error


def _cipher(key: Key, salt: bytes) -> AESGCM:
    return AESGCM(bytes.fromhex(key.sign("archive", b"file" + salt)))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _key_name(header: bytes) -> str:
    return header[len(MARK) : len(MARK) + 9].decode("ascii", "replace")


def _changed(where: str) -> SealedFileError:
    return SealedFileError(
        "is encrypted, and was changed or cut short since",
        where=where,
        hint="Restore it from a backup; a delivery may be sent again instead.",
    )
