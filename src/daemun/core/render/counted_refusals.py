"""Which rule refused a request, as the line has it by which it is counted (`traffic_log`).

Where a rule refuses by an `if` or a page of its own, it sets `traffic_sums.REFUSED_BY`. nginx sets none before what it
refuses itself: then the variable is a `map` of the status, evaluated when the line is written. A 403 may as well be an
answer of a server, or of a folder without a page, so each location with `allow` or `deny` has what a `geo` of the same
networks. A server without any of that has lines without the variable (`server_logs`).
"""

import collections.abc
import ipaddress

from daemun.core import arguments, directive, model, render_environment, serialise
from daemun.core.access import access_levels, dashboard_site
from daemun.core.directive import Expr
from daemun.core.options import access_option, dashboard_option
from daemun.core.plan import variable_definitions
from daemun.core.render import effective_access, site_scope, traffic_log
from daemun.core.traffic import traffic_names, traffic_sums

_REFUSED, _ADDRESS, _LIMIT = traffic_sums.REFUSED_BY, "$daemun_refused_address", "$daemun_refused_limit"
_ZONES = ("zone=daemun_rate_", "daemun_connections_")
"""How the zones of our limits begin (`render.access`)."""


def marked(scope: site_scope.Scope, rule: str) -> tuple[directive.Directive, ...]:
    """Before an answer that refuses by this rule."""
    if not _is_on(scope):
        return ()
    return (arguments.line("set", Expr(_REFUSED), f"{traffic_names.BY_RULE}{rule}"),)


def marked_everywhere(settings: model.Globals, rule: str) -> tuple[directive.Directive, ...]:
    """The same for an answer that every server may give, whatever its lines have: nothing comes after it that would set
    the name of what is counted again."""
    if not traffic_log.is_on(settings):
        return ()
    name = Expr(f"{traffic_log.OF}{traffic_names.BY_RULE}{rule}")
    return (arguments.line("set", Expr(traffic_log.OF), name),)


def _is_on(scope: site_scope.Scope) -> bool:
    """Not for the dashboard of this machine alone, whose rule is daemun's."""
    is_local = dashboard_site.is_it(scope.site) and scope.site.host == dashboard_option.LOCAL_HOST
    return traffic_log.is_on(scope.settings) and not is_local


# --- allow, deny -----------------------------------------------------------------------------------------------


def address_lines(scope: site_scope.Scope, effective: access_levels.EffectiveAccess) -> tuple[directive.Directive, ...]:
    """First in each location whose visitors are refused by address."""
    if not _is_on(scope) or not effective_access.address_rules(effective.access, scope.environment):
        return ()
    return (arguments.line("set", Expr(_ADDRESS), Expr(_variable(effective.place))),)


def is_address_line(node: directive.Node) -> bool:
    return isinstance(node, directive.Directive) and node.name == "set" and node.args[0].value == _ADDRESS


def addresses(scope: site_scope.Scope, effective: access_levels.EffectiveAccess) -> tuple[directive.Node, ...]:
    """What such a location reads, for the http level."""
    if not address_lines(scope, effective):
        return ()
    comment = directive.Comment("By which rule an address is refused, for what is counted.")
    return (comment, _geo(effective, scope.environment))


def addresses_of_gate(settings: model.Globals, env: render_environment.Environment) -> directive.Directive:
    """The same of the gate. Always there: a site may be kept from a time when the gate refused addresses."""
    return _geo(access_levels.of_gate(settings), env)


def _geo(effective: access_levels.EffectiveAccess, env: render_environment.Environment) -> directive.Directive:
    """nginx looks at `deny` first, and a `geo` takes the smallest network that fits: so what is let in within a network
    that is denied is left out."""
    access, known = effective.access, env.named_addresses
    denied = _networks(access.deny, known)
    let_in = tuple(one for one in _networks(access.allow, known) if not _is_within(one, denied))
    default = "allow" if access.allow else ""
    if any(access_option.is_name(one) and not known.get(one) for one in access.deny):
        denied, let_in, default = (), (), "deny"
    lines = (
        arguments.line("default", _value(default)),
        *(arguments.line(str(one), _value("deny")) for one in denied),
        *(arguments.line(str(one), _value("")) for one in let_in),
    )
    return arguments.line("geo", Expr(_variable(effective.place)), block=lines)


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(given: tuple[str, ...], known: access_option.Addresses) -> tuple[_Network, ...]:
    """Each once, however it is written: nginx warns of others. All addresses are two networks: nginx has its default at
    the one of both."""
    found = [ipaddress.ip_network(one, strict=False) for one in access_option.networks(given, known)]
    parts = (part for one in found for part in (one.subnets() if one.prefixlen == 0 else (one,)))
    return tuple(dict.fromkeys(parts))


def _is_within(one: _Network, others: tuple[_Network, ...]) -> bool:
    return any(
        one.version == other.version and one.prefixlen >= other.prefixlen and one.network_address in other
        for other in others
    )


def _value(rule: str) -> str:
    return f"{traffic_names.BY_RULE}{rule}" if rule else ""


def _variable(place: str) -> str:
    return f"{_ADDRESS}_{place}"


# --- lines -----------------------------------------------------------------------------------------------------


def is_any(nodes: collections.abc.Iterable[directive.Node]) -> bool:
    """Whether a rule may refuse what comes to this server."""
    return any(_may_refuse(node) for node in nodes if isinstance(node, directive.Directive))


def _may_refuse(node: directive.Directive) -> bool:
    if node.block is not None:
        return is_any(node.block)
    if node.name == "set":
        return node.args[0].value in {_REFUSED, _ADDRESS}
    return node.name in {"limit_req", "limit_conn"} and node.args[0].value.startswith(_ZONES)


def variables(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    features = env.nginx.features
    rate = "$limit_req_status" if render_environment.Feature.LIMIT_REQ in features else ""
    connections = "$limit_conn_status" if render_environment.Feature.LIMIT_CONN in features else ""
    return (
        directive.Comment(
            "Which rule refused a request, for what is counted. By the status, where nginx refuses itself:"
        ),
        directive.Comment("by address, or for a limit."),
        arguments.map_to("$status", _REFUSED, ("403", _ADDRESS), ("429", _LIMIT)),
        arguments.map_to("", _ADDRESS),
        addresses_of_gate(settings, env),
        arguments.map_to(
            # A limit of daemun's own, for bodies, refuses no request: it is sent on to a server.
            f"{rate}|{connections}|$upstream_addr",
            _LIMIT,
            ("~^REJECTED", _value("rate_limit")),
            (r"~^[^|]*\|REJECTED\|\z", _value("connections")),
        ),
    )


def formats() -> variable_definitions.Definitions:
    """The lines of servers in which a rule may refuse: a tree has those that its files use."""
    return {one.args[0].value: serialise.serialise((one,)) for one in traffic_log.formats_with_refusals()}
