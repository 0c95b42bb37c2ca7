"""From blocking keys to pairs of nodes, in numpy: sorting numbers is cheaper than joining them.

Which keys there are belongs in ``blocking``. Everything here has one result whatever the order of
the keys that come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Blocks:
    """The keys that two or more nodes hold.

    Attributes:
        nodes: Holders, those of one key side by side.
        starts: Place of each key's first holder.
        sizes: Number of its holders.
        rules: Number of its rule.
    """

    nodes: Integers
    starts: Integers
    sizes: Integers
    rules: Integers

    def chosen(self, marks: Marks) -> Blocks:
        """Return some of the keys."""
        return Blocks(self.nodes, self.starts[marks], self.sizes[marks], self.rules[marks])

    def costs(self, rules: int) -> npt.NDArray[np.float64]:
        """Return how many pairs each of so many rules proposes."""
        pairs = self.sizes * (self.sizes - 1) / 2
        return np.bincount(self.rules, pairs, rules).astype(np.float64)


def find_blocks(keys: Hashes, nodes: Integers, *, rule: int) -> Blocks:
    """Return the keys of one rule that two or more nodes hold, with their holders alone."""
    order = sort_places(keys, is_alone_wanted=False)
    ordered = keys[order]
    is_first = np.ones(len(ordered), dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(is_first)
    sizes = np.diff(np.append(starts, len(ordered)))
    shared = sizes > 1
    holders = nodes[order[np.repeat(shared, sizes)]]
    sizes = sizes[shared]
    starts = np.cumsum(sizes) - sizes
    return Blocks(holders, starts, sizes, np.full(len(sizes), rule, dtype=np.int64))


def join_blocks(parts: Sequence[Blocks]) -> Blocks:
    """Return the keys of several rules together."""
    ends = np.cumsum([0, *(len(part.nodes) for part in parts)])
    starts = [part.starts + end for part, end in zip(parts, ends[:-1], strict=True)]
    nothing = np.empty(0, dtype=np.int64)
    return Blocks(
        np.concatenate([nothing.astype(np.int32), *(part.nodes for part in parts)]),
        np.concatenate([nothing, *starts]),
        np.concatenate([nothing, *(part.sizes for part in parts)]),
        np.concatenate([nothing, *(part.rules for part in parts)]),
    )


def sort_places(keys: Hashes, *, is_alone_wanted: bool = True) -> Integers:
    """Return the places of keys in the order of the keys, as a stable ``argsort`` does.

    Key and place are sorted as one number, which is ten times faster; as the place takes the key's
    last bits, the few keys that differ only there are put in order afterwards.

    Args:
        keys: The keys.
        is_alone_wanted: Whether places of keys that surely stand only once are returned too.
    """
    bits = max(len(keys) - 1, 1).bit_length()
    mask = np.uint64((1 << bits) - 1)
    packed = (keys & ~mask) | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    heads = packed & ~mask
    if not is_alone_wanted:
        is_near = np.zeros(len(heads) + 1, dtype=bool)
        is_near[1:-1] = heads[1:] == heads[:-1]
        is_shared = is_near[1:] | is_near[:-1]
        packed, heads = packed[is_shared], heads[is_shared]
    order = (packed & mask).astype(np.int64)
    found = keys[order]
    mixed = heads[np.flatnonzero((heads[1:] == heads[:-1]) & (found[1:] != found[:-1]))]
    for head in np.unique(mixed):
        start, end = np.searchsorted(heads, head, "left"), np.searchsorted(heads, head, "right")
        order[start:end] = order[start:end][np.argsort(found[start:end], kind="stable")]
    return order


def pair_up(blocks: Blocks, *, only: Marks | None = None) -> tuple[Integers, Integers, Integers]:
    """Return all pairs of nodes that share a key: the smaller node, the larger, the first rule.

    Args:
        blocks: Keys and their holders.
        only: Nodes of which a pair must have one; default: any pair.

    Returns:
        Each pair once, ordered by its nodes.
    """
    parts = []
    rule_bits = int(blocks.rules.max(initial=0)).bit_length()
    node_bits = int(blocks.nodes.max(initial=0)).bit_length()
    for size in np.unique(blocks.sizes):
        chosen = blocks.sizes == size
        held = blocks.nodes[blocks.starts[chosen][:, None] + np.arange(size)].astype(np.int64)
        left, right = np.triu_indices(int(size), 1)
        one, other = held[:, left].ravel(), held[:, right].ravel()
        rule = np.repeat(blocks.rules[chosen], len(left))
        if only is not None:
            wanted = only[one] | only[other]
            one, other, rule = one[wanted], other[wanted], rule[wanted]
        ends = (np.minimum(one, other) << node_bits) | np.maximum(one, other)
        parts.append((ends << rule_bits) | rule)
    codes = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    codes.sort()
    pairs = codes >> rule_bits
    is_first = np.ones(len(codes), dtype=bool)
    is_first[1:] = pairs[1:] != pairs[:-1]
    pairs, rule = pairs[is_first], codes[is_first] & ((1 << rule_bits) - 1)
    return pairs >> node_bits, pairs & ((1 << node_bits) - 1), rule
