"""Fixtures for all tests: a tiny project in a temporary folder, a fixed date, no network."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings as of_examples
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Airflow reads these when it is first imported, which any test may cause.
_AIRFLOW = tempfile.mkdtemp(prefix="cdp-airflow-")
os.environ.update(
    AIRFLOW_HOME=_AIRFLOW,
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_AIRFLOW}/airflow.db",
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(Path(__file__).resolve().parent.parent / "dags"),
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    GX_ANALYTICS_ENABLED="false",
    TQDM_DISABLE="1",
)
for _name in [name for name in os.environ if name.startswith("CDP_")]:
    del os.environ[_name]

from cdp_pipeline.core.context import RunContext  # noqa: E402 - after the environment is set
from cdp_pipeline.core.settings import load_settings  # noqa: E402 - same

# How long an example takes says how busy the machine is, not whether the code is right.
of_examples.register_profile("cdp", deadline=None)
of_examples.load_profile("cdp")

REPOSITORY = Path(__file__).resolve().parent.parent
BUSINESS_DATE = date(2026, 11, 20)

SETTINGS = """\
[tool.cdp]
store_name = "Test Store"
time_zone = "Europe/London"
currency = "GBP"
locale = "en_GB"
"""


def pytest_unconfigure() -> None:
    shutil.rmtree(_AIRFLOW, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")  # whoever leaves the slow ones out means the long ones, too


class ByFile(LoadScopeScheduling):
    """Keep the tests of a file on one worker, and those of the shared night together.

    Groups by mark (``loadgroup``) do nothing with pytest 9: the suffix that xdist 3.8 gives an
    item's id is overlooked.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "the shared night" if _shares_night(path) else path


@functools.cache
def _shares_night(path: str) -> bool:
    in_folder = path.startswith("tests/integration/")
    return in_folder and "tests.integration.store" in (REPOSITORY / path).read_text("utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Return the scheduler of a run on several workers."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the checkout's root."""
    return REPOSITORY


@pytest.fixture
def project_root(tmp_path: Path) -> Path:
    """Return an empty project: settings only; sql and reports are the shipped ones."""
    root = tmp_path / "project"
    (root / "expectations").mkdir(parents=True)
    (root / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    return root


@pytest.fixture
def make_context(project_root: Path) -> Callable[..., RunContext]:
    """Return a maker of run contexts for the project, by business date."""

    def make(
        day: date = BUSINESS_DATE, *, root: Path | None = None, **settings: object
    ) -> RunContext:
        folder = root or project_root
        return RunContext(day, f"night-{day}", folder, load_settings(folder, **settings))

    return make


@pytest.fixture
def context(make_context: Callable[..., RunContext]) -> RunContext:
    """Return the context of one night."""
    return make_context()
