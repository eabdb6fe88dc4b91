"""What concerns no single site, and the whole of what the sources ask for."""

import dataclasses
import enum
import operator

from daemun.core import directive
from daemun.core.model.acme_settings import Acme
from daemun.core.model.alert_settings import Alerts
from daemun.core.model.problem import NOWHERE, Origin, Problem
from daemun.core.model.route import Redirect, Snippet
from daemun.core.model.site import Site, TlsPolicy
from daemun.core.model.target import OptionValues, Pool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A listening address. host: an IP address without brackets; None: every address, IPv4 and IPv6."""

    port: int
    host: str | None = None

    def __str__(self) -> str:
        if self.host is None:
            return str(self.port)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


NOBODY: Snippet = (directive.Directive("deny", (directive.Expr("all"),)),)
PRIVATE: Snippet = (
    *(
        directive.Directive("allow", (directive.Expr(network),))
        for network in ("127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "fc00::/7")
    ),
    *NOBODY,
)
"""Clients of this machine and of private networks, as the `network_internal.conf` that nginx-proxy has."""


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
    """access: whether requests are logged. stdout: whether their lines are also on daemun's standard output; None: as
    the environment has it. A log file larger than max_bytes is rotated; `keep` old ones stay.

    format: of a line, with nginx's variables; None: the usual one. escape: "default", "json" or "none".
    """

    access: bool = True
    stdout: bool | None = None
    format: str | None = None
    escape: str = "default"
    max_bytes: int = 100 << 20
    keep: int = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SnippetFile:
    """A file of hand-written nginx that stands apart from all other, so that a mistake in it sets nothing else aside.

    place: the owner's file.
    """

    place: str
    snippet: Snippet


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OldWorkers:
    """What generations of workers that were replaced may cost while their connections stay open.

    generations, memory_bytes: the budget. wait_s: how long a change that needs a reload waits for others, and for
    connections to end by themselves, while the budget is used up; then the oldest generation is drained.
    sockets_per_s: how many of its connections are closed a second, unless there are very many.
    """

    generations: int = 8
    memory_bytes: int = 512 << 20
    wait_s: float = 60.0
    sockets_per_s: int = 5


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
    tenants: a host belongs to the project that serves it first. shared: hosts, and the projects that may join there.
    """

    is_on: bool = True
    endpoint: str | None = None
    tls: DockerTls | None = None
    reserved: tuple[str, ...] = ()
    tenants: bool = False
    shared: tuple[tuple[str, tuple[str, ...]], ...] = ()


DEFAULT_HEADERS = "default"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """What concerns no single site.

    trusted_proxies: networks ("10.0.0.0/8") whose X-Forwarded-* headers are believed.
    workers: nginx worker processes; None: one per CPU core.
    user: the account nginx's workers run under when daemun runs as root; None: chosen (see nginx.account).
    snippet: the owner's raw nginx at http level. parts: of what its end is made up.
    like_nginx_proxy: what users of nginx-proxy see otherwise is as there: more headers, and its variables.
    believes_clients: X-Forwarded-* headers of every client are passed on; its address is its own all the same.
    proxy_protocol: whether connections start with a PROXY line, which tells the client's address.
    internal: which clients the routes that are internal serve, as nginx for a location. internal_origin: where an owner
    wrote that.
    challenge_files: an owner's web root whose files answer the ACME challenge before daemun does, of other clients that
    order certificates; None: there is none. challenges_unknown: whether they do so for names that no site has.
    proxy_headers: what only trusted proxies may send to servers; `DEFAULT_HEADERS` stands for the usual ones.
    http2: whether it is offered. tls_policy: None: Mozilla's intermediate one.
    """

    like_nginx_proxy: bool = False
    believes_clients: bool = False
    proxy_protocol: bool = False
    http2: bool = True
    tls_policy: TlsPolicy | None = None
    listen_http: tuple[Address, ...] = (Address(port=80),)
    listen_https: tuple[Address, ...] = (Address(port=443),)
    acme: Acme = Acme()
    alerts: Alerts = Alerts()
    default: Default = Default()
    trusted_proxies: tuple[str, ...] = ()
    proxy_headers: tuple[str, ...] = (DEFAULT_HEADERS,)
    options: OptionValues = ()
    logs: Logs = Logs()
    docker: Docker = Docker()
    workers: int | None = None
    old_workers: OldWorkers = OldWorkers()
    user: str | None = None
    challenge_files: str | None = None
    challenges_unknown: bool = True
    internal: Snippet = PRIVATE
    internal_origin: Origin = NOWHERE
    snippet: Snippet = ()
    snippet_origin: Origin = NOWHERE
    parts: tuple[SnippetFile, ...] = ()

    @property
    def own_snippet(self) -> Snippet:
        """Without the parts."""
        return self.snippet[: len(self.snippet) - sum(len(part.snippet) for part in self.parts)]


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


_IS_ENABLED = operator.attrgetter("enabled")


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
        return tuple(filter(_IS_ENABLED, self.sites))
