"""What a night imports: libraries that only a fit needs cost a second, which most nights save."""

from __future__ import annotations

import subprocess
import sys

import pytest

ONLY_FOR_A_FIT = {"pandas", "recordlinkage", "sklearn"}

LOADED = """
import sys
import {module}
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize(
    "module",
    [
        "cdp_pipeline.identity.standard.records",
        "cdp_pipeline.identity.scoring.model",
        "cdp_pipeline.identity.people",
        "cdp_pipeline.identity.files.link",
    ],
)
def test_what_fits_the_model_is_imported_when_it_is_fitted(module: str) -> None:
    code = LOADED.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not ONLY_FOR_A_FIT & set(done.stdout.split())
