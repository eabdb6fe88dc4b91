"""Two authoritative DNS servers (Knot) on loopback addresses of their own, port 53, with dynamic update at the first.

    with knot.running_dns("example.test", "proofs.test") as dns:
        resolvers = (dns.primary,)

The second gets every zone from the first, at once, or when `sync` is called. Needs root, for the port. Debian package:
knot.
"""

import base64
import collections.abc
import contextlib
import dataclasses
import pathlib
import secrets
import socket
import subprocess
import tempfile
import textwrap
import time

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.update

from tests.support import binaries, programs

KEY = "update."
"""May change every zone."""

_READY_WITHIN_S = 60.0
_ATTEMPTS = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """primary, secondary: their addresses. secret: of the key, base64."""

    primary: str
    secondary: str
    secret: str
    secondary_socket: pathlib.Path

    def ask(self, name: str, kind: str, server: str | None = None) -> dns.message.Message:
        """What a server answers (None: the primary)."""
        return dns.query.udp(dns.message.make_query(name, kind), server or self.primary, timeout=30)

    def texts(self, name: str, server: str | None = None) -> set[str]:
        """The TXT records of a name at a server."""
        answer = self.ask(name, "TXT", server)
        rows = [row for found in answer.answer for row in found if found.rdtype == dns.rdatatype.TXT]
        return {b"".join(row.strings).decode() for row in rows}

    def add(self, zone: str, name: str, kind: str, content: str) -> None:
        """As a person at a DNS provider would."""
        keyring = dns.tsigkeyring.from_text({KEY: ("hmac-sha256", self.secret)})
        update = dns.update.UpdateMessage(zone, keyring=keyring)
        update.add(dns.name.from_text(name), 60, kind, content)
        answer = dns.query.tcp(update, self.primary, timeout=30)
        assert answer.rcode() == dns.rcode.NOERROR, answer

    def sync(self) -> None:
        """Let the secondary fetch every zone now."""
        subprocess.run(["knotc", "-s", str(self.secondary_socket), "-b", "zone-refresh"], check=True, timeout=30)


@contextlib.contextmanager
def running_dns(*zones: str, is_slow: bool = False) -> collections.abc.Iterator[Dns]:
    """Until the block ends. Skips the test without knot or root. is_slow: the secondary is not told of changes."""
    knotd = binaries.program("knotd", "knot")
    binaries.needs_root("a DNS server on port 53")
    with tempfile.TemporaryDirectory(prefix="knot-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        primary, secondary = free_addresses()
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        for role, address, other in (("primary", primary, secondary), ("secondary", secondary, primary)):
            (folder / role).mkdir()
            text = _configuration(folder / role, role, address, other, secret, zones, is_slow)
            (folder / role / "knot.conf").write_text(text)
        for zone in zones:
            (folder / "primary" / f"{zone}.zone").write_text(_zone_file(zone, primary, secondary))
        for role, address in (("primary", primary), ("secondary", secondary)):
            command, log = [knotd, "-c", str(folder / role / "knot.conf")], folder / role / "log"
            process = stack.enter_context(programs.running(command, log))
            for zone in zones:
                wait_for(zone, address, process, log)
        yield Dns(
            primary=primary, secondary=secondary, secret=secret, secondary_socket=folder / "secondary" / "knot.sock"
        )


def free_addresses() -> tuple[str, str]:
    """Two of loopback's that nobody serves DNS on."""
    for _ in range(_ATTEMPTS):
        base = f"127.77.{secrets.randbelow(254) + 1}"
        with contextlib.suppress(OSError):
            for last in (1, 2):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind((f"{base}.{last}", 53))
            return f"{base}.1", f"{base}.2"
    raise RuntimeError("no address of 127.77.0.0/16 has a free port 53")


def _configuration(
    folder: pathlib.Path, role: str, address: str, other: str, secret: str, zones: tuple[str, ...], is_slow: bool
) -> str:
    head = f"""
        server:
          listen: {address}@53
          rundir: {folder}
          udp-workers: 1
          tcp-workers: 1
          background-workers: 1
        control:
          listen: {folder}/knot.sock
        log:
          - target: stderr
            any: info
        database:
          storage: {folder}
        key:
          - id: {KEY}
            algorithm: hmac-sha256
            secret: "{secret}"
        remote:
          - id: other
            address: {other}@53
            via: {address}
        acl:
          - id: may-update
            key: {KEY}
            action: update
          - id: may-transfer
            address: {other}
            action: transfer
          - id: may-notify
            address: {other}
            action: notify
        """
    notify = "" if is_slow else "notify: other"
    own = {
        "primary": f"acl: [may-update, may-transfer]\n    {notify}",
        "secondary": "acl: may-notify\n    master: other",
    }
    rows = [
        f"  - domain: {zone}\n    storage: {folder}\n    file: {zone}.zone\n    zonefile-sync: -1\n"
        f"    zonefile-load: whole\n    {own[role]}"
        for zone in zones
    ]
    return textwrap.dedent(head) + "zone:\n" + "\n".join(rows) + "\n"


def _zone_file(zone: str, primary: str, secondary: str) -> str:
    return textwrap.dedent(
        f"""\
        $ORIGIN {zone}.
        $TTL 60
        @ SOA ns1 hostmaster 1 86400 3600 604800 1
        @ NS ns1
        @ NS ns2
        ns1 A {primary}
        ns2 A {secondary}
        @ A 127.0.0.1
        * A 127.0.0.1
        """
    )


def wait_for(zone: str, address: str, process: subprocess.Popen[bytes], log: pathlib.Path, *, port: int = 53) -> None:
    """Until knotd answers for the zone. Raises: RuntimeError with what it said."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(dns.exception.DNSException, OSError):
            if dns.query.udp(dns.message.make_query(zone, "SOA"), address, timeout=1, port=port).answer:
                return
        time.sleep(0.05)
    raise RuntimeError(f"knotd does not serve {zone}: {log.read_text()[-2000:]}")
