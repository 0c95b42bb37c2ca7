"""Places that deliveries are fetched from: a folder, an S3 bucket, an SFTP server.

Files are listed and copied, never written, renamed or deleted there. What a library says of a
failure may hold names of keys, so that errors carry our own words. Which files are taken, and when,
is decided in ``collecting``.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cdp_pipeline.core.access_settings import LocationSettings
from cdp_pipeline.core.errors import ConfigError, OriginError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.contracts import SourceContract

_CHUNK = 1 << 20
_ERROR_ROOTS = {
    "paramiko": ("SSHException",),
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
}
_EXTRAS = {"s3": "s3fs", "sftp": "paramiko"}


@dataclass(frozen=True)
class Entry:
    """A file at its origin.

    Attributes:
        name: Path below the location.
        size: Bytes.
        stamp: Changes whenever the file does, as far as the origin can tell.
        refusal: Why it must not be read; empty if it may.
    """

    name: str
    size: int
    stamp: str
    refusal: str = ""


class Origin(Protocol):
    """An open place."""

    def find(self, pattern: str) -> dict[str, Entry]:
        """Return the files that match a glob, by name, in name order."""

    def look(self, name: str) -> Entry | None:
        """Return a file as it is now; None if there is none."""

    def fetch(self, name: str, target: Path) -> bool:
        """Copy a file and return whether it was there."""


@contextmanager
def open_origin(contract: SourceContract, settings: Settings, *, where: str) -> Iterator[Origin]:
    """Open the location of a contract and close it again.

    Raises:
        ConfigError: It does not exist, its settings are missing or wrong, or a package is.
        OriginError: It does not answer.
    """
    location = contract.delivery.location or ""
    scheme = urlsplit(location).scheme
    access = _access(contract, settings, where=where)
    place = Place(location, contract.delivery.access, where)
    if not scheme:
        yield place.watched(lambda: Folder(Path(location)))
        return
    opened = place.watched(lambda: _open_remote(scheme, location, access, place))
    try:
        yield opened
    finally:
        opened.close()


def _access(contract: SourceContract, settings: Settings, *, where: str) -> LocationSettings:
    name = contract.delivery.access
    if name is None:
        return LocationSettings()
    if name not in settings.locations:
        known = ", ".join(sorted(settings.locations)) or "none"
        raise ConfigError(
            f"no settings for access {name!r}",
            where=where,
            hint=f"Set CDP_LOCATIONS__{name.upper()}__... in the environment; known: {known}.",
        )
    return settings.locations[name]


@dataclass(frozen=True)
class Place:
    """A location in messages.

    Attributes:
        location: As the contract spells it; holds no secret.
        access: Name of its settings.
        where: Declaring file.
    """

    location: str
    access: str | None
    where: str

    def watched(self, act: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the act returns
        """Do something at the place; its failures become errors of ours.

        Raises:
            ConfigError: Trying again will not help.
            OriginError: Trying again may help.
        """
        try:
            return act()
        except ImportError as error:
            extra = urlsplit(self.location).scheme
            raise ConfigError(
                f"{self.location} needs the package {_EXTRAS.get(extra, extra)}",
                where=self.where,
                hint=f"Install it: pip install 'cdp-pipeline[{extra}]'.",
            ) from error
        except FileNotFoundError as error:
            raise self._wrong("does not exist", "Mend `location:`, or have it created.") from error
        except PermissionError as error:
            raise self._wrong("refuses us", self._sign_in("it may be read")) from error
        except _failures() as error:
            raise self._translate(error) from error

    def _translate(self, error: Exception) -> ConfigError | OriginError:
        kind = type(error).__name__
        if kind in {"AuthenticationException", "PasswordRequiredException", "NoCredentialsError"}:
            return self._wrong("does not let us in", self._sign_in("user, password and key"))
        if kind in {"BadAuthenticationType", "PartialCredentialsError", "BadHostKeyException"}:
            return self._wrong("does not let us in", self._sign_in("user, password and key"))
        if isinstance(error, UnknownHostError):
            return self._wrong(str(error), error.hint)
        return OriginError(
            f"{self.location} does not answer ({kind})",
            where=self.where,
            hint="Look whether host and network are up; the run tries again.",
        )

    def _wrong(self, what: str, hint: str) -> ConfigError:
        return ConfigError(f"{self.location} {what}", where=self.where, hint=hint)

    def _sign_in(self, what: str) -> str:
        if self.access is None:
            return f"Check that {what} are right, or name settings as `access:`."
        return f"Check that {what}: settings CDP_LOCATIONS__{self.access.upper()}__..."


def _failures() -> tuple[type[Exception], ...]:
    """Return the errors of files and networks, and the roots of libraries' own that are in use."""
    found: list[type[Exception]] = [OSError, EOFError, UnknownHostError]
    for module, names in _ERROR_ROOTS.items():
        if module in sys.modules:
            found += [getattr(sys.modules[module], name) for name in names]
    return tuple(found)


class UnknownHostError(Exception):
    """A server showed a key that is not known to be its own."""

    hint = "Ask its owner for the key and add it: ssh-keyscan HOST >> ~/.ssh/known_hosts."


class Folder:
    """A folder of this machine; links and what is no file are refused, not followed."""

    def __init__(self, root: Path) -> None:
        """Open a folder; FileNotFoundError if there is none."""
        if not root.is_dir():
            raise FileNotFoundError(root)
        self._root = root

    def find(self, pattern: str) -> dict[str, Entry]:
        """Return the files that match a glob, by name, in name order."""
        found: dict[str, Entry] = {}
        for path in sorted(self._root.glob(pattern)):
            entry = self.look(path.relative_to(self._root).as_posix())
            if entry is not None:
                found[entry.name] = entry
        return found

    def look(self, name: str) -> Entry | None:
        """Return a file as it is now; None if there is none."""
        path = self._root / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        refusal = "" if stat.S_ISREG(status.st_mode) else "it is not a regular file"
        if path.parent.resolve() != (self._root.resolve() / name).parent:
            refusal = "a folder on its path is a link"
        return Entry(name, status.st_size, f"{status.st_mtime_ns}-{status.st_ino}", refusal)

    def fetch(self, name: str, target: Path) -> bool:
        """Copy a file, following no link, and return whether it was there."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._root / name, flags)
        except FileNotFoundError:
            return False
        except OSError as error:
            message = f"{self._root / name} cannot be read ({error.strerror})"
            raise OriginError(message, where=name, hint="Look at the file.") from error
        with os.fdopen(descriptor, "rb") as source, target.open("wb") as copy:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                shutil.copyfileobj(source, copy, _CHUNK)
        return True


class Remote:
    """A bucket or server behind a file system of fsspec."""

    def __init__(self, root: Any, place: Place) -> None:  # noqa: ANN401 - a UPath
        """Take over an open file system."""
        self._fs = root.fs
        self._base = str(root.path).rstrip("/")
        self._place = place

    def find(self, pattern: str) -> dict[str, Entry]:
        """Return the files that match a glob, by name, in name order."""
        listed = self._place.watched(lambda: self._fs.glob(f"{self._base}/{pattern}", detail=True))
        entries = (self._entry(info) for info in listed.values())
        return {entry.name: entry for entry in sorted(entries, key=_name_of) if entry.name}

    def look(self, name: str) -> Entry | None:
        """Return a file as it is now; None if there is none."""
        path = f"{self._base}/{name}"
        return self._place.watched(lambda: self._info(path))  # type: ignore[no-any-return]

    def fetch(self, name: str, target: Path) -> bool:
        """Copy a file and return whether it was there."""
        return self._place.watched(lambda: self._get(name, target))  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the session."""
        client = getattr(self._fs, "client", None)  # paramiko's; s3fs closes by itself
        if client is not None:
            client.close()

    def _get(self, name: str, target: Path) -> bool:
        try:
            self._fs.get_file(f"{self._base}/{name}", str(target))
        except FileNotFoundError:
            return False
        return True

    def _info(self, path: str) -> Entry | None:
        self._fs.invalidate_cache()
        try:
            info = self._fs.info(path)
        except FileNotFoundError:
            return None
        return self._entry(info) if info["type"] != "directory" else None

    def _entry(self, info: Mapping[str, Any]) -> Entry:
        name = str(info["name"])
        if info["type"] == "directory" or not name.startswith(f"{self._base}/"):
            return Entry("", 0, "")
        stamp = f"{info.get('ETag', '')}-{info.get('LastModified') or info.get('mtime')}"
        refusal = "" if info["type"] == "file" else "it is not a regular file"
        return Entry(name.removeprefix(f"{self._base}/"), int(info["size"] or 0), stamp, refusal)


def _name_of(entry: Entry) -> str:
    return entry.name


def _open_remote(scheme: str, location: str, access: LocationSettings, place: Place) -> Remote:
    from fsspec import register_implementation  # noqa: PLC0415 - an extra
    from upath import UPath  # noqa: PLC0415 - an extra

    if scheme == "s3":
        options = _s3_options(access)
    else:
        # Packages may put another client in its place, which would trust any server.
        client = "fsspec.implementations.sftp.SFTPFileSystem"
        register_implementation("sftp", client, clobber=True)
        options = _sftp_options(location, access)
    root = UPath(location, skip_instance_cache=True, **options)
    if scheme == "s3":
        bucket = urlsplit(location).netloc
        root.fs.call_s3("head_bucket", Bucket=bucket)  # listing a missing bucket only seems empty
    else:
        root.fs.ls(root.path)
    return Remote(root, place)


def _s3_options(access: LocationSettings) -> dict[str, Any]:
    client: dict[str, Any] = {}
    if access.endpoint:
        client["endpoint_url"] = access.endpoint
    if access.region:
        client["region_name"] = access.region
    timeouts = {
        "connect_timeout": access.timeout_seconds,
        "read_timeout": access.timeout_seconds,
        "retries": {"max_attempts": 2},
    }
    return {
        "key": access.key,
        "secret": access.secret.get_secret_value() if access.secret else None,
        "client_kwargs": client,
        "config_kwargs": timeouts,
        "use_listings_cache": False,
    }


def _sftp_options(location: str, access: LocationSettings) -> dict[str, Any]:
    known = access.known_hosts or Path("~/.ssh/known_hosts").expanduser()
    options: dict[str, Any] = {
        "port": urlsplit(location).port or 22,
        "username": access.user,
        "password": access.password.get_secret_value() if access.password else None,
        "key_filename": str(access.key_file) if access.key_file else None,
        "timeout": access.timeout_seconds,
        "banner_timeout": access.timeout_seconds,
        "auth_timeout": access.timeout_seconds,
        "host_key_policy": _known_hosts_only(known),
    }
    if access.password or access.key_file:  # nothing else is tried then
        options |= {"allow_agent": False, "look_for_keys": False}
    return {name: value for name, value in options.items() if value is not None}


def _known_hosts_only(known: Path) -> Any:  # noqa: ANN401 - a policy of paramiko
    """Return the policy that takes only keys that the file of known hosts lists."""
    import paramiko  # noqa: PLC0415 - an extra

    keys = paramiko.HostKeys(str(known)) if known.is_file() else paramiko.HostKeys()

    class KnownHostsOnly(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, _client: object, hostname: str, key: Any) -> None:  # noqa: ANN401
            if not keys.check(hostname, key):
                what = "another key" if keys.lookup(hostname) else "no key"
                message = f"shows a key that is not known: {known} has {what} for {hostname}"
                raise UnknownHostError(message)

    return KnownHostsOnly()
