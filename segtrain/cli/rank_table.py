"""The `rank-table` command, for runs on Ascend that are not launched by msrun."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segdata.console.options import ANY_PATH, EXISTING_FILE, json_option, overwrite_option
from segdata.console.render import emit, table
from segdata.text import plural

if TYPE_CHECKING:
    from segtrain.distributed.rank_table import RankTableReport


@click.command("rank-table")
@click.argument("path", metavar="DST", type=ANY_PATH)
@click.option(
    "--server_ip",
    "server_ips",
    metavar="ADDRESS",
    multiple=True,
    required=True,
    help="Address of the machine; repeat for several machines, in rank order",
)
@click.option("--devices", metavar="NUMBERS", default="0-7", show_default=True, help="Devices of each machine")
@click.option(
    "--device_ips", metavar="ADDRESSES", multiple=True, help="Device addresses, separated by commas; once per machine"
)
@click.option(
    "--hccn_conf",
    "hccn_confs",
    type=EXISTING_FILE,
    multiple=True,
    help="Instead of --device_ips: file with the device addresses, once per machine [default: /etc/hccn.conf for one "
    "machine]",
)
@overwrite_option
@json_option
def rank_table_command(path: Path, as_json: bool, **options: Any) -> None:
    """Write the rank table of a run on Ascend, for launching without msrun.

    \b
    Example:
      segtrain rank-table hccl_8p.json --server-ip 10.0.0.1 --devices 0-7
    """
    from segtrain.distributed.rank_table import write_rank_table

    emit(write_rank_table(path, **options), as_json, _text)


def _text(report: RankTableReport) -> str:
    rows = [
        (device.rank_id, server.server_id, device.device_id, device.device_ip)
        for server in report.servers
        for device in server.device
    ]
    lines = table([("rank", "machine", "device", "address"), *rows], right=(0, 2))
    return f"{lines}\n\n{plural(report.ranks, 'rank')} written to {report.path}"
