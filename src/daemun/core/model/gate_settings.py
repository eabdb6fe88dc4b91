"""What concerns no single site, and the whole of what the sources want."""

import dataclasses
import datetime
import enum
import operator

from daemun.core import directive
from daemun.core.model.acme_settings import Acme
from daemun.core.model.problem import NOWHERE, Origin, Problem
from daemun.core.model.route import Redirect, Snippet
from daemun.core.model.site import Site, TlsPolicy
from daemun.core.model.target import OptionValues, Pool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A listening address. host: an IP address without brackets; None: every address, IPv4 and IPv6."""

    port: int
    host: str | None = None

    def with_port(self, port: int) -> "Address":
        """The same with another one, as where a site has ports of its own."""
        return dataclasses.replace(self, port=port)

    def __str__(self) -> str:
        if self.host is None:
            return str(self.port)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where visitors come in. balancers: networks whose PROXY line ahead of each connection names the visitor; where
    there are none, connections have no such line."""

    http: tuple[Address, ...] = (Address(port=80),)
    https: tuple[Address, ...] = (Address(port=443),)
    balancers: tuple[str, ...] = ()

    @property
    def https_port(self) -> int:
        """Of HTTPS in URLs that lead to the gate: 443 where it is among them, else the first that is written."""
        ports = [address.port for address in self.https]
        return ports[0] if ports and 443 not in ports else 443


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
    """What happens to a host name that is not configured: refused (404, TLS alert), a site's answer, or a redirect."""

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
class SnippetFile:
    """A file of hand-written nginx that stands apart from all other, so that a mistake in it sets nothing else aside.

    place: the owner's file.
    """

    place: str
    snippet: Snippet


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """What concerns no single site.

    snippet: the owner's raw nginx at http level. parts: of what its end is made up.
    like_nginx_proxy: what users of nginx-proxy see otherwise is as there: more headers, and its variables.
    believes_clients: X-Forwarded-* headers of every client are passed on; its address is its own all the same.
    proxy_protocol: whether connections start with a PROXY line, which has the client's address, whoever sends it.
    internal: which clients the routes that are internal serve, as nginx for a location. internal_origin: where an owner
    wrote that.
    challenge_files: an owner's web root whose files answer the ACME challenge before daemun does, of other clients that
    order certificates; None: there is none. challenges_unknown: whether they do so for names that no site has.
    http2: whether it is offered. tls_policy: None: Mozilla's intermediate one.
    origins: where options are written of which less may hold than is written; another line alone is no change.
    """

    like_nginx_proxy: bool = False
    believes_clients: bool = False
    proxy_protocol: bool = False
    http2: bool = True
    tls_policy: TlsPolicy | None = None
    listen: Listen = Listen()
    acme: Acme = Acme()
    default: Default = Default()
    options: OptionValues = ()
    challenge_files: str | None = None
    challenges_unknown: bool = True
    internal: Snippet = PRIVATE
    internal_origin: Origin = NOWHERE
    snippet: Snippet = ()
    snippet_origin: Origin = NOWHERE
    parts: tuple[SnippetFile, ...] = ()
    origins: tuple[tuple[str, Origin], ...] = dataclasses.field(default=(), compare=False)

    @property
    def has_proxy_lines(self) -> bool:
        """Whether each connection begins with a PROXY line."""
        return self.proxy_protocol or bool(self.listen.balancers)

    @property
    def own_snippet(self) -> Snippet:
        """Without the parts."""
        return self.snippet[: len(self.snippet) - sum(len(part.snippet) for part in self.parts)]


CONTAINERS = "docker"
"""`Origin.source` of what containers request."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """A container that requests to be reached. is_served: whether requests for all of its hosts, and connections of all
    its streams, can go to it.

    hosts, streams: sorted. why: what keeps requests from it, or deserves a look; cure: what to do. None when all is
    well.
    app: the application that its image is made for, where its labels say nothing of one; None: not known.
    state: the engine's word ("running"); health: of its HEALTHCHECK ("healthy"); "": it has none, or it is not known.
    restarts: by its restart policy, since it was made. started_at: aware. engine: its name; "": there is but one.
    """

    name: str
    engine: str = ""
    hosts: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    is_served: bool = True
    why: str | None = None
    cure: str | None = None
    app: str | None = None
    state: str = ""
    health: str = ""
    restarts: int = 0
    started_at: datetime.datetime | None = None

    @property
    def full_name(self) -> str:
        """As messages name it: "web-1", of one of several engines "web-1@nas"."""
        return f"{self.name}@{self.engine}" if self.engine else self.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """An engine whose containers are served. name: "": there is but one. place: where it is, as it is shown.

    answers: whether it did when it was looked at last. since: aware UTC, when it answered no more; None: it never did,
    or does. why: what keeps it from being seen. is_wanted: it was configured, or seen before.
    """

    name: str
    place: str
    answers: bool = True
    since: datetime.datetime | None = None
    why: str | None = None
    is_wanted: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that one source wants at one moment. globals: only from the file. pools: what its targets refer to. options:
    what is added to those of the file, such as streams of containers.

    containers: every one that requests something, sorted by name. engines: that containers are of.
    version: of what it was read from, another one after each change, whatever it means; "": not known.
    """

    source: str
    sites: tuple[Site, ...] = ()
    pools: tuple[Pool, ...] = ()
    containers: tuple[ContainerStatus, ...] = ()
    engines: tuple[EngineStatus, ...] = ()
    globals: Globals | None = None
    options: OptionValues = ()
    problems: tuple[Problem, ...] = ()
    version: str = dataclasses.field(default="", compare=False)


_IS_ENABLED = operator.attrgetter("enabled")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the gate is to be: merged from every source, valid, sites sorted by host.

    sites: also the disabled ones (they are shown, not rendered). pools, containers, engines: of every source.
    problems: what was refused or deserves a look, each with its origin.
    """

    globals: Globals
    sites: tuple[Site, ...] = ()
    pools: tuple[Pool, ...] = ()
    containers: tuple[ContainerStatus, ...] = ()
    engines: tuple[EngineStatus, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def enabled(self) -> tuple[Site, ...]:
        return tuple(filter(_IS_ENABLED, self.sites))
