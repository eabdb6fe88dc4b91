"""The addresses that programs of this machine listen on, as the kernel lists them: no connection is made, which servers
would see. psutil looks for the program of each, too, which takes longer than all the rest.

Source: proc_pid_net(5), "/proc/pid/net/tcp".
"""

import contextlib
import ipaddress
import pathlib
import sys

_LISTENS = "0A"
_FILES = {"tcp": False, "tcp6": False, "udp": True, "udp6": True}

Bound = dict[bool, frozenset[tuple[str, int]]]
"""Whether it is UDP -> addresses and ports."""


def find() -> Bound | None:
    """None: that cannot be known. Blocking."""
    found: dict[bool, set[tuple[str, int]]] = {False: set(), True: set()}
    is_known = False
    for name, is_udp in _FILES.items():
        with contextlib.suppress(OSError):
            lines = pathlib.Path("/proc/self/net", name).read_text().splitlines()[1:]
            is_known = True
            fields = (line.split(None, 4) for line in lines)
            found[is_udp] |= {
                parse_address(one[1]) for one in fields if len(one) > 4 and (is_udp or one[3] == _LISTENS)
            }
    return {is_udp: frozenset(ones) for is_udp, ones in found.items()} if is_known else None


def parse_address(text: str) -> tuple[str, int]:
    """ "0100007F:1F90" is 127.0.0.1, port 8080, on a machine whose order of bytes is little-endian: words of four."""
    address, _, port = text.partition(":")
    raw = bytes.fromhex(address)
    step = -1 if sys.byteorder == "little" else 1
    turned = b"".join(raw[at : at + 4][::step] for at in range(0, len(raw), 4))
    return ipaddress.ip_address(turned).compressed, int(port, 16)
