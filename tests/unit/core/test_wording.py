from __future__ import annotations

import pytest

from cdp_pipeline.core.wording import counted


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 baskets"), (1, "1 basket"), (2, "2 baskets"), (1_200, "1,200 baskets")],
)
def test_only_one_has_no_s(number: int, text: str) -> None:
    assert counted(number, "basket") == text
