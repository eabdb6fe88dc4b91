"""The values everything else speaks of: what the sources ask for, what nginx is to do, what is wrong.

All are frozen and hold tuples, so they can be compared, hashed and shared between tasks. Units are in the
names; instants are aware UTC. Values here are already parsed: a `Target` has a host and a port, not a URL.
Rules that a parser cannot know (a host claimed twice, a weight of zero) are in `core.validate`.
"""

import dataclasses
import datetime
import enum

from daemun.core import directive


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value comes from, to be named in every message about it.

    source: "file", "docker", "api", "default" or "command line".
    place: what a person can open: "daemun.yaml:14:3", "container chat-1", "" when there is nothing to open.
    """

    source: str
    place: str = ""

    def __str__(self) -> str:
        return self.place or self.source


NOWHERE = Origin(source="default")


class Severity(enum.Enum):
    """ERROR: what it is about is not live. WARNING: it is live, and something about it deserves a look."""

    ERROR = "error"
    WARNING = "warning"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong, as data: what was found, what was expected, what to do, and where.

    host: the site it concerns; None when it concerns a whole source.
    field: the value it is about, as a path of daemun.yaml's keys below the site (below the top when host is None):
        ("routes", "/api/", "to", 0). Sources that know positions turn it into one.
    """

    origin: Origin
    message: str
    host: str | None = None
    severity: Severity = Severity.ERROR
    field: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return self.message if self.origin == NOWHERE else f"{self.origin}: {self.message}"


# --- targets ---------------------------------------------------------------------------------------------------


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
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()


USUAL_RETRIES = 2
USUAL_MAX_BODY_BYTES = 1 << 30


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

    idle_s: how long a WebSocket or an event stream may be silent in both directions.
    """

    connect_s: float = 5.0
    read_s: float = 60.0
    send_s: float = 60.0
    idle_s: float = 86400.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTls:
    """How the certificate of an https/grpcs server is checked.

    verify: False accepts any certificate. ca_file: absolute path of the trusted roots; None: the system's.
    name: the name the certificate must carry and that is sent as SNI; None: the target's host.
    """

    verify: bool = True
    ca_file: str | None = None
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
    host_header: what the server sees as Host; None: what the client sent.
    document_root, index: for fastcgi, the folder of the scripts on the server and the one for paths without a script.
    health: None: servers are only known by how requests fare with them.
    hold_s: how long a request waits for a server while none accepts a connection; 0: it fails at once.
    keepalive: idle connections that each worker keeps to the servers; 0: none. None: the usual number.
    """

    targets: tuple[Target, ...]
    balance: Balance = Balance.ROUND_ROBIN
    hash_key: str | None = None
    tls: UpstreamTls = UpstreamTls()
    timeouts: Timeouts = Timeouts()
    retries: int = USUAL_RETRIES
    buffering: bool = True
    host_header: str | None = None
    document_root: str = "/var/www/html"
    index: str = "index.php"
    health: Health | None = None
    hold_s: float = 30.0
    keepalive: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A route's requests are sent elsewhere.

    to: a URL or a path, with the variables of `core.names.VARIABLES`. status: 301, 302, 303, 307 or 308.
    """

    to: str
    status: int = 301


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A route's requests are answered from a folder: the rest of the path after the route's prefix is looked up in it.

    folder: absolute path. spa: a path that is no file is answered with the folder's index.html.
    """

    folder: str
    spa: bool = False
    listing: bool = False


Header = tuple[str, str]
Snippet = tuple[directive.Node, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Everything under one path prefix of a site.

    path: starts with "/"; nginx's prefix rule: the longest one wins. Or a regular expression behind "~" (as it is) or
        "~*" (of either case), only from containers and only one that `core.patterns` accepts; those are tried in the
        order of their texts and win over prefixes.
    max_body_bytes: largest request body; 0: no limit.
    request_headers, response_headers: set (an empty value removes the header); values may hold `core.names.VARIABLES`.
    snippet: the owner's raw nginx for this location. replaced: it stands at the level of the server instead of it.
    allow: networks ("10.0.0.0/8") whose clients are served, others get 403; empty: all are.
    """

    path: str
    action: Proxy | Redirect | Files
    allow: tuple[str, ...] = ()
    replaced: bool = False
    max_body_bytes: int = USUAL_MAX_BODY_BYTES
    request_headers: tuple[Header, ...] = ()
    response_headers: tuple[Header, ...] = ()
    snippet: Snippet = ()
    origin: Origin = NOWHERE


# --- sites -----------------------------------------------------------------------------------------------------


class TlsMode(enum.Enum):
    """AUTO: ACME where a public CA signs the names, else the local CA. FILES: the owner's own certificate."""

    AUTO = "auto"
    ACME = "acme"
    LOCAL = "local"
    OFF = "off"
    FILES = "files"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """What is negotiated with clients. name: for messages. protocols, ciphers: as nginx and OpenSSL spell them.

    prefers_server: whether the order of the ciphers is the gate's or the client's.
    """

    name: str
    protocols: tuple[str, ...]
    ciphers: str
    prefers_server: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificates:
    """Clients show a certificate of a private CA. ca_file, crl_file: absolute paths of PEM files.

    is_optional: who shows none is served, too.
    """

    ca_file: str
    crl_file: str | None = None
    is_optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """certificate, key: absolute paths of PEM files; only with TlsMode.FILES.

    group: the names of the certificate when it is for several sites, this one among them; empty: the site's names.
    directory, email: of the ACME account this certificate is ordered with; None: those of the whole gate.
    policy: None: that of the whole gate. clients: None: clients show no certificate.
    """

    mode: TlsMode = TlsMode.AUTO
    certificate: str | None = None
    key: str | None = None
    group: tuple[str, ...] = ()
    directory: str | None = None
    email: str | None = None
    policy: TlsPolicy | None = None
    clients: ClientCertificates | None = None


class HttpMode(enum.Enum):
    """What plain HTTP answers: a 301 to HTTPS, the site itself, or nothing but the ACME challenge (404)."""

    REDIRECT = "redirect"
    SERVE = "serve"
    OFF = "off"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hsts:
    """Strict-Transport-Security (RFC 6797)."""

    max_age_s: int = 31536000
    include_subdomains: bool = False
    preload: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the gate answers itself. text: a body, or with a redirect's status where it leads; with the variables of
    `core.names.VARIABLES`."""

    status: int = 404
    text: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One host name with its routes.

    host: lower case, IDNA-encoded: a name, "*.example.com", an IPv4 address or "[IPv6]". From containers also
        "www.example.*", and a regular expression behind "~" that `core.patterns` accepts.
    aliases: of the same forms. routes: sorted by path, at least one.
    http_port, https_port: where it listens instead of the gate's addresses; None: there.
    http2: whether it is offered; None: as for the whole gate. server_tokens: what nginx tells of itself ("on", "off",
        "build"); None: its name alone. other_redirect: status of the redirect to HTTPS for methods but GET and HEAD.
    challenge: whether daemun answers the ACME challenge on plain HTTP, and not the site.
    otherwise: what answers paths that no route has.
    """

    host: str
    aliases: tuple[str, ...] = ()
    redirect_aliases: bool = False
    tls: Tls = Tls()
    http: HttpMode = HttpMode.REDIRECT
    hsts: Hsts | None = None
    enabled: bool = True
    routes: tuple[Route, ...] = ()
    http_port: int | None = None
    https_port: int | None = None
    http2: bool | None = None
    server_tokens: str | None = None
    other_redirect: int = 301
    challenge: bool = True
    otherwise: Answer = Answer()
    snippet: Snippet = ()
    origin: Origin = NOWHERE

    @property
    def names(self) -> tuple[str, ...]:
        """All host names, the main one first."""
        return (self.host, *self.aliases)


# --- the whole gate --------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A listening address. host: an IP address without brackets; None: every address, IPv4 and IPv6."""

    port: int
    host: str | None = None

    def __str__(self) -> str:
        if self.host is None:
            return str(self.port)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Acme:
    """directory: the URL of a CA's ACME directory (RFC 8555 section 7.1.1). ca_file: trust for a private one."""

    directory: str
    email: str | None = None
    ca_file: str | None = None


class DefaultKind(enum.Enum):
    """What happens to a host name nobody configured: refused (404, TLS alert), a site's answer, or a redirect."""

    REFUSE = "refuse"
    SITE = "site"
    REDIRECT = "redirect"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """host: the site that answers, with DefaultKind.SITE. redirect: with DefaultKind.REDIRECT.

    status: with DefaultKind.REFUSE, what is answered over HTTP. page: absolute path of the page for it.
    certificate, key: absolute paths of the certificate that unknown names get instead of an alert.
    """

    status: int = 404
    page: str | None = None
    certificate: str | None = None
    key: str | None = None
    kind: DefaultKind = DefaultKind.REFUSE
    host: str | None = None
    redirect: Redirect | None = None
    origin: Origin = NOWHERE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """access: whether requests are logged. A log file larger than max_bytes is rotated; `keep` old ones stay.

    format: of a line, with nginx's variables; None: the usual one. escape: "default", "json" or "none".
    """

    access: bool = True
    format: str | None = None
    escape: str = "default"
    max_bytes: int = 100 << 20
    keep: int = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DockerTls:
    """Absolute paths of PEM files: whom the engine's certificate must come from, and what daemun shows it."""

    ca: str
    certificate: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """The engine whose containers ask for sites.

    is_on: False: no engine is asked.
    endpoint: its URL; None: what DOCKER_HOST names, else a usual socket if there is one.
    reserved: hosts that no container may claim, in the form of `Site.host`.
    """

    is_on: bool = True
    endpoint: str | None = None
    tls: DockerTls | None = None
    reserved: tuple[str, ...] = ()


LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """What concerns no single site.

    trusted_proxies: networks ("10.0.0.0/8") whose X-Forwarded-* headers are believed.
    workers: nginx worker processes; None: one per CPU core.
    user: the account nginx's workers run under when daemun runs as root; None: chosen (see nginx.account).
    snippet: the owner's raw nginx at http level.
    like_nginx_proxy: what users of nginx-proxy see otherwise is as there: more headers, and its variables.
    believes_clients: X-Forwarded-* headers of every client are passed on; its address is its own all the same.
    proxy_protocol: whether connections start with a PROXY line, which tells the client's address.
    http2: whether it is offered. tls_policy: None: Mozilla's intermediate one.
    """

    like_nginx_proxy: bool = False
    believes_clients: bool = False
    proxy_protocol: bool = False
    http2: bool = True
    tls_policy: TlsPolicy | None = None
    listen_http: tuple[Address, ...] = (Address(port=80),)
    listen_https: tuple[Address, ...] = (Address(port=443),)
    acme: Acme = Acme(directory=LETS_ENCRYPT)
    default: Default = Default()
    trusted_proxies: tuple[str, ...] = ()
    logs: Logs = Logs()
    docker: Docker = Docker()
    workers: int | None = None
    user: str | None = None
    snippet: Snippet = ()
    snippet_origin: Origin = NOWHERE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that asks to be reached. is_served: whether requests for all of its hosts can go to it.

    hosts: sorted. why: what keeps requests from it, or deserves a look; cure: what to do. None when all is well.
    """

    name: str
    hosts: tuple[str, ...] = ()
    is_served: bool = True
    why: str | None = None
    cure: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that one source asks for at one moment. globals: only from the file. pools: what its targets refer to.

    containers: every one that asks for something, sorted by name.
    """

    source: str
    sites: tuple[Site, ...] = ()
    pools: tuple[Pool, ...] = ()
    containers: tuple[Container, ...] = ()
    globals: Globals | None = None
    problems: tuple[Problem, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the gate is to be: merged from every source, valid, sites sorted by host.

    sites: also the disabled ones (they are shown, not rendered). pools, containers: of every source.
    problems: what was refused or deserves a look, each with its origin.
    """

    globals: Globals
    sites: tuple[Site, ...] = ()
    pools: tuple[Pool, ...] = ()
    containers: tuple[Container, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def enabled(self) -> tuple[Site, ...]:
        return tuple(site for site in self.sites if site.enabled)


# --- certificates ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec:
    """A certificate some site needs.

    name: its folder under live/, made by `core.certificates.name_of`. host: of the site, the first of several.
    names: the identifiers it must carry, the first one the subject. mode: never TlsMode.OFF or AUTO.
    certificate, key: the owner's PEM files, with TlsMode.FILES.
    directory, email: as in `Tls`.
    """

    name: str
    host: str
    names: tuple[str, ...]
    mode: TlsMode
    certificate: str | None = None
    key: str | None = None
    directory: str | None = None
    email: str | None = None


class CertificateState(enum.Enum):
    """VALID: the certificate that was asked for is served. LOCAL: one of the local CA is, and is meant to be.
    PENDING: the local one is served while a CA is asked. FAILING: the last try failed (a next one is planned)."""

    VALID = "valid"
    LOCAL = "local"
    PENDING = "pending"
    FAILING = "failing"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStatus:
    """What is known of one certificate. Instants are aware UTC; None: not known or not planned."""

    name: str
    host: str
    names: tuple[str, ...]
    state: CertificateState
    issuer: str | None = None
    not_before: datetime.datetime | None = None
    not_after: datetime.datetime | None = None
    renew_at: datetime.datetime | None = None
    next_attempt: datetime.datetime | None = None
    reason: str | None = None


# --- endpoints -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one endpoint is asked. tls: None: over plain TCP. host: None: its own address.

    server_name: what its certificate must carry and what is sent as SNI; None: nothing is sent and nothing compared.
    """

    health: Health
    tls: UpstreamTls | None = None
    host: str | None = None
    server_name: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A name nginx asks daemun's DNS responder for, and what the answer is made of: a host's addresses or a pool.

    name: "abc123.daemun", made by `core.services`; nginx asks for SRV at "_http._tcp.abc123.daemun".
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

    written: a unix socket as nginx is to be told it.
    """

    service: str | None = None
    endpoint: Endpoint | None = None
    socket: str | None = None
    written: str | None = None
    backup: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A route whose requests wait while no server accepts a connection. name: made by `core.names.upstream_name`.

    host: the site's. hold_s: how long one request waits at most.
    """

    name: str
    host: str
    hold_s: float
    servers: tuple[WaitedServer, ...]


# --- what is live ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One nginx worker process. draining: it belongs to an old generation and only finishes its connections."""

    pid: int
    draining: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """What nginx does now.

    pid: the master; None: not running. generation: the one its workers answer with; None: unknown or not running.
    files: the tree that `current` points to, relative path -> bytes; None: there is none yet.
    """

    pid: int | None = None
    generation: int | None = None
    current_generation: int | None = None
    files: dict[str, bytes] | None = None
    workers: tuple[Worker, ...] = ()


class SiteState(enum.Enum):
    """As in `status --json`. QUARANTINED: its last good version (or a 503 page) is served instead of what was asked."""

    LIVE = "live"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    DISABLED = "disabled"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteStatus:
    """site: as desired. state, reason: as in `status --json`."""

    site: Site
    state: SiteState
    reason: str | None = None
