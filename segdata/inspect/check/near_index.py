"""Find hashes that differ in few bits, without comparing each with each.

The 40 bits of a hash are four blocks. Two hashes that differ in up to three bits agree in two of the blocks but for
one bit at most, and most of those that differ in five do. So the hashes are sorted by each pair of blocks, and only
those are compared whose pair of blocks agrees but for one bit (multi-index hashing: Norouzi, Punjani and Fleet, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

from segdata.inspect.check.near_hash import HASH_BYTES, HASHES, oriented
from segdata.parallel import Progress, ordered_map, silent

#: Bits in which the hashes of two similar images differ at most.
FAR = 5

#: Bits up to which the tone does not matter: a brighter copy is one, too.
_SURE = 2

#: Differences in tone that cropping a tenth of the width and height makes, with some room (999 of 1,000 real images);
#: half of them between hashes that differ in all bits that they may, of which far more are alike by chance.
_TONES = np.array([18, 14, 6, 6], np.int16)

#: Similar images that are proposed for each image.
PROPOSED = 4

#: Entries of one key that are compared, the first of the set: where thousands of images share it, all are alike.
_COMPARED = 256

#: Bits of a block, and of a key of two blocks.
_BLOCK = 10
_KEY = 2 * _BLOCK

#: Images whose hashes are looked up at a time; these and their results are a few MB.
_STEP = 1024

_Ints = npt.NDArray[np.int64]

_ONES = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)


def propose(
    index: npt.NDArray[np.uint8],
    questions: npt.NDArray[np.uint8],
    *,
    same: bool,
    workers: int = 1,
    progress: Progress = silent,
) -> _Ints:
    """Return pairs of images that may be alike: for each row of `questions`, up to four rows of `index`.

    Args:
        index: signatures of images, ``(N, 89)`` uint8, see `signature`.
        questions: signatures of the images to look up, ``(M, 89)`` uint8; only their own hashes and tones are used.
        same: whether both are the same images, of which none is paired with itself.
        workers: number of threads.
        progress: reports progress.

    Returns:
        ``(pairs, 5)`` int64, by row of `questions` and by distance: row of `questions`, row of `index`, orientation in
        which the first is like the second, hash of the second that it is like, and number of bits in which they differ,
        at most `FAR`.
    """
    entries = _Entries.of(index)
    steps = range(0, len(questions), _STEP)
    keys = list(combinations(range(4), 2))
    found: list[_Ints] = []
    with progress(total=len(keys) * len(steps), label="near") as advance:
        for blocks in keys:
            look_up = partial(_look_up, entries, _Table.of(entries, blocks), questions, same)
            for rows in ordered_map(look_up, steps, workers=workers):
                found.append(rows)
                advance(1)
    return _best(np.concatenate(found)) if found else np.zeros((0, 5), np.int64)


@dataclass(frozen=True)
class _Entries:
    """Hashes of the index, one after the other, as their first 32 and last 8 bits; and the tone of each image."""

    low: npt.NDArray[np.uint32]
    high: npt.NDArray[np.uint8]
    tone: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, signatures: npt.NDArray[np.uint8]) -> _Entries:
        hashes = signatures[:, : HASHES * HASH_BYTES].reshape(-1, HASH_BYTES)
        return cls(*_words(hashes), signatures[:, HASHES * HASH_BYTES :])


def _words(hashes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Return the first 32 bits and the last 8 bits of hashes ``(N, 5)``."""
    return np.ascontiguousarray(hashes[:, :4]).view(np.uint32)[:, 0], np.ascontiguousarray(hashes[:, 4])


@dataclass(frozen=True)
class _Table:
    """Entries sorted by the key that two blocks make: where those of each key start, and all in that order."""

    blocks: tuple[int, int]
    start: _Ints
    order: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, entries: _Entries, blocks: tuple[int, int]) -> _Table:
        keys = _keys(entries.low, entries.high, blocks)
        counts = np.zeros(1 << _KEY, np.int64)
        for first in range(0, len(keys), _STEP << 10):
            counts += np.bincount(keys[first : first + (_STEP << 10)], minlength=1 << _KEY)
        # A sort of 64-bit numbers in place takes less memory and time than an argsort.
        rows = keys.astype(np.uint64)
        del keys
        rows <<= np.uint64(32)
        rows |= np.arange(len(rows), dtype=np.uint32)
        rows.sort()
        return cls(blocks, np.concatenate([[0], np.cumsum(counts)]), rows.astype(np.uint32))


def _keys(low: npt.NDArray[np.uint32], high: npt.NDArray[np.uint8], blocks: tuple[int, int]) -> npt.NDArray[np.uint32]:
    """Return two blocks of each hash as one number."""
    first, second = (_one_block(low, high, block) for block in blocks)
    return (first << np.uint32(_BLOCK)) | second


def _one_block(low: npt.NDArray[np.uint32], high: npt.NDArray[np.uint8], block: int) -> npt.NDArray[np.uint32]:
    if block == 3:
        return (low >> np.uint32(3 * _BLOCK)) | (high.astype(np.uint32) << np.uint32(2))
    return (low >> np.uint32(block * _BLOCK)) & np.uint32((1 << _BLOCK) - 1)


def _look_up(entries: _Entries, table: _Table, questions: npt.NDArray[np.uint8], same: bool, first: int) -> _Ints:
    """Return the best proposals of one table for the questions from row `first` on."""
    asking = questions[first : first + _STEP]
    own = oriented(asking[:, (HASHES - 1) * HASH_BYTES : HASHES * HASH_BYTES]).reshape(-1, HASH_BYTES)
    tone = asking[:, HASHES * HASH_BYTES :].astype(np.int16)
    low, high = _words(own)
    keys = _keys(low, high, table.blocks)
    found: list[_Ints] = []
    for flipped in (0, *(1 << bit for bit in range(_KEY))):
        start = table.start[keys ^ np.uint32(flipped)]
        count = np.minimum(table.start[(keys ^ np.uint32(flipped)) + np.uint32(1)] - start, _COMPARED)
        query = np.repeat(np.arange(len(keys)), count)
        within = np.arange(len(query)) - np.repeat(np.cumsum(count) - count, count)
        entry = table.order[start[query] + within].astype(np.int64)
        other = entries.low[entry] ^ low[query]
        far = (
            _ONES[other & np.uint32(0xFFFF)] + _ONES[other >> np.uint32(16)] + _ONES[entries.high[entry] ^ high[query]]
        )
        near = np.flatnonzero(far <= FAR)
        row, part = np.divmod(entry[near], HASHES)
        orientation, question = np.divmod(query[near], len(asking))
        differ = np.abs(tone[question] - entries.tone[row]) << (far[near] == FAR)[:, None]
        toned = (differ <= _TONES).all(axis=1) | (far[near] <= _SURE)
        rows = np.stack([question + first, row, orientation, part, far[near].astype(np.int64)], axis=1)
        found.append(rows[toned & (row != question + first)] if same else rows[toned])
    return _best(np.concatenate(found))


def _best(rows: _Ints) -> _Ints:
    """Return the nearest few of each question, and each pair of images once."""
    question, row, orientation, part, far = rows.T
    rows = rows[np.lexsort((part, orientation, far, row, question))]
    rows = rows[np.diff(rows[:, :2], axis=0, prepend=-1).any(axis=1)]
    rows = rows[np.lexsort((rows[:, 1], rows[:, 4], rows[:, 0]))]
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    return rows[rank < PROPOSED]
