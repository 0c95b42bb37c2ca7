"""The scorecard of trust: every promise with its figure, passed or not: ``make scorecard``.

    python -m tests.scorecard                  what every change must keep
    python -m tests.scorecard --all            with what only nightly runs can afford
    python -m tests.scorecard --from R1 R2 …   by JUnit reports of runs that have been, all rows
    python -m tests.scorecard --list           the rows alone
    python -m tests.scorecard --faults         the fault catalogue: what must happen, what holds it

A figure is what the tests that hold the promise counted, and how many of them passed.
A promise that nothing measures says so. The exit code is 1 if a row that was measured failed, or if
none of the tests that were to hold it ran.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.faults.catalogue import FAULTS

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """One promise.

    Attributes:
        id: Its number.
        promise: What must hold.
        tests: ``file::part of a test's name``; none: no test measures it.
        nightly: Whether only nightly runs measure it.
        note: What is not covered, or what measures it instead.
        command: What measures it instead of tests, by its exit code.
    """

    id: str
    promise: str
    tests: tuple[str, ...] = ()
    nightly: bool = False
    note: str = ""
    command: tuple[str, ...] = ()


KILLS, PUBLICATION = "tests/faults/test_kills.py", "tests/faults/test_publication.py"
AGAIN = "tests/faults/test_deliveries_again.py"
AROUND, FUZZ = "tests/faults/test_surroundings.py", "tests/hostile/test_fuzzing.py"
HOSTILE, AUDIT = "tests/hostile/test_hostile_files.py", "tests/unit/storage/test_audit.py"
INJECTION, SANDBOX = "tests/security/test_injection.py", "tests/security/test_sandbox.py"
MODES, VERIFY = "tests/security/test_modes.py", "tests/integration/test_verify.py"
CONSENT, CARDS = "tests/unit/privacy/test_", "tests/unit/ingest/test_cards.py"

ROWS = (
    Row("R1", "nights killed at and within every step end as undisturbed ones",
        (f"{KILLS}::",), nightly=True, note="FAULT_ROUNDS=20 for hundreds of kills"),
    Row("R2", "every call and every durable syscall of a publication killed once",
        (f"{PUBLICATION}::killed",), nightly=True),
    Row("R3", "all is on disk before readers come; missing fsyncs are caught",
        (f"{PUBLICATION}::on_disk", f"{PUBLICATION}::fsyncs")),
    Row("R4", "after a power cut at any call the old night is there, or the new, whole",
        ("tests/faults/test_power_cuts.py::",), nightly=True),
    Row("R5", "broken publishers are caught", (f"{PUBLICATION}::broken",), nightly=True),
    Row("R6", "readers see whole nights while nights are published",
        (f"{AROUND}::readers",), nightly=True),
    Row("R7", "of runs at once one has an effect, the others name it",
        (f"{AROUND}::wins", f"{AROUND}::one_date")),
    Row("R8", "the lock is free within 100 ms of its holder's death", (f"{AROUND}::outlives",)),
    Row("R9", "full or read-only disk, EIO, no memory: prior stays, said clearly, next night right",
        (f"{AROUND}::full_disk", f"{AROUND}::read_only", f"{AROUND}::memory",
         f"{PUBLICATION}::failing", "tests/unit/cli/test_commands.py::machine_that_refuses",
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
    Row("R17", "guarded reading beside the plain one", note="make bench-ingest measures it"),
    Row("P1", "erasure leaves nothing", ("tests/privacy/::eras", "tests/unit/rights/::",
         "tests/faults/test_erasure_kills.py::", "tests/faults/test_encrypted_store.py::eras")),
    Row("P2", "erased people do not come back, unless they are let in again",
        ("tests/unit/ingest/test_suppressing.py::", "tests/unit/ingest/test_readmission.py::")),
    Row("P3", "many people erased at once, turnover equal to the cent",
        ("tests/privacy/::a_hundred_people",), nightly=True,
        note="make bench-erase measures a thousand people in five million sales"),
    Row("P4", "nobody without consent is exported",
        (f"{CONSENT}consent.py::", f"{CONSENT}ledger.py::")),
    Row("P5", "tampering with the audit log is found", (f"{AUDIT}::",)),
    Row("P6", "small counts of people cannot be worked out from what leaves",
        ("tests/unit/privacy/test_small_counts.py::",
         "tests/unit/reporting/test_withholding.py::")),
    Row("P7", "planted people show up in no log, page, manifest, XCom or analysts' file",
        ("tests/integration/test_night.py::no_personal_data", "tests/privacy/test_canaries.py::"),
        note="planting is slow: OPTIONS=--all"),
    Row("S1", "card numbers are found in every format, other numbers left alone",
        (f"{CARDS}::", f"{HOSTILE}::no_card_number")),
    Row("S2", "injection is inert",
        (f"{INJECTION}::", "tests/security/test_declared_texts.py::",
         "tests/unit/documentation/test_hostile.py::",
         "tests/unit/quality/test_hostile_checks.py::",
         "tests/unit/reporting/test_hostile_texts.py::",
         "tests/unit/activation/test_dialects.py::formula")),
    Row("S3", "what is written is private whatever the umask", (f"{MODES}::",)),
    Row("S4", "escapes from the published warehouse are refused", (f"{SANDBOX}::",)),
    Row("Q1", "branch coverage, of core 100 %", note="make coverage measures it"),
    Row("Q2", "of small mistakes put into modules that harm people if wrong 90 % are found",
        note="make mutation measures it; R5 breaks the publisher"),
    Row("Q3", "nothing that ruff's rules of security object to",
        command=("ruff", "check", "--select", "S", "--output-format", "concise", "."),
        note="licences and a bill of materials: make audit"),
)  # fmt: skip


@dataclass
class Score:
    """What the tests of a row, or its command, said."""

    outcomes: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    said: str = ""

    def add(self, place: str, case: ET.Element) -> None:
        """Count what became of a test."""
        tags = ("failure", "error", "skipped")
        outcome = next((tag for tag in tags if case.find(tag) is not None), "passed")
        self.outcomes[outcome] += 1
        for noted in case.iter("property"):
            self.figures[str(noted.get("name"))] += int(noted.get("value") or 0)
        if outcome in {"failure", "error"}:
            self.failed.append(f"{place}.py::{case.get('name', '')}")

    @property
    def word(self) -> str:
        """The verdict; a promise whose tests are gone is not kept."""
        is_good = self.outcomes["passed"] + self.outcomes["skipped"] == sum(self.outcomes.values())
        if not (is_good and self.outcomes):
            return "FAIL"
        return "pass" if self.outcomes["passed"] else "skip"

    @property
    def figure(self) -> str:
        """What was counted, and how many tests passed; what a command said in the end."""
        if self.said:
            return self.said
        if not self.outcomes:
            return "none of its tests ran"
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


def run_tests(rows: Sequence[Row], folder: Path, *, nightly: bool) -> Path:
    """Run the tests of some rows once and return pytest's report, which may not have come."""
    files = sorted({path for row in rows for path in existing(row)})
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "auto", "--dist",
               "loadfile", f"--junit-xml={report}", *files]  # fmt: skip
    if not nightly:
        command += ["-m", "not slow"]
    subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
    return report


def add_up(rows: Sequence[Row], reports: Iterable[Path]) -> dict[str, Score]:
    """Return the score of each row by what pytest reported."""
    scores = {row.id: Score() for row in rows}
    for report in reports:
        if not report.is_file():
            continue
        for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
            place = case.get("classname", "").replace(".", "/")
            for row in rows:
                if belongs(row, f"{place}.py", case.get("name", "")):
                    scores[row.id].add(place, case)
    return scores


def run_command(row: Row) -> Score:
    """Return the score of a row that is measured by a command."""
    done = subprocess.run(
        [sys.executable, "-m", *row.command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    score = Score(said=lines[-1] if lines else done.stderr.strip())
    score.outcomes["failure" if done.returncode else "passed"] += 1
    score.failed += lines[:-1] if done.returncode else []
    return score


def show(row: Row, score: Score | None) -> bool:
    """Print a row; return whether its promise is kept, as far as was measured."""
    if score:
        word, text = score.word, score.figure
    elif row.tests or row.command:
        word, text = "-", "nightly: make scorecard OPTIONS=--all" if row.nightly else "not run"
    else:
        word, text = "-", row.note
    more = f" ({row.note})" if row.note and row.note != text else ""
    print(f"{row.id:4}{word:6}{row.promise}: {text}{more}")  # noqa: T201 - its purpose
    for name in score.failed if score else ():
        print(f"          {name}")  # noqa: T201 - its purpose
    return word != "FAIL"


def show_faults() -> int:
    """Print every fault, what must happen then and the tests that hold it; 1 if one has none."""
    for number, fault in enumerate(FAULTS, start=1):
        print(f"{number:3} {fault.what}: {fault.then}")  # noqa: T201 - its purpose
        for test in fault.tests or ("NO TEST",):
            print(f"      {test}")  # noqa: T201 - its purpose
    return int(any(not fault.tests for fault in FAULTS))


def main() -> int:
    """Print the scorecard and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.scorecard", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="with what only nightly runs can afford")
    what.add_argument("--from", dest="reports", nargs="+", type=Path, help="reports of pytest")
    what.add_argument("--list", action="store_true", help="the rows alone")
    what.add_argument("--faults", action="store_true", help="the fault catalogue")
    asked = parser.parse_args()
    if asked.faults:
        return show_faults()
    is_whole = bool(asked.all or asked.reports)
    measured = [row for row in ROWS if not asked.list and (is_whole or not row.nightly)]
    tested = [row for row in measured if row.tests]
    scores = {row.id: run_command(row) for row in measured if row.command}
    if asked.reports:
        scores |= add_up(tested, asked.reports)
    elif tested:
        with tempfile.TemporaryDirectory() as folder:
            scores |= add_up(tested, [run_tests(tested, Path(folder), nightly=asked.all)])
    broken = [row.id for row in ROWS if not show(row, scores.get(row.id))]
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
