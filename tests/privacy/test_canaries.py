"""Planted people: what a night writes and says tells nothing of them where nobody should see it.

They are unlike anybody else, so that one hit is a leak. Some are loaded, some set aside, some stand
in a file that is refused, one in a night that fails. Every byte below the data folder is searched,
packed and encoded or not, beside all that was printed, logged, and handed from step to step.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.orchestration.runner import NightOutcome, run_night
from cdp_pipeline.rights.scan import Find, scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, add_words
from tests.faults.tiny import FIRST_NIGHT, TinyStore, make_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]
LOAD = FIRST_NIGHT - timedelta(days=1)
MEMBERS, TILLS = "loyalty_members", "pos_sales"


@dataclass(frozen=True)
class Canary:
    """Somebody who is unlike anybody else."""

    given: str
    family: str
    number: int

    @property
    def row(self) -> dict[str, str]:
        """A member's profile, all of whose values tell the person."""
        return {
            "member_no": f"99{self.number:08d}",
            "title": "Dr",
            "first_name": self.given,
            "last_name": self.family,
            "birth_date": "1961-07-13",
            "sex": "F",
            "email": f"{self.given}.{self.family}@canary.example".lower(),
            "mobile": f"+4477009{self.number:05d}",
            "street": f"{self.number} {self.family} Row",
            "city": "Derby",
            "postcode": "DE2 7JD",
            "country": "GB",
            "joined_on": "2025-07-13",
            "home_store_id": "S001",
            "tier": "gold",
            **dict.fromkeys(("email_consent", "sms_consent", "post_consent"), "Y"),
            "consent_updated_at": f"{LOAD}T01:00:00Z",
            "updated_at": f"{LOAD}T02:00:00Z",
            "status": "active",
        }


LOADED = Canary("Zephyrine", "Quackenbush", 40001)
ASIDE = Canary("Balthasara", "Thistlewaite", 40002)
REFUSED = Canary("Ottilienne", "Vanderquast", 40003)
FAILING = Canary("Wilhelmarie", "Crumblethorp", 40004)
EVERYBODY = (LOADED, ASIDE, REFUSED, FAILING)


def traces(canaries: Iterable[Canary]) -> Traces:
    rows = [canary.row for canary in canaries]
    names = {(row["first_name"].lower(), row["last_name"].lower()) for row in rows}
    values = [("email", row["email"]) for row in rows]
    values += [("phone", row["mobile"].removeprefix("+44")) for row in rows]
    values += [("loyalty_id", row["member_no"]) for row in rows]
    # a name alone, too, and the street that bears it
    values += [("handle", row[key]) for row in rows for key in ("first_name", "last_name")]
    return add_words(Traces(names=frozenset(names)), values)


def deliver(store: TinyStore, source: str, rows: list[dict[str, str]], day: str) -> None:
    (path,) = sorted((store.data / "landing" / source / day).glob("*.csv"))
    with path.open(encoding="utf-8", newline="") as stream:
        header = csv.DictReader(stream).fieldnames or []
    with path.open("a", encoding="utf-8", newline="") as stream:
        csv.DictWriter(stream, header, lineterminator="\n").writerows(rows)


def plant(store: TinyStore) -> None:
    wrong = {**ASIDE.row, "birth_date": f"born as {ASIDE.given}", "tier": ASIDE.row["email"]}
    deliver(store, MEMBERS, [LOADED.row, wrong], str(LOAD))
    (till,) = sorted((store.data / "landing" / TILLS / str(LOAD)).glob("*.csv"))
    with till.open(encoding="utf-8", newline="") as stream:
        sale = next(csv.DictReader(stream))
    row = LOADED.row
    told = {
        "receipt_id": "S001-CANARY-1",
        "loyalty_card_no": row["member_no"],
        "ereceipt_email": row["email"],
        "ereceipt_phone": row["mobile"],
    }
    deliver(store, TILLS, [{**sale, **told}], str(LOAD))
    # names of columns that are a person's values: no file of ours, and refused
    mangled = till.with_name("loyalty_members_mangled.csv")
    folder = store.data / "landing" / MEMBERS / str(LOAD)
    text = ",".join(REFUSED.row.values())
    (folder / mangled.name).write_text(f"{text}\n{text}\n", encoding="utf-8")


def spoil(store: TinyStore) -> None:
    """Make the next night fail: most rows of a source it needs are wrong, each tells of whom."""
    (till,) = sorted((store.data / "landing" / TILLS / str(FIRST_NIGHT)).glob("*.csv"))
    with till.open(encoding="utf-8", newline="") as stream:
        sale = next(csv.DictReader(stream))
    row = FAILING.row
    told = {
        "quantity": row["email"],
        "line_amount": f"{row['first_name']} {row['last_name']}",
        "ereceipt_email": row["email"],
        "loyalty_card_no": row["member_no"],
    }
    wrong = [{**sale, **told, "receipt_id": f"S001-CANARY-{n}"} for n in range(400)]
    deliver(store, TILLS, wrong, str(FIRST_NIGHT))


def allowed(store: TinyStore) -> list[Path]:
    """Return where personal data belong: deliveries, what came of them, the vaults."""
    paths = store.paths
    return [
        *(paths.landing, paths.archive, paths.staging, paths.quarantine),
        store.data / "work",
        *(version / "vault" for version in paths.versions.iterdir()),
    ]


def keep_said(store: TinyStore, name: str, outcome: NightOutcome, printed: str) -> None:
    """Write down what was said, to be searched like everything else."""
    said = store.data / "said"
    said.mkdir(exist_ok=True)
    (said / f"{name}.json").write_text(json.dumps(outcome.as_dict()), encoding="utf-8")
    (said / f"{name}.txt").write_text(printed, encoding="utf-8")


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[TinyStore, NightOutcome, NightOutcome]:
    """Return a store after a night with canaries and one that failed of one."""
    store = make_store(tmp_path_factory.mktemp("canaries") / "store")
    plant(store)
    good = run_night(store.context(LOAD))
    spoil(store)
    bad = run_night(store.context(FIRST_NIGHT))
    return store, good, bad


def test_nothing_of_planted_people_is_where_it_should_not_be(
    watched: tuple[TinyStore, NightOutcome, NightOutcome],
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    store, good, bad = watched
    for words in (["status"], ["quarantine", MEMBERS], ["doctor"], ["verify", "--all"], ["docs"]):
        run_app(["--project", str(store.root), *words])
    keep_said(store, "good", good, "")
    printed = capfd.readouterr()
    keep_said(store, "bad", bad, printed.out + printed.err)
    scan = scan_folder(store.data, Searcher(traces(EVERYBODY)), excluded=allowed(store))
    record_property("planted people", len(EVERYBODY))
    record_property("files searched", scan.files)
    record_property("traces where none should be", len(scan.finds))
    assert scan.finds == []
    assert scan.files > 50
    assert (good.status, bad.status) == ("published", "failed")


def test_the_search_has_teeth(watched: tuple[TinyStore, NightOutcome, NightOutcome]) -> None:
    store, _, _ = watched
    paths = store.paths

    def finds(folder: Path, canary: Canary) -> list[Find]:
        return scan_folder(folder, Searcher(traces([canary]))).finds

    assert finds(paths.landing, LOADED)
    assert any(finds(version / "vault", LOADED) for version in paths.versions.iterdir())
    assert finds(paths.quarantine, ASIDE)
    assert finds(paths.landing, REFUSED)
    assert not any(finds(version / "vault", FAILING) for version in paths.versions.iterdir())
