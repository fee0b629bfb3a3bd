"""The three kinds of JSON that segdata reads, damaged in every way: read correctly, or an error message."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from damaged_files import damaged, damaged_json
from hypothesis import example, given, settings, strategies as st

import segdata
from segdata.coco.annotations import Members
from segdata.coco.file import read_coco
from segdata.coco.objects import decode_object
from segdata.coco.rle import decode_rle, to_rle
from segdata.errors import InvalidInputError
from segdata.mindrecord.header import read_shard_header
from segdata.miniature.voc import write_devkit
from segdata.records.manifest_file import read_manifest
from segdata.records.reader import open_set
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

COCO = {
    "info": {"year": 2017},
    "images": [{"id": 20, "file_name": "b.jpg", "height": 4, "width": 6}, {"id": 10, "file_name": "sub/a.jpg"}],
    "annotations": [
        {"id": 3, "image_id": 10, "category_id": 7, "area": 2.5, "segmentation": [[0, 0, 2, 0, 2, 2]]},
        {"id": 1, "image_id": 20, "category_id": 2, "iscrowd": 1, "segmentation": {"counts": [24], "size": [4, 6]}},
        {"id": 2, "image_id": 10, "category_id": 2, "iscrowd": 0, "segmentation": {"counts": "h0", "size": [4, 6]}},
    ],
    "categories": [{"id": 7, "name": "dog"}, {"id": 2, "name": "cat"}],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


@pytest.fixture(scope="module")
def record_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("records")
    write_devkit(root / "data", train=4, val=1)
    voc_decolor(root / "data")
    voc_list(root / "data")
    source = segdata.open_dataset(root / "data" / "voc_train_lst.txt", data_root=root / "data")
    segdata.to_mindrecord(source, root / "set", num_shards=2)
    return root / "set"


@settings(max_examples=5 * settings.default.max_examples)
@given(text=damaged_json(COCO))
@example(text=json.dumps(COCO).replace('"iscrowd": 0', f'"iscrowd": {10**400}').encode())
@example(text=json.dumps(COCO).encode().replace(b"h0", "ü".encode() * 200_000))
@example(text=json.dumps(COCO).encode().replace(b"h0", b"h" + "ü".encode() * 200_000))
@example(text=json.dumps(COCO).encode().replace(b"h0", b"h" + "ü".encode() * 200_000 + b"\xc3"))
@example(text=json.dumps(COCO).replace("2.5", "2").replace("[0, 0", f"[{10**400}, 0").encode())
def test_a_coco_file_is_read_or_refused_with_a_sentence(folder: Path, text: bytes) -> None:
    path = folder / "instances.json"
    path.write_bytes(text)
    try:
        coco = read_coco(path)
    except InvalidInputError as error:
        assert str(path) in str(error)
        return
    members = json.loads(text.decode("utf-8-sig"))
    assert [image.file_name for image in coco.images] == [image["file_name"] for image in members["images"]]
    assert sum(len(rows) for _, rows in coco.by_image()) == np.count_nonzero(coco.annotations.image >= 0)
    for raw, annotation in zip(coco.annotations.raw, members["annotations"], strict=True):
        try:
            shape = decode_object(raw, msgspec.json.Decoder(Members))
        except InvalidInputError:
            continue
        assert (shape.id, shape.segmentation) == (annotation["id"], annotation.get("segmentation"))
        with suppress(InvalidInputError):
            assert decode_rle(to_rle(shape.segmentation, 4, 6)).shape == (4, 6)


@settings(max_examples=3 * settings.default.max_examples)
@given(data=st.data())
def test_a_manifest_is_read_or_refused_with_a_sentence(record_set: Path, folder: Path, data: st.DataObject) -> None:
    path = folder / "manifest.json"
    path.write_bytes(data.draw(damaged_json(json.loads((record_set / "manifest.json").read_text()))))
    try:
        manifest = read_manifest(path)
    except InvalidInputError as error:
        assert str(path) in str(error)
        return
    assert open_set(folder).shard_paths
    assert all((folder / name).parent == folder for name in manifest.files)
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=type(manifest)) == manifest


@settings(max_examples=3 * settings.default.max_examples)
@given(data=st.data())
def test_a_shards_header_is_read_or_refused_with_a_sentence(
    record_set: Path, folder: Path, data: st.DataObject
) -> None:
    whole = (record_set / "set.mindrecord0").read_bytes()
    (length,) = struct.unpack_from("<Q", whole)
    header = json.loads(whole[8 : 8 + length])
    text = data.draw(damaged_json(header))
    claimed = data.draw(st.just(len(text)) | st.sampled_from([0, 1, len(text) - 1, 1 << 27, 1 << 40]))
    before = (struct.pack("<Q", max(claimed, 0)) + text).ljust(header["header_size"], b"\0") + b"rows" * 5
    before = data.draw(st.just(before) | damaged(before))
    path = folder / "set.mindrecord0"
    path.write_bytes(before)
    try:
        found = read_shard_header(path)
    except InvalidInputError as error:
        assert str(path) in str(error)
        return
    assert found.shard_id < len(found.shard_addresses)
    assert all((folder / name).parent == folder for name in found.shard_addresses)
    assert all(page.page_size <= found.page_size for page in found.pages)


NESTED = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("odd", [NESTED, b"1" * 100_000, b'"\xff"', b"1e999"], ids=["nest", "digits", "bytes", "float"])
def test_json_that_readers_trip_over_is_a_sentence(folder: Path, odd: bytes) -> None:
    path = folder / "odd.json"
    path.write_bytes(json.dumps(COCO).encode().replace(b'"h0"', odd))
    with pytest.raises(InvalidInputError):
        decode_object(read_coco(path).annotations.raw[2], msgspec.json.Decoder(Members))
    path.write_bytes(b'{"format_version": %s}' % odd)
    with pytest.raises(InvalidInputError):
        read_manifest(path)
    path.write_bytes(struct.pack("<Q", len(odd)) + odd)
    with pytest.raises(InvalidInputError):
        read_shard_header(path)
