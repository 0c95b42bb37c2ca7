from __future__ import annotations

import duckdb
import numpy as np
import pytest

from cdp_pipeline.identity.measuring.indicators import check_withheld
from cdp_pipeline.identity.scoring.design import shipped_design
from cdp_pipeline.identity.scoring.weights import Parameters

(DATE,) = (c for c in shipped_design().comparisons if c.name == "birth date")
ANOTHER = DATE.size - 1
"""The worst level: another date of one generation."""


@pytest.mark.parametrize("apart", [0, ANOTHER])
def test_dates_of_one_generation_tell_wrong_links_as_those_of_two_do(apart: int) -> None:
    strangers = np.full(DATE.size, 0.02)
    strangers[[0, ANOTHER]] = 0.6, 0.4 - 0.02 * (DATE.size - 2)
    one = np.full(DATE.size, 0.01)
    one[1] = 1 - 0.01 * (DATE.size - 1)
    parameters = Parameters((DATE,), (one,), (strangers,), (strangers,), -10, -11, 0)
    with duckdb.connect() as con:
        con.execute(
            "create table identity_known_edges as select 'C' as customer_no, 50.0 as match_weight, "
            "0.0 as household_weight, 1 + case when i < 20 then $apart else 1 end as pattern "
            "from range(100) as t (i)",
            {"apart": apart},
        )
        (figure,) = check_withheld(con, parameters, accept=0.9)
    assert figure.estimate.value == pytest.approx(1 - 0.2 / (strangers[0] + strangers[ANOTHER]))
    assert figure.estimate.low < figure.estimate.value < figure.estimate.high < 1
