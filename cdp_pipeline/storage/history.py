"""Published versions as a history: what was true as of a date, and what it costs to keep it.

A rollback or a night run again leaves versions behind that are no part of that history any more;
they can still be opened by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.disk import measure, measure_alone
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import Version, published_versions


@dataclass(frozen=True)
class KeptVersion:
    """A published version that is still there.

    Attributes:
        version: The version.
        state: ``current``, ``kept``, ``replaced`` (its night was published again) or
            ``rolled back`` (a rollback led to an earlier night).
        total_bytes: What its files take.
        own_bytes: What would be free if it alone were dropped; files shared with other versions
            by hard links are not in it.
        rollback: From where, by whom and why, if a rollback published it.
    """

    version: Version
    state: str
    total_bytes: int
    own_bytes: int
    rollback: dict[str, str] | None


def find_lineage(versions: Sequence[Version]) -> list[Version]:
    """Return the versions that hold, one a business date, oldest first.

    Args:
        versions: Published versions in the order of publication.
    """
    held: list[Version] = []
    for version in reversed(versions):
        if not held or version.business_date < held[-1].business_date:
            held.append(version)
    return held[::-1]


def find_version(paths: DataPaths, when: str) -> Version:
    """Return the version that readers had as of a date, or the one of that name.

    Args:
        paths: The data folder.
        when: A date, for the newest night up to it that holds; or the name of any version that is
            kept.

    Raises:
        ConfigError: There is none, or it is neither date nor name; lists those that are kept.
    """
    versions = published_versions(paths)
    for version in versions:
        if when in {version.name, f"{version.sequence:06d}"}:
            return version
    try:
        day = date.fromisoformat(when)
    except ValueError as error:
        raise ConfigError(
            f"{when!r} is neither a date nor a version that is kept",
            where=str(paths.versions),
            hint=_list_kept(versions),
        ) from error
    found = [version for version in find_lineage(versions) if version.business_date <= day]
    if not found:
        raise ConfigError(
            f"no version as of {day} is kept", where=str(paths.versions), hint=_list_kept(versions)
        )
    return found[-1]


def list_kept(paths: DataPaths) -> list[KeptVersion]:
    """Return all versions on disk with what they cost, newest first."""
    versions = published_versions(paths)
    held = find_lineage(versions)
    folders = [version.path for version in versions]
    return [
        KeptVersion(
            version,
            _state(version, versions[-1], held),
            measure([version.path]),
            measure_alone(version.path, [path for path in folders if path != version.path]),
            version.manifest.get("rollback"),
        )
        for version in reversed(versions)
    ]


def measure_kept(paths: DataPaths) -> int:
    """Return the bytes that all published versions take, hard-linked files counted once."""
    return measure(version.path for version in published_versions(paths))


def _state(version: Version, current: Version, held: Sequence[Version]) -> str:
    if version == current:
        return "current"
    if version in held:
        return "kept"
    later = [other for other in held if other.sequence > version.sequence]
    again = any(other.business_date == version.business_date for other in later)
    return "replaced" if again else "rolled back"


def _list_kept(versions: Sequence[Version]) -> str:
    if not versions:
        return "Nothing has been published yet: run `cdp run` (or `cdp demo`) first."
    return f"Kept are {', '.join(version.name for version in versions)}; `cdp status` shows them."
