"""Modules where a silent mistake harms people, the tests that hold each, and equal mutants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Module:
    """A module to be mutated.

    Attributes:
        path: Its file.
        tests: What pytest runs: narrow and fast files, those first that find most; nothing drawn
            at random, so that a score is the same each time.
        equal: Mutants that behave as the module does, by name, each with its reason.
        words: Constants that hold words for people.
    """

    path: str
    tests: tuple[str, ...]
    equal: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()


UNIT = "tests/unit"

MODULES = {
    "consent": Module(
        "cdp_pipeline/privacy/consent.py",
        (
            f"{UNIT}/privacy/test_consent.py",
            f"{UNIT}/privacy/test_consent_details.py",
            f"{UNIT}/privacy/test_ledger.py",
            f"--deselect={UNIT}/privacy/test_consent.py::test_permitted_never_meets_not_granted",
        ),
        {
            "select 1 -> select 2": "whether a row exists is asked, not what it holds",
            "inner join addresses on claims.owner_id = addresses.customer_id -> "
            "left join addresses on claims.owner_id = addresses.customer_id": "rows without an "
            "address are left out next",
            "inner join stated_addresses as stated on judged.customer_id = stated.customer_id -> "
            "left join stated_addresses as stated on judged.customer_id = stated.customer_id": "no "
            "address equals one that is missing",
            'address=personal.get(channel or "", "cast(null as varchar)"), -> '
            "address=personal.get(channel or '~', \"cast(null as varchar)\"),": "neither is a "
            "channel",
        },
        words=("GATE_COLUMNS",),
    ),
    "ledger": Module("cdp_pipeline/ingest/ledger.py", (f"{UNIT}/ingest/test_conservation.py",)),
    "lease": Module(
        "cdp_pipeline/storage/lease.py",
        (f"{UNIT}/storage/test_lease.py",),
        {
            "step = _step_in(os.read(descriptor, 4096)) -> "
            "step = _step_in(os.read(descriptor, 4097))": "no step has a name as long as that",
        },
    ),
    "lock": Module(
        "cdp_pipeline/storage/lock.py",
        (f"{UNIT}/storage/test_lock.py",),
        {
            "os.ftruncate(descriptor, 0) -> os.ftruncate(descriptor, 1)": "the first byte is "
            "written next, and is the same for every holder",
            'holder = os.pread(descriptor, 4096, 0).decode(errors="replace") or "unknown" -> '
            'holder = os.pread(descriptor, 4097, 0).decode(errors="replace") or "unknown"': "no "
            "holder says as much as that",
        },
    ),
    "tombstones": Module(
        "cdp_pipeline/privacy/suppression.py",
        (f"{UNIT}/privacy/test_suppression.py",),
        {
            'con.execute((starter_folder("sql") / "macros" / name).read_text(encoding="utf-8")) -> '
            'con.execute((starter_folder("sql") / "macros" / name)'
            ".read_text(encoding='utf-8~'))": "Python knows the encoding by this name, too",
            'held = [line for line in lines if on.isoformat() < line.get("from", "9999")] -> '
            "held = [line for line in lines if on.isoformat() < line.get(\"from\", '9999~')]": "no "
            "day comes after either",
            '"create or replace temp table suppressed_tokens as select distinct " -> '
            '"create or replace temp table suppressed_tokens as select "': "of each kind, key and "
            "token one line stands",
            "added = 0 -> added = 1": "it is counted whenever lines are added",
        },
    ),
    "versions": Module(
        "cdp_pipeline/storage/versions.py",
        (f"{UNIT}/storage/test_version_details.py", f"{UNIT}/storage/test_versions.py"),
        {
            "_NEW_LINK = \".current.new\" -> _NEW_LINK = '.current.new~'": "it has this name for a "
            "moment only",
            'con.execute("checkpoint cdp") -> pass': "the connection is closed next, which does it",
        },
    ),
}
