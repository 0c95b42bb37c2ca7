"""One small store, its load and two nights, run once for all integration tests."""

from __future__ import annotations

import pytest

from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.demo import DemoSpec, run_demo
from tests.integration.store import ROOT, Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    settings = load_settings(ROOT, data_dir=tmp_path_factory.mktemp("store") / "data")
    outcome = run_demo(
        ROOT, settings, DemoSpec(customers=2_000, nights=2), say=lambda _text: None, listener=None
    )
    return Store(settings, outcome)
