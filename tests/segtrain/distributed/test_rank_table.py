from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st
from json_reports import checked

from segdata.errors import InvalidInputError
from segtrain.distributed import rank_table
from segtrain.distributed.rank_table import parse_devices, write_rank_table

if TYPE_CHECKING:
    from click.testing import Result

EIGHT = ",".join(f"192.168.{100 + index % 4}.{101 + index // 4}" for index in range(8))


def _conf(path: Path, last: int) -> Path:
    """Write what Ascend's driver keeps of a machine with two devices."""
    lines = [f"address_{id_}=192.{id_ + 1}.0.{last}\nnetmask_{id_}=255.255.0.0\n" for id_ in range(2)]
    path.write_text("".join(lines))
    return path


def test_eight_devices_give_the_table_of_the_tutorial(segtrain: Callable[..., Result], tmp_path: Path) -> None:
    target = tmp_path / "hccl_8p.json"
    result = segtrain("rank-table", target, "--server-ip", "10.0.0.1", "--device-ips", EIGHT)
    assert result.exit_code == 0, result.output
    assert "8 ranks written to" in result.output
    devices = [
        {"device_id": str(id_), "device_ip": address, "rank_id": str(id_)}
        for id_, address in enumerate(EIGHT.split(","))
    ]
    assert json.loads(target.read_text()) == {
        "version": "1.0",
        "server_count": "1",
        "server_list": [{"server_id": "10.0.0.1", "device": devices, "host_nic_ip": "reserve"}],
        "status": "completed",
    }


def test_addresses_are_those_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_table, "HCCN_CONF", _conf(tmp_path / "hccn.conf", 6))
    (server,) = write_rank_table(tmp_path / "table.json", server_ips=["10.0.0.1"], devices="1").servers
    assert [(device.device_id, device.device_ip, device.rank_id) for device in server.device] == [
        ("1", "192.2.0.6", "0")
    ]


def test_ranks_continue_from_machine_to_machine(segtrain: Callable[..., Result], tmp_path: Path) -> None:
    machines: list[Any] = []
    for number in (1, 2):
        conf = _conf(tmp_path / f"{number}.conf", number)
        machines += ["--server_ip", f"10.0.0.{number}", "--hccn_conf", conf]
    result = segtrain("rank-table", tmp_path / "table.json", *machines, "--devices", "0,1", "--json")
    assert result.exit_code == 0, result.output
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["server_count"] == "2"
    assert [
        (server["server_id"], device["device_ip"], device["rank_id"])
        for server in table["server_list"]
        for device in server["device"]
    ] == [
        ("10.0.0.1", "192.1.0.1", "0"),
        ("10.0.0.1", "192.2.0.1", "1"),
        ("10.0.0.2", "192.1.0.2", "2"),
        ("10.0.0.2", "192.2.0.2", "3"),
    ]
    assert checked(result.stdout, "segtrain rank-table")["ranks"] == 4


def test_an_older_table_is_replaced_only_when_told(segtrain: Callable[..., Result], tmp_path: Path) -> None:
    target = tmp_path / "table.json"
    target.write_text("old")
    line = ["rank-table", target, "--server_ip", "10.0.0.1", "--device_ips", EIGHT]
    refused = segtrain(*line)
    assert (refused.exit_code, target.read_text()) == (1, "old")
    assert "--overwrite" in refused.output
    assert segtrain(*line, "--overwrite").exit_code == 0
    assert target.read_text() != "old"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"devices": "0-"}, "devices = '0-': expected numbers such as 0-7 or 0,1,4-5"),
        ({"devices": "3-1"}, "devices = '3-1': expected numbers"),
        ({"devices": "0,0"}, "devices = '0,0': contains duplicates; expected each number once"),
        ({"devices": "16"}, "devices = '16': expected numbers from 0 to 15"),
        ({"devices": "0-6"}, r"got 8 addresses '192\S+' for 7 devices; expected one per device"),
        ({"server_ips": ["server"]}, "machine address 'server': not an IP address"),
        (
            {"device_ips": [EIGHT.replace("192.168.103.102", "1.2.3.456")]},
            "device address '1.2.3.456': not an IP address",
        ),
        (
            {"device_ips": [EIGHT.replace("103.102", "100.101")]},
            "device address 192.168.100.101: appears more than once",
        ),
        (
            {"server_ips": ["10.0.0.1"] * 2, "device_ips": [EIGHT] * 2},
            "machine address 10.0.0.1: appears more than once",
        ),
        ({"server_ips": ["10.0.0.1", "10.0.0.2"]}, "got 2 machines, but device addresses for 1"),
        ({"server_ips": ["10.0.0.1", "10.0.0.2"], "device_ips": []}, "got 2 machines, but device addresses for 0"),
        ({"hccn_confs": [Path("hccn.conf")]}, "addresses: given twice, by --device_ips and by --hccn_conf"),
        (
            {"device_ips": [], "hccn_confs": [Path("/nowhere")]},
            "/nowhere: cannot be read: .* Pass the device addresses with --device_ips",
        ),
    ],
)
def test_an_impossible_launch_is_refused_and_not_written(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        write_rank_table(tmp_path / "table.json", **{"server_ips": ["10.0.0.1"], "device_ips": [EIGHT], **options})
    assert not (tmp_path / "table.json").exists()


def test_a_device_without_an_address_is_named(tmp_path: Path) -> None:
    conf = _conf(tmp_path / "hccn.conf", 6)
    with pytest.raises(InvalidInputError, match=r"hccn\.conf: no address for devices 2, 3; expected a line address_N="):
        write_rank_table(tmp_path / "table.json", server_ips=["10.0.0.1"], devices="1-3", hccn_confs=[conf])


@given(st.lists(st.integers(0, 15), min_size=1, unique=True))
def test_device_numbers_keep_their_order(ids: list[int]) -> None:
    assert parse_devices(",".join(map(str, ids))) == ids


def test_a_range_of_devices_counts_both_ends() -> None:
    assert parse_devices("6-7,0, 2-3") == [6, 7, 0, 2, 3]
