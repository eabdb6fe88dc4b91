"""What was found out about one URL, from the name to the server. Values only."""

import dataclasses
import datetime
import re
import urllib.parse

from daemun.core import model
from daemun.core.options import access_option
from daemun.core.served import served_judgement, server_answers
from daemun.core.why import condition_match, request_changes, requested_url, route_walk, site_choice

MOST_BODY = 1 << 16
_PAGE = re.compile(r"(?:Error \d{3} · |Error \d{3}, )?[Rr]equest ([0-9a-f]{32})\b|\"request_id\": ?\"([^\"]{1,80})\"")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer of HTTP. headers: with names in lower case. body: its begin. head_bytes: how long the head is.
    is_cut: the connection ended before the answer did. took_s: until its head was there."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    head_bytes: int = 0
    is_cut: bool = False
    took_s: float = 0.0

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one == name), None)

    def every(self, name: str) -> tuple[str, ...]:
        return tuple(value for one, value in self.headers if one == name)

    @property
    def location(self) -> str | None:
        return self.header("location") if 300 <= self.status < 400 else None

    @property
    def page_id(self) -> str | None:
        """The id on a page of the gate's own, which shows the request that it is for."""
        if self.status < 400:
            return None
        found = _PAGE.search(self.body)
        return None if found is None else found[1] or found[2]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateVisit:
    """One request at the gate. at: where. is_connected: False: nothing took the connection. is_secured: the handshake
    came about, where there is one. failure: why there is no answer, in words."""

    url: requested_url.RequestedUrl
    at: str
    answer: HttpAnswer | None = None
    is_connected: bool = True
    is_secured: bool = True
    failure: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueriedServer:
    """One server of the route, queried beside the gate. written: the target. server: with its address. answer: to the
    same request; other: to the same with `other_path`; changed: to requests that differ in one thing. seen_as: the
    address of this machine that it sees. open_at: other addresses of this machine where its port takes connections.
    is_judge: as of `model.Aim`."""

    written: str
    server: str
    found: server_answers.ServerFinding
    sent: str = "/"
    answer: HttpAnswer | None = None
    other_path: str | None = None
    other: HttpAnswer | None = None
    changed: tuple[tuple[request_changes.RequestChange, HttpAnswer], ...] = ()
    seen_as: str | None = None
    open_at: tuple[str, ...] = ()
    is_judge: bool = False


def without_path(written: str) -> str:
    """A target without its path."""
    parts = urllib.parse.urlsplit(written)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc and not parts.netloc.startswith("unix:") else written


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NameLook:
    """What a name resolves to on this machine. own: those of the addresses that this machine has. reached: addresses
    where this gate answers, others where it does not. failure: why there is none. is_implied: the resolver does not
    know the name, and browsers and curl do without it (`localhost`)."""

    addresses: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    failure: str | None = None
    is_implied: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRoute:
    """A route of containers. path, entry: as of `model.Route`. place: "container chat-1". names: of the options that
    its labels set; what they hold is the daemon's."""

    path: str
    entry: int | None
    place: str
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DaemonView:
    """What the running daemon reports of the site. state, reason, cure: as of `model.SiteStatus`; None: it has no such
    site. certificate: the state of its certificate with its reason. labels: of its routes that containers have.
    unwell: servers that do not pass the `health` of their route."""

    state: str | None = None
    reason: str | None = None
    cure: str | None = None
    certificate: str | None = None
    certificate_reason: str | None = None
    waiting: str | None = None
    labels: tuple[LabelledRoute, ...] = ()
    unwell: tuple[server_answers.UnwellServer, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """What is in the place of the file that a route of `files` would answer with. kind: "file", "folder", "nothing".
    is_readable: by nginx's workers, as far as that is known."""

    path: str
    kind: str
    is_readable: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UrlFacts:
    """url, request: what is asked about. is_claimed: the address was given, it is not this machine's. desired: what
    the file says; None: it cannot be read. listening: where the gate takes connections, by its configuration; mapped:
    the URL's port is none of them, and the gate is looked at where it listens for the scheme. gate_runs: nginx runs.
    handshake: what was shown, or why nothing was; None: there is none. visits: of the URL, and of what redirects led
    to. parts: what the page that came names, as the gate gives it. onward: where redirects ended in an error, what is
    known of the last URL. dead_end: a host that they lead to and that does not resolve, with why. error_lines: what
    nginx logged meanwhile. bans: networks, each with why."""

    url: requested_url.RequestedUrl
    request: condition_match.SentRequest
    now: datetime.datetime
    is_claimed: bool = False
    desired: model.Desired | None = None
    config_error: str | None = None
    choice: site_choice.SiteChoice = site_choice.NO_SITE
    walk: route_walk.RouteWalk | None = None
    listening: tuple[model.Address, ...] = ()
    other_listening: tuple[model.Address, ...] = ()
    is_mapped: bool = False
    gate_runs: bool = True
    names: NameLook | None = None
    handshake: served_judgement.Shown | str | None = None
    local_issuer: str | None = None
    visits: tuple[GateVisit, ...] = ()
    parts: tuple[GateVisit, ...] = ()
    onward: "UrlFacts | None" = None
    dead_end: tuple[str, str] | None = None
    servers: tuple[QueriedServer, ...] = ()
    file: FileView | None = None
    error_lines: tuple[str, ...] = ()
    daemon: DaemonView | None = None
    bans: tuple[tuple[str, str], ...] = ()
    addresses: tuple[tuple[str, tuple[str, ...]], ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def site(self) -> model.Site | None:
        return self.choice.site

    @property
    def faults(self) -> tuple[model.Problem, ...]:
        """Errors of the file."""
        problems = () if self.desired is None else self.desired.problems
        return tuple(one for one in problems if one.severity is model.Severity.ERROR)

    @property
    def own_faults(self) -> tuple[model.Problem, ...]:
        """Those of the site that the URL's name is of."""
        site = self.choice.site if self.choice.name is not None else None
        hosts = {self.url.host} if site is None else {self.url.host, site.host}
        return tuple(one for one in self.faults if one.host in hosts)

    @property
    def route(self) -> model.Route | None:
        return None if self.walk is None else self.walk.route

    @property
    def labels(self) -> LabelledRoute | None:
        """What labels set of the route; None: it is not of containers, or they set nothing."""
        route = self.route
        known = self.daemon.labels if self.daemon is not None and route is not None else ()
        return next(
            (one for one in known if route is not None and (one.path, one.entry) == (route.path, route.entry)), None
        )

    @property
    def visit(self) -> GateVisit | None:
        return self.visits[0] if self.visits else None

    @property
    def answer(self) -> HttpAnswer | None:
        return None if self.visit is None else self.visit.answer

    @property
    def known_addresses(self) -> access_option.Addresses:
        return dict(self.addresses)

    @property
    def settings(self) -> model.Globals:
        return model.Globals() if self.desired is None else self.desired.globals


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """kind: a word for programs. cause: what is wrong; cure: what to do; None: nothing, it is meant so."""

    kind: str
    cause: str
    cure: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """One link of the chain. topic: a word ("dns", "route"). weight: as of `model.Finding`."""

    topic: str
    weight: model.Weight
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """causes: the first is why; empty: nothing is wrong. steps: the chain, in the order of a request. missing: what
    could not be looked at."""

    subject: str
    causes: tuple[Cause, ...]
    steps: tuple[ChainLink, ...]
    missing: tuple[str, ...] = ()
