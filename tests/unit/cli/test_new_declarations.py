"""`cdp new segment|destination|report|propensity`: drafts that are valid as they are written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.checking import check_project
from cdp_pipeline.project.loader import load_project

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(project_root: Path, repository: Path) -> Path:
    for name in ("sql", "reports"):
        shutil.copytree(repository / name, project_root / name)
    return project_root


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        code = run_app(["--project", str(root), "new", *words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_every_draft_is_a_declaration_that_check_accepts(run: Run, root: Path) -> None:
    words = ["--title", "It's: 100 % #1", "--owner", "Ann & Bob"]
    gold = "tier = 'gold' and city <> \"York\""
    for draft in (
        ["segment", "plain"],
        ["segment", "quiet_gold", "--where", gold.replace('"', "'"), "--channel", "email", *words],
        ["destination", "lab"],
        ["destination", "mails", "--channel", "email", "--segment", "quiet_gold", *words],
        ["destination", "texts", "--channel", "sms"],
        ["destination", "letters", "--channel", "post"],
        ["destination", "pushes", "--channel", "push", "--offers"],
        ["report", "usual"],
        ["report", "days", "--from", "daily_performance", *words],
        ["propensity", "buys_again", "--days", "60"],
        ["propensity", "buys_toys", "--department", "Toys' & Games", *words],
    ):
        code, out, err = run(*draft)
        assert code == 0, err
        assert draft[1] in out
        assert "next: cdp check" in err
    findings = check_project(root, load_settings(root))
    assert [str(error) for error in findings.errors] == []
    project = load_project(root)
    assert project.segments["quiet_gold"].title == "It's: 100 % #1"
    assert project.segments["quiet_gold"].where == "tier = 'gold' and city <> 'York'"
    assert project.segments["plain"].channel is None
    assert project.destinations["mails"].segments == ("quiet_gold",)
    assert project.destinations["lab"].channel is None
    kinds = {field.column: field.kind for field in project.destinations["pushes"].fields}
    assert kinds["product_name"] == kinds["store_name"] == "text"
    assert project.destinations["letters"].fields[1].kind == "name"
    assert project.propensities["buys_again"].header.horizon_days == 60
    assert "'Toys'' & Games'" in project.propensities["buys_toys"].sql


def test_drafts_name_what_can_be_used(run: Run, root: Path) -> None:
    assert run("segment", "plain")[0] == run("report", "usual")[0] == 0
    segment = (root / "sql/marketing/segments/plain.yml").read_text()
    assert "#   recency_days " in segment
    assert max(len(line) for line in segment.splitlines()) <= 100
    report = (root / "reports/usual.yml").read_text()
    assert "#   marts.sales_by_day " in report
    assert "marts.customer_value" not in report


def test_nothing_is_overwritten(run: Run, root: Path) -> None:
    path = root / "sql/marketing/segments/champions.yml"
    before = path.read_bytes()
    code, _, err = run("segment", "champions")
    assert (code, path.read_bytes()) == (2, before)
    assert "there already" in err
    assert str(path) in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["segment", "Quiet Gold!"], "`quiet_gold`"),
        (["segment", "../../evil"], "`evil`"),
        (["segment", "übergrößen"], "cannot be a name"),
        (["segment", "x" * 60], "at most 41"),
        (["segment", "vips", "--where", "city = 'a\nb'"], "one line"),
        (["segment", "vips", "--owner", " "], "one line"),
        (["destination", "mails", "--segment", "champion"], "Did you mean `champions`?"),
        (["destination", "mails", "--offers"], "--channel"),
        (["report", "week", "--from", "sales_by_dy"], "Did you mean `marts.sales_by_day`?"),
        (["report", "week", "--from", "customer_value"], "row for each person"),
        (["report", "week", "--from", "core.fct_sales"], "is no mart"),
        (["propensity", "buys", "--title", "*/ drop table x; /*"], "one line"),
        (["propensity", "buys", "--department", "*/"], "one line"),
    ],
)
def test_mistakes_are_refused_with_what_was_meant(
    run: Run, root: Path, words: list[str], told: str
) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    code, _, err = run(*words)
    assert code == 2
    assert told in err
    assert sorted(path for path in root.rglob("*") if path.is_file()) == files


def test_a_project_that_inherits_its_sql_does_not_lose_it(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["segment", "vips"], ["report", "week"]):
        assert run_app(["--project", str(project_root), "new", *words]) == 2
        assert "cp -r" in capsys.readouterr().err
    assert not (project_root / "sql").exists()


def test_json_names_the_file_and_the_next_steps(run: Run, root: Path) -> None:
    code, out, _ = run("segment", "plain", "--json")
    told = json.loads(out)
    assert code == 0
    assert Path(told["path"]) == root / "sql/marketing/segments/plain.yml"
    assert "cdp check" in told["next"]
