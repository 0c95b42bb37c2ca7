"""The steward's queue as CSV, out and back in: for spreadsheets and for several people.

Cells are written so that no spreadsheet takes them for a formula, files so that only their owner
reads them. A file is read as a whole: one wrong row and nothing of it counts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.stewardship.judgements import Draft, ordered_pair
from cdp_pipeline.identity.stewardship.pair_views import PairView
from cdp_pipeline.storage.files import write_new

VERDICTS = ("same", "different", "unsure")
WANTED = ("record_a", "record_b", "verdict")
MOST_SHOWN = 50
"""Wrong rows that a message lists."""

LARGEST_FILE = 50_000_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_queue(path: Path, views: Sequence[PairView]) -> None:
    """Write pairs with an empty ``verdict`` column.

    Args:
        path: New file, readable by its owner only.
        views: Pairs, in the order of the queue.

    Raises:
        ConfigError: The file exists or cannot be written.
    """
    fields = dict.fromkeys(field.field for view in views for field in view.fields)
    columns = [f"{name} {side}" for name in fields for side in ("a", "b")]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([*WANTED, "reason", "match_prob", "question", "agreement", *columns])
    for view in views:
        pair = view.pair
        shown = {f"{f.field} a": f.left for f in view.fields}
        shown |= {f"{f.field} b": f.right for f in view.fields}
        values = [shown.get(column, "") for column in columns]
        believed = "" if pair.is_sample else f"{pair.match_prob:.6f}"  # it would sway the reader
        cells = [pair.record_a, pair.record_b, "", "", believed, pair.question]
        writer.writerow([_harmless(cell) for cell in (*cells, view.agreement, *values)])
    try:
        write_new(path, b"\xef\xbb\xbf" + buffer.getvalue().encode())  # spreadsheets need the mark
    except FileExistsError as error:
        raise ConfigError(
            "the file exists", where=str(path), hint="Name a new one, or move it away."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", where=str(path), hint="Name another place."
        ) from error


def read_verdicts(
    path: Path, *, missing: Callable[[Sequence[str]], set[str]]
) -> tuple[list[Draft], int]:
    """Read a file with verdicts.

    Args:
        path: CSV with the columns record_a, record_b and verdict; reason and match_prob if any.
        missing: Returns those of some record names that do not exist.

    Returns:
        Drafts of judgements in the order of rows, and the number of rows without a verdict.

    Raises:
        ConfigError: Rows are wrong; the message names each of them with its line.
    """
    rows = _read_rows(path)
    unknown = missing(sorted({row[name] for _, row in rows for name in WANTED[:2] if row[name]}))
    drafts: list[Draft] = []
    wrong: list[str] = []
    judged: dict[tuple[str, str], tuple[str, int]] = {}
    for line, row in rows:
        if not row["verdict"]:
            continue
        problems = _problems(row, unknown)
        pair = ordered_pair(row["record_a"], row["record_b"])
        verdict, first = judged.setdefault(pair, (row["verdict"], line))
        if verdict != row["verdict"]:
            problems.append(f"judged {verdict} in line {first}")
        wrong += [f"{path}:{line}: {problem}" for problem in problems]
        if not problems:
            probability = {"match_prob": float(row["match_prob"])} if row["match_prob"] else {}
            drafts.append(
                {"verdict": row["verdict"], "a": pair[0], "b": pair[1], "reason": row["reason"]}
                | probability
            )
    if wrong:
        more = [f"... and {len(wrong) - MOST_SHOWN} more"] if len(wrong) > MOST_SHOWN else []
        raise ConfigError(
            f"{len(wrong)} problems, so nothing was imported:\n  "
            + "\n  ".join([*wrong[:MOST_SHOWN], *more]),
            where=str(path),
            hint="Mend these rows and import the file again.",
        )
    return drafts, sum(not row["verdict"] for _, row in rows)


def _problems(row: dict[str, str], unknown: set[str]) -> list[str]:
    problems = []
    if row["verdict"] not in VERDICTS:
        problems.append(f"verdict {row['verdict']!r}; it must be {', '.join(VERDICTS)} or empty")
    for name in WANTED[:2]:
        if not row[name]:
            problems.append(f"{name} is empty")
        elif row[name] in unknown:
            problems.append(f"{name}: no person record {row[name]!r} in the published version")
    if row["record_a"] and row["record_a"] == row["record_b"]:
        problems.append("both records are the same")
    if len(row["reason"]) > 1000:  # noqa: PLR2004 - the journal's own bound
        problems.append("the reason is longer than 1,000 characters")
    try:
        fits = not row["match_prob"] or 0 <= float(row["match_prob"]) <= 1
    except ValueError:
        fits = False
    if not fits:
        problems.append(f"match_prob {row['match_prob']!r} is no probability")
    return problems


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return line number and cells of each row; columns that we do not know are left out."""
    text = _read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)  # spreadsheets write what their locale asks for
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    header: list[str] = []
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not header:
                header = [cell.strip().lower() for cell in cells]
                _check_header(path, header)
            elif any(cell.strip() for cell in cells):
                row = dict(zip(header, (_plain(cell) for cell in cells), strict=False))
                row["verdict"] = row.get("verdict", "").lower()
                named = (*WANTED, "reason", "match_prob")
                rows.append((line, {name: row.get(name, "") for name in named}))
    except csv.Error as error:
        raise ConfigError(
            f"not readable as CSV: {error}", where=f"{path}:{begins}", hint="Mend its quotes."
        ) from error
    if not header:
        _check_header(path, header)
    return rows


def _check_header(path: Path, header: Sequence[str]) -> None:
    absent = [name for name in WANTED if name not in header]
    twice = [name for name in WANTED if header.count(name) > 1]
    if absent or twice:
        what = f"no column {absent[0]!r}" if absent else f"two columns {twice[0]!r}"
        raise ConfigError(
            what,
            where=f"{path}:1",
            hint="`cdp review --export FILE.csv` writes a file of the right form.",
        )


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # a device or pipe may have no end
            raise ConfigError(
                "cannot be read: it is no file", where=str(path), hint="Name an existing file."
            )
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(
                f"larger than {LARGEST_FILE:,} bytes", where=str(path), hint="Import it in parts."
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), hint="Name an existing file."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8: {error.reason} at byte {error.start}",
            where=str(path),
            hint="Save it as CSV UTF-8.",
        ) from error


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _plain(cell: str) -> str:
    """Return a cell without what ``_harmless`` put before it."""
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell
