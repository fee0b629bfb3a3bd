from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from little_memory import predict_with_little_memory
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.labels.classes import read_class_names
from segdata.labels.colormap import voc_palette
from segdata.lists import read_list
from segtrain.inference.semantic.predict import predict_semantic
from segtrain.inference.settings import EvalSettings

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained


def _images(miniature: Miniature) -> Path:
    return miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages"


def _files(directory: Path) -> list[str]:
    """Return the results in a directory; hidden files are notes about them."""
    found = (path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(path.relative_to(directory).as_posix() for path in found)


def test_each_image_gets_class_ids_colors_and_an_overlay_at_its_own_size(
    trained: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    checkpoint = trained.directory / "best.ckpt"
    settings = EvalSettings(scales=(1.0, 1.5), flip=True)
    report = predict_semantic(_images(miniature), checkpoint, tmp_path / "out", settings)
    paths = sorted(_images(miniature).iterdir())
    assert (report.images, report.problems) == (len(paths), ())
    seen = set()
    for path in paths:
        files = [Image.open(tmp_path / "out" / kind / f"{path.stem}.png") for kind in ("index", "palette", "overlay")]
        assert [file.mode for file in files] == ["L", "P", "RGB"]
        assert {file.size for file in files} == {Image.open(path).size}
        index, palette, overlay = map(np.asarray, files)
        assert (index == palette).all()
        assert (np.asarray(files[1].convert("RGB")) == voc_palette()[index]).all()
        background = index == 0
        assert (overlay[background] == np.asarray(Image.open(path))[background]).all()
        seen |= set(np.unique(index).tolist())
    names = ("background", "aeroplane", "bicycle", "bird")
    assert report.class_names == tuple(names[id_] for id_ in sorted(seen))


def test_one_image_may_be_named(quick_run: Trained, miniature: Miniature, tmp_path: Path) -> None:
    image = next(_images(miniature).iterdir())
    assert predict_semantic(image, quick_run.directory / "best.ckpt", tmp_path / "out").images == 1
    assert [path.name for path in (tmp_path / "out" / "index").iterdir()] == [f"{image.stem}.png"]


def test_a_list_names_images_below_the_data_root(quick_run: Trained, miniature: Miniature, tmp_path: Path) -> None:
    report = predict_semantic(
        miniature.val_lst, quick_run.directory / "best.ckpt", tmp_path / "out", data_root=miniature.root
    )
    names = sorted(f"{Path(pair.image).stem}.png" for pair in read_list(miniature.val_lst))
    assert (report.images, report.problems) == (len(names), ())
    assert sorted(path.name for path in (tmp_path / "out" / "overlay").iterdir()) == names


def test_images_that_cannot_be_read_are_reported_and_the_others_done(
    quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(next(_images(miniature).iterdir()).read_bytes())
    (folder / "bad.jpg").write_bytes(b"no image")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:-100])
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").touch()
    report = predict_semantic(folder, quick_run.directory / "best.ckpt", tmp_path / "out")
    assert report.images == 1
    assert [fault.partition(": ")[0] for fault in report.problems] == ["bad.jpg", "cut.jpg", "empty.jpg"]
    assert report.problems[0] == "bad.jpg: not a readable image: unknown image format"
    (folder / "good.jpg").unlink()
    with pytest.raises(FaultsError, match=r"no image can be segmented \(3 tried\)"):
        predict_semantic(folder, quick_run.directory / "best.ckpt", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_place_that_is_taken_is_not_written_over(quick_run: Trained, miniature: Miniature, tmp_path: Path) -> None:
    image = next(_images(miniature).iterdir())
    out = tmp_path / "out"
    predict_semantic(image, quick_run.directory / "best.ckpt", out)
    with pytest.raises(TargetExistsError) as error:
        predict_semantic(image, quick_run.directory / "best.ckpt", out)
    assert error.value.replaceable
    other = sorted(_images(miniature).iterdir())[-1]
    predict_semantic(other, quick_run.directory / "best.ckpt", out, overwrite=True)
    kinds = ("index", "overlay", "palette")
    assert _files(out) == sorted([*(f"{kind}/{other.stem}.png" for kind in kinds), "classes.txt", "legend.png"])


@pytest.mark.parametrize("name", ["notes.txt", "index/drawn_by_hand.png"])
def test_files_of_someone_else_among_the_results_survive(
    quick_run: Trained, miniature: Miniature, tmp_path: Path, name: str
) -> None:
    image = next(_images(miniature).iterdir())
    out = tmp_path / "out"
    predict_semantic(image, quick_run.directory / "best.ckpt", out)
    (out / name).write_text("mine")
    with pytest.raises(TargetExistsError, match=f"would delete:\n  {name}\n") as error:
        predict_semantic(image, quick_run.directory / "best.ckpt", out, overwrite=True)
    assert not error.value.replaceable
    assert (out / name).read_text() == "mine"


def test_a_folder_that_only_resembles_results_is_not_replaced(
    quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    (tmp_path / "library" / "index").mkdir(parents=True)
    (tmp_path / "library" / "index" / "authors.txt").write_text("mine")
    image = next(_images(miniature).iterdir())
    with pytest.raises(TargetExistsError, match=r"library: has no \.segdata-files\.json") as error:
        predict_semantic(image, quick_run.directory / "best.ckpt", tmp_path / "library", overwrite=True)
    assert not error.value.replaceable
    assert (tmp_path / "library" / "index" / "authors.txt").read_text() == "mine"


def test_images_and_checkpoint_are_not_replaced_by_their_results(
    quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    checkpoint = quick_run.directory / "best.ckpt"
    for images, out in ((_images(miniature), _images(miniature)), (_images(miniature), quick_run.directory)):
        with pytest.raises(InvalidInputError, match="which would be replaced"):
            predict_semantic(images, checkpoint, out, overwrite=True)
    predict_semantic(next(_images(miniature).iterdir()), checkpoint, tmp_path / "out")
    with pytest.raises(InvalidInputError, match="is in the target"):
        predict_semantic(tmp_path / "out" / "overlay", checkpoint, tmp_path / "out", overwrite=True)
    assert len(_files(tmp_path / "out")) == 5


def test_images_must_be_there_and_have_names_of_their_own(quick_run: Trained, tmp_path: Path) -> None:
    checkpoint = quick_run.directory / "best.ckpt"
    with pytest.raises(InvalidInputError, match="does not exist"):
        predict_semantic(tmp_path / "nowhere", checkpoint, tmp_path / "out")
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(InvalidInputError, match="contains no images"):
        predict_semantic(folder, checkpoint, tmp_path / "out")
    (folder / "a.jpg").touch()
    (folder / "a.png").touch()
    with pytest.raises(FaultsError, match=r"1 duplicate file name, extensions aside; .*:\n.*a\.jpg and .*a\.png"):
        predict_semantic(folder, checkpoint, tmp_path / "out")


def test_tiles_segment_an_image_as_each_of_its_tiles_alone(
    trained: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    image = tmp_path / "small.png"
    with Image.open(next(_images(miniature).iterdir())) as photo:
        photo.crop((0, 0, 33, 33)).save(image)
    checkpoint = trained.directory / "best.ckpt"
    predict_semantic(image, checkpoint, tmp_path / "tiles", EvalSettings(fit="tiles"))
    predict_semantic(image, checkpoint, tmp_path / "side", EvalSettings(fit="longer_side"))
    # An image that fits into one tile is neither cut nor resized.
    tiles, side = (Image.open(tmp_path / name / "index" / "small.png") for name in ("tiles", "side"))
    assert (np.asarray(tiles) == np.asarray(side)).all()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process and tells its size")
def test_an_image_too_large_for_the_memory_is_named_and_the_others_are_kept(
    trained: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    photo = next(_images(miniature).iterdir())
    images, fault = predict_with_little_memory(trained.directory / "best.ckpt", photo, tmp_path)
    assert images == "2"
    assert fault.startswith("huge.png: 9000 x 9000 pixels are too many here: ")
    pictures = [f"{kind}/{name}.png" for kind in ("index", "overlay", "palette") for name in ("first", "small")]
    assert _files(tmp_path / "out") == sorted([*pictures, "classes.txt", "legend.png"])


def _geotiff(path: Path, pixels: np.ndarray) -> None:
    """Write a TIFF with a resolution and a place on Earth."""
    keys = (1, 1, 0, 1, 1024, 0, 1, 2)
    extra = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (34735, "H", len(keys), keys, True)]
    extra += [(33922, "d", 6, (0.0, 0.0, 0.0, 7.5, 47.25, 0.0), True)]
    tifffile.imwrite(path, pixels, photometric="rgb", resolution=(300, 150), resolutionunit=3, extratags=extra)


def test_subfolders_and_what_is_written_beside_the_pictures(
    quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    folder, out = tmp_path / "images", tmp_path / "out"
    for place in ("north", "south/7.5", ".hidden"):
        (folder / place).mkdir(parents=True)
    photo = next(_images(miniature).iterdir())
    pixels = np.asarray(Image.open(photo))
    (folder / "north" / "one.jpg").write_bytes(photo.read_bytes())
    (folder / "north" / "bad.jpg").write_bytes(b"no image")
    (folder / ".hidden" / "one.jpg").write_bytes(b"no image")
    _geotiff(folder / "south" / "7.5" / "one.tif", pixels)
    report = predict_semantic(
        folder, quick_run.directory / "last.ckpt", out, recursive=True, probabilities=True, thresholds={"bird": 0.3}
    )
    assert (report.images, [fault.partition(": ")[0] for fault in report.problems]) == (2, ["north/bad.jpg"])
    assert read_class_names(out / "classes.txt") == ("background", "aeroplane", "bicycle", "bird")
    with Image.open(out / "legend.png") as legend:
        assert {tuple(color) for color in voc_palette()[:4].tolist()} <= {color for _, color in legend.getcolors(9999)}
    for name in ("north/one", "south/7.5/one"):
        probabilities = np.load(out / "probabilities" / f"{name}.npy")
        assert (probabilities.shape, probabilities.dtype) == ((4, *pixels.shape[:2]), np.float16)
        np.testing.assert_allclose(probabilities.astype(np.float32).sum(0), 1, atol=5e-3)
        index = np.asarray(Image.open(out / "index" / f"{name}.png"))
        # Close to the threshold, float16 may round the other way.
        sure = np.abs(probabilities[3] - np.float16(0.3)) > 1e-3
        assert ((index == 3) == (probabilities[3] >= 0.3))[sure].all()
    with tifffile.TiffFile(out / "tif" / "south" / "7.5" / "one.tif") as file:
        tags = file.pages[0].tags
        assert (tags[282].value, tags[283].value, tags[296].value) == ((300, 1), (150, 1), 3)
        assert tags[33550].value == (0.5, 0.5, 0.0)
        assert tags[33922].value == (0.0, 0.0, 0.0, 7.5, 47.25, 0.0)
        assert tags[34735].value == (1, 1, 0, 1, 1024, 0, 1, 2)
        assert (file.asarray() == np.asarray(Image.open(out / "index" / "south" / "7.5" / "one.png"))).all()


@pytest.mark.parametrize(
    ("thresholds", "error", "words"),
    [
        ({"bird": 1.5}, OptionError, "threshold of bird = 1.5: expected a probability, 0 to 1"),
        ({"birds": 0.5}, InvalidInputError, "unknown class 'birds'"),
    ],
)
def test_a_threshold_needs_a_class_and_a_probability(
    quick_run: Trained, miniature: Miniature, tmp_path: Path, thresholds: dict[str, float], error: type, words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        predict_semantic(miniature.val, quick_run.directory / "last.ckpt", tmp_path / "out", thresholds=thresholds)
    assert not (tmp_path / "out").exists()
