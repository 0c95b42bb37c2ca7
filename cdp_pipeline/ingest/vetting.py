"""Vet every expression of the contracts without data, so that mistakes show before a night runs.

The same vetting happens again where expressions are used; nothing is read or made here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from cdp_pipeline.core.errors import CdpError, CombinedConfigError, ConfigError
from cdp_pipeline.core.types import Severity
from cdp_pipeline.ingest.casting import DeliveredText, Names, cast_column
from cdp_pipeline.ingest.date_formats import COUNTED
from cdp_pipeline.ingest.feeds import IDENTIFYING, PERSON_ENTITY
from cdp_pipeline.ingest.joining import feed_columns
from cdp_pipeline.ingest.judging import check_columns, read_types
from cdp_pipeline.ingest.loading import contract_columns
from cdp_pipeline.project.checks import ROW_CHECKS, Check
from cdp_pipeline.project.contracts import Column, Feed, SourceContract
from cdp_pipeline.project.expressions import called_functions, vet_predicate, vet_scalar
from cdp_pipeline.project.positions import Positions
from cdp_pipeline.project.predicates import checked_pattern, row_predicate
from cdp_pipeline.project.sandbox import refusal_of
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import quote_literal

Result = TypeVar("Result")


def vet_contract(
    contract: SourceContract,
    entities: Mapping[str, TableSpec],
    *,
    where: str | Path,
    sources: Mapping[str, SourceContract] | None = None,
) -> int:
    """Vet one contract and return how many expressions were looked at.

    Args:
        contract: The contract.
        entities: Headers of the entities that sources may feed.
        where: Declaring file, for messages.
        sources: All contracts, which it may join.

    Raises:
        ConfigError: Expressions are wrong; ``parts`` holds each.
    """
    vetting = _Vetting(contract, Positions(Path(where)))
    vetting.vet_rules()
    vetting.vet_checks()
    vetting.vet_columns()
    known = sources or {}
    columns = vetting.attempt(lambda: feed_columns(contract, known, where=vetting.at("join")))
    if known and not contract.feeds:
        vetting.attempt(lambda: vetting.require_joined(known))
    for position, feed in enumerate(contract.feeds):
        vetting.vet_feed(position, feed, columns or contract_columns(contract), entities)
    if vetting.errors:
        first = vetting.errors[0]
        raise first if len(vetting.errors) == 1 else CombinedConfigError(vetting.errors)
    return vetting.count


@dataclass
class _Vetting:
    """One contract being vetted: what was looked at, and what is wrong."""

    contract: SourceContract
    at: Positions
    count: int = 0
    errors: list[CdpError] = field(default_factory=list)

    def attempt(self, vet: Callable[[], Result]) -> Result | None:
        """Vet one expression; keep what is wrong with it."""
        self.count += 1
        try:
            return vet()
        except CdpError as error:
            self.errors += error.parts
            return None

    def vet_rules(self) -> None:
        own, load = contract_columns(self.contract), self.contract.load
        for n, rule in enumerate(self.contract.exclude):
            place = self.at("exclude", n, "where")
            self.attempt(partial(vet_predicate, rule.where, columns=own, where=place))
        if load.deleted_when:
            place = self.at("load", "deleted_when")
            self.attempt(partial(vet_predicate, load.deleted_when, columns=own, where=place))

    def require_joined(self, sources: Mapping[str, SourceContract]) -> None:
        """Refuse a source that feeds nothing and is not joined by any other."""
        name = self.contract.name
        if any(join.source == name for other in sources.values() for join in other.join):
            return
        raise ConfigError(
            "feeds no entity, and no other source joins it",
            where=self.at("feeds"),
            hint="Add `feeds:`, or `join:` it in the contract that needs its columns.",
        )

    def vet_columns(self) -> None:
        for name, column in self.contract.columns.items():
            place = partial(self.at, "columns", name)
            self.attempt(partial(self._vet_format, column, place("format")))
            patterns = {"pattern": (column.pattern,), "hubs": column.hubs}
            for key, found in patterns.items():
                for pattern in filter(None, found):
                    self.attempt(partial(vet_pattern, pattern, where=place(key)))
            if column.value:
                self.attempt(partial(self._vet_value, column, place("value")))

    def _vet_value(self, column: Column, place: str) -> None:
        value = str(column.value)
        if "business_date" in called_functions(value):
            raise ConfigError(
                "`business_date` is known to feeds only: staging knows no store",
                where=place,
                hint="Write the zone: timezone('Europe/London', timezone('UTC', moment)).",
            )
        known = read_types(self.contract)
        vet_scalar(value, columns=known, where=place, cast_to=column.sql_type)

    def _vet_format(self, column: Column, place: str) -> None:
        if column.format is None:
            return
        if column.type not in {"date", "timestamp"}:
            raise ConfigError(
                f"`format:` is for dates and timestamps, not for type {column.type}",
                where=place,
                hint="Set `type: date` or `type: timestamp`.",
            )
        if "%" not in column.format and column.format not in COUNTED:
            raise ConfigError(
                f"`format: {column.format}` has no % before its letters, so that no date fits it",
                where=place,
                hint=f"Did you mean `{_as_strptime(column.format)}`?",
            )
        text, written = DeliveredText("''"), self.contract.delivery
        casting = cast_column(column, written, text=text, names=Names("''", "''", "''"))
        problem = refusal_of(casting.parsed)
        if problem:
            raise ConfigError(
                f"`format: {column.format}` is no format of a date: {problem}",
                where=place,
                hint="Write it as strptime does, such as %d/%m/%Y %H:%M:%S.",
            )

    def vet_checks(self) -> None:
        columns = check_columns(self.contract)
        declared = len(self.contract.all_checks()) - len(self.contract.checks)
        for n, check in enumerate(self.contract.all_checks()):
            own = n - declared
            if own < 0 and check.pattern:
                continue  # vetted as its column's
            place = ("checks", own) if own >= 0 else ("columns", str(check.column))
            self.attempt(partial(_vet_check, check, columns, partial(self.at, *place)))

    def vet_feed(
        self,
        position: int,
        feed: Feed,
        columns: Mapping[str, str],
        entities: Mapping[str, TableSpec],
    ) -> None:
        """Vet the expressions of a feed, and whether it sets what its entity needs."""
        place = partial(self.at, "feeds", position)
        if feed.where:
            self.attempt(partial(vet_predicate, feed.where, columns=columns, where=place("where")))
        entity = entities.get(feed.entity)
        if entity is None:
            return  # an unknown entity is a mistake of its own
        header = entity.header
        for name, sql in feed.columns.items():
            kind = header.columns[name].type or "varchar"
            at = place("columns", name)
            self.attempt(partial(vet_scalar, sql, columns=columns, where=at, cast_to=kind))
        if feed.entity == PERSON_ENTITY and not set(feed.columns) & set(IDENTIFYING):
            self.errors.append(
                ConfigError(
                    "the feed of person_records sets no column by which a person can be told",
                    where=place("columns"),
                    hint=f"Set one of: {', '.join(IDENTIFYING)}.",
                )
            )
        made = {"source", "statement_id", *({"record_key"} if feed.entity == PERSON_ENTITY else ())}
        for name in header.key:
            if name not in feed.columns and name not in made:
                self.errors.append(
                    ConfigError(
                        f"the feed of {feed.entity} does not set {name!r}, part of its key",
                        where=place("columns"),
                        hint=f"Add `{name}:` to its columns.",
                    )
                )


_SPREADSHEET_LETTERS = {
    "yyyy": "%Y", "yy": "%y", "mm": "%m", "dd": "%d", "hh": "%H", "ss": "%S", "aaaa": "%Y",
    "jjjj": "%Y", "tt": "%d",
}  # fmt: skip


def _as_strptime(text: str) -> str:
    """Return a format of dates as strptime spells it, for one as spreadsheets and Java do.

    >>> _as_strptime("dd.MM.yyyy HH:mm:ss"), _as_strptime("TT.MM.JJJJ"), _as_strptime("D/M/YY")
    ('%d.%m.%Y %H:%M:%S', '%d.%m.%Y', '%d/%m/%y')
    """
    found, hours = "", False
    for part in re.findall(r"([A-Za-z])(\1*)|(.)", text):
        letters = (part[0] + part[1]).lower()
        letters = letters * 2 if len(letters) == 1 else letters
        minutes = letters == "mm" and hours
        found += part[2] or ("%M" if minutes else _SPREADSHEET_LETTERS.get(letters, part[0]))
        hours = hours or letters == "hh"
    return found


def _vet_check(check: Check, columns: Mapping[str, str], place: Callable[..., str]) -> None:
    if check.where:
        vet_predicate(check.where, columns=columns, where=place("where"))
    if check.pattern:
        vet_pattern(check.pattern, where=place("pattern"))
    if check.expect in ROW_CHECKS:
        try:
            row_predicate(check, columns.get(check.column or "", "varchar"))
        except ConfigError as error:
            raise ConfigError(error.message, where=place(), hint=error.hint) from error
    elif check.severity is Severity.QUARANTINE:
        raise ConfigError(
            f"`expect: {check.expect}` is judged on the whole file, so it sets no row aside",
            where=place("severity"),
            hint="Use severity stop or warn.",
        )


def vet_pattern(pattern: str, *, where: str) -> None:
    """Refuse what is no regular expression of DuckDB's kind.

    Raises:
        ConfigError: It is none; says what is wrong with it.
    """
    check = Check(expect="matches", column="_", pattern=pattern)
    try:
        checked_pattern(check)
    except ConfigError as error:
        raise ConfigError(error.message, where=where, hint=error.hint) from error
    problem = refusal_of(f"regexp_matches('', {quote_literal(pattern)})")
    if problem:
        raise ConfigError(
            f"{pattern!r} is no regular expression: {problem}",
            where=where,
            hint="Close brackets, and put a backslash before characters meant as themselves.",
        )
