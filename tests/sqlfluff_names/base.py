"""Stands for `base` when sqlfluff renders a model: a night with a version to build upon."""

from __future__ import annotations


def has(_table: str) -> bool:
    """Lint the branch that reads yesterday's version: it is the longer one."""
    return True
