"""Results of the quality gates, read from ``quality/summary.json`` of the run's tree.

That file and the pages beside it are the whole interface to the stage that writes them; nothing is
judged again here.
"""

from __future__ import annotations

import json
from pathlib import Path

from cdp_pipeline.reporting.formats import MISSING, Formatter
from cdp_pipeline.reporting.views import Cell, Checks, Row, Table

_FOLDER = "quality"
_SITE = "data_docs/index.html"
_TONES = {"passed": "ok", "warned": "warn", "failed": "bad", "skipped": "mute"}
_WORDS = {"passed": "passed", "warned": "warning", "failed": "failed", "skipped": "nothing new"}


def read_checks(tree: Path, formatter: Formatter) -> Checks:
    """Return the results of the gates that ran before the reports."""
    path = tree / _FOLDER / "summary.json"
    if not path.is_file():
        return Checks(0, 0, None)
    suites = json.loads(path.read_text(encoding="utf-8"))["suites"]
    total = sum(suite["checks"] for suite in suites)
    passed = total - sum(suite["failed"] for suite in suites)
    rows = tuple(
        Row(
            name=suite["suite"],
            cells=(
                Cell(formatter.write(suite["rows"], "count"), is_number=True),
                Cell(_passed(suite), is_number=True),
                Cell(_WORDS[suite["status"]], "pill", tone=_TONES[suite["status"]]),
            ),
            name_is_code=True,
        )
        for suite in sorted(suites, key=lambda suite: (-suite["failed"], suite["suite"]))
    )
    heads = (("Rows", True), ("Passed", True), ("Result", False))
    site = f"../{_FOLDER}/{_SITE}" if (tree / _FOLDER / _SITE).is_file() else None
    return Checks(passed, total, Table("Suite", heads, rows) if rows else None, site)


def _passed(suite: dict[str, int]) -> str:
    if not suite["checks"]:
        return MISSING
    return f"{suite['checks'] - suite['failed']} of {suite['checks']}"
