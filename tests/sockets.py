"""The sockets on which processes listen, as shown by /proc."""

import os
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path


def listening(pids: list[int]) -> dict[tuple[IPv4Address | IPv6Address, int], int]:
    """The address, port and owner of each TCP socket on which these processes listen."""
    owners = {}
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                owners[os.readlink(descriptor)] = pid
            except FileNotFoundError:
                continue
    found = {}
    for table, size in (("tcp", 4), ("tcp6", 16)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and (owner := owners.get(f"socket:[{fields[9]}]")):
                host, port = fields[1].split(":")
                words = bytes.fromhex(host)  # groups of four bytes, in the machine's byte order
                address = b"".join(
                    int.from_bytes(words[at : at + 4], sys.byteorder).to_bytes(4) for at in range(0, size, 4)
                )
                found[_plain(ip_address(address)), int(port, 16)] = owner
    return found


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a dual-stack socket shows as IPv6."""
    return getattr(address, "ipv4_mapped", None) or address
