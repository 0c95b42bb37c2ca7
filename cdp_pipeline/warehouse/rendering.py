"""Jinja for SQL models: values only, so that what a model reads stays visible in its text.

A model may use ``business_date``, ``settings``, ``time_zone``, ``sources`` and ``base.has()``; a
name that does not exist is an error, never an empty text. Running models belongs to ``build``.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import quote_literal

_NAMES = "business_date, settings, time_zone, sources, base.has()"


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja in which no short text can make an endless number or text."""

    intercepted_binops = frozenset({"**", "*"})

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        if operator == "**" or not all(isinstance(side, int | float) for side in (left, right)):
            message = f"{operator} is for numbers in SQL"
            raise SecurityError(message)
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT = _Environment(
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
)


@dataclass(frozen=True)
class Base:
    """The version that a night builds upon, as models see it.

    Attributes:
        tables: Its tables as ``schema.table``; empty on the first night.
    """

    tables: Collection[str] = ()

    def has(self, table: str) -> bool:
        """Return whether ``base.<schema>.<table>`` can be read."""
        return table in self.tables


@dataclass(frozen=True)
class RenderValues:
    """Everything that Jinja can put into a model.

    Attributes:
        business_date: The night's business day.
        settings: The project's settings.
        sources: Names of the declared sources.
        base: What the version that the night builds upon holds.
    """

    business_date: date
    settings: Settings
    sources: tuple[str, ...] = ()
    base: Base = Base()


def render_model(spec: TableSpec, values: RenderValues) -> str:
    """Return the model's SELECT with its values filled in, line for line.

    Args:
        spec: A table with ``sql``.
        values: What Jinja may use.

    Raises:
        WarehouseError: The Jinja is wrong or uses an unknown name; names file and line.
    """
    try:
        text = _compile(spec.sql or "").render(
            business_date=f"date '{values.business_date.isoformat()}'",
            settings=values.settings,
            time_zone=quote_literal(values.settings.time_zone),
            sources=values.sources,
            base=values.base,
        )
    except (TemplateError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
        line = spec.sql_line + _line_of(error) - 1
        raise WarehouseError(
            f"{spec.full_name}: {_said(error) or type(error).__name__}",
            where=f"{spec.path}:{line}",
            hint=f"Models may use {_NAMES}; field names are those of [tool.cdp].",
        ) from error
    return text.rstrip().removesuffix(";")


@lru_cache(maxsize=512)
def _compile(sql: str) -> Template:
    """Return a model's template; to compile it costs more than to fill it in."""
    return _ENVIRONMENT.from_string(sql)


def _said(error: Exception) -> str:
    return (error.message or "") if isinstance(error, TemplateError) else str(error)


def _line_of(error: Exception) -> int:
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<template>"]
    return (lines[-1] if lines else None) or 1
