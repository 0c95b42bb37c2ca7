from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.identity.scoring import model

pytest.importorskip("recordlinkage")

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Query, Store

PEOPLE = 150
GIVEN = ("Anna", "Berta", "Clara", "Dora", "Emma", "Frida", "Greta", "Hanna")


def _town() -> list[Person]:
    """People of few names, each with a mailbox and a number of their own, known to two sources."""
    return [
        {
            "source": source,
            "record_key": f"{source}{number}",
            "given_name": GIVEN[number % 8],
            "family_name": f"Ber{chr(97 + number // 8 % 26)}{chr(97 + number // 208)}",
            "email": f"x{number * 7919 % 100_003:05d}q@example.com",
            "phone": f"+4930{number * 104_729 % 9_999_991:07d}" if source == "crm" else None,
        }
        for number in range(PEOPLE)
        for source in ("crm", "shop")
    ]


@pytest.mark.parametrize("side", [40, 70])
def test_a_mailbox_is_worth_what_it_is_among_all_pairs_not_in_a_sample_of_them(
    store: Store, read: Query, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    """A sample of a few thousand pairs shows no value that is rarer among strangers.

    Neither does one in which a dozen pairs share a mailbox, each of them one person.
    """
    monkeypatch.setattr(model, "SAMPLE_SIDE", side)
    made = store.night(_town())
    u_prob = dict(
        read(
            made,
            "select comparison, u_prob from identity.model_parameters "
            "where level in ('same mailbox', 'same')",
        )
    )
    nodes = 2 * PEOPLE
    assert 0 < u_prob["e-mail"] < 3 / (nodes * (nodes - 1) / 2)
    assert u_prob["given name"] == pytest.approx(1 / 8, rel=0.3)  # a sample shows it well
