"""Files and declarations mangled at random: quarantine or a clear error, never a crash or a hang.

Two seconds each in every test run; ``make fuzz MINUTES=30`` goes on for longer. A find is printed
with its seed: ``FUZZ_SEED=... FUZZ_SECONDS=1`` repeats it.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import CdpError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.project.loader import load_project
from tests.faults.tiny import REPOSITORY
from tests.hostile.conftest import Feed
from tests.hostile.orders import SOUND, write

SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
MEMORY_MB = 300

TOKENS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"'", b'"', b'""', b",", b";", b"\n", b"\r",
    b"\r\n", b"\t",
    b"\\", b"{{ 1 }}", b"{% for %}", b"/*", b"*/", b"--", b"null", b"1e999", b"-0", b"NaN", b"[",
    b"{",
    b"&a", b"*a", b"!!python/name:os", b"<<: *x", b": ", b"- ", b"? ", b"\xc3\x28", b"\xe2\x80\xae",
    b"9" * 400, b"(" * 300, b"2026-02-30", b"0x1F", b"\xf0\x9f\x92\xa9", b"select 1;", b"on", b"~",
)  # fmt: skip

SEGMENT = """\
title: Shoppers
owner: crm
where: net_amount_365d > 0 and rfm_segment in ('Champions', 'Loyal')
channel: email
purpose: marketing
holdout_share: 0.1
"""


def mangle(data: bytes, chance: random.Random) -> bytes:
    """Return data with a few faults of the kinds that transfers, editors and people make."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        place = chance.randrange(len(changed) + 1)
        other = chance.randrange(len(changed) + 1)
        low, high = sorted((place, min(other, place + 200)))
        kind = chance.randrange(6)
        if kind == 0:
            changed[place:place] = chance.choice(TOKENS)
        elif kind == 1:
            del changed[low:high]
        elif kind == 2:
            changed[place:place] = changed[low:high]
        elif kind == 3 and place < len(changed):
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 4:
            changed[low:high] = chance.randbytes(high - low)
        elif kind == 5:
            lines = bytes(changed).split(b"\n")
            chance.shuffle(lines) if len(lines) < 60 else lines.reverse()
            changed = bytearray(b"\n".join(lines))
    return bytes(changed)


def seeds() -> Iterator[int]:
    """Yield seeds until the time is up."""
    until = time.process_time() + SECONDS
    seed = SEED
    while time.process_time() < until:
        yield seed
        seed += 1


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture(scope="module")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with one declaration of each kind, so that an attempt takes no time."""
    root = tmp_path_factory.mktemp("fuzz") / "project"
    (root / "pyproject.toml").parent.mkdir()
    (root / "pyproject.toml").write_text('[tool.cdp]\ncurrency = "GBP"\n', encoding="utf-8")
    for name in (
        "expectations/promotions.yml", "expectations/loyalty_members.yml", "sql/glossary.yml",
        "sql/marts/source_health.sql", "sql/identity/customer_map.yml",
        "sql/marketing/destinations/analysts.yml", "reports/data_quality.yml",
        "sql/linkage/people.yml", "sql/linkage/survivorship.yml", "reports/brand.yml",
        "sql/queries/bought_together.sql", "sql/marketing/offers/still_interested.yml",
        "sql/marketing/segments/cart_or_browse_abandoners.yml",
    ):  # fmt: skip
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).is_file():
            shutil.copy(REPOSITORY / name, target)
    path = root / "sql" / "marketing" / "segments" / "shoppers.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SEGMENT, encoding="utf-8")
    shutil.copytree(REPOSITORY / "sql" / "staging", root / "sql" / "staging")
    load_project(root)  # only what is mangled may be wrong
    return root


def test_mangled_declarations_are_refused_in_words(
    small_project: Path, record_property: Callable[[str, int], None]
) -> None:
    files = sorted(path for path in small_project.rglob("*") if path.suffix in {".yml", ".sql"})
    refused = tried = 0
    speechless: list[str] = []
    before = peak_mb()
    for seed in seeds():
        chance = random.Random(seed)  # noqa: S311 - mangles files
        path = chance.choice(files)
        whole = path.read_bytes()
        path.write_bytes(mangle(whole, chance))
        tried += 1
        try:
            load_project(small_project)
        except CdpError as error:
            refused += 1
            speechless += [] if error.where and error.hint else [f"{seed}: {error}"]
        except Exception as error:
            error.add_note(f"FUZZ_SEED={seed}, {path}")
            raise
        finally:
            path.write_bytes(whole)
    record_property("mangled", tried)
    assert refused
    assert speechless == []
    assert tried >= min(10, 5 * SECONDS)
    assert peak_mb() - before < MEMORY_MB


def test_mangled_settings_are_refused_in_words(small_project: Path) -> None:
    path = small_project / "pyproject.toml"
    whole = (REPOSITORY / "pyproject.toml").read_bytes()
    speechless: list[str] = []
    for seed in seeds():
        path.write_bytes(mangle(whole, random.Random(seed)))  # noqa: S311 - as above
        try:
            load_settings(small_project)
        except CdpError as error:
            speechless += [] if error.hint else [f"{seed}: {error}"]
        except Exception as error:
            error.add_note(f"FUZZ_SEED={seed}")
            raise
    assert speechless == []
    path.write_bytes(b'[tool.cdp]\ncurrency = "GBP"\n')


def test_mangled_files_keep_the_conservation_law(
    feed: Feed, record_property: Callable[[str, int], None]
) -> None:
    sound = write(SOUND)
    before = peak_mb()
    tried = 0
    speechless: list[str] = []
    for seed in seeds():
        data = mangle(sound, random.Random(seed))  # noqa: S311 - as above
        try:
            outcome = feed(data)
        except CdpError as error:
            speechless += [] if error.hint else [f"{seed}: {error}"]
            continue
        except Exception as error:
            error.add_note(f"FUZZ_SEED={seed}")
            raise
        tried += 1
        notes, rows, aside = outcome.notes, outcome.rows, outcome.aside
        assert notes.accepted == len(rows), f"seed {seed}: {notes}"
        if notes.status == "loaded":
            assert notes.records == len(rows) + len(aside), f"seed {seed}: {notes}"
            assert sum(notes.rules.values()) == len(aside), f"seed {seed}: {notes}"
        else:
            assert notes.reason, f"seed {seed}: {notes}"
    record_property("mangled", tried)
    assert tried
    assert speechless == []
    assert peak_mb() - before < MEMORY_MB
