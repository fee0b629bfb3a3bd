"""Draws that depend on a key and a seed alone, so that they are the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def seeded_order(keys: Sequence[str], seed: int) -> list[int]:
    """Return the indices of `keys` in the order of the SHA-256 of ``seed NUL key``.

    The same on every platform, whatever the order of the input; keys that are added do not move the others.
    """
    digests = [seeded_digest(key, seed) for key in keys]
    return sorted(range(len(digests)), key=digests.__getitem__)


def seeded_digest(key: str, seed: int) -> bytes:
    """Return the SHA-256 of ``seed NUL key``: a draw for `key` that nothing else has a part in."""
    return hashlib.sha256(f"{seed}\0{key}".encode()).digest()
