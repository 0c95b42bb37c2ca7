"""Delivery into a folder: a destination's files appear in the outbox all at once, or not at all.

The receiver picks them up from ``outbox/<destination>/<business_date>/``; its ``manifest.json`` is
copied last. A folder that is there is never touched again: the receiver may have read it. Receivers
have no key of ours, so what a version keeps encrypted is handed over in clear.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import DeliveryError
from cdp_pipeline.storage.at_rest import copy_plain
from cdp_pipeline.storage.container import SealedFileError
from cdp_pipeline.storage.exports import FILE_MODE, FOLDER_MODE, MANIFEST


def deliver_folder(source: Path, target: Path, keys: KeySettings) -> None:
    """Copy a destination's exports to the outbox.

    Args:
        source: ``exports/<destination>`` of a published version.
        target: Folder of the business date; must not exist.
        keys: What opens exports that are kept encrypted.

    Raises:
        DeliveryError: The copy failed; nothing of it is visible.
        SealedFileError: An export was changed, or its key is missing; nothing is visible either.
    """
    draft = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=FOLDER_MODE)
        # False sorts before True: the manifest comes last.
        for path in sorted(source.iterdir(), key=lambda path: (path.name == MANIFEST, path.name)):
            _copy(path, draft / path.name, keys)
        _sync(draft)
        draft.rename(target)
        _sync(target.parent)
    except SealedFileError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise DeliveryError(
            f"files could not be copied: {error.strerror}",
            where=str(target),
            hint="Free space or mend permissions, then run `cdp run --resume`.",
        ) from error


def _copy(source: Path, target: Path, keys: KeySettings) -> None:
    copy_plain(source, target, keys)
    target.chmod(FILE_MODE)
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
