"""Named populations with known truth, made once and kept in a folder.

    python -m benchmarks.linkage.populations store --size 20000 --out /tmp/store

writes ``records.parquet`` and ``truth.parquet``. Equal settings give equal bytes, so a population
that lies in the folder already is taken from there.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.linkage import retail, store

KINDS = ("retail", "retail_held_out", "store")


def make_population(
    kind: str,
    size: int,
    folder: Path,
    *,
    seed: int | None = None,
    changes: dict[str, float] | None = None,
) -> Path:
    """Make a population unless the folder holds it already.

    Args:
        kind: One of ``KINDS``.
        size: Records of a retail population, customers of a department store.
        folder: Where it lies, or is to lie.
        seed: Another seed than the kind's own.
        changes: Other fields of the kind's setting, such as ``slip_factor``.

    Returns:
        The folder.
    """
    setting: retail.RetailSetting | store.StoreSetting
    if kind == "store":
        setting = store.StoreSetting(customers=size)
    else:
        base = retail.HELD_OUT if kind == "retail_held_out" else retail.RetailSetting()
        setting = replace(base, records=size)
    if seed is not None:
        setting = replace(setting, seed=seed)
    setting = replace(setting, **(changes or {}))
    stamp = json.dumps({"kind": kind, **asdict(setting)}, sort_keys=True)
    mark = folder / "setting.json"
    if mark.is_file() and mark.read_text(encoding="utf-8") == stamp:
        return folder
    if isinstance(setting, store.StoreSetting):
        store.generate(setting, folder)
    else:
        retail.generate(setting, folder)
    mark.write_text(stamp, encoding="utf-8")
    return folder


def main() -> None:
    """Make the population that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--size", type=int, required=True, help="records, or customers of a store")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    parser.add_argument("--seed", type=int)
    for name in ("slip-factor", "sharing-factor", "partner-card-share"):
        parser.add_argument(f"--{name}", type=float)
    options = parser.parse_args()
    changes = {
        name: getattr(options, name)
        for name in ("slip_factor", "sharing_factor", "partner_card_share")
        if getattr(options, name) is not None
    }
    made = make_population(
        options.kind, options.size, options.out, seed=options.seed, changes=changes
    )
    print(made)


if __name__ == "__main__":
    main()
