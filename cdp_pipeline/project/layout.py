"""How files of a source are written: format, text, numbers, control totals, business date.

Part of a ``SourceContract``. What the columns mean and how files add up is declared beside it.
"""

from __future__ import annotations

import codecs
import difflib
import re
from pathlib import PurePosixPath
from typing import Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from cdp_pipeline.project.checks import Declaration
from cdp_pipeline.project.mistakes import MistakeError, suggest

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
"""Names of days, in the order of ``date.weekday()``."""

NESTED_FORMATS = frozenset({"jsonl", "json", "xml", "parquet"})
"""Formats in which ``from:`` is a path into a record."""


def known_zone(name: str) -> str:
    """Return the name of a time zone.

    Raises:
        MistakeError: There is no such zone; says which was probably meant.
    """
    if name not in available_timezones():
        message = f"there is no time zone {name!r}"
        raise MistakeError(message, hint=_nearest_zone(name))
    return name


def _nearest_zone(name: str) -> str:
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(available_timezones())}
    near = difflib.get_close_matches(name.rpartition("/")[2].casefold(), cities, 1)
    if near:
        return f"Did you mean `{cities[near[0]]}`?"
    return "Use an IANA name, such as Europe/London or UTC."


class BusinessDate(Declaration):
    """How the business date of a delivery is found."""

    pattern: str = Field(
        default=r"(\d{4}-?\d{2}-?\d{2})",
        description="RE with one group, searched in the path below landing, last match wins.",
    )
    format: str = Field(default="%Y-%m-%d", description="strptime format; dashes are optional.")

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            message = f"not a regular expression: {error}"
            raise ValueError(message) from error
        if groups != 1:
            message = "it needs one group, such as (\\d{8}), around the date"
            raise ValueError(message)
        return value


class Control(Declaration):
    """Totals that the sender states, and that the file must add up to."""

    source: Literal["trailer", "preamble", "manifest"] = Field(
        alias="from",
        description="Where they stand: trailer or preamble lines, or a file of its own.",
    )
    manifest: str = Field(
        default="{name}.ctl",
        description="Name of that file beside the delivery; {name} and {stem} are the delivery's.",
    )
    pattern: str = Field(
        description="RE found in the text; group `rows` counts records, others sum that column."
    )
    on_mismatch: Literal["refuse", "warn"] = Field(
        default="refuse", description="What happens if the file does not add up."
    )

    @field_validator("pattern")
    @classmethod
    def _has_named_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value.replace("{name}", "")).groupindex
        except re.error as error:
            message = f"not a regular expression: {error}"
            raise ValueError(message) from error
        if not groups:
            message = r"name what it finds, such as `^T\|(?P<rows>\d+)$`"
            raise ValueError(message)
        return value

    @property
    def totals(self) -> tuple[str, ...]:
        """Return the names of the pattern's groups."""
        return tuple(re.compile(self.pattern.replace("{name}", "")).groupindex)


class Completeness(Declaration):
    """How to tell that a file has been written to its end."""

    by: Literal["stable", "marker", "manifest"] = Field(
        description="stable: its size rests; marker: a further file stands beside it; manifest: "
        "that of `control:` does."
    )
    marker: str = Field(
        default="{name}.done",
        description="Name of the further file; {name} and {stem} are the delivery's.",
    )
    seconds: int = Field(
        default=30, ge=1, le=3600, description="How long size and time of a file must rest."
    )


class FillDown(Declaration):
    """Columns that stand only on the first of several lines."""

    by: str | None = Field(default=None, description="Column that is the same on all their lines.")
    starts: str | None = Field(
        default=None, description="Column that only the first of their lines fills."
    )
    columns: tuple[str, ...] = Field(min_length=1, description="Columns to fill down.")

    @model_validator(mode="after")
    def _has_one_way(self) -> Self:
        if (self.by is None) == (self.starts is None):
            message = "give either `by:` (a column on every line) or `starts:` (on the first only)"
            raise ValueError(message)
        return self


def beside(file_name: str, pattern: str) -> str:
    """Return the name of a file that lies beside a delivery.

    >>> beside("2026-11-20/pos.csv.gz", "{stem}.done")
    'pos.done'
    """
    name = PurePosixPath(file_name).name
    return pattern.replace("{name}", name).replace("{stem}", name.split(".")[0])


class Delivery(Declaration):
    """Where files of the source arrive and how they are written."""

    path: str = Field(description="Glob below the landing folder, or below `location:`.")
    location: str | None = Field(
        default=None,
        description="Where files are fetched from: a folder, s3://bucket/folder or "
        "sftp://host/folder.",
    )
    access: str | None = Field(
        default=None,
        pattern="^[a-z][a-z0-9_]*$",
        description="Name of the settings by which to sign in: CDP_LOCATIONS__<NAME>__...",
    )
    complete: Completeness | None = Field(
        default=None, description="When a file is taken; default: as soon as it is there."
    )
    format: Literal["csv", "jsonl", "json", "xml", "excel", "parquet"] = Field(
        description="File format."
    )
    records: str = Field(
        default="",
        description="JSON: path of the array if it is not the root. XML: element of one record.",
    )
    member: str = Field(
        default="",
        description="File within a .zip; * stands for any text. Files of one layout count as one.",
    )
    sheet: str = Field(default="", description="Sheet of a workbook; default: the first.")
    encoding: str = Field(default="utf-8", description="Text encoding, e.g. cp1252 or utf-16.")
    fallback_encoding: str = Field(
        default="",
        description="Encoding of lines that are not UTF-8, in files that mix two, e.g. cp1252.",
    )
    delimiter: str = Field(
        default=",", min_length=1, max_length=4, description="CSV separator, one character or more."
    )
    quote: str = Field(default='"', max_length=1, description="CSV quote; empty for none.")
    escape: str = Field(
        default="",
        max_length=1,
        description="Character before a quote or separator that is part of a field, such as \\; "
        "default: quotes are doubled.",
    )
    header: bool = Field(default=True, description="First line names the columns.")
    skip_lines: int = Field(default=0, ge=0, description="Lines before the header.")
    trailer_lines: int = Field(default=0, ge=0, description="Lines after the last record.")
    multiline: bool = Field(
        default=True,
        description="Quoted fields may hold line breaks; without, a stray quote costs one line.",
    )
    short_rows: Literal["set_aside", "fill"] = Field(
        default="set_aside",
        description="What becomes of rows with fewer fields: fill gives the rest no value.",
    )
    fill_down: FillDown | None = Field(default=None, description="Header on the first line only.")
    control: Control | None = Field(default=None, description="Totals the file must add up to.")
    null_values: tuple[str, ...] = Field(default=("",), description="Texts that mean no value.")
    decimal_mark: Literal[".", ","] = Field(default=".", description="Mark before decimals.")
    thousands_mark: Literal["", ".", ",", " ", "'"] = Field(
        default="", description="Mark between thousands."
    )
    time_zone: str = Field(default="UTC", description="Zone of times that carry no offset.")
    business_date: BusinessDate = Field(default_factory=BusinessDate)
    required: bool = Field(default=False, description="Without a file of the night, stop.")
    expected_on: tuple[Weekday, ...] = Field(
        default=(), description="Weekdays on whose nights a missing file is reported."
    )
    minimum_rows: int = Field(default=0, ge=0, description="Fewer records stop the night.")
    maximum_rows: int | None = Field(default=None, ge=1, description="More records warn.")

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("encoding", "fallback_encoding")
    @classmethod
    def _encoding_exists(cls, value: str) -> str:
        try:
            codecs.lookup(value or "utf-8")
            "id".encode(value or "utf-8")  # some encode no text, such as base64
        except (LookupError, UnicodeError) as error:
            message = f"there is no encoding {value!r}"
            hint = suggest(value, _ENCODINGS, else_="Usual ones: {}.")
            raise MistakeError(message, hint=hint) from error
        return value

    @field_validator("location")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"s3", "sftp", ""} or (parts.scheme and not parts.netloc):
            message = "give a folder, s3://bucket/folder or sftp://host/folder"
            raise ValueError(message)
        if not parts.scheme and not value.startswith("/"):
            message = "a folder begins with /"
            raise ValueError(message)
        if "@" in parts.netloc or parts.query or parts.fragment:
            message = "no user, password or query: name settings as `access:`"
            raise ValueError(message)
        if ".." in PurePosixPath(parts.path).parts:
            message = "`..` leads astray"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _is_taken_when_whole(self) -> Self:
        if self.access and not self.location:
            message = "`access:` is for a `location:`"
            raise MistakeError(message, "access")
        has_manifest = self.control is not None and self.control.source == "manifest"
        if self.complete and self.complete.by == "manifest" and not has_manifest:
            message = "`complete: {by: manifest}` needs `control:` with `from: manifest`"
            raise MistakeError(message, "complete")
        return self

    @model_validator(mode="after")
    def _suits_its_format(self) -> Self:
        if self.format == "xml" and not self.records:
            message = "format xml needs `records:`, the element that holds one record"
            raise MistakeError(message, "format")
        if self.control and self.control.source != "manifest" and self.format not in _LINE_FORMATS:
            message = f"format {self.format} has no lines before or after its records"
            raise ValueError(message)
        if self.fallback_encoding and not self._mixes_lines():
            message = "it is for lines among those of `encoding: utf-8`, such as cp1252"
            raise MistakeError(message, "fallback_encoding")
        if self.decimal_mark == self.thousands_mark:
            message = "it is the mark between thousands, too"
            raise MistakeError(message, "decimal_mark")
        if self.quote and self.quote in self.delimiter:
            message = "it holds the quote"
            raise MistakeError(message, "delimiter")
        if self.escape and (self.escape in self.delimiter or len(self.delimiter) > 1):
            message = "an escape needs a separator of one other character"
            raise MistakeError(message, "escape")
        for key, formats in _ONLY_FOR.items():
            is_set = getattr(self, key) != type(self).model_fields[key].default
            if is_set and self.format not in formats:
                message = f"it is for {', '.join(sorted(formats))}, not for {self.format}"
                raise MistakeError(message, key)
        return self

    def _mixes_lines(self) -> bool:
        is_ascii_alike = "\n,".encode(self.fallback_encoding) == b"\n,"
        return is_ascii_alike and codecs.lookup(self.encoding).name in {"utf-8", "utf-8-sig"}


_ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "cp1252", "latin-1", "cp850", "iso-8859-15")
_LINE_FORMATS = frozenset({"csv", "excel", "jsonl"})
_ONLY_FOR = {
    "records": frozenset({"json", "xml"}),
    "sheet": frozenset({"excel"}),
    "fill_down": frozenset({"csv", "excel"}),
    "fallback_encoding": frozenset({"csv", "jsonl"}),
    "delimiter": frozenset({"csv"}),
    "quote": frozenset({"csv"}),
    "escape": frozenset({"csv"}),
    "short_rows": frozenset({"csv"}),
}
