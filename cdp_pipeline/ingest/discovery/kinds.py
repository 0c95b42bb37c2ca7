"""The type of each column, from what its values look like and what its name says.

Identifiers stay texts whatever they look like. What values leave open becomes a question.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cdp_pipeline.ingest.casting import SPREADSHEET_NUMBER
from cdp_pipeline.ingest.discovery.marks import Marks, find_marks
from cdp_pipeline.ingest.discovery.moments import Moments, look_at_counters, look_at_moments
from cdp_pipeline.ingest.discovery.numbers import Numbers, look_at_numbers
from cdp_pipeline.ingest.discovery.sample import Field
from cdp_pipeline.ingest.discovery.wording import (
    is_part_of_number,
    last_step,
    last_two,
    tag_of_field,
)
from cdp_pipeline.project.column_names import is_number_name, plain_header, role_of_others
from cdp_pipeline.project.column_tags import PII_OF_TAG, is_name_of_amount, says_moment
from cdp_pipeline.project.special_categories import sounds_like

NULL_TOKENS = frozenset(
    [r"NULL", r"null", r"Null", r"N/A", r"n/a", r"#N/A", r"NA", r"-", r"--", r"---", r".", r"?",
     r"\N", r"nan", r"NaN", r"None", r"none", r"(null)", r"(blank)", r"(No value)", r"NIL", r"nil"]
)  # fmt: skip
"""Texts that often mean no value."""

_SURE_NULLS = frozenset(["NULL", r"\N", "#N/A", "N/A", "n/a", "(null)", "(blank)", "(No value)"])
_NULLS_OF_NAMES = _SURE_NULLS - {"NULL"}
_NO_DATES = frozenset(
    {"0000-00-00", "0000-00-00 00:00:00", "1900-01-01", "1900-01-01 00:00:00",
     "1900-01-01 00:00:00.000", "9999-12-31", "00.00.0000", "01.01.1900", "01/01/1900"}
)  # fmt: skip
_WORDS_OF_YES = (
    "true", "t", "yes", "y", "1", "ja", "j", "oui", "o", "si", "sí", "sì", "s", "x", "on", "sim",
    "да", "так", "tak", "ano", "áno", "igen", "evet", "kyllä", "ναι", "wahr", "vrai", "verdadero",  # noqa: RUF001 - other alphabets
    "vero", "waar",
)  # fmt: skip
_WORDS_OF_NO = (
    "false", "f", "no", "n", "0", "nein", "non", "nee", "não", "nao", "off", "нет", "ні", "nie",
    "ne", "nem", "hayır", "ei", "nej", "nei", "όχι", "falsch", "faux", "falso", "onwaar",  # noqa: RUF001 - other alphabets
)  # fmt: skip
_KNOWN_YES, _KNOWN_NO = set(_WORDS_OF_YES[:5]), set(_WORDS_OF_NO[:5])
_COUNTS = frozenset({"quantity", "line_no", "age", "birth_year", "birth_month", "birth_day"})
_IDENTIFIERS = frozenset(
    {"sale_id", "order_id", "sku", "store_id", "till_id", "event_id", "session_id", "cookie_id",
     "loyalty_id", "account_id", "payment_token", "national_id", "identifier", "phone", "postcode",
     "house_number", "promotion_id", "campaign_id", "unit"}
)  # fmt: skip
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"'?(\+|00[1-9](?=(\D*\d){8}))[\d ()./-]{7,20}")
_ORDER_NAME = re.compile(r"#\w*-?\d+(-\w+)?")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?")
_COMPACT = re.compile(r"([01]\d|2[0-3])[0-5]\d([0-5]\d)?")
_UTC = re.compile(r"(?i)(?<![a-z])(utc|gmt|zulu)(?![a-z]|\s*[+-]?\d)")
"""Says in a header that its clock is that of UTC."""
_MOSTLY, _NEARLY_ALL = 0.8, 0.9
_MOST_DECIMALS = 6
_MOST_DIGITS = 18

_CODED = frozenset({"sex", "status", "consent"})
"""What stands in codes that our entities want otherwise: never numbers to count with."""
_MOST_CODES, _LONGEST_CODE = 8, 24

_MAY_BE_EMAIL = frozenset({None, "account_id", "full_name", "street", "identifier", "loyalty_id"})

FLAG = re.compile(r"^(is|has|can|accepts|opt)_|_(flag|yn|ind|opt_?in|opt_?out)$|opt_?in|consent")
"""Names of columns that say yes or no."""


@dataclass
class Kind:
    """What a column is.

    Attributes:
        field: The column.
        tag: What it is about; None if neither name nor values tell.
        type: Its type.
        keys: Further keys of its declaration, in order.
        question: Key, question that only the sender can answer, and a provisional answer.
        note: What people should know about it.
        numbers: How its numbers are written, if it is one of numbers.
        moments: How its dates are written, if it is one of dates.
        is_clock: Whether it holds times of a day without the day.
    """

    field: Field
    tag: str | None
    type: str = "text"
    keys: dict[str, object] = dataclasses.field(default_factory=dict)
    question: tuple[str, str, object] | None = None
    note: str = ""
    numbers: Numbers | None = None
    moments: Moments | None = None
    is_clock: bool = False

    @property
    def pii(self) -> str | None:
        """Kind of personal data, the customer's or somebody else's."""
        others = role_of_others(last_two(self.field.name))
        return PII_OF_TAG.get(self.tag or "") or PII_OF_TAG.get(others or "")

    @property
    def special_category(self) -> str | None:
        """Special category of personal data that its name speaks of."""
        return sounds_like(self.field.name)


def find_kinds(fields: Sequence[Field], *, of: str = "") -> tuple[list[Kind], Marks]:
    """Return what the columns are, and how the file writes numbers.

    Args:
        fields: The columns.
        of: Place of nested records, which may say what a record is.
    """
    looks = [look_at_numbers(_without_nulls(f)) for f in fields]
    counted = [(look, f) for look, f in zip(looks, fields, strict=True) if _may_count(look, f)]
    marks = find_marks(counted)
    kinds = [_kind(f, look, marks, of) for f, look in zip(fields, looks, strict=True)]
    return kinds, marks


def _may_count(look: Numbers, found: Field) -> bool:
    return look.share >= _MOSTLY and tag_of_field(found.name) not in _IDENTIFIERS


def _without_nulls(found: Field) -> dict[str, int]:
    return {v: n for v, n in found.counts.items() if v not in NULL_TOKENS | _NO_DATES}


def _kind(found: Field, look: Numbers, marks: Marks, of: str) -> Kind:
    kind = Kind(found, tag_of_field(found.name, of=of))
    counts = _without_nulls(found)
    values = list(counts)
    nulls = [v for v in found.counts if v in NULL_TOKENS | _NO_DATES]
    if not values:
        kind.tag = None if kind.tag == "consent" else kind.tag
        kind.note = "always empty" if not nulls else f"only {', '.join(nulls)}"
        if nulls:  # a sign of nothing is nobody's number
            kind.keys["null_values"] = sorted(nulls)
        return kind
    _tag_by_values(kind, values)
    if kind.tag in _IDENTIFIERS and look.share == 1 and set(look.strip) - {"'"}:
        kind.tag = None  # what was paid by card is nobody's card
    for judge in (_as_formula, _as_identifier, _as_flag, _as_moment, _as_number):
        if judge(kind, values, look, marks):
            break
    is_zoned = kind.moments is not None and kind.moments.has_zone
    if kind.type == "timestamp" and not is_zoned and _UTC.search(found.name):
        kind.keys["time_zone"] = "UTC"
    if kind.tag == "consent" and kind.type != "boolean" and not _are_codes(kind):
        kind.tag = None
    padded = sum(v != v.strip() for v in found.values if v.strip())
    if kind.type == "text" and padded > _MOSTLY * len(found.filled):
        kind.keys["strip"] = " " + str(kind.keys.get("strip", ""))
    _settle_nulls(kind, nulls)
    if found.question:
        kind.question = ("from", found.question, found.name)
    return kind


def _tag_by_values(kind: Kind, values: list[str]) -> None:
    if kind.tag in _MAY_BE_EMAIL and _share(_EMAIL, values) > _MOSTLY:
        kind.tag = "email"
    elif (
        kind.tag is None
        and _share(_PHONE, values) > _MOSTLY
        and not is_number_name(last_step(kind.field.name))
    ):
        kind.tag = "phone"
    elif kind.tag == "full_name" and _share(_ORDER_NAME, values) > _MOSTLY:
        kind.tag = "order_id"  # Shopify calls the number that customers see the order's name
    elif kind.tag == "country" and all(v.isdigit() for v in values):
        kind.tag = None  # a number of the shop's own, which no country goes by
    elif kind.tag == "email" and _share(_EMAIL, values) < 0.2:  # noqa: PLR2004 - even dirty ones have some
        kind.tag = None


def _share(pattern: re.Pattern[str], values: list[str]) -> float:
    return sum(bool(pattern.fullmatch(v)) for v in values) / len(values)


def _as_identifier(kind: Kind, values: list[str], look: Numbers, _marks: Marks) -> bool:
    name = last_step(kind.field.name)
    broken = sum(bool(re.fullmatch(SPREADSHEET_NUMBER, v)) for v in values)
    if broken and (look.digits > 8 or broken * 2 < len(values)):  # noqa: PLR2004 - long numbers
        kind.note = f"{broken} values are spreadsheet numbers such as 9.9E+12: set aside"
    elif (
        kind.tag in _IDENTIFIERS
        or (is_number_name(name) and kind.tag not in _COUNTS)
        or is_part_of_number(name)
    ):
        kind.note = "begins with zeros" if look.has_leading_zeros else ""
    elif look.share == 1 and (
        (look.has_leading_zeros and not (kind.tag in _COUNTS or is_name_of_amount(name)))
        or look.digits > _MOST_DIGITS
    ):
        if look_at_moments(dict.fromkeys(values, 1)).formats or _are_clocks(kind, values):
            return False
        kind.note = "begins with zeros" if look.has_leading_zeros else "longer than a number"
    else:
        return False
    quoted = sum(v.startswith("'") for v in values)
    if quoted:
        kind.keys["strip"] = "'"
    return True


def _as_formula(kind: Kind, values: list[str], _look: Numbers, _marks: Marks) -> bool:
    """Take values written as formulas, so that spreadsheets keep their zeros, for texts."""
    if not values or not all(re.fullmatch(r'="[^"]*"', value) for value in values):
        return False
    kind.keys["strip"] = '="'
    kind.note = "written as spreadsheet formulas"
    return True


def _as_flag(kind: Kind, values: list[str], _look: Numbers, _marks: Marks) -> bool:
    words = {v.lower() for v in values}
    if kind.tag in _CODED - {"consent"}:
        return False
    if not words <= {*_WORDS_OF_YES, *_WORDS_OF_NO} or len(words) > 4:  # noqa: PLR2004 - two spellings each
        return False
    name = plain_header(last_step(kind.field.name))
    if words <= {"0", "1"} and not (FLAG.search(name) or kind.tag == "consent"):
        return False
    says = FLAG.search(name) or kind.tag == "consent" or words <= {"true", "false"}
    if len(words) == 1 and not says:
        return False
    kind.type = "boolean"
    if words - _KNOWN_YES - _KNOWN_NO:
        kind.keys["true_values"] = [w for w in _WORDS_OF_YES if w in words] or ["true"]
        kind.keys["false_values"] = [w for w in _WORDS_OF_NO if w in words] or ["false"]
    return True


def _as_moment(kind: Kind, values: list[str], look: Numbers, _marks: Marks) -> bool:
    name = last_step(kind.field.name)
    compact = look.share == 1 and all(v.replace(".", "", 1).isdigit() for v in values)
    says = says_moment(name)
    if compact and not says and not _are_days(values):
        return False
    if _share(_CLOCK, values) > _NEARLY_ALL or (compact and _are_clocks(kind, values)):
        kind.is_clock, kind.note = True, "time of day, without the day"
        return True
    counted = look_at_counters(values, says_time=says) if compact else ""
    found = look_at_moments({v: kind.field.counts[v] for v in values})
    if not counted and not found.formats:
        return False
    kind.moments = found
    is_day = not found.has_time or (found.is_midnight and not found.has_zone and len(values) > 1)
    is_whole = all(v.isdigit() for v in values)
    is_day = is_day if not counted else counted == "excel" and is_whole
    kind.type = "date" if is_day else "timestamp"
    if counted:
        kind.keys["format"] = counted
        kind.moments = Moments((counted,), 1.0, has_time=True, has_zone=counted != "excel")
    elif found.is_doubtful:
        shown = next((v for v in values if _is_telling(v)), values[0])
        choices = " or ".join(found.formats)
        asked = "Nothing in the values tells" if kind.pii else f"Nothing tells what {shown} means"
        kind.question = ("format", f"{choices}? {asked}", found.formats[0])
    elif found.formats[0]:
        kind.keys["format"] = found.formats[0]
    elif kind.type == "date" and found.has_time:
        kind.keys["format"] = _midnight_format(values[0])
    if found.share < 1 and not counted:
        kind.note = f"{1 - found.share:.1%} of the values are written otherwise"
    if "%y" in str(kind.keys.get("format", "")) and kind.tag == "birth_date":
        kind.note = "two digits of a year: 69 to 99 are read as 19.., 00 to 68 as 20.."
    return True


def _are_days(values: list[str]) -> bool:
    """Return whether numbers are days such as 20261120, as hardly any others are by chance."""
    near = ("19", "20")
    return len(values) > 1 and all(
        len(v) == len("20261120") and v.startswith(near) and look_at_moments({v: 1}).formats
        for v in values
    )


def _are_clocks(kind: Kind, values: list[str]) -> bool:
    """Return whether numbers of a column of times are hours, minutes and perhaps seconds."""
    size = 6 if max(map(len, values)) > len("0905") else 4
    if kind.tag != "occurred_at" or size - max(map(len, values)) > 1:
        return False
    return all(v.isdigit() and _COMPACT.fullmatch(v.zfill(size)) for v in values)


def _is_telling(value: str) -> bool:
    numbers = re.findall(r"\d+", value)
    return len(numbers) > 1 and numbers[0] != numbers[1]


def _midnight_format(value: str) -> str:
    between = "T" if "T" in value else " "
    clock = {5: "%H:%M", 8: "%H:%M:%S"}.get(len(value.partition(between)[2]), "%H:%M:%S.%f")
    return f"%Y-%m-%d{between}{clock}"


def _as_number(kind: Kind, values: list[str], look: Numbers, marks: Marks) -> bool:
    name = last_step(kind.field.name)
    enough = _MOSTLY if is_name_of_amount(name) else _NEARLY_ALL
    if look.share < enough or kind.tag in {"email", "free_text", "full_name", "street"} | _CODED:
        return False
    decimals, doubt = look.decimals, look.doubtful
    if doubt and doubt != (marks.thousands or None) and doubt == marks.decimal:
        decimals = 3
    if decimals > _MOST_DECIMALS:
        kind.note = f"numbers with {decimals} decimals, more than a number may have: kept as text"
        return True
    kind.numbers = look
    if doubt and doubt == marks.decimal:
        kind.numbers = dataclasses.replace(look, decimal_mark=doubt)
    is_money = is_name_of_amount(name) or bool(look.currency)
    kind.type = "integer"
    if decimals or is_money or look.decimal_mark:
        kind.type = "decimal" if decimals <= 2 else "number"  # noqa: PLR2004 - cents
    if kind.tag == "quantity":
        kind.type = "number"
    _add_signs(kind, look)
    _settle_marks(kind, values, look, marks)
    if look.share < 1:
        kind.note = f"{1 - look.share:.1%} of the values are no numbers"
    return True


def _settle_marks(kind: Kind, values: list[str], look: Numbers, marks: Marks) -> None:
    """Declare marks that differ from those of the file, or ask."""
    doubt = look.doubtful
    if look.decimal_mark and look.decimal_mark != (marks.decimal or "."):
        kind.keys["decimal_mark"] = look.decimal_mark
        kind.keys["thousands_mark"] = look.thousands_mark
    if doubt and marks.is_doubtful:
        kind.type = "number"
    elif doubt and marks.is_mixed:
        kind.type, kind.keys["thousands_mark"] = "number", doubt
        kind.question = marks.question(doubt, next(v for v in values if doubt in v))


def _are_codes(kind: Kind) -> bool:
    """Return whether a column holds a few short words or codes, as consent does."""
    counts = kind.field.counts
    is_few = len(counts) <= _MOST_CODES and max(map(len, counts)) <= _LONGEST_CODE
    return kind.type == "text" and is_few and (len(counts) < len(kind.field.filled))


def _add_signs(kind: Kind, look: Numbers) -> None:
    """Say what else stands beside the digits."""
    if look.strip:
        kind.keys["strip"] = look.strip
    if look.words:
        asked = f"what {' and '.join(look.words)} mean, such as {{CR: '-', DR: '+'}}"
        kind.question = ("signs", asked, dict.fromkeys(look.words, "-"))


def _settle_nulls(kind: Kind, nulls: list[str]) -> None:
    """Declare texts that mean no value, where they cannot be one."""
    is_text = kind.type == "text" and not kind.is_clock
    meant = [v for v in nulls if (v in _SURE_NULLS if is_text else True)]
    if is_text and kind.tag in {"given_name", "family_name", "full_name", "city"}:
        others = [v for v in kind.field.counts if v not in NULL_TOKENS]
        is_loud = sum(v.isupper() for v in others) * 2 >= len(others)  # NULL may be a name, then
        meant = [v for v in meant if v in _NULLS_OF_NAMES or not is_loud]
    if meant:
        kind.keys["null_values"] = sorted(meant)
