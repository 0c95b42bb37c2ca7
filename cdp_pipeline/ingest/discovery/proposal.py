"""Drafts written to files and tried on the delivery that they were made from: `cdp new source`.

The trial stages the file under the draft with provisional answers, in a folder that is thrown away,
so that people see at once what would be loaded and what set aside.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import CdpError, ConfigError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.ingest.deliveries import Delivery, StagedFile
from cdp_pipeline.ingest.discovery.draft import Draft
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.ingest.staging import open_scratch, stage_delivery
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.yaml_source import parse_model
from cdp_pipeline.storage.files import sha256_of

LARGEST_TRIAL = 1 << 26
"""Bytes of a delivery that is still tried: a trial reads all of it."""

_TRIAL_DAY = date(2199, 12, 31)
_SUFFIX = ".yml"
_KEY = r"\1:"
_ASKED = re.compile(r"^`([^`]*)` is not declared yet:")


@dataclass(frozen=True)
class Written:
    """A draft that was written.

    Attributes:
        path: Its file.
        summary: What was seen, in one line.
        questions: ``line:column  key: question`` for each that only people can answer.
        trial: What became of the delivery under provisional answers.
    """

    path: Path
    summary: str
    questions: tuple[str, ...]
    trial: tuple[str, ...]


def propose_sources(
    place: Path, *, name: str | None, out: Path, settings: Settings, root: Path
) -> list[Written]:
    """Write a draft for each kind of file at a place.

    Args:
        place: A delivery, or a folder of deliveries.
        name: Name of the source; None to take it from the files.
        out: Contract to write, or the folder to write contracts to.
        settings: The project's settings.
        root: The project.

    Raises:
        ConfigError: There is nothing to look at, or a contract is there already.
    """
    landing = settings.landing_dir or settings.data_dir / "landing"
    drafts = draft_sources(place, name=name, landing=landing)
    targets = [_target(draft, out, is_only=len(drafts) == 1) for draft in drafts]
    for target in targets:
        if target.exists():
            raise ConfigError(
                "this contract is there already",
                where=str(target),
                hint="Choose another name with --name or another place with --out.",
            )
    written = []
    for draft, target in zip(drafts, targets, strict=True):
        text = write_draft(draft)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(
            Written(
                target,
                _summary(draft),
                tuple(open_questions(text, target)),
                tuple(_trial(draft, settings, root)),
            )
        )
    return written


def _target(draft: Draft, out: Path, *, is_only: bool) -> Path:
    if out.suffix in {_SUFFIX, ".yaml"} and is_only:
        return out
    return out / f"{draft.name}{_SUFFIX}"


def _summary(draft: Draft) -> str:
    sample = draft.sample
    key = ", ".join(str(column) for column in draft.load["key"])  # type: ignore[attr-defined] # a list of names
    return (
        f"{draft.delivery['format']}, {sample.rows:,} rows ({sample.looked_at}), "
        f"{len(draft.columns)} columns, key {key}"
    )


def open_questions(text: str, path: Path) -> list[str]:
    """Return ``line:column  key: question`` for each question of a draft."""
    try:
        parse_model(SourceContract, text, path=path, name=path.stem)
    except ConfigError as error:
        return [f"{_place_in(e, path)}  {_ASKED.sub(_KEY, e.message)}" for e in error.parts]
    return []


def _place_in(error: CdpError, path: Path) -> str:
    return (error.where or "").removeprefix(f"{path}:")


def _trial(draft: Draft, settings: Settings, root: Path) -> list[str]:
    """Return what becomes of the delivery that was looked at."""
    path = draft.tried
    size = path.stat().st_size
    if size > LARGEST_TRIAL:
        return [f"trial  none: the file has {size >> 20} MB"]
    notes = try_draft(draft, settings, root)
    if notes.status == "refused":
        return [f"trial  the file would be refused: {notes.reason}"]
    kept = f"trial  {notes.accepted:,} of {notes.records:,} rows of {path.name} would be loaded"
    aside = [
        f"       set aside by {rule}: {count:,}" for rule, count in sorted(notes.rules.items())
    ]
    return [kept, *aside, *(f"       {message}" for message in notes.messages)]


def try_draft(draft: Draft, settings: Settings, root: Path) -> StagedFile:
    """Stage the delivery that a draft was made from, with provisional answers.

    Args:
        draft: The draft.
        settings: The project's settings; nothing is written to its data folder.
        root: The project.
    """
    text = write_draft(draft, is_trial=True)
    contract = parse_model(SourceContract, text, path=Path(draft.name), name=draft.name)
    with tempfile.TemporaryDirectory(prefix="cdp-trial-") as folder:
        private = settings.model_copy(update={"data_dir": Path(folder), "landing_dir": None})
        context = RunContext(_TRIAL_DAY, "trial", root, private)
        digest = sha256_of(draft.tried)
        delivery = Delivery(
            digest[:16],
            draft.name,
            str(draft.tried),
            draft.tried.name,
            digest,
            draft.tried.stat().st_size,
            _TRIAL_DAY,
            "new",
        )
        with open_scratch(context, draft.name) as (con, scratch):
            return stage_delivery(context, delivery, contract, con=con, scratch=scratch)
