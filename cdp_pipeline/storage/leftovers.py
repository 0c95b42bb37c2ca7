"""What processes that died leave behind, whoever they were: deleted by whoever holds the lock next.

Half-written files and copies hold what people were told of or erased from, so none may stay until
its own command is run again. What a dead publication left is ``versions``' business.
"""

from __future__ import annotations

import shutil

from cdp_pipeline.storage.exchange import remove_leftovers
from cdp_pipeline.storage.files import remove_drafts
from cdp_pipeline.storage.paths import DataPaths

ROTATING = ".rotate-"
"""What names of versions begin with whose vault is being encrypted again."""
SHOWING = "**/.*.link"
"""Names in landing of what was fetched, until they are whole; other hidden names are not ours."""


def clear_leftovers(paths: DataPaths) -> int:
    """Delete drafts of files and folders, and what a dead key rotation left; return how many.

    Only under the lock: what a living process works with looks the same.
    """
    found = remove_drafts(paths.written)
    found += remove_drafts([paths.data_dir, paths.warehouse, paths.data_dir / "work"], ".*")
    found += remove_drafts([paths.landing], SHOWING)
    found += len(list(paths.versions.glob(f"{ROTATING}*")))
    found += paths.rotation.is_dir()
    remove_leftovers(paths.versions, ROTATING)
    shutil.rmtree(paths.rotation, ignore_errors=True)
    return found
