"""The site that a night leaves behind shows what was published, and nobody's personal data."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.documentation.observed import observe
from cdp_pipeline.documentation.site import write_site
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import open_whole
from tests.integration.store import ROOT, Store
from tests.unit.documentation.conftest import dead_links, read_pages


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_the_night_writes_it_and_the_command_changes_nothing(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    site = store.data / "docs"
    before = files_of(site)
    assert run_app(["--project", str(ROOT), "--data-dir", str(store.data), "docs"]) == 0
    assert capsys.readouterr().out.strip() == str(site / "index.html")
    assert files_of(site) == before
    assert dead_links(before) == []
    texts = {name: page.text for name, page in read_pages(before).items()}
    with open_whole(store.settings) as con:
        rows = con.execute("select count(*) from core.fct_sales").fetchall()[0][0]
        size = con.execute("select max(size) from segments.definitions").fetchall()[0][0]
    assert f"{rows:,}" in texts["tables/core.fct_sales.html"]
    assert f"{size:,}" in texts["segments.html"]
    assert store.last_night.isoformat() in texts["freshness.html"]
    assert all(f"-{store.last_night}" in text for text in texts.values())


def test_examples_single_nobody_out(store: Store) -> None:
    tables = load_project(ROOT).tables
    seen = observe(store.settings, tables)
    assert len(seen.examples) > 300
    with open_whole(store.settings) as con:
        for (table, column), values in seen.examples.items():
            header = tables[table].header
            assert not header.columns[column].pii, f"{table}.{column}"
            if header.subject_key is None:
                continue
            for value in values:
                held = con.execute(
                    f'select count(distinct "{header.subject_key}") from {table} '
                    f'where starts_with("{column}"::varchar, ?)',
                    [value.removesuffix("…")],
                ).fetchall()[0][0]
                assert held >= store.settings.privacy.smallest_count, f"{table}.{column}: {value}"


def test_no_name_mailbox_or_number_of_a_customer_is_on_any_page(store: Store) -> None:
    everything = b"\n".join(files_of(store.data / "docs").values()).decode().lower()
    with open_whole(store.settings) as con:
        people = con.execute(
            "select email, phone, street, customer_id from core.customer_contact "
            "order by customer_id limit 400"
        ).fetchall()
    for values in people:
        for value in filter(None, values):
            assert str(value).lower() not in everything


def test_another_folder_is_a_full_site_of_its_own(store: Store, tmp_path: Path) -> None:
    site = write_site(ROOT, store.settings, tmp_path / "public")
    assert site.is_new
    assert files_of(site.folder) == files_of(store.data / "docs")
