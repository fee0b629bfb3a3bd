"""Color maps, palettes, and the diagnosis of labels converted to gray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.colormap import load_colormap, read_class_names, read_colormap, voc_colormap, voc_palette

#: Gray values that OpenCV reads from a VOC palette PNG, by class id; 255 is the void border.
READ_AS_GRAY = {
    0: 0, 1: 38, 2: 75, 3: 113, 4: 14, 5: 52, 6: 89, 7: 128, 8: 19, 9: 57, 10: 94, 11: 132, 12: 33, 13: 72, 14: 108,
    15: 147, 16: 37, 17: 75, 18: 112, 19: 150, 20: 52, 255: 220,
}  # fmt: skip


def test_the_palette_is_vocs() -> None:
    palette = voc_palette()
    assert palette.shape == (256, 3)
    assert len(np.unique(palette, axis=0)) == 256
    expected = {0: (0, 0, 0), 1: (128, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: tuple(palette[index]) for index in expected} == expected


def test_every_class_color_is_found_again_and_no_other() -> None:
    ids = voc_colormap().lookup(voc_palette())
    assert ids.tolist() == [*range(21), *[-1] * 234, 255]


def test_the_gray_table_holds_what_opencv_makes_of_the_colors() -> None:
    grays = voc_colormap().grays
    for id_, gray in READ_AS_GRAY.items():
        assert voc_colormap().name(id_) in grays[gray]


def test_gray_made_from_color_is_named_for_what_it_is() -> None:
    diagnosis = voc_colormap().gray_diagnosis(np.array([0, 38, 220]))
    assert diagnosis is not None and "luminance of void" in diagnosis
    assert voc_colormap().gray_diagnosis(np.array([0, 14, 255])) is None
    assert voc_colormap().gray_diagnosis(np.array([0, 14, 19])) is None, "boat and cat could be motorbike and train"
    assert voc_colormap().gray_diagnosis(np.array([0, 38, 39])) is None, "39 is not the luminance of any color"


PLAIN = "background 0 0 0\n# comment\npotted plant 0 64 0\n\nvoid 255 255 255\n"
CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\npotted plant:0,64,0:leaf,pot:\nvoid:255,255,255::\n"


@pytest.mark.parametrize("text", [PLAIN, CVAT, CVAT.replace("\n", "\r\n")], ids=["plain", "CVAT", "CRLF"])
def test_a_users_own_color_map(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.txt").write_bytes(text.encode())
    colormap = load_colormap(str(tmp_path / "map.txt"))
    assert colormap.names == ("background", "potted plant")
    assert colormap.colors == {0: (0, 0, 0), 1: (0, 64, 0), 255: (255, 255, 255)}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a 0 0\n", "line 1: expected"),
        ("a 0 0 0\nb 0 0 256\n", "line 2: color value above 255"),
        ("a 0 0 0\na 1 1 1\n", "line 2: duplicate class 'a'"),
        ("a 0 0 0\nb 0 0 0\n", "line 2: color (0, 0, 0) of class 'b'"),
        ("void 0 0 0\nignored 1 1 1\n", "line 2: duplicate class 'ignored'"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises(FaultsError) as error:
        read_colormap(tmp_path / "map.txt")
    assert str(error.value.faults[0]).startswith(fault)


def test_a_label_has_room_for_255_classes(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(f"c{index}" for index in range(255)))
    assert len(read_class_names(path)) == 255
    path.write_text("\n".join(f"c{index}" for index in range(256)))
    with pytest.raises(InvalidInputError, match="256 classes"):
        read_class_names(path)


def test_class_names_come_from_plain_names_or_from_a_map(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("background\nroad marking\n")
    assert read_class_names(path) == ("background", "road marking")
    path.write_text(CVAT)
    assert read_class_names(path) == ("background", "potted plant")
    path.write_text("cell\ncell\n")
    with pytest.raises(InvalidInputError, match="duplicate class 'cell'"):
        read_class_names(path)
