"""After an erasure the next night ends as if everybody was grouped, though nobody is told of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.identity.erasure.subjects import find_subjects
from cdp_pipeline.identity.erasure.tables import erase_rows
from cdp_pipeline.identity.grouping import cluster
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.storage.warehouse import open_build
from tests.unit.identity.test_judged_nights import told
from tests.unit.identity.test_nights import FIRST, Life, run

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Query, Store, Village

pytest.importorskip("recordlinkage")

HOMES = range(6)


def _newcomers(village: Village) -> list[Person]:
    """Receipts with a family's mailbox or number, and names of which there are two bearers."""
    found: list[Person] = []
    for home in HOMES:
        person = village.people[4 * home]
        key = "phone" if home % 2 else "email"
        till = {"source": "till", "record_kind": "receipt", "record_key": f"t{home}"}
        found.append(till | {key: person[key]})
        names = {"given_name": person["given_name"], "family_name": person["family_name"] + "more"}
        crm = {"source": "crm", "record_kind": "contact"} | names
        found.append(crm | {"record_key": f"plain{home}"})
        for rival, place in (("one", "EX"), ("other", "PL")):
            lives = {"street": f"{home} {rival} Lane", "postcode": f"{place}{home + 1} 1AA"}
            key = {"record_key": f"{rival}{home}", "email": f"{rival}{home}@{place}.example.net"}
            found.append(crm | lives | key)
    return found


def _erase(store: Store, day: date) -> set[tuple[str, str]]:
    """Erase one of two holders and one of two namesakes a home; return their records."""
    context, fresh = store.context(day), store.folder / "fresh.duckdb"
    with open_build(context) as con:
        asked = [name for home in HOMES for name in (f"loyalty:{2 * home:04d}", f"crm:one{home}")]
        subjects = find_subjects(con, asked)
        for subject in subjects:
            erase_rows(con, subject, business_date=str(day), memory=Memory())
        con.execute(f"attach '{fresh}' as fresh; copy from database vault to fresh; detach fresh")
    store.base = fresh
    return {record for subject in subjects for record in subject.records}


@pytest.mark.slow
def test_who_stood_beside_somebody_erased_is_looked_at_again(
    village: Village, make_store: Callable[[Path], Store], read: Query, tmp_path: Path
) -> None:
    store = make_store(tmp_path)
    store.base = tmp_path / "first.duckdb"
    shutil.copyfile(village.made, store.base)
    people: list[Person] = [
        {"first_delivered_on": FIRST} | one for one in (*village.people, *_newcomers(village))
    ]
    life = Life(store, {(one["source"], one["record_key"]): one for one in people})
    made = store.night(people, day=FIRST + timedelta(days=1))
    receipts = "select count(*) from identity.customer_map where record_key[1] = 't'"
    assert read(made, receipts) == [(0,)], "each number has two holders"
    life.day = FIRST + timedelta(days=1)
    for record in _erase(store, life.day):
        del life.rows[record]
    grouped: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "touched_nodes", lambda *_, **__: grouped.append(1))
        of_all = told(run(store, life.rows.values(), life.day + timedelta(days=1)))
    made = life.night()
    assert grouped, "the night was not incremental"
    assert told(made) == of_all
    assert read(made, receipts) == [(len(HOMES),)], "one holder is left"
    causes = "select distinct cause from identity.changes where changed_on = ?"
    assert read(made, causes, life.day) == [("removed record",)]
    left = "select count(*) from identity.records where raw_hash is null"
    assert read(made, left) == [(0,)], "it is looked at once"
