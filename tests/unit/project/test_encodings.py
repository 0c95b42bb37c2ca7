"""Encodings that a contract may name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cdp_pipeline.project.layout import Delivery


@pytest.mark.parametrize("name", ["base64", "rot13", "zlib", "undefined", "klingon"])
@pytest.mark.parametrize("key", ["encoding", "fallback_encoding"])
def test_what_encodes_no_text_is_no_encoding(name: str, key: str) -> None:
    with pytest.raises(ValidationError, match=f"there is no encoding '{name}'"):
        Delivery.model_validate({"path": "orders/*", "format": "csv", key: name})


@pytest.mark.parametrize("name", ["utf-8", "cp1252", "utf-16", "utf-32-le", "cp037"])
def test_letters_of_people_have_one(name: str) -> None:
    assert Delivery(path="orders/*", format="csv", encoding=name).encoding == name
