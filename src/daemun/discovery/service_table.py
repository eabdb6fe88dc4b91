"""Which endpoints a service has, and the names under which nginx queries their addresses. No I/O."""

import collections.abc
import dataclasses
import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEndpoint:
    """One server of a service. weight: 1 to 65535. backup: only used while no other endpoint answers."""

    address: Address
    port: int
    weight: int = 1
    backup: bool = False


NOWHERE = ServiceEndpoint(address=ipaddress.IPv4Address("127.0.0.1"), port=0)
"""Stands for "no endpoint": the kernel refuses a connection to port 0 at once, so the client gets a 502 within
milliseconds. An empty answer would do the same, but then nginx queries again only after 11 s (`dns_answers`), and a
server error would leave the old addresses in place, which may belong to another program by now."""


class Table:
    """Service name ("abc123.daemun") -> endpoints."""

    def __init__(self) -> None:
        self._endpoints: dict[str, tuple[ServiceEndpoint, ...]] = {}
        self._names_version = 0
        self._changed: collections.abc.Callable[[str], None] = lambda _: None

    def subscribe(self, changed: collections.abc.Callable[[str], None]) -> None:
        """changed: called from now on with a service after it got other endpoints."""
        self._changed = changed

    def set(self, service: str, endpoints: collections.abc.Iterable[ServiceEndpoint]) -> None:
        """Answer with exactly these endpoints from now on; with none, connections are refused at once.

        Of several endpoints with one address and port the first counts: nginx would use the server twice as often.
        """
        unique: dict[tuple[Address, int], ServiceEndpoint] = {}
        for endpoint in endpoints:
            unique.setdefault((endpoint.address, endpoint.port), endpoint)
        before = self._endpoints.get(service)
        if before != (new := tuple(unique.values())):
            self._endpoints[service] = new
            self._names_version += before is None
            self._changed(service)

    def discard(self, service: str) -> None:
        if self._endpoints.pop(service, None) is not None:
            self._names_version += 1

    def known(self, service: str) -> tuple[ServiceEndpoint, ...]:
        """The real endpoints, perhaps none."""
        return self._endpoints.get(service, ())

    def mark(self, service: str | None) -> object:
        """Equal as long as the answer about a service is; for None: as long as there are the same services."""
        return self._names_version if service is None else self._endpoints.get(service)

    def get(self, service: str) -> tuple[ServiceEndpoint, ...] | None:
        """At least one endpoint, perhaps `NOWHERE`; None for a service that is not published."""
        endpoints = self._endpoints.get(service)
        return endpoints or (NOWHERE,) if endpoints is not None else None


def name_of(address: Address) -> str:
    """The name that nginx gets for an address, and queries A and AAAA of. It holds the address itself, so the answer
    needs no table and never changes: 10.0.0.5 -> "a-10-0-0-5", ::1 -> "a-00000000000000000000000000000001"."""
    return "a-" + (str(address).replace(".", "-") if address.version == 4 else address.packed.hex())


def address_of(name: str) -> Address | None:
    """The address in a name made by `name_of`; None for any other name."""
    text = name.removeprefix("a-")
    try:
        address = (
            ipaddress.ip_address(bytes.fromhex(text))
            if len(text) == 32
            else ipaddress.ip_address(text.replace("-", "."))
        )
    except ValueError:
        return None
    return address if name_of(address) == name else None
