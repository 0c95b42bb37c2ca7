"""Who was erased may come back as a new customer; what was erased does not come back with them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.privacy.readmission import Readmission
from cdp_pipeline.privacy.suppression import add_tombstones, suppression_keys, tombstone_file
from cdp_pipeline.rights.readmitting import find_returning, readmit
from cdp_pipeline.storage.audit import AuditLog, read_entries
from cdp_pipeline.storage.paths import DataPaths

from .conftest import NIGHT, Store
from .test_suppressing import HEADER, PEOPLE

BACK = NIGHT + timedelta(days=3)
ANNA = {
    ("email", "annareed@gmail.com"),
    ("phone", "700900123"),
    ("loyalty_id", "12345678"),
    ("name_birth", "anna|reed|1980-02-29"),
    ("record", "people/P1"),
}
BEN = {
    ("email", "annareed@gmail.com"),
    ("phone", "700900999"),
    ("record", "people/P9"),
}
OLD_ROW = "P1,Anna Reed,1980-02-29,anna.reed@gmail.com,07700 900123,0012345678,1\n"
NEW_ROW = "P7,Anna Reed,1980-02-29,anna.reed@gmail.com,07700 900123,0099999999,1\n"


def erase(store: Store, *people: set[tuple[str, str]], erasure: str = "E000001") -> int:
    context = store.context()
    holders = [(n, *value) for n, held in enumerate(people, start=1) for value in sorted(held)]
    return add_tombstones(
        DataPaths.of(context),
        suppression_keys(context.settings)[0],
        set().union(*people),
        erasure=erasure,
        on=NIGHT,
        holders=holders,
    )


def come_back(store: Store, *given: str, since: date = BACK) -> Readmission:
    found = find_returning(store.context(), given)
    readmit(store.context(), found, since=since, reason="joined again")
    return found


def records(store: Store, day: date) -> list[str]:
    store.night(day)
    return [key for (key,) in store.query("select record_key from staging.person_records", day)]


def test_new_records_come_in_from_the_day_on_and_old_ones_stay_out(store: Store) -> None:
    store.declare("people", PEOPLE)
    erase(store, ANNA, {("email", "someone@else.org")})
    found = come_back(store, "Anna.Reed+shop@googlemail.com")
    assert (found.person, found.kinds, found.kept) == (
        "E000001-1",
        ["email", "name birth", "phone"],
        2,
    )
    store.deliver(f"people/{BACK - timedelta(days=1)}.csv", HEADER + NEW_ROW)
    assert records(store, BACK - timedelta(days=1)) == []
    # an old record in a new delivery bears the old card; a new one may have the same address
    store.deliver(f"people/{BACK}.csv", HEADER + OLD_ROW + NEW_ROW)
    assert records(store, BACK) == ["P7"]
    store.deliver(f"people/{NIGHT}.csv", HEADER + OLD_ROW.replace("P1", "P5"))
    assert records(store, BACK) == ["P7"]


def test_a_card_that_is_used_again_is_named(store: Store) -> None:
    store.declare("people", PEOPLE)
    erase(store, ANNA)
    found = come_back(store, "0012345678")
    assert "loyalty id" in found.kinds
    store.deliver(f"people/{BACK}.csv", HEADER + OLD_ROW + OLD_ROW.replace("P1", "P8"))
    assert records(store, BACK) == ["P8"]


def test_others_erased_at_the_same_time_stay_out(store: Store) -> None:
    store.declare("people", PEOPLE)
    erase(store, ANNA, {("email", "someone@else.org")})
    come_back(store, "anna.reed@gmail.com")
    store.deliver(f"people/{BACK}.csv", f"{HEADER}P3,Cy Moor,,someone@else.org,,,1\n")
    assert records(store, BACK) == []


def test_an_erasure_after_the_readmission_holds_for_all_days(store: Store) -> None:
    store.declare("people", PEOPLE)
    erase(store, ANNA)
    come_back(store, "anna.reed@gmail.com")
    assert erase(store, ANNA, erasure="E000002") == 3
    store.deliver(f"people/{BACK}.csv", HEADER + NEW_ROW)
    assert records(store, BACK) == []
    with pytest.raises(ConfigError, match="no day after"):
        come_back(store, "anna.reed@gmail.com", since=NIGHT)


def test_values_of_several_people_need_more_to_tell_who(store: Store) -> None:
    erase(store, ANNA, BEN)
    with pytest.raises(ConfigError, match="several people"):
        find_returning(store.context(), ["anna.reed@gmail.com"])
    found = find_returning(store.context(), ["anna.reed@gmail.com", "07700 900999"])
    assert found.person == "E000001-2"


def test_tombstones_of_before_persons_were_told_apart_are_lifted_one_by_one(store: Store) -> None:
    store.declare("people", PEOPLE)
    context = store.context()
    key = suppression_keys(context.settings)[0]
    add_tombstones(DataPaths.of(context), key, ANNA, erasure="E000001", on=NIGHT)
    found = come_back(store, "anna.reed@gmail.com")
    assert (found.person, found.kinds) == ("", ["email"])
    store.deliver(f"people/{BACK}.csv", f"{HEADER}P7,,,anna.reed@gmail.com,,,1\n" + NEW_ROW)
    assert records(store, BACK) == ["P7"]


@pytest.mark.parametrize("given", [["nobody@example.com"], ["x"]])
def test_who_was_never_erased_is_told_so(store: Store, given: list[str]) -> None:
    erase(store, ANNA)
    with pytest.raises(ConfigError, match="nobody who was erased"):
        find_returning(store.context(), given)


def test_it_is_logged_with_its_reason_and_tells_nobody(store: Store) -> None:
    erase(store, ANNA)
    found = find_returning(store.context(), ["anna.reed@gmail.com"])
    with pytest.raises(ConfigError, match="needs its reason"):
        readmit(store.context(), found, since=BACK, reason=" ")
    come_back(store, "anna.reed@gmail.com")
    text = tombstone_file(DataPaths.of(store.context())).read_text()
    assert "anna" not in text
    assert "700900123" not in text
    entry = list(read_entries(AuditLog.of(store.context().settings).path))[-1]
    assert entry.body is not None
    assert (entry.body["did"], entry.body["why"]) == ("readmit", "joined again")
