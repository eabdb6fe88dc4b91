"""PowerDNS: an authoritative DNS server with an HTTP API, on a loopback address of its own, port 53.

    with powerdns.running_powerdns("example.test") as dns:
        options = {"pdns_server": dns.api, "auth_token": dns.token}

Dynamic updates are allowed from everywhere, but only signed with a key that it does not have. Needs root, for the port.
Debian packages: pdns-server, pdns-backend-sqlite3.
"""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import secrets
import sqlite3
import tempfile
import urllib.request

import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.support import binaries, knot, ports, programs, until

_SCHEMA = pathlib.Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PowerDns:
    """address: of DNS. api: URL. token: what the API wants."""

    address: str
    api: str
    token: str

    def texts(self, name: str) -> set[str]:
        answer = dns.query.udp(dns.message.make_query(name, "TXT"), self.address, timeout=30)
        rows = [row for found in answer.answer for row in found if found.rdtype == dns.rdatatype.TXT]
        return {b"".join(row.strings).decode() for row in rows}

    def make_zone(self, zone: str) -> None:
        address = {"name": f"ns1.{zone}.", "type": "A", "ttl": 60, "records": [{"content": self.address}]}
        names = {"name": f"{zone}.", "kind": "Native", "nameservers": [f"ns1.{zone}."]}
        value: dict[str, object] = {**names, "rrsets": [address]}
        self._call("zones", value)

    def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            self._call("zones", None)
            return True
        return False

    def _call(self, path: str, value: object) -> None:
        body = None if value is None else json.dumps(value).encode()
        headers = {"X-API-Key": self.token, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.api}/api/v1/servers/localhost/{path}", data=body, headers=headers)
        urllib.request.urlopen(request, timeout=60).close()


@contextlib.contextmanager
def running_powerdns(zone: str) -> collections.abc.Iterator[PowerDns]:
    """Until the block ends. Skips the test without pdns_server or root."""
    program = binaries.program("pdns_server", "pdns-server")
    binaries.needs_root("a DNS server on port 53")
    if not _SCHEMA.exists():
        pytest.skip("PowerDNS lacks its SQLite (Debian package pdns-backend-sqlite3)")
    with tempfile.TemporaryDirectory(prefix="pdns-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        address, _ = knot.free_addresses()
        port, token = ports.free_port(), secrets.token_hex(16)
        with contextlib.closing(sqlite3.connect(folder / "zones.db")) as database:
            database.executescript(_SCHEMA.read_text())
        lines = [
            "launch=gsqlite3",
            f"gsqlite3-database={folder}/zones.db",
            f"local-address={address}",
            f"socket-dir={folder}",
            "api=yes",
            f"api-key={token}",
            "webserver-address=127.0.0.1",
            f"webserver-port={port}",
            "dnsupdate=yes",
            "allow-dnsupdate-from=",
            "daemon=no",
            "guardian=no",
            "cache-ttl=0",
            "query-cache-ttl=0",
            "negquery-cache-ttl=0",
            "zone-cache-refresh-interval=0",
        ]
        (folder / "pdns.conf").write_text("\n".join(lines) + "\n")
        process = stack.enter_context(programs.running([program, f"--config-dir={folder}"], folder / "log"))
        found = PowerDns(address=address, api=f"http://127.0.0.1:{port}", token=token)
        until.true(lambda: process.poll() is not None or found.is_up())
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        found.make_zone(zone)
        yield found
