"""Seals on documents: whoever lacks the key cannot change one and have it pass."""

from __future__ import annotations

import hmac
import json
from typing import Any

from cdp_pipeline.core.keys import Key, Keyring

SEAL = "seal"


def seal(document: dict[str, Any], key: Key) -> dict[str, Any]:
    """Return a document with the seal of a key, which covers everything else in it."""
    return {**document, SEAL: {"key": key.id, "mac": key.sign("manifest", _bytes_of(document))}}


def broken_seal(document: dict[str, Any], keys: Keyring) -> str | None:
    """Return what is wrong with the seal of a document, or None if it holds.

    Raises:
        ConfigError: The ring lacks the key that the seal names.
    """
    made = document.get(SEAL)
    if not isinstance(made, dict):
        return "bears no seal"
    bare = {name: value for name, value in document.items() if name != SEAL}
    expected = keys.find(str(made.get("key"))).sign("manifest", _bytes_of(bare))
    return None if hmac.compare_digest(expected, str(made.get("mac"))) else "was changed since"


def _bytes_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str).encode()
