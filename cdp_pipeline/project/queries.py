"""Named questions to the warehouse: ``sql/queries/<name>.sql``, run by ``cdp query <name>``.

A query is plain SQL without Jinja, so that it runs unchanged in every client of the published file.
Its header says who asks what, and names every column of the answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.checks import Declaration

Role = Literal["analyst", "marketer", "manager", "engineer", "privacy", "steward"]
"""Whom a page or a query is for."""

ROLES: tuple[Role, ...] = get_args(Role)


class QueryHeader(Declaration):
    """Documentation of one named query."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="The file's stem.")
    question: str = Field(min_length=1, description="What is asked, as one would say it.")
    role: Role = Field(description="Who asks it.")
    grain: str = Field(min_length=1, description="What one row of the answer is.")
    owner: str = Field(min_length=1, description="Who answers questions about it.")
    columns: dict[str, str] = Field(min_length=1, description="Column and meaning, with unit.")
    note: str = Field(default="", description="How to read the answer.")


class Glossary(Declaration):
    """Words of the trade and of this project: ``sql/glossary.yml``."""

    name: str = Field(default="glossary")
    terms: dict[str, str] = Field(min_length=1, description="Word and meaning.")


@dataclass(frozen=True)
class QuerySpec:
    """A named query.

    Attributes:
        name: The file's stem.
        header: Documentation.
        path: Declaring file.
        sql: The SELECT.
        sql_line: Line of the file on which ``sql`` begins.
    """

    name: str
    header: QueryHeader
    path: Path
    sql: str
    sql_line: int = 1


def find_query(queries: Mapping[str, QuerySpec], name: str) -> QuerySpec:
    """Return a query by its name.

    Raises:
        ConfigError: No file declares it; suggests the nearest name.
    """
    if name in queries:
        return queries[name]
    near = difflib.get_close_matches(name, list(queries), 1)
    meant = f"Did you mean `{near[0]}`? " if near else ""
    raise ConfigError(
        f"no query is called {name!r}",
        where=f"sql/queries/{name}.sql",
        hint=f"{meant}`cdp query --list` lists them; SQL begins with `select` or `from`.",
    )
