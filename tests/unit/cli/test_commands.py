"""The command line as a newcomer meets it: help, errors, exit codes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.cli.progress import show_end
from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.orchestration.runner import NightOutcome, StepOutcome
from cdp_pipeline.storage.paths import DataPaths

COMMANDS = (
    "init", "demo", "plan", "run", "check", "report", "export", "status", "query", "explain",
    "doctor", "version", "review", "judge", "unmerge", "freeze", "judgements", "link",
    "evaluate", "quarantine",
)  # fmt: skip


def cdp(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = run_app(list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_help_lists_the_commands_in_the_order_of_use(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = cdp("--help", capsys=capsys)
    assert code == 0
    listed = [line.split()[0] for line in out.split("Commands:")[1].splitlines() if line.strip()]
    assert tuple(name for name in listed if name in COMMANDS) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_and_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = cdp(command, "--help", capsys=capsys)
    assert code == 0
    assert f"Example: cdp {command}" in out


def test_outside_a_project_it_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = cdp("plan", capsys=capsys)
    assert code == 2
    assert "cdp init" in err


def test_a_wrong_date_is_explained(project_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = cdp("--project", str(project_root), "run", "--date", "20/11/26", capsys=capsys)
    assert code == 2
    assert "2026-11-20" in err


@pytest.mark.parametrize(
    ("refused", "number"),
    [
        *(
            ("cdp_pipeline.orchestration.doctor.examine", number)
            for number in (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EIO)
        ),
        ("os.open", errno.ENOSPC),
    ],
)
def test_a_machine_that_refuses_is_named_with_the_remedy(
    project_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: str,
    number: int,
) -> None:
    """Where a command stumbles over it, and where `doctor` looks for it."""
    (project_root / "data").mkdir()
    lock = str(project_root / "data" / ".lock")
    really_open = os.open

    def refuse(path: object, *arguments: object, **_: object) -> object:
        if refused == "os.open" and str(path) != lock:
            return really_open(path, *arguments)  # type: ignore[arg-type] # as it was called
        raise OSError(number, os.strerror(number), lock)

    monkeypatch.setattr(refused, refuse)
    code, out, err = cdp("--project", str(project_root), "doctor", capsys=capsys)
    assert code
    assert lock in out + err
    assert os.strerror(number) in out + err
    assert "untouched" in out + err
    assert "unexpected" not in out + err


def test_a_report_is_given_out_whole_and_never_in_place_of_what_is_no_file(
    project_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = project_root / "data" / "reports"
    reports.mkdir(parents=True)
    (reports / "week.html").write_bytes(b"<p>week</p>")
    given = tmp_path / "given"
    given.mkdir()
    (given / ".mine.html.1.tmp").write_bytes(b"<p>we")  # of a try that died
    (given / "link.html").symlink_to("mine.html")
    asked = ("--project", str(project_root), "report", "--to-file")
    assert cdp(*asked, str(given / "link.html"), capsys=capsys)[0] == 0
    assert {path.name: path.is_symlink() for path in given.iterdir()} == {
        "link.html": True,
        "mine.html": False,
    }
    assert (given / "mine.html").read_bytes() == b"<p>week</p>"
    code, _, err = cdp(*asked, str(given), capsys=capsys)
    assert (code, "is no file" in err, str(given) in err) == (2, True, True)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("note.txt", "something of that name is there already"),
        ("note.txt/store", "a part of that path is no folder"),
        ("loop", "something of that name is there already"),
        ("loop/store", "it is a link that leads to itself"),
        ("x" * 300, "a name that long is none"),
        ("/proc/store", "no such file or folder, and none can be made"),
    ],
)
def test_a_place_that_cannot_be_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, said: str
) -> None:
    (tmp_path / "note.txt").touch()
    (tmp_path / "loop").symlink_to("loop")
    code, _, err = cdp("init", str(tmp_path / place), capsys=capsys)
    assert (code, said in err) == (2, True), err
    assert str(tmp_path / place) in err


def test_errors_can_be_read_by_machines(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = cdp("--project", str(project_root), "query", "select 1", "--json", capsys=capsys)
    assert code == 2
    assert json.loads(out)["error"]["code"] == "config"


@pytest.mark.parametrize(
    ("command", "said"), [("status", "stopped"), ("run", "stopped; `cdp run --resume` goes on")]
)
def test_whoever_stops_a_command_within_a_statement_is_told_that_it_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, said: str
) -> None:
    """DuckDB takes the signal, and says so by an error that is no KeyboardInterrupt."""

    def ask(**_: object) -> None:
        message = "Query interrupted"  # a statement that waits for a signal may wait for ever
        raise RuntimeError(message)

    monkeypatch.setattr("cdp_pipeline.cli.app.app", ask)
    code, _, err = cdp(command, capsys=capsys)
    assert (code, err.strip().startswith(said), "unexpected" in err) == (130, True, False)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["   "], "no SQL in it"),
        (["/* nothing */"], "no SQL in it"),
        (["select '\udcff'"], "not UTF-8"),
        (["select 1", "--limit", "9" * 20], "--limit"),
    ],
)
def test_a_query_that_is_none_is_told(
    project_root: Path, capsys: pytest.CaptureFixture[str], asked: list[str], said: str
) -> None:
    version = project_root / "data" / "warehouse" / "versions" / "000001-2026-11-20"
    version.mkdir(parents=True)
    duckdb.connect(str(version / "cdp.duckdb")).close()
    (version.parents[1] / "current").symlink_to(version)
    code, _, err = cdp("--project", str(project_root), "query", *asked, capsys=capsys)
    assert (code, said in err, "unexpected" in err) == (2, True, False), err


def test_unknown_options_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = cdp("plan", "--colour", capsys=capsys)
    assert code == 2
    assert "--colour" in err


def test_init_then_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = cdp("init", str(tmp_path / "mystore"), capsys=capsys)
    assert code == 0
    assert "cdp check" in err
    code, out, _ = cdp("--project", str(tmp_path / "mystore"), "plan", "--json", capsys=capsys)
    assert code == 0
    assert json.loads(out)[0]["step"] == "discover"


def test_status_before_the_first_night(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = cdp("--project", str(project_root), "status", capsys=capsys)
    assert code == 0
    assert "nothing has been published yet" in out


def test_version_names_what_decides_results(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = cdp("version", "--json", capsys=capsys)
    assert code == 0
    assert {"cdp-pipeline", "duckdb", "recordlinkage"} <= set(json.loads(out))


def test_the_installed_command_answers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cdp_pipeline", "--help"], capture_output=True, text=True, check=True
    )
    assert "customer data platform" in done.stdout


def test_no_colour_without_a_terminal(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = cdp("--project", str(project_root), "query", "select 1", capsys=capsys)
    assert "\033[" not in out + err


@pytest.mark.parametrize("aside", [0, 3])
def test_the_end_of_a_night_says_where_its_findings_are(
    context: RunContext, capsys: pytest.CaptureFixture[str], aside: int
) -> None:
    pages = DataPaths.of(context).current / "quality" / "data_docs" / "index.html"
    pages.parent.mkdir(parents=True)
    pages.touch()
    loading = StepResult(
        rows_in=9, rows_out=8 - aside, rows_set_aside=aside + 1, facts={"quarantined": aside}
    )
    steps = {"load_staging": StepOutcome("done", 1.0, loading)}
    show_end(NightOutcome(context, "published", "000001-2026-11-20", steps))
    printed = "".join(capsys.readouterr())
    assert str(pages) in printed
    assert ("3 rows are set aside: `cdp quarantine list`" in printed) is bool(aside)
