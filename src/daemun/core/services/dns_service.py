"""What nginx queries at daemun by name, and who waits for it."""

import dataclasses

from daemun.core import model
from daemun.core.options import health_option


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one endpoint is checked. tls: None: over plain TCP. host: None: its own address.

    server_name: what its certificate must carry and what is sent as SNI; None: nothing is sent and nothing compared.
    """

    health: health_option.Health
    tls: model.UpstreamTls | None = None
    host: str | None = None
    server_name: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A name that nginx queries at the DNS responder, and what the answer is made of: a host's addresses or a pool.

    name: "abc123.daemun", made by `services.dns_services`; nginx queries SRV at "_http._tcp.abc123.daemun".
    host: a host name as the owner wrote it, resolved by the system (DNS, /etc/hosts, Docker's names), or an address.
    port: 1-65535. pool: the name of a `Pool`; then host and port are None.
    check: only endpoints that pass it are in the answer; None: all are.
    """

    name: str
    host: str | None = None
    port: int | None = None
    pool: str | None = None
    check: Check | None = None

    def __str__(self) -> str:
        """The host and port, or the pool."""
        return self.pool if self.pool is not None else f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WaitedServer:
    """One server that requests wait for: a service, a literal address, or a unix socket.

    written: a unix socket as it is written for nginx.
    """

    service: str | None = None
    endpoint: model.Endpoint | None = None
    socket: str | None = None
    written: str | None = None
    backup: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeldRoute:
    """A route whose requests wait while no server accepts a connection. name: made by `texts.names.upstream_name`.

    host: the site's. hold_s: how long one request waits at most.
    """

    name: str
    host: str
    hold_s: float
    servers: tuple[WaitedServer, ...]
