"""The addresses on which a tree of nginx files listens, read from the files themselves: of a last good version nothing
else is there.

The gate's addresses stand in files that servers include. Other addresses are those of single
files (an `EXTERNAL_HTTP_PORT` of a container, a `listen` in hand-written nginx) and must not hold up the others when it
cannot be had (DESIGN.md decision 7). Pure.
"""

import collections.abc
import dataclasses
import re

from daemun.core import model
from daemun.core.plan import generation_files, quarantine
from daemun.core.texts import names

_LISTEN = re.compile(rb"^ *listen ([^\s;]+)((?: [^\s;]+)*);(?: +#.*)?$", re.MULTILINE)
"""The serialiser writes each directive on a line of its own, and no line break inside a word; behind a hand-written one
stands where it comes from."""
_INCLUDED = re.compile(rb"^ *include (listen/https?\.conf);(?: +#.*)?$", re.MULTILINE)
_EXAMPLE = re.compile(r"`listen: (\{[^`]*\})`")
_UNLIKE = frozenset({"quic", "reuseport"})
"""Such a socket goes together with others of its port that a plain one does not go together with."""
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?\Z", re.ASCII)

Files = collections.abc.Mapping[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """An address that nginx cannot listen on now.

    address: as nginx writes it ("0.0.0.0:80", "[::]:80", "unix:/x"). cause: why. ways: what would help, whatever wants
    the address.
    elsewhere: what else would, when the gate wants it, as set in daemun.yaml.
    """

    address: str
    cause: str
    ways: tuple[str, ...] = ()
    elsewhere: str | None = None

    def __str__(self) -> str:
        """The words for an address of the gate itself."""
        ways = (*self.ways, self.elsewhere) if self.elsewhere else self.ways
        return f"cannot listen on {self.address}: {self.cause}" + (f"; {', or '.join(ways)}" if ways else "")

    def for_node(self) -> "Denied":
        """On a machine of a fleet, whose `listen` is that of all machines."""
        if self.elsewhere is None:
            return self
        words = self.elsewhere.replace("under `listen:`", "under `node: {listen: ...}`, which is this machine's own")
        return dataclasses.replace(self, elsewhere=_EXAMPLE.sub(r"`node: {listen: \1}`", words))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A `listen` line. written: its address as it stands there. options: the words behind it."""

    written: str
    options: tuple[str, ...]

    @property
    def addresses(self) -> frozenset[str]:
        found = addresses_of(self.written)
        return frozenset(f"{one}{UDP}" for one in found) if self.is_udp else found

    @property
    def is_udp(self) -> bool:
        return "udp" in self.options


def read(content: bytes) -> tuple[Listener, ...]:
    """The `listen` lines of one file, without those that it includes."""
    if b"listen " not in content:  # nearly every site's: far quicker to read than line by line
        return ()
    found = ((match[1].decode(), match[2].decode().split()) for match in _LISTEN.finditer(content))
    return tuple(Listener(written=written, options=tuple(options)) for written, options in found)


UDP = "/udp"
"""Behind an address, where datagrams are taken: "0.0.0.0:53/udp"."""


def as_listened(address: str, files: Files) -> str:
    """An address as nginx names it in an error, which does not show the protocol, as `addresses` has it."""
    datagrams = f"{address}{UDP}"
    known = frozenset().union(*(addresses(content) for content in files.values()))
    return datagrams if address not in known and datagrams in known else address


def addresses(content: bytes) -> frozenset[str]:
    """What `read` finds, as nginx writes it."""
    return frozenset(address for listener in read(content) for address in listener.addresses)


def reach(content: bytes) -> frozenset[str]:
    """Where one file's servers are reached: its addresses, and the files with the gate's that it includes."""
    return addresses(content) | {match[1].decode() for match in _INCLUDED.finditer(content)}


def addresses_of(written: str) -> frozenset[str]:
    """A `listen` word as nginx writes its address in messages; several for a range of ports.

    Source: nginx.org/en/docs/http/ngx_http_core_module.html#listen
    """
    if written.startswith("unix:"):
        return frozenset({written})
    host, ports = _split(written)
    match = _PORTS.match(ports)
    if match is None:
        return frozenset({written})
    last = min(int(match[2] or match[1]), 65535)
    return frozenset(f"{host}:{port}" for port in range(int(match[1]), last + 1))


def _split(written: str) -> tuple[str, str]:
    """Host and ports; every IPv4 address and port 80 where the word gives none."""
    if _PORTS.match(written):
        return "0.0.0.0", written  # noqa: S104 compared, not bound
    host, colon, ports = written.rpartition(":")
    if not colon or (written.startswith("[") and written.endswith("]")):
        host, ports = written, "80"
    if host == "*":
        return "0.0.0.0", ports  # noqa: S104
    found = names.address_of(host)
    if found is None:
        return host, ports
    return (f"[{found.compressed}]" if found.version == 6 else found.compressed), ports


# --- the addresses of single files -----------------------------------------------------------------------------


def is_for_single_files(address: str, files: Files, last_good: Files) -> bool:
    """Whether only files that can be replaced name an address, or would when their last good versions stand in."""
    if address in _of_the_gate(files):
        return False
    return any(
        address in addresses(content)
        for path, content in (*files.items(), *last_good.items())
        if quarantine.can_be_replaced(path)
    )


def find_untried(files: Files, actual: model.Actual) -> frozenset[str]:
    """The addresses that only single files listen on and that the nginx which runs does not hold already."""
    running: Files = {}
    if actual.pid is not None and actual.generation == actual.current_generation:
        running = actual.files or {}
    single = {
        address
        for path, content in files.items()
        if quarantine.can_be_replaced(path) and running.get(path) != content
        for listener in read(content)
        if listener.is_udp or _UNLIKE.isdisjoint(listener.options)
        for address in listener.addresses
    }
    if not single:
        return frozenset()
    held = {address for content in running.values() for address in addresses(content)}
    everything = {address for content in files.values() for address in addresses(content)}
    # nginx takes one socket for all addresses of a port, where it listens on all of them.
    return frozenset(
        address
        for address in single - held - _of_the_gate(files)
        if (wildcard := _wildcard(address)) == address or wildcard not in everything
    )


def _of_the_gate(files: Files) -> frozenset[str]:
    own = (
        generation_files.LISTEN_HTTP,
        generation_files.LISTEN_HTTPS,
        generation_files.LISTEN_QUIC,
        generation_files.LISTEN_BY_NAME,
    )
    return frozenset().union(*(addresses(files.get(path, b"")) for path in own))


def _wildcard(address: str) -> str:
    port = address.rpartition(":")[2]
    return f"[::]:{port}" if address.startswith("[") else f"0.0.0.0:{port}"
