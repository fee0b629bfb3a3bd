"""Random draws that depend only on a key and a seed, so that they are the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def seeded_order(keys: Sequence[str], seed: int) -> list[int]:
    """Return the indices of `keys`, sorted by the SHA-256 of ``seed NUL key``.

    The order is the same on every platform and for any input order; adding keys does not reorder the others.
    """
    digests = [seeded_digest(key, seed) for key in keys]
    return sorted(range(len(digests)), key=digests.__getitem__)


def seeded_digest(key: str, seed: int) -> bytes:
    """Return the SHA-256 of ``seed NUL key``: a draw that depends only on `key` and `seed`."""
    return hashlib.sha256(f"{seed}\0{key}".encode(errors="surrogatepass")).digest()
