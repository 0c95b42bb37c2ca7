"""Text of which some lines are UTF-8 and some are of an older encoding, as UTF-8 throughout.

Exports that several programs append to are such. UTF-8 proves itself, so that each line is taken
for it if it can be; what is in neither encoding stays as it is, for the reader to set aside.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_LONGEST_LINE = 1 << 26


def write_mended(chunks: Iterable[bytes], encoding: str, *, target: Path) -> int:
    """Write a text as UTF-8 and return how many lines were not.

    Args:
        chunks: The text; lines end with LF, CR LF or CR.
        encoding: That of the other lines; ASCII means the same in it.
        target: File to write.
    """
    count, held = 0, b""
    with target.open("wb") as copy:
        for chunk in chunks:
            block = held + chunk
            end = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
            if len(block) - end > _LONGEST_LINE:
                end = len(block)
            held = block[end:]
            mended, found = mend_lines(block[:end], encoding)
            copy.write(mended)
            count += found
        mended, found = mend_lines(held, encoding)
        copy.write(mended)
    return count + found


def mend_lines(text: bytes, encoding: str) -> tuple[bytes, int]:
    r"""Return whole lines as UTF-8, and how many of them were not.

    >>> mend_lines(b"Zo\xc3\xab\nZo\xeb\n", "cp1252")
    (b'Zo\xc3\xab\nZo\xc3\xab\n', 1)
    """
    if _is_decodable(text, "utf-8"):
        return text, 0
    count, lines = 0, []
    for line in text.splitlines(keepends=True):
        is_other = not _is_decodable(line, "utf-8") and _is_decodable(line, encoding)
        lines.append(line.decode(encoding).encode() if is_other else line)
        count += is_other
    return b"".join(lines), count


def _is_decodable(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
