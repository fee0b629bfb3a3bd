"""Rank table: the machines and devices of a run on Ascend that is not started by ``msrun``.

The table has HCCL's format 1.0, as in MindSpore's tutorial "rank table Startup"; all numbers are written as strings.
The ``address_N=`` lines of a machine's ``/etc/hccn.conf`` give the addresses of its devices.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from segdata.errors import InvalidInputError
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file
from segdata.text import plural

#: File in which Ascend's driver stores the device addresses.
HCCN_CONF = Path("/etc/hccn.conf")

#: Number of devices in the largest machines (Atlas A3); most have 8.
MAX_DEVICES = 16


@dataclass(frozen=True)
class Device:
    """A device in the table, with HCCL's names.

    Attributes:
        device_id: its number in the machine.
        device_ip: its address.
        rank_id: its number in the run.
    """

    device_id: str
    device_ip: str
    rank_id: str


@dataclass(frozen=True)
class Server:
    """A machine in the table, with HCCL's names.

    Attributes:
        server_id: its address.
        device: its devices.
        host_nic_ip: address of its network card; ``reserve`` leaves the choice to HCCL.
    """

    server_id: str
    device: tuple[Device, ...]
    host_nic_ip: str = "reserve"


@dataclass(frozen=True)
class RankTableReport:
    """Report of `write_rank_table`.

    Attributes:
        path: the file.
        ranks: number of ranks.
        servers: the machines, in rank order.
    """

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
    """Write the rank table of a run that uses the same devices on every machine.

    Args:
        path: JSON file to write.
        server_ips: address of each machine, in rank order.
        devices: device numbers in a machine, such as ``0-7`` or ``0,1,4``, in rank order.
        device_ips: addresses of these devices, separated by commas, one string per machine.
        hccn_confs: alternative to `device_ips`: the ``hccn.conf`` of each machine. With a single machine, the default
            is this machine's ``/etc/hccn.conf``.
        overwrite: replace an existing file.

    Raises:
        InvalidInputError: when device numbers or addresses are invalid, duplicate, missing or too many.
        TargetExistsError: when `path` exists.
    """
    check_target_file(path, overwrite=overwrite, inputs=hccn_confs)
    ids = parse_devices(devices)
    if device_ips and hccn_confs:
        raise InvalidInputError(
            "device addresses: given twice, by --device_ips and by --hccn_conf; expected only one of the two"
        )
    if device_ips:
        addresses = [_given(text, ids) for text in device_ips]
    else:
        confs = hccn_confs or ([HCCN_CONF] if len(server_ips) == 1 else [])
        addresses = [_configured(conf, ids) for conf in confs]
    if len(addresses) != len(server_ips):
        raise InvalidInputError(
            f"got {plural(len(server_ips), 'machine')}, but device addresses for "
            f"{len(addresses)}; expected device addresses for each machine. Repeat --device_ips or --hccn_conf."
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
        InvalidInputError: when the text has another form, or a number is duplicate or out of range.
    """
    ids: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise InvalidInputError(f"devices = {text!r}: expected numbers such as 0-7 or 0,1,4-5")
        ids += range(int(match[1]), int(match[2] or match[1]) + 1)
    if len(set(ids)) < len(ids):
        raise InvalidInputError(f"devices = {text!r}: contains duplicates; expected each number once")
    if max(ids) >= MAX_DEVICES:
        raise InvalidInputError(f"devices = {text!r}: expected numbers from 0 to {MAX_DEVICES - 1}")
    return ids


def _given(text: str, ids: Sequence[int]) -> list[str]:
    addresses = [part.strip() for part in text.split(",")]
    if len(addresses) != len(ids):
        raise InvalidInputError(
            f"got {len(addresses)} address{'es' if len(addresses) != 1 else ''} {text!r} for {len(ids)} "
            f"device{'s' if len(ids) != 1 else ''}; expected one per device"
        )
    return addresses


def _configured(conf: Path, ids: Sequence[int]) -> list[str]:
    try:
        text = conf.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{conf}: cannot be read: {getattr(error, 'strerror', None) or error}. Pass the device addresses with "
            f"--device_ips, or a copy of the machine's {HCCN_CONF} with --hccn_conf."
        ) from error
    found = dict(re.findall(r"^\s*address_(\d+)\s*=\s*(\S+)\s*$", text, re.MULTILINE))
    missing = [str(id_) for id_ in ids if str(id_) not in found]
    if missing:
        raise InvalidInputError(
            f"{conf}: no address for device{'s' if len(missing) != 1 else ''} {', '.join(missing)}; "
            "expected a line address_N=ADDRESS for each"
        )
    return [found[str(id_)] for id_ in ids]


def _check_addresses(what: str, addresses: Sequence[str]) -> None:
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise InvalidInputError(f"{what} address {address!r}: not an IP address") from error
        if addresses.count(address) > 1:
            raise InvalidInputError(
                f"{what} address {address}: appears more than once; expected a different one for each {what}"
            )
