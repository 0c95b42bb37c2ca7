"""Mutants are the mistakes that are meant, and a test that finds nothing gets a bad score."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import __main__ as mutation
from tests.mutation.modules import MODULES, Module
from tests.mutation.mutants import mutants_of

SOURCE = '''\
"""A docstring with 1 number."""

LIMIT: int | None = 1


def is_due(days: int | None, *, strict: bool = False) -> bool:
    """Return whether it is due on 2 days."""
    if days is None:
        raise ValueError("no days: 3")
    note(f"seen {days}")
    return not strict and days >= LIMIT  # or later and 4
'''
RETURN = "return not strict and days >= LIMIT  # or later and 4"
MISTAKES = {
    ("LIMIT: int | None = 1", "LIMIT: int | None = 2"),
    ("bool = False", "bool = True"),
    ("is None", "is not None"),
    ('note(f"seen {days}")', "pass"),
    ('f"seen {days}"', "'~'"),
    (RETURN, RETURN.replace("strict and", "strict or")),
    (RETURN, RETURN.replace("not strict", "strict")),
    (RETURN, RETURN.replace(">=", ">")),
    (RETURN, "return None  # or later and 4"),
}
QUERY = '''\
"""Words."""
QUERY = f"""
select max({a and b}), 7 as seven  -- and 8 or 9
from t left join u using (k)
where x <= 1 and y is not null
order by x desc
"""
'''
WRONG_SQL = {
    ("max(", "min("), ("7 as", "8 as"), ("left join", "inner join"), ("x <= 1", "x < 1"),
    ("<= 1", "<= 2"), ("1 and", "1 or"), ("is not null", "is null"), ("desc", "asc"),
}  # fmt: skip


def test_the_mistakes_of_a_module_are_these() -> None:
    wanted = {SOURCE.replace(right, wrong, 1) for right, wrong in MISTAKES}
    assert {mutant.after for mutant in mutants_of(SOURCE)} == wanted


def test_words_for_people_are_left_alone() -> None:
    assert len(mutants_of("A = 'a'\nB = 'b'\n")) == 2
    (left,) = mutants_of("A = 'a'\nB = 'b'\n", words=("A",))
    assert left.name == "B = 'b' -> B = 'b~'"


def test_the_mistakes_of_its_sql_are_these() -> None:
    wanted = {QUERY.replace(right, wrong, 1) for right, wrong in WRONG_SQL}
    assert {mutant.after for mutant in mutants_of(QUERY)} == wanted


def test_a_mistake_is_shown_as_a_diff_and_stands_where_it_is_said() -> None:
    mutant = next(mutant for mutant in mutants_of("é = 'é' + 1\nb = é < 2\n") if mutant.line == 2)
    shown = "--- m.py\n+++ m.py\n@@ -1,2 +1,2 @@\n é = 'é' + 1\n-b = é < 2\n+b = é <= 2"
    assert mutant.diff("m.py") == shown


MEASURE = """
import sys
from pathlib import Path
from tests.mutation.__main__ import measure
from tests.mutation.modules import Module
score = measure("due", Module("due.py", ("test_due.py",)), Path(sys.argv[1]))
print(*(mutant.name for mutant in score.survivors), score, sep="\\n")
"""


def measure(folder: Path, test: str) -> tuple[list[str], str]:
    """Return what is printed of a module whose tests are one line, and why there is no score."""
    (folder / "due.py").write_text("def is_due(days):\n    return days >= 1\n")
    (folder / "test_due.py").write_text(f"from due import is_due\n\ndef test_due():\n    {test}\n")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder.resolve())],
        cwd=mutation.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (folder / "due.py").read_text() == "def is_due(days):\n    return days >= 1\n"
    return done.stdout.splitlines(), done.stderr


def test_what_the_tests_of_a_module_do_not_find_survives(tmp_path: Path) -> None:
    survivors = ["return days >= 1 -> return days > 1", "return days >= 1 -> return days >= 2"]
    found, _ = measure(tmp_path, "assert is_due(2)")
    assert found == [*survivors, "due                3       1         2      0    33.3 %"]
    found, _ = measure(tmp_path, "assert is_due(1) and is_due(0) is False")
    assert found == ["due                3       3         0      0   100.0 %"]


def test_tests_that_fail_or_test_something_else_give_no_score(tmp_path: Path) -> None:
    found, why = measure(tmp_path, "assert is_due(0)")
    assert found == []
    assert "the tests of due.py fail as it is (1)" in why
    (tmp_path / "conftest.py").write_text(
        "import sys, types\nsys.modules['due'] = fake = "
        "types.ModuleType('due')\nfake.is_due = bool\n"
    )
    found, why = measure(tmp_path, "assert is_due(1)")
    assert found == []
    assert "do not load it" in why


@pytest.mark.parametrize(("asked", "measured"), [([], list(MODULES)), (["lock"], ["lock"])])
def test_without_a_name_all_modules_are_measured(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], measured: list[str]
) -> None:
    seen = []
    score = mutation.Score("x", 10, (), 0, "x.py")
    monkeypatch.setattr(sys, "argv", ["mutation", *asked])
    monkeypatch.setattr(mutation, "copy_tree", lambda _: None)
    monkeypatch.setattr(mutation.signal, "signal", lambda *_: None)
    monkeypatch.setattr(mutation, "measure", lambda name, *_: seen.append(name) or score)
    assert mutation.main() == 0
    assert seen == measured


def test_modules_and_their_tests_are_there() -> None:
    for module in MODULES.values():
        places = [module.path, *(test for test in module.tests if not test.startswith("-"))]
        places += [t.partition("=")[2].partition("::")[0] for t in module.tests if "::" in t]
        assert [place for place in places if not (mutation.ROOT / place).is_file()] == []


@pytest.mark.parametrize("module", MODULES.values(), ids=list(MODULES))
def test_a_mutant_that_is_called_equal_is_there_and_has_its_reason(module: Module) -> None:
    names = {mutant.name for mutant in mutants_of((mutation.ROOT / module.path).read_text("utf-8"))}
    assert set(module.equal) <= names
    assert all(module.equal.values())
