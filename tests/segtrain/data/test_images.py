from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.images.header import READ_SUFFIXES
from segdata.images.values import ValueRange
from segdata.miniature.coco import write_coco
from segtrain.data.images import Page, image_paths, is_stack, read_images, shown

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photos/b.jpg", "photos/a.PNG", "photos/notes.txt", "photos/.hidden.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def _list(folder: Path, text: str) -> Path:
    path = folder / "images.lst"
    path.write_text(text)
    return path


def test_a_directory_gives_its_images_by_name(folder: Path) -> None:
    photos = folder / "photos"
    assert image_paths(photos) == {"a": photos / "a.PNG", "b": photos / "b.jpg"}


def test_an_image_gives_itself(folder: Path) -> None:
    assert image_paths(folder / "photos" / "a.PNG") == {"a": folder / "photos" / "a.PNG"}


def test_a_list_gives_its_images_in_its_order_relative_to_its_folder_or_the_data_root(folder: Path) -> None:
    path = _list(folder, "photos/b.jpg\n# a comment\n\nphotos/a.PNG\n")
    assert list(image_paths(path).values()) == [folder / "photos" / "b.jpg", folder / "photos" / "a.PNG"]
    assert image_paths(path, folder / "other")["b"] == folder / "other" / "photos" / "b.jpg"


def test_a_gif_beside_an_image_of_its_name_is_a_preview(folder: Path) -> None:
    for name in ("a.gif", "c.gif"):
        (folder / "photos" / name).touch()
    assert [source.name for source in image_paths(folder / "photos").values()] == ["a.PNG", "b.jpg", "c.gif"]


@pytest.mark.parametrize("suffix", READ_SUFFIXES)
def test_images_of_every_format_are_found_alone_in_a_folder_and_in_a_list(tmp_path: Path, suffix: str) -> None:
    image = tmp_path / f"a{suffix}"
    Image.fromarray(np.full((4, 6), 80, np.uint8)).save(image)
    (tmp_path / "images.lst").write_text(f"a{suffix} masks/b.png\n")
    for place in (image, tmp_path, tmp_path / "images.lst"):
        assert image_paths(place) == {"a": image}
    (pixels,) = (pixels for _, pixels in read_images({"a": image}, [], None))
    assert pixels is not None and abs(int(pixels[0, 0, 0]) - 80) <= 1


@pytest.mark.parametrize(
    ("line", "image"),
    [
        ("photos/b.jpg", "photos/b.jpg"),
        ("photos/b.jpg masks/b.png", "photos/b.jpg"),
        ("my photos/b.jpg", "my photos/b.jpg"),
        ("my photos/b.jpg\tmy masks/b.png", "my photos/b.jpg"),
        ("photos/b.tiff\r", "photos/b.tiff"),
    ],
)
def test_a_label_path_behind_an_image_path_is_not_read(folder: Path, line: str, image: str) -> None:
    assert list(image_paths(_list(folder, f"{line}\n")).values()) == [folder / image]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2007_000033\n2007_000042\n", "contains no image paths; expected one per line"),
        ("# nothing\n", "contains no image paths"),
        (
            "../b.jpg\n/etc/c.jpg\nd.jpg\n",
            r"2 invalid paths:\n.*'\.\./b\.jpg' is outside .*\n.*'/etc/c\.jpg' is outside",
        ),
        ("x/b.jpg\ny/b.png\n", r"1 duplicate file name, extensions aside; .*:\n.*x/b\.jpg and .*y/b\.png"),
        ("b.jpg\nb.jpg\n", "1 duplicate file name, extensions aside; expected unique names"),
    ],
)
def test_a_list_that_cannot_be_followed_is_a_sentence(folder: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        image_paths(_list(folder, text))


def test_a_file_that_is_neither_image_nor_text_is_a_sentence(folder: Path) -> None:
    (folder / "photo").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InvalidInputError, match="not UTF-8 text"):
        image_paths(folder / "photo")


def test_what_is_not_there_or_has_no_image_is_a_sentence(folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="does not exist"):
        image_paths(folder / "nowhere.jpg")
    with pytest.raises(InvalidInputError, match="contains no images"):
        image_paths(folder)


def test_names_that_differ_in_their_ending_only_are_all_named(folder: Path) -> None:
    (folder / "photos" / "a.jpg").touch()
    with pytest.raises(FaultsError, match=r"a\.PNG and .*a\.jpg"):
        image_paths(folder / "photos")


def test_a_data_root_is_for_lists_only(folder: Path) -> None:
    for images in (folder / "photos", folder / "photos" / "a.PNG"):
        with pytest.raises(OptionError, match="not an image list, so --data_root has no effect"):
            image_paths(images, folder)


def test_a_record_set_takes_no_data_root(make_set: Callable[..., Path], tmp_path: Path) -> None:
    records = make_set([(np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8))])
    for images in (records, records / "manifest.json", records / "set.mindrecord0"):
        with pytest.raises(OptionError, match=f"{images}: a record set, so --data_root has no effect. Leave it out"):
            image_paths(images, tmp_path)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(
        path,
        np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((3, 4, 5), np.uint8),
        photometric="minisblack",
        metadata=None,
    )
    return path


def test_a_tiff_of_several_pages_gives_them_all(stack: Path) -> None:
    paths = image_paths(stack)
    assert paths == {f"cells_{index:04d}": Page(stack, index) for index in range(3)}
    assert is_stack(paths)
    faults: list[str] = []
    for index, (name, image) in enumerate(read_images(paths, faults, None)):
        assert name == f"cells_{index:04d}"
        assert image is not None
        assert image.shape == (4, 5, 3)
        assert (image == index).all()
    assert faults == []


def test_a_page_and_an_image_of_the_same_name_are_refused(stack: Path) -> None:
    (stack.parent / "cells_0001.png").touch()
    with pytest.raises(
        FaultsError, match=r"1 duplicate file name, .* Rename the files[^:]*:\n.*cells_0001\.png"
    ) as told:
        image_paths(stack.parent)
    assert "cells.tif, page 1" in str(told.value)
    (stack.parent / "cells_0001.png").rename(stack.parent / "cells.png")
    assert [*image_paths(stack.parent)] == ["cells", "cells_0000", "cells_0001", "cells_0002"]


def test_a_tiff_of_one_page_is_an_image_like_others(tmp_path: Path) -> None:
    path = tmp_path / "one.tif"
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8))
    assert image_paths(path) == {"one": path}
    assert not is_stack(image_paths(path))


def test_pages_of_values_that_are_not_colors_are_faults_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "floats.tif"
    tifffile.imwrite(path, np.zeros((2, 4, 5), np.float32), photometric="minisblack", metadata=None)
    faults: list[str] = []
    assert [image for _, image in read_images(image_paths(path), faults, None)] == [None, None]
    assert (
        "floats.tif, page 1: float32 samples from 0 to 0; expected 8 bits, or a data set with a value range"
        in faults[1]
    )


def test_pages_are_scaled_by_the_value_range_of_the_training_set(tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    pixels = np.arange(40, dtype=np.uint16).reshape(2, 4, 5) * 100
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None)
    faults: list[str] = []
    images = [image for _, image in read_images(image_paths(path), faults, ValueRange(0, 5100))]
    assert faults == []
    for image, page in zip(images, pixels, strict=True):
        assert image is not None
        assert np.allclose(image[..., 0], page / 20)


def test_a_damaged_tiff_is_told_when_its_turn_comes(tmp_path: Path) -> None:
    path = tmp_path / "damaged.tif"
    path.write_bytes(b"II*\0")
    faults: list[str] = []
    assert [image for _, image in read_images(image_paths(path), faults, None)] == [None]
    assert len(faults) == 1


def test_subfolders_are_part_of_the_names(tmp_path: Path) -> None:
    for name in ("b.png", "north/b.png", "north/far/a.1.jpg", ".cache/c.png", "north/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert image_paths(tmp_path) == {"b": tmp_path / "b.png"}
    paths = image_paths(tmp_path, recursive=True)
    assert {name: shown(name, path) for name, path in paths.items()} == {
        "b": "b.png",
        "north/b": "north/b.png",
        "north/far/a.1": "north/far/a.1.jpg",
    }
    with pytest.raises(OptionError, match="not a directory of images, so --recursive has no effect"):
        image_paths(tmp_path / "b.png", recursive=True)
    (tmp_path / "north" / "b.jpg").touch()
    with pytest.raises(FaultsError, match=r"north/b\.jpg and .*north/b\.png"):
        image_paths(tmp_path, recursive=True)


def test_a_record_set_gives_the_images_that_it_was_made_of(miniature: Miniature) -> None:
    listed, recorded = image_paths(miniature.val_lst, miniature.root), image_paths(miniature.val)
    assert set(recorded) == set(listed)
    faults: list[str] = []
    pixels = dict(read_images(listed, faults, None))
    for name, image in read_images(recorded, faults, None):
        assert image is not None and np.array_equal(image, pixels[name])
        assert Path(shown(name, recorded[name])).stem == name
    assert faults == []


def test_a_coco_json_gives_its_images_and_names_those_that_are_missing(tmp_path: Path) -> None:
    write_coco(tmp_path, images=3)
    paths = image_paths(tmp_path / "annotations" / "instances.json")
    first = next(iter(paths.values()))
    (tmp_path / "images" / str(first)).unlink()
    faults: list[str] = []
    read = [image is not None for _, image in read_images(paths, faults, None)]
    assert (read, len(faults)) == ([False, True, True], 1)
    assert faults[0].startswith(f"{first}: ")
    with pytest.raises(OptionError, match="not a directory of images, so --recursive has no effect"):
        image_paths(tmp_path / "annotations" / "instances.json", recursive=True)
