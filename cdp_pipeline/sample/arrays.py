"""Vector tools the generator is built from: seeded streams, draws from tables, runs of positions.

Only arithmetic on arrays that knows nothing about shops or people belongs here.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
Days = npt.NDArray[np.datetime64]


def open_stream(seed: int, name: str) -> np.random.Generator:
    """Return the random stream of one topic; adding a topic never shifts another one.

    Args:
        seed: Seed of the store.
        name: Topic, for example ``"households"``.

    Returns:
        A generator that depends on the seed and the name alone.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def happens(rng: np.random.Generator, probability: float | Floats, count: int) -> Bools:
    """Return ``count`` independent yes/no draws."""
    return np.asarray(rng.random(count) < probability, dtype=np.bool_)


def pick(rng: np.random.Generator, weights: Sequence[float] | Floats, count: int) -> Ints:
    """Return ``count`` indices drawn in proportion to ``weights``."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    return np.asarray(np.minimum(drawn, len(edges) - 1), dtype=np.int64)


def pick_row(rng: np.random.Generator, weights: Floats, rows: Ints) -> Ints:
    """Return one column index for each entry of ``rows``, drawn from that row's weights."""
    edges = np.cumsum(weights, axis=1)
    limits = rng.random(len(rows)) * edges[rows, -1]
    drawn = np.zeros(len(rows), dtype=np.int64)
    for column in range(weights.shape[1] - 1):
        drawn += limits >= edges[rows, column]
    return drawn


def zipf_weights(count: int, power: float) -> Floats:
    """Return weights that fall with rank: ``1 / rank ** power``."""
    ranks = np.arange(1, count + 1, dtype=np.float64)
    return np.asarray(1.0 / ranks**power, dtype=np.float64)


def positions_in_runs(counts: Ints) -> Ints:
    """Return 0, 1, 2 ... within each run of the given lengths, laid end to end."""
    starts = np.cumsum(counts) - counts
    return np.asarray(np.arange(int(counts.sum())) - np.repeat(starts, counts), dtype=np.int64)


def positions_in_groups(keys: Ints) -> Ints:
    """Return 0, 1, 2 ... within each run of equal, neighbouring keys."""
    if len(keys) == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return positions_in_runs(np.diff(np.append(starts, len(keys))).astype(np.int64))


def join_texts(*parts: Texts | str) -> Texts:
    """Return texts glued together element by element; plain strings are repeated."""
    glued: Texts = np.asarray(parts[0], dtype=np.str_)
    for part in parts[1:]:
        glued = np.strings.add(glued, np.asarray(part, dtype=np.str_))
    return glued


def number_texts(numbers: Ints, width: int = 0) -> Texts:
    """Return numbers as texts, with leading zeros up to ``width`` characters."""
    texts = numbers.astype(np.str_)
    # zfill cannot say how wide the result of nothing is.
    return np.strings.zfill(texts, width) if width and len(texts) else texts


def hash_numbers(numbers: Ints, salt: int) -> Texts:
    """Return 16 hexadecimal digits for each number: distinct numbers, distinct digits.

    The mixer is splitmix64, a bijection on 64 bits.
    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    step = np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    mixed = numbers.astype(np.uint64) + step
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    pairs = np.array([f"{byte:02x}" for byte in range(256)])
    shown = pairs[mixed.astype(">u8").view(np.uint8).reshape(len(numbers), 8)]
    return np.ascontiguousarray(shown).view("U16").reshape(len(numbers))
