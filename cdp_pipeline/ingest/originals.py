"""Where the bytes of a delivery are: in landing or, once they have left it, in the archive.

Only what was fetched from a location has a copy in the archive. Nothing is moved or kept here; what
is encrypted is given in clear for as long as somebody reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ContractError
from cdp_pipeline.ingest.deliveries import FILE_ID_CHARACTERS, Delivery
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import beside
from cdp_pipeline.storage.at_rest import plain_file
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import read_redactions

INDEX = "index.json"
"""What was fetched for a source, by name: bytes, hash and the hash of its manifest."""


@dataclass(frozen=True)
class Original:
    """A delivery that can be read.

    Attributes:
        path: Its bytes in clear.
        hashes: SHA-256 that these may have: as delivered, or without erased people.
        manifest: Where the sender's manifest is, if the contract asks for one.
        taken_out: Records that may have gone from it with erased people.
    """

    path: Path
    hashes: frozenset[str]
    manifest: Path | None = None
    taken_out: int = 0


@contextmanager
def open_original(
    context: RunContext, delivery: Delivery, contract: SourceContract, scratch: Path
) -> Iterator[Original]:
    """Give a delivery in clear, from landing or from the archive.

    Args:
        context: The run.
        delivery: A delivery of its plan.
        contract: Contract of the delivery's source.
        scratch: Private folder for copies of what is encrypted.

    Raises:
        ContractError: It is in neither.
    """
    keys, paths = context.settings.keys, DataPaths.of(context)
    held = {now: r for now, r in read_redactions(paths).items() if r.original == delivery.sha256}
    hashes = {delivery.redacted_sha256 or delivery.sha256}
    path = Path(delivery.path) if delivery.path else None
    manifest = _manifest_beside(path, contract) if path else None
    if path is None or not path.is_file():
        path = archived_file(paths, delivery)
        manifest = _manifest_archived(paths, delivery, contract)
        hashes = {delivery.sha256, *held}
    if path is None:
        raise ContractError(
            "a delivery that was loaded earlier is gone, and it would have to be read again: "
            "its contract has changed since, or what reads it",
            where=delivery.file_name,
            hint="Put the file back into the landing folder, or undo the change of the contract.",
        )
    with ExitStack() as stack:
        plain = stack.enter_context(plain_file(path, keys, scratch))
        if manifest is not None and manifest.is_file() and not manifest.is_symlink():
            manifest = stack.enter_context(plain_file(manifest, keys, scratch))
        taken_out = max((held[now].lines for now in hashes if now in held), default=0)
        yield Original(plain, frozenset(hashes), manifest, taken_out)


def archived_file(paths: DataPaths, delivery: Delivery) -> Path | None:
    """Return the copy of a delivery that was fetched from a location; None if there is none."""
    if not delivery.sha256:  # refused unread
        return None
    folder = paths.archive / delivery.source / delivery.sha256[:FILE_ID_CHARACTERS]
    name = Path(delivery.file_name).name
    # The same bytes may have come under other names.
    found = [folder / name, *sorted(folder.glob("[!.]*"))]
    return next((path for path in found if path.is_file()), None)


def _manifest_beside(path: Path, contract: SourceContract) -> Path | None:
    control = contract.delivery.control
    if control is None or control.source != "manifest":
        return None
    return path.with_name(beside(path.name, control.manifest))


def _manifest_archived(
    paths: DataPaths, delivery: Delivery, contract: SourceContract
) -> Path | None:
    folder = paths.archive / delivery.source
    beside_it = _manifest_beside(folder / Path(delivery.file_name).name, contract)
    noted = read_json(folder / INDEX).get(delivery.file_name, {})
    if beside_it is None:
        return None
    return folder / str(noted.get("manifest", ""))[:FILE_ID_CHARACTERS] / beside_it.name
