"""What a container requests, whichever labels or variables it used: between those and sites."""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.options import stream_forms
from daemun.sources.docker import containers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """What concerns a whole host: fields of `model.Site`."""

    tls: model.Tls = dataclasses.field(default_factory=model.Tls)
    http: model.HttpMode = model.HttpMode.REDIRECT
    http_port: int | None = None
    https_port: int | None = None
    http2: bool | None = None
    server_tokens: str | None = None
    options: model.OptionValues = ()
    refuses_tls: bool = False
    challenge: bool = True
    otherwise: model.FixedAnswer = dataclasses.field(default_factory=model.FixedAnswer)
    snippet: model.Snippet = ()

    def make_site(self, host: str, routes: tuple[model.Route, ...], origin: model.Origin) -> model.Site:
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return model.Site(host=host, routes=routes, origin=origin, **options)


Variables = tuple[tuple[str, object], ...]
"""Names of variables and what they were set to; only those that were."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """One container requests to be reached under one host and path.

    host: as `model.Site.host`. route: its action is a redirect, or a proxy whose only target has the scheme and
    which path replaces the prefix, but not where the server is. port: None when the container leaves it open.
    port_word: what it would name a port with.
    weight: share of requests beside other containers of the route. site: None when it sets no option of the host.
    written: the path as the container spells it, and after `Dialect.complete` as any container of the route does,
    because files are called after that.
    path_variables, host_variables: with a `Dialect` that lets containers complete each other, what this one set for the
    path and for the whole host; else None.
    """

    host: str
    route: model.Route
    port: int | None = None
    port_word: str = 'the label "daemun.port"'
    weight: int = 1
    site: SiteOptions | None = None
    written: tuple[str, ...] = ()
    path_variables: Variables | None = None
    host_variables: Variables | None = None

    @property
    def scheme(self) -> model.Scheme | None:
        """The protocol of the container; None for a redirect."""
        return self.route.action.targets[0].scheme if isinstance(self.route.action, model.Proxy) else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequest:
    """One container requests connections or datagrams of a stream.

    stream: its only server has the protocol, but not where it is. port: None when the container leaves it open.
    weight: share of connections beside other containers of the stream.
    """

    name: str
    stream: stream_forms.Stream
    port: int | None = None
    weight: int = 1

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names that belong to whoever has the stream: whose certificate is shown, and those that are passed on."""
        shown = self.stream.certificate_host
        return self.stream.hosts if shown is None else (shown, *self.stream.hosts)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequests:
    """All requests of one container. faults: what is wrong with its labels or variables; then there are no requests.

    notes: what of it is not done, though the rest is. words: where the faults are, "labels" or "variables".
    """

    requests: tuple[RouteRequest, ...] = ()
    streams: tuple[StreamRequest, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    words: str = "labels"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MergedSite:
    """The options of a host, merged from several containers. notes: what of it is not done, or done otherwise."""

    options: SiteOptions
    notes: tuple[str, ...] = ()


Places = collections.abc.Mapping[str, frozenset[str] | None]
"""Hosts, and the paths of each."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How containers write what they request. All functions are pure.

    read: one container's requests.
    complete: the requests for one host and path, the deciding one first, each completed by the others.
    merge_host: a host, and the variables that its containers set for it; of several values the first one counts.
    find_unused: what an owner wrote for hosts and paths that no container has. Given: each host, and the paths that it
    has as they are spelled; None where that is not known.
    """

    read: collections.abc.Callable[[containers.EngineContainer], ContainerRequests]
    complete: (
        collections.abc.Callable[[collections.abc.Sequence[RouteRequest]], collections.abc.Sequence[RouteRequest]]
        | None
    ) = None
    merge_host: collections.abc.Callable[[str, collections.abc.Mapping[str, object]], MergedSite] | None = None
    find_unused: collections.abc.Callable[[Places], tuple[model.Problem, ...]] | None = None
