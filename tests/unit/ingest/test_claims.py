"""Files in landing that no source takes are named; a first night of nothing else is refused."""

from __future__ import annotations

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest import landing
from tests.unit.ingest.conftest import NIGHT, Store
from tests.unit.ingest.test_landing import declare


def test_a_first_night_whose_files_lie_in_the_wrong_place_says_where_they_belong(
    store: Store,
) -> None:
    declare(store)
    store.deliver("goods_20261120.csv", "id\n1\n")
    with pytest.raises(ConfigError, match=r"1 file belongs to no source: goods_20261120\.csv") as e:
        landing.run(store.context(NIGHT))
    assert "goods reads goods/*/*" in (e.value.hint or "")


def test_files_of_no_source_are_told_and_the_others_loaded(store: Store) -> None:
    declare(store, control={"from": "manifest", "manifest": "{name}.ctl", "pattern": "(?P<rows>.)"})
    store.deliver("goods/2026-11-20/a.csv", "id\n1\n")
    store.deliver("goods/2026-11-20/a.csv.ctl", "1")
    store.deliver(".sync/state", "")
    for name in ("b", "c", "d", "e"):
        store.deliver(f"tills/2026-11-20/{name}.csv", "id\n1\n")
    result = landing.run(store.context(NIGHT))
    assert result.rows_out == 1
    (message,) = result.messages
    assert message == (
        "4 files belong to no source: tills/2026-11-20/b.csv, tills/2026-11-20/c.csv, "
        "tills/2026-11-20/d.csv and 1 more"
    )


def test_a_name_that_is_no_text_is_told_as_far_as_it_is(store: Store) -> None:
    declare(store)
    store.deliver("goods/2026-11-20/a.csv", "id\n1\n")
    for folder in ("goods/2026-11-20", "tills"):
        store.deliver(f"{folder}/caf\udce9.csv", "id\n1\n")
    result = landing.run(store.context(NIGHT))
    assert "1 file belongs to no source: tills/caf?.csv" in result.messages
