"""The servers of a route, and how requests go to them."""

import dataclasses
import enum


class Scheme(enum.Enum):
    """What is spoken to a server behind the gate."""

    HTTP = "http"
    HTTPS = "https"
    H2C = "h2c"
    GRPC = "grpc"
    GRPCS = "grpcs"
    FASTCGI = "fastcgi"
    UWSGI = "uwsgi"
    SCGI = "scgi"
    MEMCACHED = "memcached"


DEFAULT_PORTS: dict[Scheme, int] = {
    Scheme.HTTP: 80,
    Scheme.HTTPS: 443,
    Scheme.H2C: 80,
    Scheme.GRPC: 80,
    Scheme.GRPCS: 443,
    Scheme.FASTCGI: 9000,
    Scheme.UWSGI: 3031,
    Scheme.SCGI: 4000,
    Scheme.MEMCACHED: 11211,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One server of a route.

    host: a name or an IP address without brackets; None with a unix socket.
    port: 1 to 65535; None with a unix socket.
    socket: absolute path of a unix socket, or None.
    pool: the name of a `Pool` whose endpoints are the servers; then host, port and socket are None.
    path: what replaces the route's matched prefix, starting with "/"; None: the path goes on unchanged.
    weight: share of requests, at least 1. max_fails 0 never marks the server as failed.
    """

    scheme: Scheme
    host: str | None = None
    port: int | None = None
    socket: str | None = None
    pool: str | None = None
    path: str | None = None
    weight: int = 1
    backup: bool = False
    down: bool = False
    max_fails: int = 1
    fail_timeout_s: float = 10.0
    max_connections: int = 0

    def __str__(self) -> str:
        """The target as it is written in daemun.yaml; a pool by its name."""
        if self.pool is not None:
            return f"{self.scheme.value}://{self.pool}{self.path or ''}"
        if self.socket is not None:
            path = f":{self.path}" if self.path is not None else ""
            return f"{self.scheme.value}://unix:{self.socket}{path}"
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme.value}://{host}{port}{self.path or ''}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address requests can go to. address: an IP address without brackets. weight: share of requests, at least 1.

    backup: only used while no other endpoint of its pool is there.
    """

    address: str
    port: int
    weight: int = 1
    backup: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A name nginx asks daemun's DNS responder for, and the endpoints that a source knows to be behind it.

    name: "abc123.daemun", unique; a `Target.pool` refers to it. endpoints: may be empty (nothing runs now).
    is_out_of_reach: what runs cannot be reached before its owner changes something, so nothing is worth waiting for.
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    is_out_of_reach: bool = False


USUAL_RETRIES = 2


USUAL_MAX_BODY_BYTES = 0
"""No limit: what is large is never held here, so it costs nothing but the time of its server."""


class Balance(enum.Enum):
    """How requests are spread over the servers of a route."""

    ROUND_ROBIN = "round_robin"
    LEAST_CONN = "least_conn"
    IP_HASH = "ip_hash"
    HASH = "hash"
    RANDOM = "random"
    STICKY = "sticky"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Per-route times in seconds.

    read_s: how long a server may be silent, before its answer and within it: slow reports, long polls and streams of
        events take their time, and a visitor who does not want to wait closes the connection. send_s: how long it may
        take nothing of a request. body_s: how long a visitor may send nothing of a body.
    idle_s: how long a WebSocket, or a stream of gRPC, may be silent in both directions.
    keepalive_s: how long an idle connection to a server is kept, less than servers do themselves: gunicorn 2 s,
        Node.js, uvicorn and Apache 5 s. A request that cannot be repeated is lost with a connection that its server
        closes.
    """

    connect_s: float = 5.0
    read_s: float = 3600.0
    send_s: float = 60.0
    body_s: float = 60.0
    idle_s: float = 86400.0
    keepalive_s: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTls:
    """How the certificate of an https/grpcs server is checked.

    verify: False accepts any certificate. ca_file: absolute path of the trusted roots; None: the system's.
    name: the name the certificate must carry and that is sent as SNI; None: the target's host.
    ca_digest: of what ca_file holds, which nginx loads once; "": not looked at.
    """

    verify: bool = True
    ca_file: str | None = None
    ca_digest: str = ""
    name: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the servers of a route are asked whether they work.

    path: asked for by GET; None: a server that accepts a connection is well. host: what it sees as Host.
    interval_s: between two checks of one server. timeout_s: for each check.
    threshold: failures in a row that take a server out. recover: successes in a row that bring it back.
    statuses: good answers, as ranges that hold both ends.
    """

    path: str | None = None
    host: str | None = None
    interval_s: float = 5.0
    timeout_s: float = 2.0
    threshold: int = 2
    recover: int = 1
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A route's requests go to servers.

    targets: at least one; all of one scheme and one path (`core.validate`).
    hash_key: for Balance.HASH, text with the variables of `core.names.VARIABLES`; else None.
    retries: further servers tried after a failure, only where a retry is safe (see render.proxy).
    buffering: answers are read as fast as the server sends them, for servers with few workers; False: neither answers
        nor requests wait here. None: answers of HTTP servers leave as they come, those of FastCGI, uwsgi and SCGI are
        read ahead; small requests are held until they are whole.
    host_header: what the server sees as Host; None: what the client sent.
    document_root, index: for fastcgi, the folder of the scripts on the server and the one for paths without a script.
    health: None: servers are only known by how requests fare with them.
    hold_s: how long a request waits for a server while none accepts a connection; 0: it fails at once.
    keepalive: idle connections that each worker keeps to the servers; 0: none. None: the usual number.
    translate: whether what servers say of themselves in redirects and cookies becomes what visitors see.
    """

    targets: tuple[Target, ...]
    balance: Balance = Balance.ROUND_ROBIN
    hash_key: str | None = None
    tls: UpstreamTls = UpstreamTls()
    timeouts: Timeouts = Timeouts()
    retries: int = USUAL_RETRIES
    buffering: bool | None = None
    host_header: str | None = None
    document_root: str = "/var/www/html"
    index: str = "index.php"
    health: Health | None = None
    hold_s: float = 30.0
    keepalive: int | None = None
    translate: bool = True
