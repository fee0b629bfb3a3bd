"""Draw a side for every sample: train, val and perhaps test; a sample keeps its side when others come or go."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from segdata.errors import InvalidInputError, TargetExistsError
from segdata.seeded import seeded_digest, seeded_order
from segdata.text import plural

#: Names of the sides, in the order of their shares.
SIDES = ("train", "val", "test")

#: Natural logarithm of the least probability of a draw, about one in a million.
_IMPROBABLE = -14.0


@dataclass(frozen=True)
class Draw:
    """A way of drawing the sides.

    Attributes:
        shares: requested share of each side; see `side_shares`.
        seed: seed of the draw.
        exact: whether the number of images on each side is exact; otherwise each side is independent of other images.
    """

    shares: dict[str, float]
    seed: int
    exact: bool

    def sides(self, source: Path, groups: Sequence[str], classes: Sequence[frozenset[int]] | None = None) -> list[str]:
        """Return the side of each image.

        Args:
            source: the list or JSON. Results of an earlier split are drawn independently of it; see `_earlier_sides`.
            groups: group of each image.
            classes: classes of each image, for a stratified draw.

        Raises:
            InvalidInputError: when a side is empty or improbably large or small.
        """
        strata = [list(dict.fromkeys(groups))] if classes is None else _strata(groups, classes)
        if self.exact:
            side_of = self._exact(strata, Counter(groups))
        elif classes is None:
            side_of = self._independent(strata[0], _earlier_sides(source))
        else:
            side_of = {key: side for keys in strata for key, side in self._ranked(keys)}
        sides = [side_of[key] for key in groups]
        self._check_empty(source, sides, stratified=classes is not None)
        if classes is None and not self.exact:
            self._check_probable(source, Counter(side_of.values()))
        return sides

    def _edges(self) -> list[float]:
        return list(accumulate(self.shares.values()))[:-1]

    def _independent(self, keys: Sequence[str], earlier: str) -> dict[str, str]:
        edges = self._edges()
        return {key: SIDES[bisect_right(edges, _number(earlier + key, self.seed))] for key in keys}

    def _ranked(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        bounds = [round(edge * len(keys)) for edge in self._edges()]
        order = enumerate(seeded_order(keys, self.seed))
        return [(keys[index], SIDES[bisect_right(bounds, rank)]) for rank, index in order]

    def _exact(self, strata: Sequence[Sequence[str]], sizes: Mapping[str, int]) -> dict[str, str]:
        """Deal out the groups, stratum by stratum, each to the side that is furthest behind its share so far."""
        total = sum(sizes.values())
        goals = _largest_remainder(total, self.shares)
        counts, dealt, side_of = dict.fromkeys(goals, 0), 0, dict[str, str]()
        for keys in strata:
            for key in (keys[index] for index in seeded_order(keys, self.seed)):
                dealt += sizes[key]
                behind = {side: goal * dealt - counts[side] * total for side, goal in goals.items()}
                side_of[key] = max(behind, key=behind.__getitem__)
                counts[side_of[key]] += sizes[key]
        _move_nearer(side_of, sizes, {side: counts[side] - goal for side, goal in goals.items()})
        return side_of

    def _check_empty(self, source: Path, sides: Sequence[str], *, stratified: bool) -> None:
        for side in self.shares:
            if side not in sides:
                cure = "another --ratio" if stratified or self.exact else "another --seed, another --ratio or --exact"
                raise InvalidInputError(
                    f"{source}: the {side} split is empty ({plural(len(sides), 'sample')} in total); expected at least "
                    f"1 sample in each. Choose {cure}, or add samples."
                )

    def _check_probable(self, source: Path, counts: Mapping[str, int]) -> None:
        """Refuse a draw that repeats an earlier one with the same seed, of which the list has only one side."""
        total = sum(counts.values())
        for side, share in self.shares.items():
            if _log_chance(counts[side], total, share) < _IMPROBABLE:
                raise InvalidInputError(
                    f"{source}: the {side} split would get {counts[side]} of {total}; expected about "
                    f"{round(share * total)}. An earlier split with the same seed wrote this list. Choose another seed "
                    "with --seed."
                )


def side_shares(ratio: float | Sequence[float]) -> dict[str, float]:
    """Return the share of each side, given that of train alone, or those of train and val, or of train, val and test.

    >>> side_shares(0.75), side_shares((0.8, 0.1, 0.1))
    ({'train': 0.75, 'val': 0.25}, {'train': 0.8, 'val': 0.1, 'test': 0.1})

    Raises:
        InvalidInputError: when a share is not between 0 and 1, or the shares do not sum to 1.
    """
    given = tuple(ratio) if isinstance(ratio, Sequence) else (ratio,)
    # Rounded, because 1 - 0.8 is 0.19999999999999996.
    shares = (*given, round(1 - given[0], 12)) if len(given) == 1 else given
    if len(shares) not in (2, 3) or not all(0 < share < 1 for share in shares) or not math.isclose(sum(shares), 1):
        raise InvalidInputError(
            f"ratio {','.join(f'{share:g}' for share in given)}: expected a share for training between 0 and 1, "
            "such as 0.8, or the shares of train, val and test, such as 0.8,0.1,0.1, whose sum is 1"
        )
    return dict(zip(SIDES, shares, strict=False))


def side_files(source: Path, folder: Path | None, shares: Mapping[str, float], suffix: str) -> dict[str, Path]:
    """Return the file of each side: NAME_train.txt and so on, in `folder` or beside `source`."""
    name = re.sub("_(lst|list)$", "", source.stem)
    return {side: (folder or source.parent) / f"{name}_{side}{suffix}" for side in shares}


def check_test_side(files: Mapping[str, Path], images: Collection[str], read: Callable[[Path], Iterable[str]]) -> None:
    """Check that a split without a test side is not written beside that of an earlier split.

    Args:
        files: file of each side that is written, as `side_files` returns them.
        images: all images of the split.
        read: returns the images in a file.

    Raises:
        TargetExistsError: when the file has some of the images, which would then be on two sides.
    """
    if "test" in files:
        return
    train = files["train"]
    path = train.with_name(f"{train.stem.removesuffix('train')}test{train.suffix}")
    try:
        found = set(read(path)).intersection(images) if path.exists() else ()
    except InvalidInputError:
        return
    if found:
        raise TargetExistsError(
            f"{path}: contains {plural(len(found), 'image')} that would be in another split, too. Move it away if an "
            "earlier split wrote it, or give three shares with --ratio.",
            replaceable=False,
        )


def _strata(groups: Sequence[str], classes: Sequence[frozenset[int]]) -> list[list[str]]:
    """Return the groups by the rarest class in them; a class is rare if few images contain it."""
    images = Counter(id_ for found in classes for id_ in found)
    classes_of: dict[str, set[int]] = {}
    for key, found in zip(groups, classes, strict=True):
        classes_of.setdefault(key, set()).update(found)
    strata: dict[int | None, list[str]] = {}
    for key, present in classes_of.items():
        rarest = min(present, key=lambda id_: (images[id_], id_), default=None)
        strata.setdefault(rarest, []).append(key)
    return [strata[id_] for id_ in sorted(strata, key=lambda id_: (id_ is not None, id_))]


def _number(key: str, seed: int) -> float:
    """Return a number from 0 to 1 that depends only on key and seed."""
    return int.from_bytes(seeded_digest(key, seed)[:8], "big") / 2**64


def _earlier_sides(source: Path) -> str:
    """Return the sides of earlier splits in the name of their result: ``"train\\0val\\0"`` for all_train_val.txt.

    As part of the key, they make a draw independent of the earlier one: with the same numbers as before, all images of
    a training list would be below the ratio again. Other names give an empty text, and so the numbers of a first draw.
    """
    sides = re.search(f"(?:_(?:{'|'.join(SIDES)}))+$", source.stem)
    return sides[0][1:].replace("_", "\0") + "\0" if sides else ""


def _largest_remainder(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Return whole numbers near the shares of `total` that sum to it."""
    counts = {side: math.floor(total * share) for side, share in shares.items()}
    remainders = sorted(counts, key=lambda side: counts[side] - total * shares[side])
    return {side: counts[side] + (side in remainders[: total - sum(counts.values())]) for side in counts}


def _move_nearer(side_of: dict[str, str], sizes: Mapping[str, int], surplus: dict[str, int]) -> None:
    """Move single groups to another side as long as that brings the sides nearer to their goals."""

    def change(move: tuple[str, str]) -> int:
        key, side = move
        more, less = surplus[side_of[key]], surplus[side]
        return abs(more - sizes[key]) + abs(less + sizes[key]) - abs(more) - abs(less)

    while any(surplus.values()):
        key, side = best = min(((key, side) for key in side_of for side in surplus if side != side_of[key]), key=change)
        if change(best) >= 0:
            return
        surplus[side_of[key]] -= sizes[key]
        surplus[side] += sizes[key]
        side_of[key] = side


def _log_chance(count: int, total: int, share: float) -> float:
    """Return the logarithm of an upper bound for the probability of a count so far from ``share * total``.

    Chernoff's bound for a binomial distribution: the relative entropy times the number of draws.
    """
    found = count / total
    sides = ((found, share), (1 - found, 1 - share))
    return -total * sum(part * math.log(part / expected) for part, expected in sides if part)
