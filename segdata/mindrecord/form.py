"""Properties that all shards of a set share, and the header of each shard."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from segdata.errors import InvalidInputError
from segdata.mindrecord.header import (
    HEADER_SIZES,
    PAGE_SIZES,
    SHARDS_MAX,
    VERSION,
    IndexField,
    SchemaEntry,
    ShardHeader,
)
from segdata.mindrecord.pages import PageTable
from segdata.mindrecord.schema import RowSchema

#: Characters that MindSpore's reader refuses in the name of a file (``check_filename``).
FORBIDDEN = frozenset(r"""\/:*?"<>|`&';""")


@dataclass(frozen=True, kw_only=True)
class SetForm:
    """Properties that all shards of a set share.

    Attributes:
        schema: the fields of a row.
        addresses: file names of all shards, in order; every shard names them all.
        saved: bytes that packing saves in all shards together: the sum of the `saved` of all rows.
        index_fields: scalar fields to repeat in the index; ``None`` for all, as in MindSpore.
        header_size: bytes reserved for a header, a multiple of four from 16 KiB to 128 MiB.
        page_size: bytes of a page, a multiple of four from 32 KiB to 256 MiB.

    Raises:
        InvalidInputError: when a value is outside its range, a name cannot be read by MindSpore, or an index field is
            not a scalar.
    """

    schema: RowSchema
    addresses: tuple[str, ...]
    saved: int = 0
    index_fields: tuple[str, ...] | None = None
    header_size: int = 16 << 20
    page_size: int = 32 << 20

    def __post_init__(self) -> None:
        for name, size, (low, high) in (
            ("header", self.header_size, HEADER_SIZES),
            ("page", self.page_size, PAGE_SIZES),
        ):
            if size % 4 or not low <= size <= high:
                raise InvalidInputError(f"{name} size is {size}; expected a multiple of 4 from {low} to {high}")
        if not 1 <= len(self.addresses) <= SHARDS_MAX or len(set(self.addresses)) < len(self.addresses):
            raise InvalidInputError(f"{len(self.addresses)} shards; expected 1 to {SHARDS_MAX} with different names")
        for address in self.addresses:
            if not address or FORBIDDEN & set(address) or address != address.strip(" "):
                raise InvalidInputError(
                    f"file name {address!r}: MindSpore cannot read it; expected a name without any of "
                    f"{' '.join(sorted(FORBIDDEN))} and without a space at its start or end"
                )
        self.schema.check_known(self.indexed)
        if blobs := [name for name in self.indexed if self.schema.fields[name].in_blob]:
            raise InvalidInputError(f"index field {blobs[0]!r} is not a scalar; expected a number or a string")
        if len(set(self.indexed)) < len(self.indexed):
            raise InvalidInputError(f"an index field is named twice: {', '.join(self.indexed)}")

    @property
    def indexed(self) -> tuple[str, ...]:
        """Names of the fields with a column in the index, in its order."""
        return self.schema.raw_fields if self.index_fields is None else self.index_fields

    def header(self, placement: PageTable, shard_id: int) -> ShardHeader:
        """Return the header of a shard."""
        return ShardHeader(
            header_size=self.header_size,
            index_fields=[IndexField(name, 0) for name in self.indexed] or None,
            page=list(placement.pages) or None,
            page_size=self.page_size,
            compression_size=max(0, self.saved),
            schema=[
                SchemaEntry(
                    list(self.schema.blob_fields), self.schema.description, msgspec.to_builtins(self.schema.fields)
                )
            ],
            shard_addresses=list(self.addresses),
            shard_id=shard_id,
            version=VERSION,
        )
