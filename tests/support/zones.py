"""A real DNS server with the zones of a test: Knot DNS, which also answers resolvers' questions for them.

    with zones.serving({"shop.net": "@ A 8.8.4.4"}, address="127.0.0.1", port=53) as resolver:

Debian package: knot.
"""

import collections.abc
import contextlib
import pathlib
import tempfile
import textwrap

from tests.support import binaries, knot, programs


@contextlib.contextmanager
def serving(
    zones: collections.abc.Mapping[str, str], *, address: str = "127.0.0.1", port: int = 53
) -> collections.abc.Iterator[str]:
    """zones: name -> records as in a zone file, without SOA; without NS records the zone has one, of this server.
    Yields: the server, as `acme.resolvers` names one."""
    knotd = binaries.program("knotd", "knot")
    with tempfile.TemporaryDirectory(prefix="knot-") as name:
        folder = pathlib.Path(name)
        for zone, records in zones.items():
            (folder / f"{zone}.zone").write_text(_zone_text(zone, records, address))
        configuration = folder / "knot.conf"
        configuration.write_text(_configuration(folder, zones, address, port))
        with programs.running([knotd, "-c", str(configuration)], folder / "log") as process:
            knot.wait_for(next(iter(zones)), address, process, folder / "log", port=port)
            yield f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _zone_text(zone: str, records: str, address: str) -> str:
    records = textwrap.dedent(records)
    own = "" if " NS " in records else f"@ NS ns.{zone}.\nns {'AAAA' if ':' in address else 'A'} {address}\n"
    return f"$ORIGIN {zone}.\n$TTL 5\n@ SOA ns.{zone}. admin.{zone}. 1 60 60 600 5\n{own}{records}\n"


def _configuration(folder: pathlib.Path, zones: collections.abc.Iterable[str], address: str, port: int) -> str:
    lines = [
        "server:",
        f'    rundir: "{folder}"',
        f'    listen: "{address}@{port}"',
        "    udp-workers: 1",
        "    tcp-workers: 1",
        "    background-workers: 1",
        "log:",
        "  - target: stderr",
        "    any: info",
        "database:",
        f'    storage: "{folder}"',
        "template:",
        "  - id: default",
        f'    storage: "{folder}"',
        '    file: "%s.zone"',
        "    semantic-checks: off",
        "zone:",
        *(f'  - domain: "{zone}"' for zone in zones),
    ]
    return "\n".join(lines) + "\n"
