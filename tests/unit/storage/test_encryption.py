"""Whether the disk encrypts is read from the system, and never assumed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cdp_pipeline.storage.encryption import is_on_encrypted_disk


@pytest.fixture
def block(tmp_path: Path) -> Path:
    """Return the device of the test's folder, as a system of our own shows it."""
    device = tmp_path.stat().st_dev
    place = tmp_path / "sys" / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
    place.mkdir(parents=True)
    return place


def seen(tmp_path: Path) -> bool | None:
    return is_on_encrypted_disk(tmp_path, sysfs=tmp_path / "sys")


def test_a_plain_disk_is_not_encrypted(tmp_path: Path, block: Path) -> None:
    assert block.is_dir()
    assert seen(tmp_path) is False


@pytest.mark.parametrize(
    ("uuid", "expected"), [("CRYPT-LUKS2-abc-root\n", True), ("LVM-abc\n", False)]
)
def test_a_mapped_disk_says_what_it_is(
    tmp_path: Path, block: Path, uuid: str, *, expected: bool
) -> None:
    (block / "dm").mkdir()
    (block / "dm" / "uuid").write_text(uuid)
    assert seen(tmp_path) is expected


def test_a_volume_upon_an_encrypted_disk_is_encrypted(tmp_path: Path, block: Path) -> None:
    below = tmp_path / "sys" / "devices" / "dm-0" / "dm"
    below.mkdir(parents=True)
    (below / "uuid").write_text("CRYPT-LUKS2-abc\n")
    (block / "slaves").mkdir()
    (block / "slaves" / "dm-0").symlink_to(below.parent)
    assert seen(tmp_path) is True


def test_what_cannot_be_seen_is_unknown(tmp_path: Path) -> None:
    assert seen(tmp_path) is None
