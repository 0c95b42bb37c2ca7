"""Check a whole project without data: declarations, expressions, SQL models, segments, reports.

What is wrong with one declaration does not hide what is wrong with the next, except where they
cannot be told apart: a file that cannot be read ends the check of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cdp_pipeline.activation.messages import vet_offer
from cdp_pipeline.activation.projection import vet_destination
from cdp_pipeline.core.errors import CdpError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.scoring.design import declared_design
from cdp_pipeline.ingest.vetting import vet_contract
from cdp_pipeline.orchestration.steps import nightly_graph
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.positions import Positions
from cdp_pipeline.project.reports import check_report
from cdp_pipeline.project.special_categories import unflagged_columns
from cdp_pipeline.project.unused import unused_columns
from cdp_pipeline.segments.rules import FEATURES_TABLE, vet_segment
from cdp_pipeline.warehouse.rehearsal import rehearse


@dataclass
class Findings:
    """What was checked and what is wrong.

    Attributes:
        checked: Count of declarations by kind.
        errors: Every mistake found.
        remarks: What is no mistake and should be looked at.
    """

    checked: dict[str, int] = field(default_factory=dict)
    errors: list[CdpError] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One sentence for people."""
        counted = ", ".join(f"{number} {kind}" for kind, number in self.checked.items())
        if self.errors:
            return f"checked {counted or 'nothing'}: {len(self.errors)} wrong"
        return f"checked {counted}: all good"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        errors = [error.as_dict() for error in self.errors]
        return {"checked": self.checked, "errors": errors, "remarks": self.remarks}

    def attempt(self, check: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the check returns
        """Run one check; keep its error and return None if it raises one of ours."""
        try:
            return check()
        except CdpError as error:
            self.errors.extend(error.parts)
            return None


def check_project(root: Path, settings: Settings) -> Findings:
    """Return what is wrong with a project's declarations.

    Args:
        root: The project.
        settings: Values for Jinja and macros.
    """
    findings = Findings()
    project: Project | None = findings.attempt(lambda: load_project(root))
    if project is None:
        return findings
    findings.attempt(lambda: nightly_graph(root))
    _check_contracts(project, findings)
    findings.attempt(partial(declared_design, project.linkage))
    findings.checked["linkage rules"] = len(project.linkage.rules)
    columns = _check_models(project, settings, findings)
    _check_marketing(project, columns, findings)
    _check_reports(project, findings)
    return findings


def _check_contracts(project: Project, findings: Findings) -> None:
    for name, contract in project.sources.items():
        where = project.path_of("source", name)
        place = Positions(where)
        findings.remarks += [
            f"{place('columns', column)}: {column!r} sounds like {heard.replace('_', ' ')}, a "
            f"special category of personal data; write `special_category: {heard}`, or none"
            for column, heard in unflagged_columns(contract).items()
        ]
        vet = partial(vet_contract, contract, project.entities, where=where)
        if findings.attempt(partial(vet, sources=project.sources)) is None:
            continue
        if unused := unused_columns(contract, project.sources):
            findings.remarks.append(
                f"{where}: nothing uses {', '.join(unused)}; list them under `ignore:` and they "
                "are not stored"
            )
    findings.checked["sources"] = len(project.sources)


def _check_models(project: Project, settings: Settings, findings: Findings) -> dict[str, str]:
    """Build every model on empty tables; return the types of what segments may speak of."""
    columns: dict[str, str] = {}
    for with_base in (False, True):
        built = findings.attempt(partial(rehearse, project, settings, with_base=with_base))
        if built is None:
            break  # the second night would only repeat the first one's mistake
        columns = built.get(FEATURES_TABLE, columns)
    findings.checked["tables"] = len(project.tables)
    findings.checked["queries"] = len(project.queries)
    findings.checked["propensities"] = len(project.propensities)
    return columns


def _check_marketing(project: Project, columns: Mapping[str, str], findings: Findings) -> None:
    if columns:
        for name, spec in project.segments.items():
            path = project.path_of("segment", name)
            findings.attempt(partial(vet_segment, spec, columns=columns, path=path))
        for name, offer in project.offers.items():
            path = project.path_of("offer", name)
            findings.attempt(partial(vet_offer, offer, columns=columns, path=path))
        for name, destination in project.destinations.items():
            path = project.path_of("destination", name)
            findings.attempt(partial(vet_destination, destination, columns=columns, path=path))
    findings.checked["segments"] = len(project.segments)
    findings.checked["offers"] = len(project.offers)
    findings.checked["destinations"] = len(project.destinations)


def _check_reports(project: Project, findings: Findings) -> None:
    for name, report in project.reports.items():
        path = project.path_of("report", name)
        findings.attempt(partial(check_report, report, project.tables, path))
    findings.checked["reports"] = len(project.reports)
