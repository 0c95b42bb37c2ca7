"""Names and texts of a hostile project stay texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.documentation.site import MARKER, write_site

from .conftest import dead_links, read_pages

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}'\"&"
CONTRACT = """\
title: {evil}
description: {evil}
owner: {evil}
delivery: {{path: "*/<b>.csv", format: csv}}
load: {{mode: append, key: [n]}}
columns:
  n: {{type: integer, description: {evil}, from: {evil}}}
feeds:
  - entity: sale_lines
    columns: {{sale_id: "n::varchar || '</script>'", line_no: "'1'"}}
"""
HEADER = """\
/*
description: {evil}
grain: {evil}
key: [the column]
owner: {evil}
columns:
  the column: {evil}
*/
select 1 as "the column" where '</script>' <> ''
"""


@pytest.fixture
def hostile(project_root: Path, make_context: Callable[..., RunContext]) -> RunContext:
    evil = "'" + EVIL.replace("'", "''") + "'"
    (project_root / "expectations" / "evil.yml").write_text(CONTRACT.format(evil=evil))
    core = project_root / "sql" / "core"
    core.mkdir(parents=True)
    (core / "a#b <i> %41.sql").write_text(HEADER.format(evil=evil))
    staging = project_root / "sql" / "staging"
    staging.mkdir()
    shipped = Path(__file__).resolve().parents[3] / "sql" / "staging" / "sale_lines.yml"
    (staging / "sale_lines.yml").write_text(shipped.read_text(encoding="utf-8"))
    (project_root / "sql" / "glossary.yml").write_text(f"terms: {{{evil}: {evil}}}\n")
    (project_root / "reports").mkdir()
    (project_root / "reports" / "brand.yml").write_text("footer: plain\n")
    return make_context()


def test_nothing_hostile_becomes_markup(hostile: RunContext, tmp_path: Path) -> None:
    site = write_site(hostile.project_root, hostile.settings, tmp_path / "site")
    files = {
        path.relative_to(site.folder).as_posix(): path.read_bytes()
        for path in site.folder.rglob("*")
        if path.is_file()
    }
    pages = read_pages(files)
    for name, page in pages.items():
        tags = [tag for tag, _ in page.tags]
        assert tags.count("script") == 1, name
        assert not {"img", "i", "b"} & set(tags), name
        assert not any(key.startswith("on") for _, given in page.tags for key in given), name
    assert EVIL in pages["sources/evil.html"].text
    assert "49" not in pages["glossary.html"].text
    assert b"</script" not in files["assets/search-index.js"]
    assert "tables/core.a#b <i> %41.html" in files
    quoted = {name.replace("%", "%25").replace("#", "%23"): data for name, data in files.items()}
    assert dead_links({name: data for name, data in quoted.items() if name != MARKER}) == []


def test_a_folder_of_somebody_else_is_left_alone(hostile: RunContext, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("mine")
    with pytest.raises(ConfigError, match="no documentation site"):
        write_site(hostile.project_root, hostile.settings, folder)
    assert (folder / "chapter.txt").read_text() == "mine"
    (folder / "chapter.txt").unlink()
    assert write_site(hostile.project_root, hostile.settings, folder).is_new


def test_the_site_takes_the_place_of_the_old_one(hostile: RunContext, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    first = write_site(hostile.project_root, hostile.settings, folder)
    (folder / "tables" / "stale.html").write_text("old")
    second = write_site(hostile.project_root, hostile.settings, folder)
    third = write_site(hostile.project_root, hostile.settings, folder)
    assert (first.is_new, second.is_new, third.is_new) == (True, True, False)
    assert not (folder / "tables" / "stale.html").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_crash_between_the_renames_is_mended(hostile: RunContext, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(hostile.project_root, hostile.settings, folder)
    before = (folder / "index.html").read_bytes()
    folder.rename(tmp_path / ".site.old")
    write_site(hostile.project_root, hostile.settings, folder)
    assert (folder / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
