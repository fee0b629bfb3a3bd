"""The rank table: which devices of which machines take part in a run on Ascend that ``msrun`` does not start.

It is HCCL's format 1.0, as in MindSpore's tutorial "rank table Startup"; all numbers are written as strings. The
addresses of a machine's devices are the ``address_N=`` lines of its ``/etc/hccn.conf``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from segdata.errors import InvalidInputError
from segdata.files import check_target_file, write_file

#: Where Ascend's driver keeps the addresses of the devices.
HCCN_CONF = Path("/etc/hccn.conf")

#: Devices in the largest machines (Atlas A3); most have 8.
MAX_DEVICES = 16


@dataclass(frozen=True)
class Device:
    """One device in the table, by HCCL's names: `device_id` is its number in the machine, `rank_id` that in the run."""

    device_id: str
    device_ip: str
    rank_id: str


@dataclass(frozen=True)
class Server:
    """One machine in the table; `server_id` is its address."""

    server_id: str
    device: tuple[Device, ...]
    host_nic_ip: str = "reserve"


@dataclass(frozen=True)
class RankTableReport:
    """What `write_rank_table` wrote to `path`: the machines, in the order of their ranks."""

    path: str
    ranks: int
    servers: tuple[Server, ...]


def write_rank_table(
    path: Path,
    *,
    server_ips: Sequence[str],
    devices: str = "0-7",
    device_ips: Sequence[str] = (),
    hccn_confs: Sequence[Path] = (),
    overwrite: bool = False,
) -> RankTableReport:
    """Write the rank table of a run on the same devices of each of several machines.

    Args:
        path: the JSON file to write.
        server_ips: address of each machine, in the order of the ranks.
        devices: their numbers in a machine, such as ``0-7`` or ``0,1,4``, in the order of the ranks.
        device_ips: for each machine the addresses of these devices, separated by commas.
        hccn_confs: instead, for each machine its ``hccn.conf``; one machine may be this one, whose file is known.
        overwrite: replace an older file.

    Raises:
        InvalidInputError: when numbers or addresses are wrong, twice there, too few or too many, or not known.
        TargetExistsError: when `path` is taken.
    """
    check_target_file(path, overwrite=overwrite)
    ids = parse_devices(devices)
    if device_ips and hccn_confs:
        raise InvalidInputError("the devices' addresses are given twice: as they are, and by files; choose one")
    if device_ips:
        addresses = [_given(text, ids) for text in device_ips]
    else:
        confs = hccn_confs or ([HCCN_CONF] if len(server_ips) == 1 else [])
        addresses = [_configured(conf, ids) for conf in confs]
    if len(addresses) != len(server_ips):
        raise InvalidInputError(
            f"there are {len(server_ips)} machines and the device addresses of {len(addresses)}: expected one of each"
        )
    _check_addresses("machine", server_ips)
    _check_addresses("device", [address for machine in addresses for address in machine])
    servers = tuple(
        Server(
            server_ip,
            tuple(
                Device(str(id_), address, str(number * len(ids) + index))
                for index, (id_, address) in enumerate(zip(ids, machine, strict=True))
            ),
        )
        for number, (server_ip, machine) in enumerate(zip(server_ips, addresses, strict=True))
    )
    table = {"version": "1.0", "server_count": str(len(servers)), "server_list": servers, "status": "completed"}
    write_file(path, msgspec.json.format(msgspec.json.encode(table), indent=4) + b"\n", overwrite=overwrite)
    return RankTableReport(str(path), len(ids) * len(servers), servers)


def parse_devices(text: str) -> list[int]:
    """Return the device numbers in a text such as ``0-7`` or ``0,1,4-5``.

    Raises:
        InvalidInputError: when it is none, a number is twice there, or none of a device.
    """
    ids: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise InvalidInputError(f"devices are {text!r}: expected numbers such as 0-7 or 0,1,4-5")
        ids += range(int(match[1]), int(match[2] or match[1]) + 1)
    if len(set(ids)) < len(ids):
        raise InvalidInputError(f"devices are {text!r}: expected each number once")
    if max(ids) >= MAX_DEVICES:
        raise InvalidInputError(f"devices are {text!r}: expected numbers from 0 to {MAX_DEVICES - 1}")
    return ids


def _given(text: str, ids: Sequence[int]) -> list[str]:
    addresses = [part.strip() for part in text.split(",")]
    if len(addresses) != len(ids):
        raise InvalidInputError(f"{len(addresses)} addresses {text!r} for {len(ids)} devices: expected as many")
    return addresses


def _configured(conf: Path, ids: Sequence[int]) -> list[str]:
    try:
        text = conf.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{conf} cannot be read ({error}); give the devices' addresses, or a copy of the machine's {HCCN_CONF}"
        ) from error
    found = dict(re.findall(r"^\s*address_(\d+)\s*=\s*(\S+)\s*$", text, re.MULTILINE))
    missing = [str(id_) for id_ in ids if str(id_) not in found]
    if missing:
        raise InvalidInputError(f"{conf}: no address of device {', '.join(missing)}; expected a line address_N=ADDRESS")
    return [found[str(id_)] for id_ in ids]


def _check_addresses(what: str, addresses: Sequence[str]) -> None:
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise InvalidInputError(f"{address!r} is no IP address of a {what}") from error
        if addresses.count(address) > 1:
            raise InvalidInputError(f"{address} is the address of more than one {what}")
