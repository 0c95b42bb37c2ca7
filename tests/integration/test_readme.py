"""Every command that the README shows is run, as a reader would."""

from __future__ import annotations

import re
import webbrowser
from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.storage.warehouse import open_whole
from tests.integration.store import ROOT, Store

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"^\$ (.+)$", README, flags=re.MULTILINE)
INLINE = re.findall(r"`(cdp [^`]+|make [a-z-]+)`", README)
CDP = sorted({line for line in [*CONSOLE, *INLINE] if line.startswith("cdp ")})
MAKE = sorted({line for line in [*CONSOLE, *INLINE] if line.startswith("make ")})
FILE_COMMANDS = ("cdp link ", "cdp evaluate ", "cdp clv ", "cdp rfm ", "cdp recommend ")
ON_FILES = {line for line in CDP if line.startswith(FILE_COMMANDS)}
NEW_SOURCE = "cdp new source ../exports/tills_2026-11-20.csv"
IN_NEW_PROJECT = {
    "cdp init mystore",
    "cdp check",
    "cdp run --date 2026-11-20",
    "cdp init",
    "cdp new source",
    "cdp new segment quiet_gold",
    NEW_SOURCE,
}
TILLS = (
    "Filiale;Bon;Zeile;Zeit;Artikel;Bezeichnung;Menge;Betrag\n"
    "007;100231;1;03.11.2026 10:02;0048213;Schneestiefel;1;129,90\n"
    "007;100231;2;03.11.2026 10:02;0000017;Socken;2;12,00\n"
    '012;100232;1;04.11.2026 17:44;0051177;"Mantel, lang";1;1.249,00\n'
    "012;100233;1;05.11.2026 09:30;0048213;Schneestiefel;-1;129,90-\n"
    "Summe;;;;;;;1.261,00\n"
)


def arguments(line: str, store: Store) -> list[str]:
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)][1:]
    if words == ["explain", "A", "B"]:
        with open_whole(store.settings) as con:
            pair = con.execute(
                "select source_a || ':' || record_key_a, source_b || ':' || record_key_b "
                "from identity.edges order by all limit 1"
            ).fetchall()[0]
        return ["explain", *pair]
    if words in (["explain"], ["access", "PERSON"], ["consent", "PERSON"]):
        with open_whole(store.settings) as con:
            customer = con.execute("select min(customer_id) from ops.contact_log").fetchall()[0][0]
        return [words[0], customer]
    return words


def test_the_readme_shows_commands() -> None:
    assert len(CDP) >= 8
    assert {"make demo", "make test"} <= set(MAKE)


@pytest.mark.parametrize("line", [line for line in CDP if line not in IN_NEW_PROJECT | ON_FILES])
def test_commands_on_a_published_store(
    line: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _url: True)
    words = arguments(line, store)
    if words == ["doctor"]:
        pytest.skip("run by test_doctor, which gives it a machine of its own")
    if words == ["review"]:
        pytest.skip("asks questions on a terminal; run by test_steward_commands")
    if words == ["run"]:
        words = ["run", "--date", store.last_night.isoformat()]
    code = run_app(["--project", str(ROOT), "--data-dir", str(store.data), *words])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert printed.out.strip() or words[0] == "run"


def test_commands_on_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["Ann,Ash", "Bob,Birch", "Cleo,Cole", "Dan,Dale", "Eve,Elm"]
    people = [f"{name},{1950 + n}-04-1{n}" for n, name in enumerate(names)]
    for name, letter in (("customers", "c"), ("orders", "o")):
        rows = [f"{letter}{n},{person}" for n, person in enumerate(people)]
        Path(f"{name}.csv").write_text("\n".join(["record_id,first_name,last_name,dob", *rows]))
    truth = [f"{letter}{n},{n}" for letter in "co" for n in range(len(people))]
    Path("truth.csv").write_text("\n".join(["record_id,person_id", *truth]))
    sales = [
        f"{customer},2026-{month:02d}-{1 + customer % 28:02d},{20 + customer % 7}.50,{customer % 5}"
        for customer in range(60)
        for month in range(1, 12)
        if (customer + month) % 3
    ]
    Path("sales.csv").write_text("\n".join(["id,day,total,sku", *sales]))
    assert len(ON_FILES) == len(FILE_COMMANDS)
    for line in sorted(ON_FILES, key=lambda line: "evaluate" in line):
        assert run_app(line.split()[1:]) == 0, capsys.readouterr().err
    assert "10 records, 5 persons, 5 entities" in capsys.readouterr().out


def test_commands_of_a_new_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_app(["init", "mystore"]) == 0
    monkeypatch.chdir(tmp_path / "mystore")
    assert run_app(["check"]) == 0, capsys.readouterr().err
    assert run_app(["run", "--date", "2026-11-20"]) == 2
    assert "expectations" in capsys.readouterr().err
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "tills_2026-11-20.csv").write_text(TILLS, encoding="utf-8")
    assert run_app(NEW_SOURCE.split()[1:]) == 0
    shown = README.partition(f"$ {NEW_SOURCE}\n")[2].partition("$ ")[0]
    assert capsys.readouterr().out == shown
    assert run_app(["check"]) == 2
    contract = Path("expectations/tills.yml")
    text = contract.read_text(encoding="utf-8")
    for key, answer in (
        ("time_zone", "Europe/Berlin"),
        ("format", '"%d.%m.%Y %H:%M"'),
        ("currency", "\"'EUR'\""),
    ):
        text = re.sub(rf"{key}: !ask .*", f"{key}: {answer}", text)
    contract.write_text(text, encoding="utf-8")
    assert run_app(["new", "segment", "quiet_gold"]) == 0
    assert run_app(["check"]) == 0, capsys.readouterr().err


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in MAKE:
        assert re.search(rf"^{line.removeprefix('make ')}:", makefile, flags=re.MULTILINE), line


def test_linked_places_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
