"""What the fork server imports before it makes victims; it opens no database."""

from __future__ import annotations

from tests.faults.harness import preload
from tests.faults.tiny import REPOSITORY

preload(REPOSITORY)
