"""Names that a draft gives: to the source, to its columns, and the glob of its files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from cdp_pipeline.ingest.discovery.wording import without_marks
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.contracts import EACH

MOST_FILES = 5
"""Files named alike that are looked at, the last by name."""

_RESERVED = frozenset(
    {
        "all", "analyse", "analyze", "and", "anti", "any", "array", "as", "asc", "asof",
        "asymmetric", "at", "authorization", "binary", "both", "by", "case", "cast", "check",
        "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
        "default", "desc", "describe", "distinct", "do", "else", "end", "except", "false",
        "fetch", "for", "foreign", "freeze", "from", "full", "glob", "group", "having", "ilike",
        "in", "initially", "inner", "intersect", "into", "is", "isnull", "join", "lambda",
        "lateral", "leading", "left", "like", "limit", "natural", "not", "notnull", "null",
        "offset", "on", "only", "or", "order", "outer", "overlaps", "pivot", "placing",
        "positional", "primary", "qualify", "references", "returning", "right", "select", "semi",
        "show", "similar", "some", "summarize", "symmetric", "table", "tablesample", "then", "to",
        "trailing", "true", "union", "unique", "unpack", "unpivot", "using", "variadic",
        "verbose", "when", "where", "window", "with",
    }
)  # fmt: skip
_Named = TypeVar("_Named")
_LONGEST = 40
_SUFFIXES = re.compile(
    r"\.(csv|txt|tsv|psv|dat|json|jsonl|ndjson|xml|xlsx|parquet|zip|gz|zst)$", re.IGNORECASE
)
_MIXED_WORD = re.compile(
    r"\b(?=[A-Za-z]*0)[A-Za-z]*0[A-Za-z][A-Za-z0]*\b|_(?=[A-Za-z]*0[A-Za-z])[A-Za-z0]+"
)


def bare_stem(name: str) -> str:
    """Return a file's name without its suffixes.

    >>> bare_stem("orders_20261120.csv.gz")
    'orders_20261120'
    """
    while (shorter := _SUFFIXES.sub("", name)) != name:
        name = shorter
    return name


def source_name(files: Sequence[str], *, folders: Sequence[str] = ()) -> str:
    """Return a name for the source of some files: what their names share, without numbers.

    Args:
        files: Their names.
        folders: Names of the folders they lie in, outermost first; the innermost with a word in
            its name stands in for files that are called by a date alone.

    >>> source_name(["POS-Sales_2026-11-20.csv"]), source_name(["a_1.csv", "a_2.csv"])
    ('pos_sales', 'a')
    >>> source_name(["2026-11-20.csv"], folders=["tills", "2026-11-20"])
    'tills'
    """
    if not any(re.search(r"[^\W\d_]", _without_numbers(bare_stem(name), " ")) for name in files):
        files = [next((f for f in reversed(folders) if re.search(r"[^\W\d_]", f)), "source")]
    stems = [_without_numbers(bare_stem(Path(name).name), " ") for name in files]
    words = [plain_header(stem).split("_") for stem in stems]
    shared = [w for w in words[0] if all(w in other for other in words[1:])] or words[0]
    found = "_".join(word for word in shared if word)[:_LONGEST].strip("_")
    return found if found and found[0].isalpha() else f"source_{found}".strip("_")


def few_of_each(names: Iterable[_Named], name_of: Callable[[_Named], str]) -> list[_Named]:
    """Return the last few of the things that are named alike, in the order of their kinds.

    >>> few_of_each([f"day_{number}.csv" for number in range(1, 9)], str)
    ['day_4.csv', 'day_5.csv', 'day_6.csv', 'day_7.csv', 'day_8.csv']
    """
    by_pattern: dict[str, list[_Named]] = {}
    for each in names:
        by_pattern.setdefault(file_pattern([name_of(each)]), []).append(each)
    return [each for alike in by_pattern.values() for each in alike[-MOST_FILES:]]


def file_pattern(files: Iterable[str]) -> str:
    """Return a glob that fits files of the same kind, numbers and what differs left open.

    >>> file_pattern(["orders_2026-11-20.csv"]), file_pattern(["open_1.csv", "click_2.csv"])
    ('orders_*.csv', '*_*.csv')
    """
    names = [_without_numbers(re.sub(r"[\[\]?]", "?", name), "*") for name in files]
    parts = [re.split(r"([_\-. ])", name) for name in names]
    if len({tuple(p) for p in parts}) > 1:
        if len({len(p) for p in parts}) > 1:
            return f"*{''.join(Path(names[0]).suffixes[-2:])}"
        columns = zip(*parts, strict=True)
        return "".join(c[0] if len(set(c)) == 1 else "*" for c in columns)
    return names[0]


def _without_numbers(name: str, instead: str) -> str:
    """Return a name with its numbers, and words that letters and digits make up, replaced."""
    stem = bare_stem(name)
    bare = re.sub(r"\d+([-_.]?\d+)*", "0", stem)
    bare = _MIXED_WORD.sub("_0", bare)
    return bare.replace("0", instead) + name[len(stem) :]


def column_names(headers: Sequence[str], tags: Sequence[str | None]) -> list[str]:
    """Return a plain name for each header or path; those without one are named by what they hold.

    >>> column_names(["Net Sales", "items[].sku", "order", ""], [None, "sku", None, "email"])
    ['net_sales', 'sku', 'order_value', 'email']
    """
    short = _short_names([without_marks(header) for header in headers])
    taken: Counter[str] = Counter()
    found = []
    for position, tag in enumerate(tags, 1):
        name = short[position - 1] or tag or f"column_{position}"
        name = f"column_{name}" if name[0].isdigit() else name
        name = f"{name}_value" if name in _RESERVED else name
        taken[name] += 1
        found.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return found


def _short_names(headers: Sequence[str]) -> list[str]:
    """Return the last step of each path, with as many steps before it as tell it apart."""
    steps = [re.sub(r"\[-?\d*\]", "", h).split(".") if "." in h else [h] for h in headers]
    found = [_plain(_last_step(h.replace(EACH, ""))) for h in headers]
    for depth in (2, 3, 4):
        counts = Counter(found)
        found = [
            _plain("_".join(parts[-depth:])) if counts[name] > 1 and len(parts) > 1 else name
            for name, parts in zip(found, steps, strict=True)
        ]
    return found


def _last_step(header: str) -> str:
    pair = re.search(r"\[[^\]=]+=([^\]]*)\](\.\w+)*$", header)
    if pair:
        return pair[1]
    return re.sub(r"\[-?\d*\]$", "", header.replace("#", " ")).rpartition(".")[2] or header


def _plain(text: str) -> str:
    return plain_header(text)[:_LONGEST].strip("_")
