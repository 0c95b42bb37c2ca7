"""A store of a few hundred rows whose night takes seconds, made for being broken."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.sample.generate import StoreSpec, generate_store
from cdp_pipeline.storage.paths import DataPaths

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = ("loyalty_members", "pos_sales")
FIRST_NIGHT = date(2026, 11, 17)

SETTINGS = """\
[tool.cdp]
store_name = "Tiny"
time_zone = "Europe/London"
currency = "GBP"
locale = "en_GB"

[tool.cdp.engine]
threads = 1
"""

SEGMENT = """\
title: Shoppers
owner: crm
where: net_amount_365d > 0
"""

DESTINATION = """\
title: Segments for analysis
owner: analytics
content: audience
format: csv
fields:
  - {column: customer_id, header: customer_id}
  - {column: segment, header: segment}
"""

AUDITED = ("core/fct_sales.sql", "features/customer_features.sql", "core/dim_customer.sql")
"""Models that keep their checks: what these cost is most of a tiny night's audit."""

REPORT = """\
title: Sources
description: What arrived.
owner: analytics
audience: Everybody
recipients: managers
headline:
  - {from: marts.source_health, sort: [source], text: "{source} arrived."}
blocks:
  - kind: table
    section: Sources
    title: What arrived
    from: marts.source_health
    sort: [source]
    columns:
      - {column: source, label: Source}
      - {column: record_count, label: Records, format: count}
"""


@dataclass(frozen=True)
class TinyStore:
    """A project and its data folder."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def paths(self) -> DataPaths:
        return DataPaths.of_settings(load_settings(self.root))

    def context(self, day: date) -> RunContext:
        return RunContext(day, f"night-{day}", self.root, load_settings(self.root))

    def copy_to(self, folder: Path) -> TinyStore:
        """Return a store in the same state that shares no file with this one."""
        shutil.copytree(self.root, folder, symlinks=True)
        return TinyStore(folder)


def drop_checks(folder: Path) -> None:
    """Take the checks out of all models but those of ``AUDITED``."""
    for path in folder.glob("*/*.sql"):
        if path.relative_to(folder).as_posix() not in AUDITED:
            text = path.read_text(encoding="utf-8")
            kept = re.sub(r"^checks:\n(?:  .*\n)+", "", text, flags=re.MULTILINE)
            path.write_text(kept, encoding="utf-8")


def make_store(root: Path) -> TinyStore:
    """Return a store whose deliveries of three nights have arrived and none was run."""
    for name in ("core", "features", "identity", "linkage", "macros", "ops", "segments", "staging"):
        shutil.copytree(REPOSITORY / "sql" / name, root / "sql" / name)
    drop_checks(root / "sql")
    for name, text in {
        "pyproject.toml": SETTINGS,
        "sql/marketing/segments/shoppers.yml": SEGMENT,
        "sql/marketing/destinations/analysts.yml": DESTINATION,
        "reports/sources.yml": REPORT,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copy(REPOSITORY / "sql" / "glossary.yml", root / "sql")
    (root / "sql" / "marts").mkdir()
    shutil.copy(REPOSITORY / "sql" / "marts" / "source_health.sql", root / "sql" / "marts")
    shutil.copytree(REPOSITORY / "reports" / "templates", root / "reports" / "templates")
    shutil.copy(REPOSITORY / "reports" / "brand.yml", root / "reports")
    (root / "expectations").mkdir()
    everything = root / "generated"
    spec = StoreSpec(customers=60, nights=2, first_night=FIRST_NIGHT)
    generate_store(spec, everything, root / "truth")
    for source in SOURCES:
        shutil.copy(REPOSITORY / "expectations" / f"{source}.yml", root / "expectations")
        shutil.copytree(everything / source, root / "data" / "landing" / source)
    shutil.rmtree(everything)
    return TinyStore(root)
