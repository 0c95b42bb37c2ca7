"""The one exception by which readers refuse a whole delivery.

It never leaves ``ingest``: staging notes the reason and, if the source is required, raises a
``ContractError`` of it.
"""

from __future__ import annotations

_DISK_SIGNS = (
    "No space left on device",
    "File too large",
    "Input/output error",
    "Cannot allocate memory",
    "Too many open files",
)


WITHOUT_KEY = "Have it delivered without encryption of its own."
"""What to do about a file whose key only its sender has."""


class RefusedError(Exception):
    """A delivery cannot be read as its contract says; none of it is loaded."""

    def __init__(
        self, reason: str, *, hint: str = "", records: int = 0, is_final: bool = True
    ) -> None:
        """Say why.

        Args:
            reason: What is wrong, in one sentence, without personal data.
            hint: What to do about it, in the imperative.
            records: Physical records in the file, if they could be counted.
            is_final: Whether the same bytes will always be refused under the same contract.
        """
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.records = records
        self.is_final = is_final

    @property
    def text(self) -> str:
        """Reason and hint as one line."""
        return f"{self.reason}. {self.hint}" if self.hint else self.reason


def is_of_machine(error: Exception) -> bool:
    """Return whether memory or disk failed: the file may be fine, so nothing is said of it.

    A refusal is remembered with the file; a machine that had no memory tonight may have it
    tomorrow. Errors reach us as DuckDB's, or as Arrow's with DuckDB's words.
    """
    text = str(error)
    if isinstance(error, MemoryError) or text.startswith("Out of Memory Error"):
        return True
    is_io = isinstance(error, OSError) or text.startswith("IO Error")
    return is_io and any(sign in text for sign in _DISK_SIGNS)
