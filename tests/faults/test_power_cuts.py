"""The power goes after any call of a publication: the old night or the new one is there, whole."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import mutants
from tests.faults.conftest import seldom
from tests.faults.disk import Choice, Disk, Node, fingerprint, lay_out
from tests.faults.publisher import (
    ROWS,
    TONIGHT,
    YESTERDAY,
    night,
    prepare,
    story,
)
from tests.faults.recording import OPTIONS, read_log
from tests.faults.tiny import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
]
_AGAIN = 12
"""On one in so many disks the night is run again."""

_NIGHT = """
import sys
from pathlib import Path
from tests.faults import mutants, publisher
mutants.MUTANTS.get(sys.argv[2], lambda: None)()
publisher.night(Path(sys.argv[1]))
"""


def recorded(built: Path, log: Path, mutant: str = "") -> Iterator[tuple[Disk, bool]]:
    """Yield the disk after every call of a night, and whether the call was the last."""
    disk = Disk(built)
    command = ["strace", "-f", "-y", "-qq", "-o", str(log), *OPTIONS, sys.executable, "-B", "-c"]
    done = subprocess.run(
        [*command, _NIGHT, str(built), mutant],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    deeds = read_log(log, built)
    for number, deed in enumerate(deeds, start=1):
        disk.apply(deed)
        yield disk, number == len(deeds)


def everything(node: Node) -> int:
    return len(node.undone)


def nothing(_: Node) -> int:
    return 0


def only_names(node: Node) -> int:
    return 0 if node.names is None else len(node.undone)


def only_data(node: Node) -> int:
    return len(node.undone) if node.names is None else 0


def any_of_it(seed: int) -> Choice:
    """Return a choice that keeps any number of changes, file by file and folder by folder."""
    dice = random.Random(seed)  # noqa: S311 - which writes are lost is no secret
    chosen: dict[int, int] = {}

    def choose(node: Node) -> int:
        return chosen.setdefault(id(node), dice.randint(0, len(node.undone)))

    return choose


def broken_states(
    built: Path, log: Path, mutant: str = "", *, patience: int = 1 << 30
) -> tuple[int, int, list[str]]:
    """Return the number of power cuts, of different disks after them, and what is wrong.

    Args:
        built: The prepared project; everything is tried at its place, which the plan names.
        log: Where the record of calls goes.
        mutant: A publisher that is broken.
        patience: Faults after which to stop.
    """
    cuts, found = 0, []
    seen: set[frozenset[tuple[str, int, int]]] = set()
    for number, (disk, is_last) in enumerate(recorded(built, log, mutant), start=1):
        mixed = [any_of_it(number * 1000 + seed) for seed in range(2)]
        for choose in (everything, nothing, only_names, only_data, *mixed):
            state = disk.after_power_cut(choose)
            cuts += 1
            mark = fingerprint(state)
            if mark in seen and not is_last:
                continue
            seen.add(mark)
            lay_out(state, built)
            wrong = what_is_wrong(built, number, must_be_new=is_last, again=len(seen) % _AGAIN == 0)
            found += [wrong] if wrong else []
        if len(found) >= patience:
            break
    return cuts, len(seen), found


def what_is_wrong(root: Path, number: int, *, must_be_new: bool, again: bool) -> str:
    """Return why a disk after a power cut is neither the old night nor the new; empty if it is."""
    try:
        rows = story(root)
        assert not must_be_new or rows == ROWS[TONIGHT], "what was acknowledged is lost"
        assert rows in {ROWS[YESTERDAY], ROWS[TONIGHT]}
        if again:
            night(root)
            assert story(root) == ROWS[TONIGHT], "the next run does not publish"
            assert not list((root / "data" / "warehouse").rglob(".*")), "something is left behind"
    except (AssertionError, LookupError, OSError, RuntimeError, ValueError) as error:
        return f"call {number}: {type(error).__name__} {error}"
    return ""


@pytest.fixture
def built(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    shutil.rmtree(prepare(root).work)  # of tonight: recorded is how it is built, too
    return root


def test_the_record_tells_every_byte(built: Path, tmp_path: Path) -> None:
    for disk, is_last in recorded(built, tmp_path / "strace.log"):
        if is_last:
            state = disk.after_power_cut(everything)
    lay_out(state, tmp_path / "replayed")
    for place in (built, tmp_path / "replayed"):
        assert story(place) == ROWS[TONIGHT]
    assert {p.relative_to(built): p.read_bytes() for p in built.rglob("*") if p.is_file()} == {
        p.relative_to(tmp_path / "replayed"): p.read_bytes()
        for p in (tmp_path / "replayed").rglob("*")
        if p.is_file()
    }


def test_a_power_cut_leaves_the_old_night_or_the_new(
    built: Path, tmp_path: Path, record_property: Callable[[str, int], None]
) -> None:
    cuts, disks, found = broken_states(built, tmp_path / "strace.log")
    record_property("power cuts", cuts)
    record_property("different disks", disks)
    assert found == []
    assert cuts >= 300


@pytest.mark.parametrize(
    "mutant", seldom([m.__name__ for m in mutants.UNSYNCED], but=["no_file_sync"])
)
def test_publishers_that_do_not_sync_are_caught(built: Path, tmp_path: Path, mutant: str) -> None:
    assert broken_states(built, tmp_path / "strace.log", mutant, patience=1)[2]
