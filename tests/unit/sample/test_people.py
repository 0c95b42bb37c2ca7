from __future__ import annotations

import numpy as np
import pytest

from cdp_pipeline.sample.arrays import open_stream
from cdp_pipeline.sample.contacts import Contacts, connect_people, write_postcodes, write_streets
from cdp_pipeline.sample.descriptions import JUNK_EMAIL, Manners, describe_people
from cdp_pipeline.sample.generate import StoreSpec
from cdp_pipeline.sample.membership import issue_cards, open_accounts
from cdp_pipeline.sample.people import (
    CHILD,
    FLAT_MATE,
    HEAD,
    PARTNER,
    People,
    household_heads,
    settle_people,
)

TIMELINE = StoreSpec().timeline()
COUNT = 6_000


@pytest.fixture(scope="module")
def people() -> People:
    return settle_people(COUNT, TIMELINE, 40, 7)


@pytest.fixture(scope="module")
def contacts(people: People) -> Contacts:
    return connect_people(people, TIMELINE, 7)


def test_households_have_one_to_five_members(people: People) -> None:
    sizes = np.bincount(people.household)
    assert sizes.sum() == COUNT
    assert set(sizes.tolist()) == {1, 2, 3, 4, 5}
    assert (people.role[people.alone] == HEAD).all()


def test_families_share_a_surname_and_flat_mates_do_not(people: People) -> None:
    same = people.last_name == people.last_name[household_heads(people.household)]
    assert same[people.role == CHILD].all()
    assert 0.6 < same[people.role == PARTNER].mean() < 0.9
    assert same[people.role == FLAT_MATE].mean() < 0.1
    hyphenated = np.strings.find(people.last_name, "-") > 0
    assert 0.02 < hyphenated[people.role == PARTNER].mean() < 0.12
    renamed = people.last_name != people.former_name
    assert 0.05 < renamed[people.role == PARTNER].mean() < 0.25


def test_there_are_juniors_twins_and_namesakes(people: People) -> None:
    juniors = people.suffix == "Jr"
    heads = household_heads(people.household)
    assert juniors.sum() > 5
    assert (people.first_name[juniors] == people.first_name[heads[juniors]]).all()
    assert (people.suffix[heads[juniors]] == "Sr").all()
    twin = (people.household[1:] == people.household[:-1]) & (
        people.birth_date[1:] == people.birth_date[:-1]
    )
    assert twin.sum() > 5
    full = np.strings.add(people.first_name, people.last_name)
    _, counts = np.unique(full, return_counts=True)
    assert counts.max() >= 3


def test_first_names_follow_sex_and_generation(people: People) -> None:
    born = people.birth_date.astype("datetime64[Y]").astype(int) + 1970
    margaret = people.first_name == "Margaret"
    assert people.is_female[margaret].all()
    assert np.median(born[margaret]) < 1970 < np.median(born[people.first_name == "Jack"])


def test_the_cast_lives_alone_and_has_everything(people: People, contacts: Contacts) -> None:
    cast = people.is_cast
    assert cast.sum() == 40
    assert people.alone[cast].all()
    assert (contacts.email[cast] != "").all()
    assert (contacts.mobile[cast] != "").all()


def test_households_share_address_and_landline(people: People, contacts: Contacts) -> None:
    heads = household_heads(people.household)
    street, postcode = write_streets(contacts.address), write_postcodes(contacts.address)
    assert (street == street[heads]).all()
    assert (postcode == postcode[heads]).all()
    assert (contacts.landline == contacts.landline[heads]).all()
    assert {len(text) for text in contacts.landline.tolist()} <= {0, 10, 11}


def test_mailboxes_are_unique_but_for_families(people: People, contacts: Contacts) -> None:
    _, owner = np.unique(contacts.email, return_inverse=True)
    for mailbox in range(owner.max() + 1):
        sharers = np.flatnonzero(owner == mailbox)
        if contacts.email[sharers[0]]:
            assert len(set(people.household[sharers].tolist())) == 1
    assert 0.05 < (contacts.email == "").mean() < 0.25


def test_mistakes_occur_as_often_as_asked(people: People, contacts: Contacts) -> None:
    owner = np.flatnonzero(~people.is_cast)
    manners = Manners(
        short_name=0, name_slip=0, initial=0.05, swapped=0.03, shouting=0, blanks=0.04, plain=0,
        former_name=0, lacks_birth=0.1, birth_1900=0.02, lacks_email=0, junk=0.01,
    )  # fmt: skip
    told = describe_people(people, contacts, owner, manners, open_stream(1, "t"))
    first = np.strings.strip(told.first_name)
    assert (np.strings.str_len(first) == 1).mean() == pytest.approx(0.05, abs=0.012)
    swapped = (first == people.last_name[owner]) & (first != people.first_name[owner])
    assert swapped.mean() == pytest.approx(0.03, abs=0.01)
    assert (first != told.first_name).mean() == pytest.approx(0.04, abs=0.012)
    assert (told.birth_date == "").mean() == pytest.approx(0.1, abs=0.015)
    assert (told.birth_date == "1900-01-01").mean() == pytest.approx(0.018, abs=0.008)
    assert (told.email == JUNK_EMAIL).mean() == pytest.approx(0.01, abs=0.006)
    assert told.mail_fails[told.email == JUNK_EMAIL].all()


def test_ordinary_manners_keep_most_records_right(people: People, contacts: Contacts) -> None:
    owner = np.arange(COUNT)
    told = describe_people(people, contacts, owner, Manners(), open_stream(1, "t"))
    last = np.strings.lower(told.last_name) == np.strings.lower(people.last_name)
    first = np.strings.lower(told.first_name) == np.strings.lower(people.first_name)
    assert 0.85 < last.mean() < 0.97
    assert 0.75 < first.mean() < 0.95
    born = told.birth_date == np.datetime_as_string(people.birth_date)
    assert 0.70 < born.mean() < 0.80
    assert (told.first_name == people.first_name)[people.is_cast].mean() > 0.9


def test_people_hold_up_to_three_cards_and_two_accounts(people: People, contacts: Contacts) -> None:
    cards = issue_cards(people, TIMELINE, 7)
    accounts = open_accounts(people, contacts, TIMELINE, 7)
    per_person = np.bincount(cards.owner, minlength=COUNT)
    assert set(per_person.tolist()) == {0, 1, 2, 3}
    assert 0.5 < (per_person > 0).mean() < 0.8
    assert set(np.bincount(accounts.owner).tolist()) == {0, 1, 2}
    assert len(np.unique(cards.number)) == len(cards)
    assert {len(number) for number in cards.number.tolist()} == {10}
    assert (np.strings.startswith(cards.number, "0")).sum() > 10
    held = cards.held_on(open_stream(1, "t"), cards.owner, cards.begun_day - 1)
    assert ((held < 0) | (cards.begun_day[held] < cards.begun_day)).all()
