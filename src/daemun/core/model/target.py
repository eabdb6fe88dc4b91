"""The servers of a route, and how requests go to them."""

import collections.abc
import dataclasses
import enum


class Scheme(enum.Enum):
    """The protocol of a server behind the gate."""

    HTTP = "http"
    HTTPS = "https"
    H2 = "h2"
    H2C = "h2c"
    GRPC = "grpc"
    GRPCS = "grpcs"
    FASTCGI = "fastcgi"
    UWSGI = "uwsgi"
    SCGI = "scgi"
    MEMCACHED = "memcached"

    @property
    def is_http(self) -> bool:
        return self in {Scheme.HTTP, Scheme.HTTPS, Scheme.H2, Scheme.H2C}

    @property
    def is_http2(self) -> bool:
        """Whether the gate sends it requests of HTTP/2 (`proxy_http_version 2`); gRPC is a protocol of its own."""
        return self in {Scheme.H2, Scheme.H2C}

    @property
    def is_cgi(self) -> bool:
        """Whether a request becomes parameters (RFC 3875)."""
        return self in {Scheme.FASTCGI, Scheme.UWSGI, Scheme.SCGI}

    @property
    def is_encrypted(self) -> bool:
        """Whether its server shows a certificate."""
        return self in {Scheme.HTTPS, Scheme.H2, Scheme.GRPCS}


DEFAULT_PORTS: dict[Scheme, int] = {
    Scheme.HTTP: 80,
    Scheme.HTTPS: 443,
    Scheme.H2: 443,
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
    weight: share of requests, at least 1. drain: only visitors whose sticky cookie leads here.
    max_fails 0 never marks the server as failed.
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
    drain: bool = False
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

    def list_servers(self, pools: "collections.abc.Mapping[str, Pool]") -> "list[Target]":
        """Itself, or of a pool what is behind it now. pools: by name."""
        if self.pool is None or self.pool not in pools:
            return [self]
        ends = pools[self.pool].endpoints
        return [dataclasses.replace(self, pool=None, host=end.address, port=end.port) for end in ends]


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
    """A name that nginx queries at daemun's DNS responder, and the endpoints that a source knows to be behind it.

    name: "abc123.daemun", unique; a `Target.pool` refers to it. endpoints: may be empty (nothing runs now).
    is_out_of_reach: what runs cannot be reached before its owner changes something, so nothing is worth waiting for.
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    is_out_of_reach: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTls:
    """How the certificate of an https, h2 or grpcs server is checked.

    verify: False accepts any certificate. ca_file: absolute path of the trusted roots; None: the system's.
    name: the name the certificate must carry and that is sent as SNI; None: the target's host.
    ca_digest: of what ca_file holds, which nginx loads once; "": not looked at.
    """

    verify: bool = True
    ca_file: str | None = None
    ca_digest: str = ""
    name: str | None = None


OptionValues = tuple[tuple[str, object], ...]
"""Options that are set, by their names: of a type that `core.options` knows. Read by `core.options.option.Option.of`,
made by `core.options.catalogue.values`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Php:
    """A PHP application, of which the gate has the files, too, and which a FastCGI server runs.

    folder: absolute path, of this machine. server_folder: the same folder as the server sees it; None: by that path.
    front: the script that gets what is no file, from the folder on; None: there is none, and such requests get 404.
    no_code: folders from which nothing is run, from the folder on ("/uploads/"), beside those that never are.
    trusted: as of `Files`.
    """

    folder: str
    server_folder: str | None = None
    front: str | None = "index.php"
    no_code: tuple[str, ...] = ()
    trusted: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A route's requests go to servers.

    targets: at least one; all of one scheme and one path (`validation.validate`).
    php: the servers run the scripts of a folder, whose other files the gate serves; None: they get every request.
    """

    targets: tuple[Target, ...]
    php: Php | None = None
    options: OptionValues = ()
