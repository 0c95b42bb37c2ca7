"""The demonstration: a generated store, its initial load and nights, measured against its truth.

The demo owns the data folder it runs in and refuses one that holds a real store's warehouse.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cdp_pipeline.core.context import Clock, RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.orchestration.runner import Listener, NightOutcome, run_night
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_dicts, fetch_value, open_published, open_whole

MARKER = ".demo.json"
"""File in the data folder that says: made by the demo, may be replaced by the demo."""

_OWN_FOLDERS = (
    *("landing", "truth", "archive", "staging", "quarantine", "work", "warehouse", "runs"),
    # Whoever was erased from one store, judged or held back would be so in the next as well.
    *("outbox", "docs", "privacy", "stewardship", "proposals"),
)
_OWN_LINKS = ("exports", "reports", MARKER)


@dataclass(frozen=True)
class DemoSpec:
    """Size of the demonstration."""

    customers: int = 20_000
    nights: int = 3
    seed: int = 7


@dataclass
class DemoOutcome:
    """What the demonstration made and measured.

    Attributes:
        data_dir: Where everything lies.
        business_dates: The initial load and each night.
        seconds: Wall time of the whole.
        linkage: Precision, recall and F1 against the truth, pairwise.
        measured: The profiles' figures as lines for people.
        profiles: Golden values, households and web events against the truth.
        triggers: Rows by offer.
        example: A customer with a winter-boots trigger, if possible a redeemed one.
    """

    data_dir: Path
    business_dates: list[date] = field(default_factory=list)
    seconds: float = 0.0
    linkage: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, Any] = field(default_factory=dict)
    measured: tuple[str, ...] = ()
    triggers: dict[str, int] = field(default_factory=dict)
    segments: int = 0
    customers: int = 0
    example: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {key: str(v) if isinstance(v, Path) else v for key, v in self.__dict__.items()}

    def lines(self) -> list[str]:
        """Return where things lie, what was measured and what to try next."""
        summary = (
            f"{len(self.business_dates)} nights, {self.customers:,} customers, "
            f"{self.segments} segments"
        )
        accuracy = ", ".join(
            f"{name} {self.linkage[name]:.3f}" for name in ("precision", "recall", "f1")
        )
        triggers = ", ".join(f"{name} {rows:,}" for name, rows in sorted(self.triggers.items()))
        return [
            "",
            f"{summary} in {self.seconds:.0f} s",
            "",
            f"  warehouse  {_shown(self.data_dir / 'warehouse' / 'cdp.duckdb')}",
            f"  segments   {_shown(self.data_dir / 'exports')}",
            f"  triggers   {triggers or 'none tonight'}",
            f"  report     {_shown(_first_report(self.data_dir))}",
            f"  docs       {_shown(self.data_dir / 'docs' / 'index.html')}",
            f"  linkage    {accuracy} on loyalty and account profiles (pairwise, known truth)",
            *self.measured,
            "",
            "three things to try next:",
            '  cdp query "from marts.marketing_segments"',
            f"  cdp explain {self.example or '<customer_id>'}",
            "  cdp report --open",
        ]


def run_demo(
    root: Path,
    settings: Settings,
    spec: DemoSpec,
    *,
    say: Callable[[str], None],
    listener: Listener | None,
) -> DemoOutcome:
    """Generate a store, run its nights and measure them.

    Args:
        root: Project whose declarations are used.
        settings: Its settings; the data folder is emptied if an earlier demo made it.
        spec: Size and seed.
        say: Prints one line of talk.
        listener: Told of each step.

    Raises:
        ConfigError: The data folder holds a real store's data.
        LockedError: A night is running in it, or another demo is being made.
        CdpError: A night failed.
    """
    from cdp_pipeline.sample.generate import StoreSpec, generate_store  # noqa: PLC0415 - numpy

    clock = Clock()
    began = clock.monotonic()
    paths = DataPaths.of_settings(settings)
    _require_contracts(root)
    _require_own_landing(paths)
    with hold_lock(paths.lock, "making the store of a demo"):
        _claim(settings.data_dir)
        write_json(settings.data_dir / MARKER, {"customers": spec.customers, "seed": spec.seed})
        say(f"generating a store: {spec.customers:,} customers, two years, {spec.nights} nights")
        store = generate_store(
            StoreSpec(customers=spec.customers, nights=spec.nights, seed=spec.seed),
            paths.landing,
            settings.data_dir / "truth",
        )
    outcome = DemoOutcome(settings.data_dir, business_dates=list(store.dates))
    for number, day in enumerate(store.dates):
        say(f"{'initial load' if number == 0 else f'night {number}'}, {day}")
        _run(RunContext(day, f"night-{day}", root, settings), listener)
    _measure(outcome, settings)
    outcome.seconds = clock.monotonic() - began
    return outcome


def _require_contracts(root: Path) -> None:
    contract = root / "expectations" / "pos_sales.yml"
    if not contract.is_file():
        raise ConfigError(
            "this project lacks the contracts of the generated store",
            where=str(contract),
            hint="In an empty project: cp expectations/examples/*.yml expectations/",
        )


def _require_own_landing(paths: DataPaths) -> None:
    """Refuse a landing folder elsewhere: a store's next night would load what was made up."""
    if paths.landing != paths.data_dir / "landing":
        raise ConfigError(
            "the landing folder is not the demo's own, and its deliveries are made up",
            where=str(paths.landing),
            hint="Run it without landing_dir (CDP_LANDING_DIR).",
        )


def _claim(data_dir: Path) -> None:
    if (data_dir / "warehouse").exists() and not (data_dir / MARKER).is_file():
        raise ConfigError(
            "the data folder holds a warehouse that no demo made",
            where=str(data_dir),
            hint="Name another folder: cdp --data-dir somewhere demo.",
        )
    if (data_dir / MARKER).is_file():
        for name in _OWN_FOLDERS:
            shutil.rmtree(data_dir / name, ignore_errors=True)
        for name in _OWN_LINKS:
            (data_dir / name).unlink(missing_ok=True)
    data_dir.mkdir(parents=True, exist_ok=True)


def _run(context: RunContext, listener: Listener | None) -> NightOutcome:
    outcome = run_night(context, listener=listener)
    if outcome.error:
        raise outcome.error
    return outcome


def _measure(outcome: DemoOutcome, settings: Settings) -> None:
    from cdp_pipeline.identity.measuring.evaluate import score_against_truth  # noqa: PLC0415 - not for all
    from cdp_pipeline.identity.measuring.evaluate_profiles import score_profiles  # noqa: PLC0415 - same

    with open_published(settings.data_dir) as con:
        outcome.customers = int(fetch_value(con, "select count(*) from core.dim_customer"))
        outcome.segments = int(fetch_value(con, "select count(*) from segments.definitions"))
        rows = fetch_dicts(
            con, "select offer, count(*) as n from ops.contact_log group by offer order by offer"
        )
        outcome.triggers = {row["offer"]: int(row["n"]) for row in rows}
        outcome.example = fetch_value(
            con,
            "select customer_id from ops.contact_log "
            "left join core.fct_triggers using (customer_id, offer, sent_on) "
            "order by coalesce(is_redeemed, false) desc, offer <> 'winter_boots_10_percent', "
            "sent_on desc, customer_id limit 1",
        )
    with open_whole(settings, sandboxed=False) as con:
        score = score_against_truth(con, settings.data_dir / "truth")
        outcome.linkage = {
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1,
            "detail": score.as_dict(),
        }
        profiles = score_profiles(con, settings.data_dir / "truth")
        outcome.profiles, outcome.measured = profiles.as_dict(), tuple(profiles.lines())


def _shown(path: Path) -> Path:
    """Return the path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _first_report(data_dir: Path) -> Path:
    pages = sorted((data_dir / "reports").glob("*.html"))
    return pages[0] if pages else data_dir / "reports"
