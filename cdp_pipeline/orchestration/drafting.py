"""`cdp new segment|destination|report|propensity`: a draft is put where it belongs.

What a draft says is decided in ``project.drafts``; here is where it goes, what it may name, and
that nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.activation.projection import MEMBERSHIP_COLUMNS
from cdp_pipeline.activation.triggers import TRIGGER_COLUMNS
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.types import Channel
from cdp_pipeline.project.drafts import propensities
from cdp_pipeline.project.drafts.destinations import draft_destination
from cdp_pipeline.project.drafts.reports import choose_mart, draft_report, find_marts
from cdp_pipeline.project.drafts.segments import draft_segment
from cdp_pipeline.project.drafts.words import Words
from cdp_pipeline.project.loader import Project, load_project, starter_folder
from cdp_pipeline.project.marketing import CONTACT_COLUMNS
from cdp_pipeline.project.mistakes import suggest
from cdp_pipeline.segments.rules import FEATURES_TABLE
from cdp_pipeline.storage.files import write_atomic


@dataclass(frozen=True)
class Drafts:
    """Writes drafts into a project.

    Attributes:
        root: The project.
    """

    root: Path

    def segment(self, words: Words, *, where: str | None, channel: Channel | None) -> Path:
        """Write a segment and return its file.

        Raises:
            ConfigError: It is there already, or the project cannot take it.
        """
        path = self._place("sql", f"marketing/segments/{words.name}.yml")
        columns = _features(load_project(self.root))
        return _write(path, draft_segment(words, where=where, channel=channel, columns=columns))

    def destination(
        self, words: Words, *, channel: Channel | None, has_offers: bool, segments: Sequence[str]
    ) -> Path:
        """Write a destination and return its file.

        Raises:
            ConfigError: It is there already, names what there is not, or sends offers nowhere.
        """
        path = self._place("sql", f"marketing/destinations/{words.name}.yml")
        project = load_project(self.root)
        if has_offers and (segments or not channel):
            raise ConfigError(
                "offers go out on a channel, each to the segment that it names itself",
                where="--offers",
                hint="Add --channel email (or sms, push, post) and leave --segment out.",
            )
        for segment in segments:
            if segment not in project.segments:
                raise ConfigError(
                    f"no segment is called {segment!r}",
                    where="--segment",
                    hint=suggest(segment, project.segments),
                )
        text = draft_destination(
            words,
            channel=channel,
            has_offers=has_offers,
            segments=segments,
            columns=_sendable(project, channel, has_offers=has_offers),
        )
        return _write(path, text)

    def report(self, words: Words, *, mart: str | None) -> Path:
        """Write a report and return its file.

        Raises:
            ConfigError: It is there already, or there is no such mart.
        """
        path = self._place("reports", f"{words.name}.yml")
        tables = load_project(self.root).tables
        chosen = choose_mart(tables, mart)
        return _write(path, draft_report(words, mart=chosen, marts=find_marts(tables)))

    def propensity(self, words: Words, *, horizon_days: int, department: str | None) -> Path:
        """Write a propensity and return its file.

        Raises:
            ConfigError: It is there already, or the project cannot take it.
        """
        path = self._place("sql", f"propensities/{words.name}.sql")
        project = load_project(self.root)
        text = propensities.draft_propensity(
            words,
            horizon_days=horizon_days,
            department=department,
            sales=project.table(propensities.SALES),
            products=project.table(propensities.PRODUCTS),
        )
        return _write(path, text)

    def _place(self, folder: str, name: str) -> Path:
        """Return where a draft goes; a folder of its own would hide the starter's."""
        path = self.root / folder / name
        if not (self.root / folder).is_dir():
            raise ConfigError(
                f"this project has no {folder}/ of its own and would lose the inherited one",
                where=str(self.root / folder),
                hint=f"Copy it first: cp -r {starter_folder(folder)} {self.root / folder}",
            )
        if path.exists():
            raise ConfigError(
                f"{path.stem} is there already",
                where=str(path),
                hint="Edit that file, or choose another name.",
            )
        return path


def _features(project: Project) -> dict[str, str]:
    columns = project.table(FEATURES_TABLE).header.columns
    return {name: column.description for name, column in columns.items()}


def _sendable(project: Project, channel: Channel | None, *, has_offers: bool) -> dict[str, str]:
    content = TRIGGER_COLUMNS if has_offers else MEMBERSHIP_COLUMNS
    about = "of the offer" if has_offers else "of the segment's member"
    contact = dict.fromkeys(CONTACT_COLUMNS, "of the person") if channel else {}
    return dict.fromkeys(content, about) | contact | _features(project)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode())
    return path
