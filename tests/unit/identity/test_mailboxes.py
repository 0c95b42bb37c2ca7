from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.identity.standard.nodes import build_nodes
from cdp_pipeline.identity.standard.records import run
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Store

CASES = [
    ("James", "Anderson", "james.anderson4", 0),
    ("Jamie", "Anderson", "james.anderson", 0),  # a nickname
    ("Joseph", "MacLeod", "jmacleod", 0),  # an initial, and a name that is folded
    ("Brenda", "Ashburn", "brendaashburn17", 0),  # two a meet, and are not one letter
    ("Łukasz", "Longman", "ukasz.longman", 0),  # the letter that the provider refused
    ("Anna", "Müller", "a-mueller", 0),
    ("Maria", "van der Berg", "maria.berg", 0),
    ("Joseph", "MacLeod", "okpadog79", 7),
    ("Sam", "Miller", "sam.the.man", 6),
    (None, "Miller", "john.miller", 4),
    ("Sam", None, "themillers", 10),
    ("Sam", "Miller", "1234", 0),
    ("Sam", "Miller", None, None),
]


@pytest.fixture(scope="module")
def own(
    make_store: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory
) -> list[int | None]:
    """Letters that the owner's names do not explain, case by case."""
    context = make_store(tmp_path_factory.mktemp("mailboxes")).stage(
        [
            {
                "record_key": f"{number:02d}",
                "given_name": given,
                "family_name": family,
                "email": mailbox and f"{mailbox}@web.de",
                "phone": f"07700 9001{number:02d}",
            }
            for number, (given, family, mailbox, _) in enumerate(CASES)
        ]
    )
    run(context)
    with open_build(context) as con:
        build_nodes(con)
        rows = con.execute("select email_own from identity_nodes order by record_id").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: str(CASES[n][:3]))
def test_a_peculiarity_is_what_no_form_of_the_names_explains(
    own: list[int | None], number: int
) -> None:
    assert own[number] == CASES[number][3]
