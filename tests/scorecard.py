"""The scorecard of trust: every promise with its figure, passed or not: ``make scorecard``.

    python -m tests.scorecard                  what every change must keep
    python -m tests.scorecard --all            with what only nightly runs can afford
    python -m tests.scorecard --list           the rows alone

A figure is what the tests that hold the promise counted, and how many of them passed.
A promise whose subject is not built says so. The exit code is 1 if a row that was run failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """One promise.

    Attributes:
        id: Its number.
        promise: What must hold.
        tests: ``file::part of a test's name``; none: its subject is not built.
        nightly: Whether only nightly runs measure it.
        note: What is not covered, or why there is no test.
    """

    id: str
    promise: str
    tests: tuple[str, ...] = ()
    nightly: bool = False
    note: str = ""


KILLS, PUBLICATION = "tests/faults/test_kills.py", "tests/faults/test_publication.py"
AGAIN = "tests/faults/test_deliveries_again.py"
AROUND, FUZZ = "tests/faults/test_surroundings.py", "tests/hostile/test_fuzzing.py"
HOSTILE, AUDIT = "tests/hostile/test_hostile_files.py", "tests/unit/storage/test_audit.py"
INJECTION, SANDBOX = "tests/security/test_injection.py", "tests/security/test_sandbox.py"
MODES, VERIFY = "tests/security/test_modes.py", "tests/integration/test_verify.py"
CONSENT, CARDS = "tests/unit/privacy", "tests/unit/ingest/test_cards.py"

ROWS = (
    Row("R1", "nights killed at and within every step end as undisturbed ones",
        (f"{KILLS}::",), nightly=True, note="FAULT_ROUNDS=20 for hundreds of kills"),
    Row("R2", "every call and every durable syscall of a publication killed once",
        (f"{PUBLICATION}::killed",), nightly=True),
    Row("R3", "all is on disk before readers come; missing fsyncs are caught",
        (f"{PUBLICATION}::on_disk", f"{PUBLICATION}::fsyncs")),
    Row("R4", "power cuts", note="no test: needs a loop device; R3 checks the order of fsyncs"),
    Row("R5", "broken publishers are caught", (f"{PUBLICATION}::broken",), nightly=True),
    Row("R6", "readers see whole nights while nights are published",
        (f"{AROUND}::readers",), nightly=True),
    Row("R7", "of runs at once one has an effect, the others name it",
        (f"{AROUND}::wins", f"{AROUND}::one_date")),
    Row("R8", "the lock is free within 100 ms of its holder's death", (f"{AROUND}::outlives",)),
    Row("R9", "full disk, EIO, no memory: prior stays, clear message, next night right",
        (f"{AROUND}::full_disk", f"{AROUND}::memory", f"{PUBLICATION}::failing",
         "tests/unit/orchestration/test_failures.py::"), nightly=True),
    Row("R10", "hostile files as specified, with cause and remedy", (f"{HOSTILE}::",)),
    Row("R11", "conservation re-checked for every delivery; one flipped bit found",
        (f"{VERIFY}::",)),
    Row("R12", "history delivered again: no duplicate", (f"{AGAIN}::history",), nightly=True),
    Row("R13", "quarantine mended and replayed equals a clean file",
        ("tests/unit/ingest/test_quarantine.py::",)),
    Row("R14", "any order, split or repeat of days gives the same tables",
        (f"{AGAIN}::any_order",), nightly=True),
    Row("R15", "ten times or a tenth of the usual volume is noticed",
        ("tests/unit/ingest/test_drift.py::volume",)),
    Row("R16", "mangled files, settings and declarations: no crash, nothing lost",
        (f"{FUZZ}::",), note="make fuzz MINUTES=30 for longer"),
    Row("R17", "guarded reading beside the plain one", note="measured by make bench-ingest"),
    Row("P1", "erasure leaves nothing", ("tests/privacy/::eras", "tests/unit/rights/::",
         "tests/faults/test_erasure_kills.py::", "tests/faults/test_encrypted_store.py::eras")),
    Row("P2", "erased people do not come back", ("tests/unit/ingest/test_suppressing.py::",)),
    Row("P3", "a thousand people erased within ten seconds", note="no benchmark yet"),
    Row("P4", "nobody without consent is exported", (f"{CONSENT}/::",)),
    Row("P5", "tampering with the audit log is found", (f"{AUDIT}::",)),
    Row("P6", "small counts of people cannot be worked out from what leaves",
        ("tests/unit/privacy/test_small_counts.py::",
         "tests/unit/reporting/test_withholding.py::")),
    Row("P7", "no personal data in logs, reports and results of checks",
        ("tests/integration/test_night.py::no_personal_data",)),
    Row("S1", "card numbers are found in every format, other numbers left alone",
        (f"{CARDS}::", f"{HOSTILE}::no_card_number")),
    Row("S2", "injection is inert", (f"{INJECTION}::", "tests/unit/documentation/test_hostile.py::",
                                     "tests/unit/activation/test_dialects.py::formula")),
    Row("S3", "what is written is private whatever the umask", (f"{MODES}::",)),
    Row("S4", "escapes from the published warehouse are refused", (f"{SANDBOX}::",)),
    Row("Q1", "branch coverage", note="no target of its own yet"),
    Row("Q2", "mutation score of core modules", note="no target of its own yet"),
    Row("Q3", "ruff S, licences, bill of materials", note="make audit"),
)  # fmt: skip


@dataclass
class Score:
    """What the tests of a row said."""

    outcomes: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def figure(self) -> str:
        counted = ", ".join(f"{count:,} {name}" for name, count in self.figures.items())
        skipped = f", {self.outcomes['skipped']} skipped" if self.outcomes["skipped"] else ""
        total = sum(self.outcomes.values()) - self.outcomes["skipped"]
        tests = f"{self.outcomes['passed']}/{total} tests{skipped}"
        return f"{counted}; {tests}" if counted else tests


def existing(row: Row) -> list[str]:
    """Return the files of a row's tests that are there."""
    found = []
    for test in row.tests:
        place = test.partition("::")[0]
        matches = sorted(ROOT.glob(f"{place}*")) if not (ROOT / place).exists() else [ROOT / place]
        found += [str(path.relative_to(ROOT)) for path in matches]
    return found


def belongs(row: Row, place: str, name: str) -> bool:
    """Return whether a test holds a row's promise."""
    return any(
        place.startswith(prefix) and part in name
        for prefix, _, part in (test.partition("::") for test in row.tests)
    )


def run_tests(rows: Sequence[Row], *, nightly: bool) -> Iterator[tuple[str, str, ET.Element]]:
    """Run the tests of some rows once; yield file, name and what became of each."""
    files = sorted({path for row in rows for path in existing(row)})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "auto", "--dist",
                   "loadfile", f"--junit-xml={report}", *files]  # fmt: skip
        if not nightly:
            command += ["-m", "not slow"]
        subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
        if not report.is_file():
            return
        for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
            yield case.get("classname", "").replace(".", "/"), case.get("name", ""), case


def add_up(rows: Sequence[Row], *, nightly: bool) -> dict[str, Score]:
    """Return the score of each row."""
    scores = {row.id: Score() for row in rows}
    for place, name, case in run_tests(rows, nightly=nightly):
        outcome = next(
            (tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "passed"
        )
        for row in rows:
            if belongs(row, f"{place}.py", name) or belongs(row, place, name):
                score = scores[row.id]
                score.outcomes[outcome] += 1
                for noted in case.iter("property"):
                    score.figures[str(noted.get("name"))] += int(noted.get("value") or 0)
                if outcome in {"failure", "error"}:
                    score.failed.append(f"{place}.py::{name}")
    return scores


def main() -> int:
    """Print the scorecard and return the exit code."""
    nightly = "--all" in sys.argv
    measured = [row for row in ROWS if existing(row) and (nightly or not row.nightly)]
    scores = {} if "--list" in sys.argv else add_up(measured, nightly=nightly)
    has_failed = False
    for row in ROWS:
        score = scores.get(row.id)
        if score and score.outcomes:
            bad = score.outcomes["failure"] + score.outcomes["error"]
            has_failed = has_failed or bool(bad)
            word = "FAIL" if bad else "pass" if score.outcomes["passed"] else "skip"
            text = score.figure
        elif existing(row):
            word, text = "-", "nightly: make scorecard OPTIONS=--all" if row.nightly else "not run"
        else:
            word, text = "-", row.note or "not built yet"
        more = f" ({row.note})" if row.note and row.note != text else ""
        print(f"{row.id:4}{word:6}{row.promise}: {text}{more}")  # noqa: T201 - its purpose
        for name in score.failed if score else ():
            print(f"          {name}")  # noqa: T201 - its purpose
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
