"""Which files in landing belong to a source, and which to none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.deliveries import Delivery
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import beside

_MOST_NAMED = 3

_NOISE = re.compile(
    r"(readme|licen[cs]e)(\.(txt|md|rst|html?|pdf|docx?))?|(eh)?thumbs\.db|desktop\.ini|~\$.*",
    re.IGNORECASE,
)
"""What people and their machines leave in any folder: no delivery, and no news."""

_BESIDE = re.compile(
    r".*\.(done|ok|ready|complete|trigger|ctl|md5|sha1|sha256|asc|sig|part|filepart|crdownload|tmp)",
    re.IGNORECASE,
)
"""What comes with a delivery or before it: told where it lies alone, but nobody's mistake."""


def claimed_by(found: Iterable[Delivery], contract: SourceContract) -> Iterator[str]:
    """Yield the paths of deliveries and of what lies beside them."""
    for delivery in found:
        place = PurePosixPath(delivery.file_name)
        yield delivery.file_name
        for pattern in companion_patterns(contract):
            yield place.with_name(beside(place.name, pattern)).as_posix()


def companion_patterns(contract: SourceContract) -> Iterator[str]:
    """Yield the names of files that lie beside a delivery and are none themselves."""
    written = contract.delivery
    if written.control and written.control.source == "manifest":
        yield written.control.manifest
    if written.complete and written.complete.by == "marker":
        yield written.complete.marker


def companions_among(names: Iterable[str], contract: SourceContract) -> set[str]:
    """Return the paths of what is no delivery: noise, and what lies beside one or a gone one."""
    found: set[str] = set()
    patterns = list(companion_patterns(contract))
    for name in names:
        place = PurePosixPath(name)
        found.update(str(place.with_name(beside(place.name, pattern))) for pattern in patterns)
        if any(_is_left_behind(place.name, pattern) for pattern in patterns):
            found.add(name)
        if is_noise(name) or _is_beside(place, PurePosixPath(contract.delivery.path)):
            found.add(name)
    return found


def _is_beside(place: PurePosixPath, wanted: PurePosixPath) -> bool:
    """Return whether a file speaks of another, and a glob such as `*.csv*` takes it by accident."""
    return bool(_BESIDE.fullmatch(place.name)) and place.suffix.lower() != wanted.suffix.lower()


def _is_left_behind(name: str, pattern: str) -> bool:
    """Return whether only a delivery's marker or manifest can be called that."""
    before, placeholder, after = pattern.partition("{name}")
    is_framed = name.startswith(before) and name.endswith(after)
    return bool(placeholder and (before or after)) and is_framed and name != before + after


def find_unclaimed(landing: Path, claimed: Collection[str]) -> list[str]:
    """Return the paths below landing of files that no contract asks for, in order.

    Args:
        landing: The folder.
        claimed: Paths below it of deliveries and of what lies beside them; hidden files count as
            nobody's business.
    """
    paths = (path.relative_to(landing) for path in landing.rglob("*") if path.is_file())
    shown = (p.as_posix() for p in paths if not any(part.startswith(".") for part in p.parts))
    names = (name.encode("utf-8", "replace").decode("utf-8") for name in shown)
    stems = {_stem(name) for name in claimed}
    return sorted(
        name
        for name in names
        if name not in claimed
        and not is_noise(name)
        and not (_BESIDE.fullmatch(name) and _stem(name) in stems)
    )


def _stem(name: str) -> str:
    """Return a path up to the first dot of its name."""
    place = PurePosixPath(name)
    return place.with_name(place.name.split(".")[0]).as_posix()


def is_noise(name: str) -> bool:
    """Return whether a file called that is no delivery anywhere.

    >>> is_noise("orders/Thumbs.db"), is_noise("readme.txt"), is_noise("readme_20261120.csv")
    (True, True, False)
    """
    return _NOISE.fullmatch(PurePosixPath(name).name) is not None


def is_beside_any(name: str) -> bool:
    """Return whether a file called that is noise, or comes with a delivery or before it.

    >>> is_beside_any("sales.csv.part"), is_beside_any("Thumbs.db"), is_beside_any("sales.csv")
    (True, True, False)
    """
    return is_noise(name) or _BESIDE.fullmatch(PurePosixPath(name).name) is not None


def describe_unclaimed(names: Collection[str]) -> list[str]:
    """Return the files in a few words; nothing if there are none.

    >>> describe_unclaimed(["a.csv", "b.csv", "c.csv", "d.csv"])
    ['4 files belong to no source: a.csv, b.csv, c.csv and 1 more']
    """
    if not names:
        return []
    shown = sorted(names)[:_MOST_NAMED]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    files = "1 file belongs" if len(names) == 1 else f"{len(names):,} files belong"
    return [f"{files} to no source: {', '.join(shown)}{more}"]


def describe_nothing_yet(
    landing: Path, names: Collection[str], contracts: Iterable[SourceContract]
) -> str:
    """Return what to do where no file has ever been taken.

    Args:
        landing: The folder.
        names: Files in it that no contract asks for.
        contracts: All contracts.

    Raises:
        ConfigError: There are such files that look like deliveries: surely a mistake.
    """
    wanted = "; ".join(f"{each.name} reads {each.delivery.path}" for each in contracts)
    between = "A folder between is named by the business date, such as 2026-11-20."
    lost = [name for name in names if not is_beside_any(name)]
    if lost:
        raise ConfigError(
            f"nothing to load: {describe_unclaimed(lost)[0]}",
            where=str(landing),
            hint=f"Put files where `delivery.path` of a contract finds them: {wanted}. {between}",
        )
    return f"nothing has been delivered yet: put files below {landing}, where {wanted}. {between}"
