"""Write the documentation site, for the command ``cdp docs`` and after each publication.

A page is never seen half written: the site is built beside the old one and takes its place by a
rename. It is read-only towards everything else, so a failure here costs the site and nothing more.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.documentation.catalogue import build_catalogue
from cdp_pipeline.documentation.observed import Observed, observe
from cdp_pipeline.documentation.pages import render_site
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.files import fsync, fsync_tree
from cdp_pipeline.warehouse.rehearsal import REHEARSAL_DATE, rehearse

FOLDER = "docs"
"""Name of the site's folder in the data folder."""

MARKER = ".cdp-docs"
"""File that says: made by us, may be replaced by us."""


@dataclass(frozen=True)
class Site:
    """What was written.

    Attributes:
        folder: Where the site is.
        files: Number of files.
        version: Published version that it shows; empty if there is none.
        is_new: Whether anything differs from the site that was there.
    """

    folder: Path
    files: int
    version: str
    is_new: bool

    @property
    def index(self) -> Path:
        """The front page."""
        return self.folder / "index.html"


def write_site(root: Path, settings: Settings, folder: Path) -> Site:
    """Generate the site and put it in place of what was there.

    Args:
        root: The project.
        settings: Its settings; the published version is looked for in their data folder.
        folder: Where the site goes; missing, empty, or an earlier site.

    Raises:
        ConfigError: A declaration is wrong, or the folder holds something else.
    """
    _refuse_strangers(folder)
    settle_folder(folder)
    project = load_project(root)
    seen = observe(settings, project.tables)
    if not seen.version:
        seen = Observed(types=_types_without_data(root, settings))
    catalogue = build_catalogue(project, settings, seen.business_date or REHEARSAL_DATE)
    files = render_site(catalogue, seen) | {MARKER: b"Written by `cdp docs`; replaced by it.\n"}
    is_new = not _holds(folder, files)
    if is_new:
        replace_folder(folder, files)
    return Site(folder, len(files), seen.version, is_new)


def _types_without_data(root: Path, settings: Settings) -> dict[str, dict[str, str]]:
    return rehearse(load_project(root), settings)


def _refuse_strangers(folder: Path) -> None:
    if not folder.exists() or (folder / MARKER).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise ConfigError(
            "this folder holds something that is no documentation site",
            where=str(folder),
            hint="Name a new or empty folder: `cdp docs --out site`.",
        )


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Return whether a folder holds exactly these files."""
    there = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    named = {_on_disk(name): data for name, data in files.items()}
    return there.keys() == named.keys() and all(
        there[name].read_bytes() == data for name, data in named.items()
    )


def settle_folder(folder: Path) -> None:
    """Put back a folder whose replacement died half-way, and delete what it left beside it."""
    fresh, old = _beside(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder and let it take the place of the old one.

    A crash leaves the old folder, the new one, or the old one under its hidden name, which
    ``settle_folder`` puts back.

    Args:
        folder: The place.
        files: Bytes by address; percent signs of addresses are resolved.
    """
    fresh, old = _beside(folder)
    settle_folder(folder)
    fresh.mkdir(parents=True)
    for name, data in files.items():
        path = fresh / _on_disk(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    fsync_tree(fresh)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    fsync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _on_disk(address: str) -> str:
    """Return the file behind an address."""
    return unquote(address)
