"""Servers that hand-written nginx names: they are looked up as targets are, while nginx runs (DESIGN.md decision 4).

nginx itself looks a name up once, before it starts, and does not start when there is none. So `proxy_pass
http://authelia:9091/x` becomes a request to an upstream block whose only server daemun's responder answers for. To the
server nothing changes: what nginx makes of the name (Host, SNI, redirects) is written out. Pure.
"""

import collections.abc
import dataclasses
import re

from daemun.core import directive, model
from daemun.core.directive import Expr
from daemun.core.services import dns_service
from daemun.core.texts import names

_SCHEMES: dict[str, dict[str, int | None]] = {
    "proxy_pass": {"http": 80, "https": 443},
    "grpc_pass": {"": 80, "grpc": 80, "grpcs": 443},
    "fastcgi_pass": {"": None},
    "uwsgi_pass": {"": None, "uwsgi": None, "suwsgi": None},
    "scgi_pass": {"": None, "scgi": None},
    "memcached_pass": {"": None},
}
"""What leads to a server -> the schemes it knows, each with its usual port."""

_GOAL = re.compile(
    r"(?:(?P<scheme>[a-z]+)://)?(?P<host>[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:(?:[/?]|\$\{?(?:request_uri|document_uri|uri|is_args)\b|(?(port)\$|(?!))).*)?)\Z",
    re.DOTALL,
)
"""Behind a port, a variable holds a path; behind a name, most may hold a part of the name."""
_SERVER = re.compile(r"(?P<host>[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?\Z")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_NAMED = "daemun_named"
_PARTIAL = frozenset({"if", "limit_except"})
"""Blocks of a location that take `proxy_pass`, and next to nothing that goes with it: that stands around them."""

_Constants = dict[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedServers:
    """Hand-written nginx in which every named server is one of `services`, and the blocks that it needs around it."""

    nodes: model.Snippet
    services: tuple[dns_service.Service, ...] = ()
    upstreams: tuple[directive.Directive, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Goal:
    """What a `..._pass` leads to. authority: the host as nginx would send it to the server. is_constant: without a
    variable in it."""

    module: str
    is_constant: bool
    scheme: str
    service: dns_service.Service
    authority: str
    rest: str


@dataclasses.dataclass(slots=True, kw_only=True)
class _Inherited:
    """What a block has from those around it. names: of directives. headers: of `..._set_header`; empty: ours are."""

    prefix: str = "/"
    names: frozenset[str] = frozenset()
    headers: dict[str, tuple[directive.Directive, ...]] = dataclasses.field(default_factory=dict)
    constants: _Constants = dataclasses.field(default_factory=dict)


class _Reader:
    def __init__(self, place: str, known: collections.abc.Container[str], *, has_unknown: bool) -> None:
        self._place = place
        self._known = known
        self._has_unknown = has_unknown
        self.services: dict[str, dns_service.Service] = {}
        self._blocks: dict[str, dns_service.Service] = {}
        self._hosts: dict[str, str] = {}

    def upstream(self, service: dns_service.Service) -> str:
        """The name of its block: one for each file, as a file may stand in from an earlier generation."""
        name = f"{service.name.removesuffix('.daemun')}_{names.variable_suffix(self._place)}"
        self.services[service.name] = self._blocks[name] = service
        return name

    def blocks(self) -> tuple[directive.Directive, ...]:
        """The upstream blocks that are referred to, and a map of what their servers are called."""
        upstreams = tuple(_block(name, service) for name, service in self._blocks.items())
        if not self._hosts:
            return upstreams
        lines = [directive.Directive(name, (Expr(host),)) for name, host in self._hosts.items()]
        default = directive.Directive("default", (Expr("$proxy_host"),))
        return (
            *upstreams,
            directive.Directive("map", (Expr("$proxy_host"), Expr(self._host_variable)), (default, *lines)),
        )

    @property
    def _host_variable(self) -> str:
        return f"$daemun_named_host_{names.variable_suffix(self._place)}"

    def level(self, nodes: model.Snippet, inherited: _Inherited, *, has_our_headers: bool = False) -> model.Snippet:
        """The nodes of one block. has_our_headers: its headers are only a part of what servers are sent."""
        lines = [node for node in nodes if isinstance(node, directive.Directive)]
        here = _inherit(lines, inherited)
        if has_our_headers:
            here.headers = {}
        partial = {node: self._partial(node, here) for node in lines if node.name in _PARTIAL and node.block}
        inner = [] if has_our_headers else [goal for _, goals in partial.values() for goal in goals]
        written: list[directive.Node] = []
        first: list[directive.Node] = []
        hosts: dict[str, str] = {}
        for node in nodes:
            if isinstance(node, directive.Comment):
                written.append(node)
            elif node.name in _SCHEMES and len(node.args) == 1:
                goal = self._goal(node, here.constants)
                if goal is not None:
                    hosts[goal.module] = self._host(goal, inner)
                    first += (*self._set(goal), *_spell_out(goal, here, lines, hosts[goal.module]))
                written.append(node if goal is None else self._pass(node, goal))
                if goal is None and inner and _has_common_redirect(node, here):
                    written.append(directive.Directive("proxy_redirect", (Expr("default"),)))
            elif node in partial:
                written.append(dataclasses.replace(node, block=partial[node][0]))
            elif node.block is None or node.name in {"map", "geo", "types", "split_clients"}:
                written.append(node)
            elif node.name == "upstream":
                written.append(self._group(node))
            else:
                around = dataclasses.replace(here, prefix=_prefix(node) or here.prefix)
                written.append(dataclasses.replace(node, block=self.level(node.block, around)))
        own = {line.name for line in lines}
        for goal in inner:
            if goal.module == "proxy" or f"{goal.module}_pass" not in own:
                hosts.setdefault(goal.module, self._host(goal, inner))
                first += _spell_out(goal, here, lines, hosts[goal.module])
        return _with_hosts((*dict.fromkeys(first), *written), hosts) if hosts else tuple(written)

    def _partial(self, block: directive.Directive, around: _Inherited) -> tuple[model.Snippet, list[_Goal]]:
        """What stands in such a block, and the servers that it leads to."""
        nodes = block.block or ()
        here = _inherit([node for node in nodes if isinstance(node, directive.Directive)], around)
        written: list[directive.Node] = []
        goals: list[_Goal] = []
        for node in nodes:
            is_pass = isinstance(node, directive.Directive) and node.name in _SCHEMES and len(node.args) == 1
            goal = self._goal(node, here.constants) if isinstance(node, directive.Directive) and is_pass else None
            # nginx sets no variable where `limit_except` holds.
            if goal is None or (block.name == "limit_except" and not goal.is_constant):
                written.append(node)
            else:
                assert isinstance(node, directive.Directive)
                written += (*self._set(goal), self._pass(node, goal))
                goals.append(goal)
        return tuple(written), goals

    def _host(self, goal: _Goal, inner: collections.abc.Collection[_Goal]) -> str:
        """What the server is called in its location; a variable where a block in it may lead to another."""
        others = [one for one in inner if one.module == "proxy"]
        if goal.module != "proxy" or not others:
            return goal.authority
        self._hosts |= {self.upstream(one.service): one.authority for one in (goal, *others)}
        return self._host_variable

    def _goal(self, line: directive.Directive, constants: _Constants) -> _Goal | None:
        """None: nginx finds it without a name server, or what it is is decided for each request."""
        match = _GOAL.match(
            _VARIABLE.sub(lambda found: constants.get(found[1] or found[2], found[0]), line.args[0].value)
        )
        if match is None:
            return None
        schemes, scheme = _SCHEMES[line.name], match["scheme"] or ""
        if scheme not in schemes:
            return None
        default = schemes[scheme]
        port = int(match["port"]) if match["port"] else default
        host = match["host"].lower()
        if port is None or not self._is_looked_up(host, has_port=match["port"] is not None):
            return None
        return _Goal(
            module=line.name.removesuffix("_pass"),
            is_constant=_is_constant(line),
            scheme=scheme,
            service=_service(host, port),
            authority=host if port == default else f"{host}:{port}",
            rest=match["rest"],
        )

    def _is_looked_up(self, host: str, *, has_port: bool) -> bool:
        if host in self._known or names.address_of(host) is not None or host == "localhost":
            return False
        # A group of servers has no port, and one may be described in a file that only nginx reads.
        return names.is_host_name(host) and (has_port or not self._has_unknown)

    def _pass(self, line: directive.Directive, goal: _Goal) -> directive.Directive:
        """The line with the name of a block instead of the server's."""
        scheme = f"{goal.scheme}://" if goal.scheme else ""
        name = self.upstream(goal.service) if goal.is_constant else f"${_NAMED}"
        return dataclasses.replace(line, args=(Expr(f"{scheme}{name}{goal.rest}"),))

    def _set(self, goal: _Goal) -> tuple[directive.Directive, ...]:
        """Where a variable leads to a server, a path replaces that of the request as a whole, and so it must stay."""
        if goal.is_constant:
            return ()
        return (directive.Directive("set", (Expr(f"${_NAMED}"), Expr(self.upstream(goal.service)))),)

    def _group(self, group: directive.Directive) -> directive.Directive:
        """The owner's own `upstream`, with its named servers looked up while nginx runs."""
        assert group.block is not None
        lines = [node for node in group.block if isinstance(node, directive.Directive)]
        if any(line.name == "resolver" for line in lines):
            return group
        block = tuple(self._server(node) for node in group.block)
        if block != group.block and not any(line.name == "zone" for line in lines):
            block = (directive.Directive("zone", (Expr(f"{group.args[0].value}_daemun"), Expr("256k"))), *block)
        return dataclasses.replace(group, block=block)

    def _server(self, node: directive.Node) -> directive.Node:
        if isinstance(node, directive.Comment) or node.name != "server" or not node.args:
            return node
        match = _SERVER.match(node.args[0].value)
        options = tuple(arg for arg in node.args[1:] if arg.value != "resolve")
        if match is None or any(arg.value.startswith("service=") for arg in options):
            return node
        host = match["host"].lower()
        if names.address_of(host) is not None or host == "localhost" or not names.is_host_name(host):
            return node
        service = _service(host, int(match["port"] or 80))
        self.services[service.name] = service
        args = (Expr(service.name), Expr("service=http"), Expr("resolve"), *options)
        return dataclasses.replace(node, args=args)


def _spell_out(
    goal: _Goal, here: _Inherited, lines: collections.abc.Iterable[directive.Directive], host: str
) -> list[directive.Directive]:
    """What nginx's usual values make of the name of a server (`$proxy_host`). host: what it is called."""
    module = goal.module
    found: list[directive.Directive] = []
    headers = here.headers.get(module, ())
    if headers and not any(one.args and one.args[0].value.lower() == "host" for one in headers):
        found += () if any(one.name == f"{module}_set_header" for one in lines) else headers
        found.append(directive.Directive(f"{module}_set_header", (Expr("Host"), Expr(host))))
    if goal.scheme in {"https", "grpcs", "suwsgi"} and f"{module}_ssl_name" not in here.names:
        name = str(goal.service.host) if host == goal.authority else host
        found.append(directive.Directive(f"{module}_ssl_name", (Expr(name),)))
    if module == "proxy" and goal.is_constant and "proxy_redirect" not in here.names:
        there = f"{goal.scheme}://{goal.authority}"
        way = (f"{there}{goal.rest}", here.prefix) if goal.rest else (f"{there}/", "/")
        found.append(directive.Directive("proxy_redirect", (Expr(way[0]), Expr(way[1]))))
    return found


def _has_common_redirect(line: directive.Directive, here: _Inherited) -> bool:
    return line.name == "proxy_pass" and _is_constant(line) and "proxy_redirect" not in here.names


def _service(host: str, port: int) -> dns_service.Service:
    return dns_service.Service(name=names.service_name(host, port), host=host, port=port)


def _inherit(lines: collections.abc.Sequence[directive.Directive], outer: _Inherited) -> _Inherited:
    constants = dict(outer.constants)
    for line in lines:
        if line.name == "set" and len(line.args) == 2:
            name, value = line.args[0].value.removeprefix("$"), line.args[1].value
            value = _VARIABLE.sub(lambda found: constants.get(found[1] or found[2], found[0]), value)
            # What is set twice, or made of what a request brings, is no constant.
            constants[name] = value if name not in constants and "$" not in value else f"${name}"
    headers = dict(outer.headers)
    for module in ("proxy", "grpc"):
        own = tuple(line for line in lines if line.name == f"{module}_set_header")
        if own:
            headers[module] = own
    return _Inherited(
        prefix=outer.prefix,
        names=outer.names | {line.name for line in lines},
        headers=headers,
        constants=constants,
    )


def _prefix(block: directive.Directive) -> str | None:
    """Of a location; None where an expression chooses it."""
    if block.name != "location" or not block.args or block.args[0].value.startswith(("~", "@")):
        return None
    return block.args[-1].value


def _is_constant(line: directive.Directive) -> bool:
    return "$" not in line.args[0].value


def _with_hosts(nodes: model.Snippet, hosts: collections.abc.Mapping[str, str]) -> model.Snippet:
    """The lines of a block with `$proxy_host` as it would be. hosts: by module."""
    variable = re.compile(rf"\$(?:\{{({'|'.join(hosts)})_host\}}|({'|'.join(hosts)})_host\b)")

    def written(argument: directive.Arg) -> directive.Arg:
        return Expr(variable.sub(lambda found: hosts[found[1] or found[2]], argument.value))

    return tuple(
        node
        if isinstance(node, directive.Comment)
        else dataclasses.replace(node, args=tuple(written(argument) for argument in node.args))
        for node in nodes
    )


# --- the hand-written nginx of a site and of the gate ----------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundSite:
    """As `NamedServers`, with all that an owner wrote for a site."""

    site: model.Site
    services: tuple[dns_service.Service, ...] = ()
    upstreams: tuple[directive.Directive, ...] = ()


def find_in_gate(settings: model.Globals, part: model.SnippetFile | None = None) -> NamedServers:
    """In what stands at the http level: in one file of it, or in what is none."""
    written = settings.own_snippet if part is None else part.snippet
    if not written:
        return NamedServers(nodes=())
    place = "" if part is None else part.place
    reader = _Reader(place, groups(settings.snippet), has_unknown=_has_includes(settings.snippet))
    others = tuple(node for node in settings.snippet if node not in written)
    nodes = reader.level(written, _inherit(_directives(others), _Inherited()))
    return NamedServers(nodes=nodes, services=tuple(reader.services.values()), upstreams=reader.blocks())


def find_in_site(site: model.Site, settings: model.Globals) -> FoundSite:
    """In what stands in the site and its routes."""
    if not site.snippet and not any(route.snippet for route in site.routes):
        return FoundSite(site=site)
    known = groups(settings.snippet) | {names.upstream_name(site.host, route.name) for route in site.routes}
    reader = _Reader(site.host, known, has_unknown=_has_includes(settings.snippet))
    around = _inherit(_directives(settings.snippet), _Inherited())
    inside = _inherit(_directives(site.snippet), around)
    routes = tuple(
        route
        if not route.snippet
        else dataclasses.replace(
            route,
            snippet=reader.level(
                route.snippet,
                dataclasses.replace(inside, prefix=route.path, headers={}),
                has_our_headers=not route.replaced,
            ),
        )
        for route in site.routes
    )
    found = dataclasses.replace(site, snippet=reader.level(site.snippet, around), routes=routes)
    return FoundSite(site=found, services=tuple(reader.services.values()), upstreams=reader.blocks())


def _directives(nodes: model.Snippet) -> list[directive.Directive]:
    return [node for node in nodes if isinstance(node, directive.Directive)]


def _has_includes(nodes: model.Snippet) -> bool:
    return any(isinstance(node, directive.Directive) and node.name == "include" for node in nodes)


def groups(nodes: model.Snippet) -> frozenset[str]:
    """The names of the `upstream` blocks."""
    return frozenset(
        node.args[0].value
        for node in nodes
        if isinstance(node, directive.Directive) and node.name == "upstream" and node.args
    )


def _block(name: str, service: dns_service.Service) -> directive.Directive:
    lines = (
        directive.Directive("zone", (Expr(name), Expr("256k"))),
        directive.Directive("server", (Expr(service.name), Expr("service=http"), Expr("resolve"))),
    )
    return directive.Directive("upstream", (Expr(name),), lines)
