from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, DataQualityError
from cdp_pipeline.quality import gate
from cdp_pipeline.quality.gate import run_sources
from cdp_pipeline.quality.results import read_results
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.quality.conftest import StageRows

pytestmark = pytest.mark.usefixtures("tills")

GOOD = "('s1', 'ann@example.com', 10.00), ('s2', null, 2.50)"
CANARY = "zq-canary-person"


@pytest.fixture
def with_docs() -> None:
    """Ask for Data Docs, which most tests do without because they cost a third of a second."""


@pytest.fixture(autouse=True)
def _docs_on_request(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "with_docs" not in request.fixturenames:
        monkeypatch.setattr(gate, "build_site", lambda *_, **__: None)


def everything_written(folder: Path) -> str:
    return "\n".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def test_clean_rows_pass_and_every_rule_is_reported(
    context: RunContext, stage_rows: StageRows
) -> None:
    stage_rows(GOOD)
    result = run_sources(context)
    found = {r.rule: r for r in read_results(DataPaths.of(context).tree)}
    assert set(found) == {"sale_id_not_null", "amount_not_null", "email_matches"}
    assert all(r.success and r.evaluated_rows == 2 for r in found.values())
    assert result.rows_in == 2
    page = "quality/data_docs/index.html"
    assert result.facts == {"suites": 1, "checks": 3, "failed_checks": 0, "data_docs": page}


def test_a_failed_stop_rule_names_source_rule_counts_and_file(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    stage_rows("('s1', null, 1.00), ('s2', null, null), ('s3', null, null)")
    with pytest.raises(DataQualityError) as caught:
        run_sources(context)
    text = str(caught.value)
    assert "tills: 2 of 3 rows have no `amount` (stops the night; rule amount_not_null)" in text
    assert str(tills) in text
    assert "summary.json" in text
    assert "data_docs/index.html" in text
    assert not next(
        r for r in read_results(DataPaths.of(context).tree) if r.rule == "amount_not_null"
    ).success


def test_a_failed_warning_is_a_message_and_the_night_goes_on(
    context: RunContext, stage_rows: StageRows
) -> None:
    stage_rows("('s1', 'no at sign', 1.00)")
    result = run_sources(context)
    (said,) = result.messages
    assert said.startswith("tills: 1 of 1 rows are not of the declared form in `email` (a warning;")
    assert result.facts["failed_checks"] == 1


def test_an_accepted_row_that_breaks_a_quarantine_rule_stops_the_night(
    context: RunContext, stage_rows: StageRows
) -> None:
    stage_rows("(null, null, 1.00)")
    with pytest.raises(DataQualityError, match="sale_id_not_null") as caught:
        run_sources(context)
    assert "report this as a bug" in str(caught.value)


def test_sources_without_news_are_skipped_with_a_message(
    context: RunContext, stage_rows: StageRows
) -> None:
    stage_rows("('s1', null, null)", plan_status="known")
    result = run_sources(context)
    assert result.messages == ("tills: nothing new to check",)
    summary = json.loads((DataPaths.of(context).tree / "quality/summary.json").read_text())
    assert summary["suites"] == [
        {
            "suite": "tills",
            "stage": "sources",
            "status": "skipped",
            "checks": 0,
            "failed": 0,
            "rows": 0,
        }
    ]


def test_a_source_that_was_not_staged_is_an_error(context: RunContext) -> None:
    with pytest.raises(DataQualityError, match="tills has not been staged"):
        run_sources(context)


def test_a_short_delivery_stops_and_a_long_one_warns(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    limits = "format: csv, minimum_rows: 2, maximum_rows: 3}"
    tills.write_text(tills.read_text().replace("format: csv}", limits), encoding="utf-8")
    stage_rows(", ".join(f"('a{n}', null, 1)" for n in range(5)), file_id="f1")
    assert run_sources(context).messages == (
        "tills: 5 rows, 2 too few or too many (a warning; rule maximum_rows)",
    )
    stage_rows("('b1', null, 1)", file_id="f2")
    with pytest.raises(DataQualityError, match=r"6 rows, 1 too few.*rule minimum_rows"):
        run_sources(context)


def test_excluded_rows_are_not_judged(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    rule = "exclude:\n  - {rule: training, where: sale_id = 'T'}\nfeeds:"
    tills.write_text(tills.read_text().replace("feeds:", rule), encoding="utf-8")
    stage_rows("('s1', null, 1.00), ('T', null, null)")
    result = run_sources(context)
    assert result.facts["failed_checks"] == 0
    assert result.rows_in == 1


def test_all_deliveries_of_tonight_are_checked_together(
    context: RunContext, stage_rows: StageRows
) -> None:
    stage_rows(GOOD, file_id="f1")
    stage_rows("('s3', null, 1.00)", file_id="f2")
    assert run_sources(context).rows_in == 3


@pytest.mark.usefixtures("with_docs")
def test_no_value_of_a_row_is_written_or_raised(
    context: RunContext, stage_rows: StageRows, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_rows(f"('s1', '{CANARY}', null), ('{CANARY}-2', '{CANARY}', 3.00)")
    with pytest.raises(DataQualityError) as caught:
        run_sources(context)
    folder = DataPaths.of(context).tree
    written = everything_written(folder)
    assert "email_matches" in written
    assert CANARY not in written
    assert CANARY not in str(caught.value)
    output = capsys.readouterr()
    assert output.out == ""
    assert CANARY not in output.err


def test_a_database_error_does_not_quote_values(
    context: RunContext, tills: Path, stage_rows: StageRows, capsys: pytest.CaptureFixture[str]
) -> None:
    check = "  - {expect: 'true', name: numeric_email, where: cast(email as integer) > 0}\nfeeds:"
    tills.write_text(tills.read_text().replace("feeds:", check), encoding="utf-8")
    stage_rows(f"('s1', '{CANARY}', 1.00)")
    with pytest.raises(DataQualityError, match=r"numeric_email.*could not be evaluated") as caught:
        run_sources(context)
    assert CANARY not in str(caught.value)
    assert CANARY not in "".join(capsys.readouterr())
    assert CANARY not in everything_written(DataPaths.of(context).work)


def test_a_check_on_an_unknown_column_is_a_configuration_error(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    check = "  - {expect: 'true', name: typo, where: amuont > 0}\nfeeds:"
    tills.write_text(tills.read_text().replace("feeds:", check), encoding="utf-8")
    stage_rows(GOOD)
    with pytest.raises(ConfigError, match="amuont"):
        run_sources(context)


def test_a_delivery_cannot_refer_to_tables_of_the_warehouse(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    check = "  - {expect: exists_in, column: sale_id, table: core.fct_sales.sale_id}\nfeeds:"
    tills.write_text(tills.read_text().replace("feeds:", check), encoding="utf-8")
    stage_rows(GOOD)
    with pytest.raises(ConfigError, match="before any table is built"):
        run_sources(context)


def test_missing_staged_rows_are_an_error(context: RunContext, stage_rows: StageRows) -> None:
    stage_rows(GOOD).unlink()
    with pytest.raises(DataQualityError, match="staged rows of tills are missing"):
        run_sources(context)


@pytest.mark.usefixtures("with_docs")
def test_equal_runs_write_equal_bytes_and_call_no_server(
    context: RunContext, stage_rows: StageRows
) -> None:
    stage_rows(GOOD)
    tree = DataPaths.of(context).tree
    runs = []
    for _ in range(2):
        run_sources(context)
        pages = {
            str(path.relative_to(tree)): path.read_bytes()
            for path in sorted(tree.rglob("*"))
            if path.is_file()
        }
        runs.append(pages)
    assert runs[0].keys() == runs[1].keys()
    assert [name for name in runs[0] if runs[0][name] != runs[1][name]] == []
    index = runs[0]["quality/data_docs/index.html"].decode()
    assert "tills" in index
    assert 'src="http' not in index
    assert sum(len(content) for content in runs[0].values()) < 1_000_000


@pytest.mark.usefixtures("with_docs")
def test_a_page_about_a_suite_is_kept_until_the_suite_says_something_else(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    stage_rows(GOOD)
    paths = DataPaths.of(context)
    run_sources(context)
    shutil.copytree(paths.tree, paths.current)
    page = "quality/data_docs/expectations/tills.html"
    rendered = (paths.tree / page).read_bytes()
    run_sources(context)
    assert (paths.tree / page).read_bytes() == rendered
    (paths.current / page).write_text("as it was", encoding="utf-8")
    run_sources(context)
    assert (paths.tree / page).read_text() == "as it was"
    check = "  - {expect: between, column: amount, max: 999}\nfeeds:"
    tills.write_text(tills.read_text().replace("feeds:", check), encoding="utf-8")
    run_sources(context)
    assert "999" in (paths.tree / page).read_text()


@pytest.mark.usefixtures("with_docs")
def test_the_project_folder_is_left_alone(
    context: RunContext, tills: Path, stage_rows: StageRows
) -> None:
    before = sorted(tills.parent.rglob("*"))
    stage_rows(GOOD)
    run_sources(context)
    assert sorted(tills.parent.rglob("*")) == before
