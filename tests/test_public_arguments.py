"""The arguments of the public functions: paths as text or objects, and values that are refused in one sentence."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segdata
import segtrain
from segdata.miniature.coco import write_coco
from segdata.miniature.sbd import write_release
from segdata.miniature.tif import write_stacks
from segdata.miniature.tool_exports import write_export
from segdata.miniature.voc import write_devkit
from segtrain.evaluation.instance.evaluate import evaluate_instances
from segtrain.evaluation.semantic.evaluate import evaluate_semantic
from segtrain.inference.instance.predict import predict_instances
from segtrain.inference.semantic.predict import predict_semantic

#: What `segtrain.evaluate` and `segtrain.predict` pass their options to, by task.
BY_TASK = (evaluate_semantic, evaluate_instances, predict_semantic, predict_instances)

#: The data sets that are made by calling their class.
CLASSES = (
    segdata.ListDataset,
    segdata.CocoDataset,
    segdata.RecordDataset,
    segdata.ForeignDataset,
    segtrain.SampleList,
)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in (segdata, segtrain)
    for name in package.__all__
    if inspect.isfunction(getattr(package, name))
}
EVERY = {**FUNCTIONS, **{f"{each.__module__}.{each.__name__}": each for each in (*BY_TASK, *CLASSES)}}


def parameters(called: Callable[..., Any], pattern: str) -> list[str]:
    """Return the parameters whose annotation matches."""
    found = inspect.signature(called).parameters.values()
    return [each.name for each in found if re.search(pattern, str(each.annotation))]


def each_parameter(pattern: str) -> list[Any]:
    """Return every function with each such parameter."""
    return [
        pytest.param(called, name, id=f"{label}-{name}")
        for label, called in EVERY.items()
        for name in parameters(called, pattern)
    ]


class Place:
    """A path that is neither text nor a `Path`, as those of other libraries."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __fspath__(self) -> str:
        return self._path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small data set of each type."""
    root = tmp_path_factory.mktemp("data")
    write_devkit(root / "voc", train=4, val=2)
    write_devkit(root / "sbd", train=6, val=2)
    write_release(root / "sbd", voc_train=6, voc_val=2)
    write_coco(root / "coco", images=4)
    write_stacks(root / "tif", pages=2, size=64)
    for kind in ("labelme", "yolo", "instance-masks"):
        write_export(root / kind, kind, train=2, val=1)
    segdata.voc_decolor(root / "voc")
    segdata.voc_decolor(root / "sbd")
    segdata.voc_list(root / "voc")
    (root / "names.txt").write_text("background\ncell\n")
    (root / "map.txt").write_text("background 0\ncell 255\n")
    (root / "ids.txt").write_text((root / "voc/VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").read_text())
    listed = segdata.open_dataset(root / "voc" / "voc_train_lst.txt")
    segdata.to_mindrecord(listed, root / "records", num_shards=1)
    segdata.to_mindrecord(segdata.open_dataset(root / "voc" / "voc_val_lst.txt"), root / "others", num_shards=1)
    (root / "others" / "manifest.json").unlink()
    return root


def calls(data: Path, new: Path) -> list[tuple[Callable[..., Any], dict[str, Any]]]:
    """Return calls that write nothing, or the same each time, with a path for every parameter that takes one."""
    listed, devkit = data / "voc" / "voc_train_lst.txt", data / "voc" / "VOCdevkit" / "VOC2012"
    masks = devkit / "SegmentationClassGray"
    coco = {"annotations": data / "coco" / "annotations" / "instances.json", "images": data / "coco" / "images"}
    objects, dry = data / "instance-masks", {"dry_run": True}
    two: dict[str, Any] = {"map": segdata.load_map("0:1,255:0")}
    return [
        (segdata.adopt, {"path": data / "others", **dry}),
        (segdata.check, {"source": listed, "data_root": data / "voc"}),
        (segdata.check, {"source": coco["annotations"], "images": coco["images"]}),
        (segdata.coco_subset, {**coco, "dst_path": new / "subset", **dry}),
        (segdata.coco_to_masks, {**coco, "dst_path": new / "masks", **dry}),
        (segdata.fix, {"source": coco["annotations"], "images": coco["images"], "dst_path": new / "a.json", **dry}),
        (
            segdata.fix,
            {"source": listed, "data_root": data / "voc", "dst_path": new / "a_lst.txt", "drop_from": listed, **dry}
            | {"against": [segdata.open_dataset(data / "voc" / "voc_val_lst.txt")]},
        ),
        (segdata.info, {"location": data / "records"}),
        (segdata.labelme, {"src_path": data / "labelme", "dst_path": new / "labelme.json", **dry}),
        (segdata.load_map, {"text": data / "map.txt"}),
        (segdata.local_set, {"location": data / "records", "work_dir": new / "work"}),
        (segdata.mask_map, {"src_path": masks, "dst_path": new / "index", "map": segdata.load_map("voc"), **dry}),
        (
            segdata.masks_to_coco,
            {"masks": [objects / "masks"], "images": objects / "images", "dst_path": new / "objects.json", **dry},
        ),
        (
            segdata.masks_to_coco,
            {"masks": devkit / "SegmentationObject", "class_masks": masks, "images": devkit / "JPEGImages"}
            | {"dst_path": new / "voc.json", **dry},
        ),
        (segdata.merge, {"parts": [listed], "dst_path": new / "b_lst.txt", "data_root": [data / "voc"], **dry}),
        (segdata.merge, {"parts": [listed], "dst_path": new / "b_lst.txt", "data_root": data / "voc", **dry}),
        (
            segdata.merge,
            {"parts": [coco["annotations"]], "dst_path": new / "b.json", "images": coco["images"], **dry},
        ),
        (segdata.merge, {"parts": [data / "records"], "dst_path": new / "set", "num_shards": 1, **dry}),
        (
            segdata.merge,
            {"parts": [data / "records"], "dst_path": new / "set", "num_shards": 1, "work_dir": new / "work", **dry},
        ),
        (segdata.open_dataset, {"path": listed, "data_root": data / "voc"}),
        (segdata.open_dataset, {"path": coco["annotations"], "images": coco["images"]}),
        (segdata.open_set, {"path": data / "records" / "manifest.json"}),
        (
            segdata.pair_list,
            {"images": devkit / "JPEGImages", "labels": masks, "data_root": data, "ids": data / "ids.txt"}
            | {"dst_path": new / "pairs_lst.txt", **dry},
        ),
        (segdata.parse_location, {"text": listed}),
        (
            segdata.preview,
            {"dataset": segdata.open_dataset(listed), "out": new / "a.png", "html": new / "page", "overwrite": True},
        ),
        (segdata.read_class_names, {"path": data / "names.txt"}),
        (segdata.read_image, {"image": min((devkit / "JPEGImages").iterdir())}),
        (segdata.read_list, {"path": listed}),
        (
            segdata.sbd_merge,
            {"data_root": data / "sbd", "sbd_root": data / "sbd", "voc_root": data / "sbd", **dry}
            | {"dst_path": data / "sbd" / "cls_png", "list_file": Path("trainaug_lst.txt")},
        ),
        (
            segdata.split_coco,
            {"annotations": coco["annotations"], "ratio": 0.5, "exact": True, "dst_path": new / "parts", **dry},
        ),
        (
            segdata.split_list,
            {"data_lst": listed, "ratio": 0.5, "exact": True, "dst_path": new / "parts", "stratify": True}
            | {"data_root": data / "voc", **dry},
        ),
        (
            segdata.tif_slice,
            {"images": data / "tif" / "train-volume.tif", "labels": data / "tif" / "train-labels.tif"}
            | {"dst_path": new / "slices", **two, **dry},
        ),
        (
            segdata.to_mindrecord,
            {"dataset": segdata.open_dataset(listed), "dst_path": new / "set", "num_shards": 1}
            | {"work_dir": new / "work", **dry},
        ),
        (
            segdata.unpack,
            {"location": data / "records", "dst_path": new / "unpacked", "work_dir": new / "work", **dry},
        ),
        (segdata.verify, {"location": data / "records", "work_dir": new / "work"}),
        (
            segdata.voc_decolor,
            {"data_root": data / "voc", "src_path": devkit / "SegmentationClass", "dst_path": new / "gray", **dry},
        ),
        (segdata.voc_list, {"data_root": data / "voc", "split": data / "ids.txt", "dst_path": new, **dry}),
        (segdata.write_list, {"path": new / "c_lst.txt", "pairs": segdata.read_list(listed), "overwrite": True}),
        (segdata.yolo_seg, {"src_path": data / "yolo" / "data.yaml", "dst_path": new / "yolo", **dry}),
        (segdata.ListDataset, {"path": listed, "root": data / "voc", "classes": segdata.Classes()}),
        (segdata.CocoDataset, {"path": coco["annotations"], "images": coco["images"]}),
        (segdata.RecordDataset, {"path": data / "records"}),
        (segdata.ForeignDataset, {"path": data / "others"}),
        (segtrain.SampleList, {"data_root": data / "voc", "data_lst": listed}),
    ]


def spelled(arguments: dict[str, Any], spelling: Callable[[Path], object]) -> dict[str, Any]:
    """Return the arguments with other spellings of their paths, also of those in lists."""
    return {
        name: [spelling(each) if isinstance(each, Path) else each for each in value]
        if isinstance(value, list)
        else spelling(value)
        if isinstance(value, Path)
        else value
        for name, value in arguments.items()
    }


def shown(result: Any) -> Any:
    """Return a result in a form that can be compared."""
    if isinstance(result, np.ndarray):
        return result.tolist()
    if hasattr(result, "samples") and not is_dataclass(result):
        return result.path, [(each.name, each.image) for each in result.samples()]
    return result


def test_every_path_argument_of_segdata_has_a_call(data: Path, tmp_path: Path) -> None:
    given = {(called, name) for called, arguments in calls(data, tmp_path) for name in arguments}
    every = {
        (called, name)
        for label, called in EVERY.items()
        if label.startswith("segdata.") or called is segtrain.SampleList
        for name in parameters(called, "FilePath|Location")
    }
    assert every <= given


@pytest.mark.parametrize("spelling", [str, Place], ids=["text", "another object"])
def test_text_and_other_objects_give_what_a_path_gives(
    spelling: Callable[[Path], object], data: Path, tmp_path: Path
) -> None:
    for called, arguments in calls(data, tmp_path):
        expected = shown(called(**arguments))
        assert shown(called(**spelled(arguments, spelling))) == expected, called.__name__


@pytest.mark.parametrize("called", [pytest.param(called, id=label) for label, called in FUNCTIONS.items()])
def test_no_function_takes_path_objects_only(called: Callable[..., Any]) -> None:
    assert parameters(called, r"\bPath\b") == []


@pytest.mark.parametrize("given", ["s3://bucket/a", "https://host/a", "s3:/bucket/a"])
@pytest.mark.parametrize(("called", "name"), each_parameter(r"\bFilePath\b"))
def test_a_url_is_refused_where_a_path_is_expected(called: Callable[..., Any], name: str, given: str) -> None:
    if called is segdata.load_map:
        pytest.skip("a map is a file, a name or a list of values with colons")
    with pytest.raises(segdata.InvalidInputError, match=r"expected a local path|For a local path, put \./ before it"):
        called(**required(called) | {name: given})


def test_a_url_of_a_record_set_is_refused_with_the_way_to_open_it() -> None:
    for open_ in (segdata.open_dataset, segdata.check):
        with pytest.raises(segdata.InvalidInputError, match=r"Copy a record set with segdata\.local_set\."):
            open_("s3://bucket/records")


def required(called: Callable[..., Any]) -> dict[str, Any]:
    """Return arguments for the required parameters: paths of which nothing exists, and valid values."""
    others = {
        "ratio": 0.5,
        "pairs": [],
        "overwrite": False,
        "classes": segdata.Classes(),
        "dataset": None,
        "flags": {},
        "config": segtrain.recipe("unet_isbi_cpu"),
    }
    return {
        each.name: others.get(each.name, [Path("nowhere")] if each.name == "parts" else Path("nowhere"))
        for each in inspect.signature(called).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    }


def words_of(called: Callable[..., Any], name: str) -> bool:
    """Return whether a parameter takes one of a few words, not several of them."""
    named = str(inspect.signature(called).parameters[name].annotation).split(" | ")
    known = vars(sys.modules[called.__module__])
    return any(typing.get_origin(known.get(each)) is typing.Literal for each in named)


@pytest.mark.parametrize(
    ("called", "name"), [each for each in each_parameter("") if words_of(each.values[0], each.values[1])]
)
def test_a_word_that_means_nothing_is_refused(called: Callable[..., Any], name: str) -> None:
    with pytest.raises(segdata.OptionError, match=f"^{name} = 'skp': .*[Ee]xpected"):
        called(**required(called) | {name: "skp"})


@pytest.mark.parametrize("given", [0, -1, 2.5, "two"])
@pytest.mark.parametrize(("called", "name"), [each for each in each_parameter("") if each.values[1] == "workers"])
def test_a_number_of_workers_is_positive(called: Callable[..., Any], name: str, given: object) -> None:
    with pytest.raises(segdata.OptionError, match=f"^workers = {given!r}: expected a whole number, 1 or more$"):
        called(**required(called) | {name: given})


@pytest.mark.parametrize(
    ("called", "given", "said"),
    [
        (segdata.Choice, {"match": "each"}, "match = 'each': expected one of all, any"),
        (segdata.Choice, {"crowd": "dropped"}, "crowd = 'dropped': did you mean drop? Expected"),
        (segdata.Choice, {"max_images": 0}, "max_images = 0: expected a whole number, 1 or more"),
        (segdata.Choice, {"min_area": -1}, "min_area = -1: expected 0 or more"),
        (segdata.Fold, {"folds": 4, "fold": 0, "order": "block"}, "order = 'block': did you mean blocks? Expected"),
        (segdata.Classes, {"ignore_label": 256}, "ignore_label = 256: expected a whole number, 0 to 255"),
        (segtrain.EvalSettings, {"fit": "tile"}, "fit = 'tile': did you mean tiles? Expected"),
        (segdata.load_map, {"text": "voc", "ignore_label": -1}, "ignore_label = -1: expected a whole number, 0 to 255"),
        (segdata.read_class_names, {"ignore_label": -1}, "ignore_label = -1: expected a whole number, 0 to 255"),
        (segdata.mask_map, {"threshold": 0}, "threshold = 0: expected a whole number, 1 to 65535"),
        (segdata.mask_map, {"threshold": 1, "ignore_label": 256}, "ignore_label = 256: expected a whole number, 0 to"),
        (segdata.labelme, {"line_width": 0}, "line_width = 0: expected a whole number, 1 to 1000"),
        (segdata.masks_to_coco, {"min_area": 0}, "min_area = 0: expected a whole number, 1 or more"),
        (segdata.tif_slice, {"level": -1}, "level = -1: expected a whole number, 0 or more"),
        (segdata.tif_slice, {"max_page_mb": 0}, "max_page_mb = 0: expected a whole number, 1 or more"),
        (segtrain.export, {"batch_size": 0}, "batch_size = 0: expected a whole number, 1 or more"),
        (segtrain.cross_validate, {"folds": 1}, "folds = 1: expected a whole number, 2 or more"),
    ],
)
def test_a_value_that_the_command_refuses_is_refused(
    called: Callable[..., Any], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(segdata.OptionError, match=f"^{re.escape(said)}"):
        called(**required(called) | given)


def test_numbers_of_numpy_are_numbers() -> None:
    ignore_label: Any = np.uint8(7)
    assert segdata.Classes(("a", "b"), ignore_label).allowed().nonzero()[0].tolist() == [0, 1, 7]


@pytest.mark.parametrize(
    ("called", "name"),
    [
        (segdata.Choice, "categories"),
        (segdata.Classes, "names"),
        (segdata.coco_to_masks, "categories"),
        (segdata.labelme, "class_names"),
        (segdata.labelme, "ignore_labels"),
        (segdata.masks_to_coco, "class_names"),
        (segdata.merge, "parts"),
        (segdata.preview, "classes"),
        (segdata.tif_slice, "class_names"),
        (segdata.unpack, "class_names"),
        (segtrain.override, "settings"),
    ],
)
def test_one_text_is_not_taken_for_a_sequence_of_letters(called: Callable[..., Any], name: str) -> None:
    said = re.escape(f"{name} = 'dog': expected a sequence, such as ['dog']")
    with pytest.raises(segdata.OptionError, match=f"^{said}$"):
        called(**required(called) | {name: "dog"})


@pytest.mark.parametrize(
    ("called", "name", "opener"),
    [
        (segdata.stats, "dataset", "segdata.open_dataset"),
        (segdata.preview, "dataset", "segdata.open_dataset"),
        (segdata.to_mindrecord, "dataset", "segdata.open_dataset"),
        (segtrain.cross_validate, "dataset", "segdata.open_dataset"),
        (segtrain.cross_validate, "config", "segtrain.recipe or segtrain.read_config"),
        (segtrain.fit, "config", "segtrain.recipe or segtrain.read_config"),
        (segtrain.override, "config", "segtrain.recipe or segtrain.read_config"),
        (segtrain.write_config, "config", "segtrain.recipe or segtrain.read_config"),
    ],
)
@pytest.mark.parametrize("given", ["a_lst.txt", Path("a_lst.txt")])
def test_a_path_where_an_opened_one_is_expected_is_refused(
    called: Callable[..., Any], name: str, opener: str, given: object
) -> None:
    with pytest.raises(segdata.OptionError, match=rf"^{name} = 'a_lst\.txt': expected what {opener} returns for it$"):
        called(**required(called) | {name: given})


def test_paths_of_data_sets_to_compare_with_are_refused() -> None:
    given: Any = ["a_lst.txt"]
    for call in (partial(segdata.check, "b_lst.txt"), partial(segdata.fix, "b_lst.txt", "c_lst.txt")):
        with pytest.raises(segdata.OptionError, match=r"^against = 'a_lst\.txt': expected what segdata\.open_dataset"):
            call(against=given)


def test_rows_of_a_path_are_refused() -> None:
    given: Any = "records"
    with pytest.raises(
        segdata.OptionError, match=r"^found = 'records': expected what segdata\.open_set returns for it$"
    ):
        next(segdata.read_rows(given))


def test_a_setting_takes_a_path() -> None:
    config = segtrain.override(segtrain.recipe("unet_isbi_cpu"), {"ckpt_pre_trained": Path("a") / "b.ckpt"})
    assert config.ckpt_pre_trained == "a/b.ckpt"
