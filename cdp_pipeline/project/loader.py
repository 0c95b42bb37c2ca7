"""Find and parse all declarations of a project.

The result is plain data: no delivery and no warehouse is read here. A project is the folder that
holds ``expectations/``, ``sql/`` and ``reports/``; what it lacks of ``sql/`` and ``reports/`` it
inherits from the starter that ships with the package, so a project may be a single contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from cdp_pipeline.core.errors import CdpError, CombinedConfigError, ConfigError
from cdp_pipeline.project.consent_rules import ConsentRules
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.linkage import LinkageSpec
from cdp_pipeline.project.macros import check_macros
from cdp_pipeline.project.marketing import DestinationSpec, OfferSpec, SegmentSpec
from cdp_pipeline.project.positions import SQL_HEADER
from cdp_pipeline.project.propensities import PropensityHeader, PropensitySpec
from cdp_pipeline.project.queries import Glossary, QueryHeader, QuerySpec
from cdp_pipeline.project.references import check_references
from cdp_pipeline.project.reports import Brand, ReportSpec
from cdp_pipeline.project.survivorship import SurvivorshipSpec
from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.project.yaml_source import parse_model, read_declared, read_model

LAYERS = ("identity", "core", "features", "segments", "ops", "marts")
"""Schemas of the warehouse, in the order in which they are made."""

CONSENT_FILE = "consent.yml"
_NO_DECLARATIONS = {".md", ".png"}
_PACKAGE = Path(__file__).resolve().parent.parent
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Project:
    """All declarations of a project.

    Attributes:
        root: The project's folder.
        sources: Contracts by source name, in name order.
        entities: Typed headers of ``sql/staging`` by table name.
        tables: Every warehouse table by ``schema.name``.
        macros: Files of ``sql/macros``, in name order.
        linkage: What tells people apart: ``sql/linkage/people.yml``, or the starter's.
        queries: Named questions of ``sql/queries`` by name.
        propensities: What people may be likely to do: ``sql/propensities`` by name.
        glossary: Words and their meaning: ``sql/glossary.yml``.
        consent: Which statement of consent holds: ``sql/consent.yml``, or the defaults.
        fingerprint: SHA-256 over every declaration's path and bytes.
    """

    root: Path
    sources: dict[str, SourceContract]
    entities: dict[str, TableSpec]
    tables: dict[str, TableSpec]
    macros: tuple[Path, ...]
    linkage: LinkageSpec
    segments: dict[str, SegmentSpec]
    offers: dict[str, OfferSpec]
    destinations: dict[str, DestinationSpec]
    reports: dict[str, ReportSpec]
    queries: dict[str, QuerySpec]
    propensities: dict[str, PropensitySpec]
    glossary: dict[str, str]
    consent: ConsentRules
    brand: Brand
    templates: Path
    survivorship: SurvivorshipSpec
    survivorship_file: Path
    files: dict[str, Path]
    fingerprint: str

    def table(self, full_name: str) -> TableSpec:
        """Return the table ``schema.name``.

        Raises:
            ConfigError: No file declares it.
        """
        if full_name not in self.tables:
            raise ConfigError(
                f"no declaration of table {full_name}",
                where=f"sql/{full_name.replace('.', '/')}",
                hint="Add the SQL model, or a .yml header if a Python step makes it.",
            )
        return self.tables[full_name]

    def models(self, schema: str) -> list[TableSpec]:
        """Return the SQL models of a layer, in name order."""
        return [t for t in self.tables.values() if t.schema == schema and t.sql is not None]

    def path_of(self, kind: str, name: str) -> Path:
        """Return the declaring file of a source, segment, offer, destination or report."""
        return self.files[f"{kind}/{name}"]


def starter_folder(name: str) -> Path:
    """Return the shipped copy of a top-level folder such as ``sql``.

    In a checkout that is the folder itself; in an installed wheel it lies in the package.
    """
    packaged = _PACKAGE / "starter" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def load_project(root: Path) -> Project:
    """Read all declarations below ``root``; cached until a file changes.

    Raises:
        ConfigError: A declaration is wrong; names file, line, mistake and remedy.
    """
    root = root.absolute()
    files = _declaration_files(root)
    stamp = tuple((str(path), *_stamp(path)) for path in files)
    return _load(root, stamp)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _declaration_files(root: Path) -> list[Path]:
    folders = [root / "expectations", _folder(root, "sql"), _folder(root, "reports")]
    found: list[Path] = []
    for folder in folders:
        found += [
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix not in _NO_DECLARATIONS
        ]
    inherited = [_linkage_file(root, name) for name in ("people.yml", "survivorship.yml")]
    return [*found, *(path for path in inherited if path not in found)]


def _folder(root: Path, name: str) -> Path:
    own = root / name
    return own if own.is_dir() else starter_folder(name)


def _templates(reports: Path) -> Path:
    own = reports / "templates"
    return own if own.is_dir() else starter_folder("reports") / "templates"


def _linkage_file(root: Path, name: str) -> Path:
    own = _folder(root, "sql") / "linkage" / name
    return own if own.is_file() else starter_folder("sql") / "linkage" / name


@lru_cache(maxsize=8)
def _load(root: Path, stamp: tuple[tuple[str, int, int], ...]) -> Project:
    """Read everything; what is wrong with one file does not hide what is wrong with the next."""
    sql, reports = _folder(root, "sql"), _folder(root, "reports")
    marketing = sql / "marketing"
    shelf = _Shelf()
    sources = shelf.read_all(SourceContract, (root / "expectations").glob("*.yml"), "source")
    segments = shelf.read_all(SegmentSpec, (marketing / "segments").glob("*.yml"), "segment")
    offers = shelf.read_all(OfferSpec, (marketing / "offers").glob("*.yml"), "offer")
    places = (marketing / "destinations").glob("*.yml")
    destinations = shelf.read_all(DestinationSpec, places, "destination")
    pages = (path for path in reports.glob("*.yml") if path.name != "brand.yml")
    specs = shelf.read_all(ReportSpec, pages, "report")
    entities = shelf.read_tables(sql, "staging")
    tables = [spec for layer in LAYERS for spec in shelf.read_tables(sql, layer)]
    linkage = shelf.read(LinkageSpec, _linkage_file(root, "people.yml"))
    brand_file = reports / "brand.yml"
    brand = shelf.read(Brand, brand_file) if brand_file.is_file() else Brand()
    propensities = shelf.read_propensities(sql)
    queries, glossary = shelf.read_queries(sql), shelf.read_glossary(sql)
    consent = shelf.read_consent(sql)
    survivorship = shelf.read(SurvivorshipSpec, _linkage_file(root, "survivorship.yml"))
    if shelf.errors or linkage is None or brand is None or survivorship is None or consent is None:
        raise _all_of(shelf.errors)
    project = Project(
        root=root,
        sources=sources,
        entities={spec.name: spec for spec in entities},
        tables={spec.full_name: spec for spec in tables},
        macros=tuple(sorted((sql / "macros").glob("*.sql"))),
        linkage=linkage,
        segments=segments,
        offers=offers,
        destinations=destinations,
        reports=specs,
        queries=queries,
        propensities=propensities,
        glossary=glossary,
        consent=consent,
        brand=brand,
        templates=_templates(reports),
        survivorship=survivorship,
        survivorship_file=_linkage_file(root, "survivorship.yml"),
        files=shelf.files,
        fingerprint=_fingerprint(Path(path) for path, _, _ in stamp),
    )
    errors = [*check_macros(project.macros), *check_references(project)]
    if errors:
        raise _all_of(errors)
    return project


def _all_of(errors: list[CdpError]) -> CdpError:
    return errors[0] if len(errors) == 1 else CombinedConfigError(errors)


class _Shelf:
    """Declarations that were read, and what is wrong with the others."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.errors: list[CdpError] = []

    def read(self, kind: type[Model], path: Path) -> Model | None:
        try:
            return read_model(kind, path)
        except ConfigError as error:
            self.errors.extend(error.parts)
            return None

    def read_all(self, kind: type[Model], paths: Iterable[Path], label: str) -> dict[str, Model]:
        found: dict[str, Model] = {}
        for path in sorted(paths):
            model = self.read(kind, path)
            if model is not None:
                found[path.stem] = model
                self.files[f"{label}/{path.stem}"] = path
        return found

    def read_tables(self, sql: Path, schema: str) -> list[TableSpec]:
        specs = []
        for path in sorted((sql / schema).glob("*.yml")):
            header = self.read(TableHeader, path)
            if header is not None:
                specs.append(TableSpec(schema, path.stem, header, path))
        for path in sorted((sql / schema).glob("*.sql")):
            try:
                specs.append(read_sql_model(path, schema))
            except ConfigError as error:
                self.errors.extend(error.parts)
        return specs

    def read_queries(self, sql: Path) -> dict[str, QuerySpec]:
        queries = {}
        for path in sorted((sql / "queries").glob("*.sql")):
            try:
                queries[path.stem] = read_query(path)
            except ConfigError as error:
                self.errors.extend(error.parts)
        return queries

    def read_propensities(self, sql: Path) -> dict[str, PropensitySpec]:
        propensities = {}
        for path in sorted((sql / "propensities").glob("*.sql")):
            try:
                propensities[path.stem] = read_propensity(path)
            except ConfigError as error:
                self.errors.extend(error.parts)
        return propensities

    def read_consent(self, sql: Path) -> ConsentRules | None:
        path = sql / CONSENT_FILE
        return self.read(ConsentRules, path) if path.is_file() else ConsentRules()

    def read_glossary(self, sql: Path) -> dict[str, str]:
        path = sql / "glossary.yml"
        glossary = self.read(Glossary, path) if path.is_file() else None
        return glossary.terms if glossary else {}


def read_sql_model(path: Path, schema: str) -> TableSpec:
    """Read a SQL file with its header comment.

    Raises:
        ConfigError: The header is missing or wrong.
    """
    yaml, header_line, sql, sql_line = _split_header(path, "a SQL model")
    header = parse_model(TableHeader, yaml, path=path, name=path.stem, first_line=header_line)
    return TableSpec(schema, path.stem, header, path, sql, sql_line)


def read_query(path: Path) -> QuerySpec:
    """Read a named query with its header comment.

    Raises:
        ConfigError: The header is missing or wrong.
    """
    yaml, header_line, sql, sql_line = _split_header(path, "a named query")
    header = parse_model(QueryHeader, yaml, path=path, name=path.stem, first_line=header_line)
    return QuerySpec(path.stem, header, path, sql.strip().removesuffix(";"), sql_line)


def read_propensity(path: Path) -> PropensitySpec:
    """Read a propensity with its header comment.

    Raises:
        ConfigError: The header is missing or wrong.
    """
    yaml, header_line, sql, sql_line = _split_header(path, "a propensity")
    header = parse_model(PropensityHeader, yaml, path=path, name=path.stem, first_line=header_line)
    return PropensitySpec(path.stem, header, path, sql.strip().removesuffix(";"), sql_line)


def _split_header(path: Path, what: str) -> tuple[str, int, str, int]:
    """Return YAML and SQL of a file, each with the line on which it begins."""
    text = read_declared(path)
    match = SQL_HEADER.match(text)
    if match is None:
        raise ConfigError(
            f"{what} begins with a /* header */ in YAML",
            where=f"{path}:1",
            hint="Copy the header of a neighbouring file; sql/README.md explains the keys.",
        )
    header_line = text[: match.start("yaml")].count("\n") + 1
    sql_line = text[: match.end()].count("\n") + 1
    return match.group("yaml"), header_line, text[match.end() :], sql_line


def _fingerprint(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
