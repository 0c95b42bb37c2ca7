"""Names by which declarations refer to each other: each must lead somewhere.

Only names of whole declarations and of the columns that feeds set are followed here; expressions
are vetted by those who use them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_pipeline.core.errors import CdpError, ConfigError
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.mistakes import suggest
from cdp_pipeline.project.positions import Positions
from cdp_pipeline.project.special_categories import check_special_uses
from cdp_pipeline.project.tables import TableSpec

if TYPE_CHECKING:
    from cdp_pipeline.project.loader import Project


def check_references(project: Project) -> list[CdpError]:
    """Return a mistake for each name that leads nowhere, with its place and the nearest name."""
    found: list[CdpError] = [*_trusted_sources(project), *_distrusted_sources(project)]
    for name, contract in project.sources.items():
        found += _feeds(contract, project.entities, project.path_of("source", name))
    for name, offer in project.offers.items():
        place = Positions(project.path_of("offer", name))
        if offer.segment not in project.segments:
            found.append(
                _unknown("offer refers to", "segment", offer.segment, project.segments, place)
            )
    for name, destination in project.destinations.items():
        place = Positions(project.path_of("destination", name))
        for position, segment in enumerate(destination.segments):
            if segment not in project.segments:
                found.append(
                    _unknown(
                        "destination refers to",
                        "segment",
                        segment,
                        project.segments,
                        place,
                        ("segments", position),
                    )
                )
    return [*found, *check_special_uses(project)]


def _unknown(
    what: str,
    kind: str,
    name: str,
    known: Iterable[str],
    place: Positions,
    at: tuple[int | str, ...] | None = None,
) -> ConfigError:
    return ConfigError(
        f"{what} unknown {kind} {name!r}",
        where=place(*(at or (kind,))),
        hint=suggest(name, sorted(known)),
    )


def _trusted_sources(project: Project) -> Iterator[ConfigError]:
    path = project.survivorship_file
    for name in sorted(set(project.survivorship.named_sources) - set(project.sources)):
        yield ConfigError(
            f"`trusted_as:` names unknown source {name!r}",
            where=_line_of(path, name),
            hint=suggest(name, sorted(project.sources)),
        )


def _distrusted_sources(project: Project) -> Iterator[ConfigError]:
    for name in sorted(set(project.consent.distrusted_grants) - set(project.sources)):
        yield ConfigError(
            f"`distrusted_grants:` names unknown source {name!r}",
            where="sql/consent.yml",
            hint=suggest(name, sorted(project.sources)),
        )


def _line_of(path: Path, word: str) -> str:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        column = line.partition("#")[0].find(word)
        if column >= 0:
            return f"{path}:{number}:{column + 1}"
    return f"{path}:1:1"


def _feeds(
    contract: SourceContract, entities: Mapping[str, TableSpec], path: Path
) -> Iterator[ConfigError]:
    place = Positions(path)
    for position, feed in enumerate(contract.feeds):
        entity = entities.get(feed.entity)
        if entity is None:
            yield _unknown(
                "feeds", "entity", feed.entity, entities, place, ("feeds", position, "entity")
            )
            continue
        for column in feed.columns:
            if column not in entity.header.columns:
                yield ConfigError(
                    f"feed of {feed.entity} sets unknown column {column!r}",
                    where=place("feeds", position, "columns", column),
                    hint=suggest(column, entity.header.columns, else_=f"{feed.entity} has: {{}}."),
                )
