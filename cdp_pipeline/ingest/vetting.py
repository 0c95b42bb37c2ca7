"""Vet every expression of the contracts without data, so that mistakes show before a night runs.

The same vetting happens again where expressions are used; nothing is read or made here.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.types import Severity
from cdp_pipeline.ingest.casting import cast_column
from cdp_pipeline.ingest.feeds import IDENTIFYING, PERSON_ENTITY
from cdp_pipeline.ingest.joining import feed_columns
from cdp_pipeline.ingest.judging import check_columns, read_types
from cdp_pipeline.ingest.loading import contract_columns
from cdp_pipeline.project.checks import ROW_CHECKS, Check
from cdp_pipeline.project.contracts import Feed, SourceContract
from cdp_pipeline.project.expressions import called_functions, vet_predicate, vet_scalar
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.predicates import checked_pattern, row_predicate
from cdp_pipeline.project.tables import TableSpec


def vet_contracts(project: Project) -> int:
    """Vet all contracts of a project and return how many expressions were looked at.

    Raises:
        ConfigError: The first expression that is wrong; names file, place and remedy.
    """
    return sum(
        vet_contract(
            contract,
            project.entities,
            where=str(project.path_of("source", name)),
            sources=project.sources,
        )
        for name, contract in project.sources.items()
    )


def vet_contract(
    contract: SourceContract,
    entities: Mapping[str, TableSpec],
    *,
    where: str,
    sources: Mapping[str, SourceContract] | None = None,
) -> int:
    """Vet one contract and return how many expressions were looked at.

    Args:
        contract: The contract.
        entities: Headers of the entities that sources may feed.
        where: Declaring file, for messages.
        sources: All contracts, which it may join.

    Raises:
        ConfigError: The first expression that is wrong.
    """
    own = contract_columns(contract)
    count = 0
    for rule in contract.exclude:
        vet_predicate(rule.where, columns=own, where=f"{where}: {rule.rule}")
        count += 1
    if contract.load.deleted_when:
        vet_predicate(contract.load.deleted_when, columns=own, where=f"{where}: deleted_when")
        count += 1
    count += _vet_checks(contract, where=where)
    count += _vet_columns(contract, where=where)
    known = sources or {}
    columns = feed_columns(contract, known, where=where)
    if known and not contract.feeds:
        _require_joined(contract, known, where=where)
    for feed in contract.feeds:
        count += _vet_feed(feed, columns, entities, where=where)
    return count


def _require_joined(
    contract: SourceContract, sources: Mapping[str, SourceContract], *, where: str
) -> None:
    if any(join.source == contract.name for other in sources.values() for join in other.join):
        return
    raise ConfigError(
        "feeds no entity, and no other source joins it",
        where=where,
        hint="Add `feeds:`, or `join:` it in the contract that needs its columns.",
    )


def _vet_columns(contract: SourceContract, *, where: str) -> int:
    count = 0
    for name, column in contract.columns.items():
        place = f"{where}: column {name}"
        cast_column(column, contract.delivery, raw=name, clean=name, value=name)
        for hub in column.hubs:
            checked_pattern(Check(expect="matches", name=name, column=name, pattern=hub))
        if column.value:
            if "business_date" in called_functions(column.value):
                raise ConfigError(
                    "`business_date` is known to feeds only: staging knows no store",
                    where=place,
                    hint="Write the zone: timezone('Europe/London', timezone('UTC', moment)).",
                )
            known = read_types(contract)
            vet_scalar(column.value, columns=known, where=place, cast_to=column.sql_type)
            count += 1
    return count


def _vet_checks(contract: SourceContract, *, where: str) -> int:
    count = 0
    columns = check_columns(contract)
    for check in contract.all_checks():
        place = f"{where}: check {check.rule!r}"
        if check.where:
            vet_predicate(check.where, columns=columns, where=place)
            count += 1
        if check.expect in ROW_CHECKS:
            row_predicate(check, columns.get(check.column or "", "varchar"))
        elif check.severity is Severity.QUARANTINE:
            raise ConfigError(
                f"`expect: {check.expect}` is judged on the whole file, so it sets no row aside",
                where=place,
                hint="Use severity stop or warn.",
            )
    return count


def _vet_feed(
    feed: Feed,
    columns: Mapping[str, str],
    entities: Mapping[str, TableSpec],
    *,
    where: str,
) -> int:
    place = f"{where}: feed of {feed.entity}"
    if feed.where:
        vet_predicate(feed.where, columns=columns, where=place)
    header = entities[feed.entity].header
    for name, sql in feed.columns.items():
        kind = header.columns[name].type or "varchar"
        vet_scalar(sql, columns=columns, where=f"{place}: {name}", cast_to=kind)
    if feed.entity == PERSON_ENTITY and not set(feed.columns) & set(IDENTIFYING):
        raise ConfigError(
            "the feed of person_records sets no column by which a person can be told",
            where=place,
            hint=f"Set one of: {', '.join(IDENTIFYING)}.",
        )
    made = {"source", "statement_id", *({"record_key"} if feed.entity == PERSON_ENTITY else ())}
    missing = [name for name in header.key if name not in feed.columns and name not in made]
    if missing:
        raise ConfigError(
            f"the feed does not set {missing[0]!r}, which is part of the entity's key",
            where=place,
            hint=f"Add `{missing[0]}:` to its columns.",
        )
    return len(feed.columns) + bool(feed.where)
