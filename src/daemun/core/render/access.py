"""Who may come in, and how often (`core.options.access_option`).

The conditions of a site stand in its server, from which every location inherits them, hand-written ones among them.
The locations of a route repeat them where the route has others. What answers by `return` is in `early_answers`.

Limits stand in the locations of routes alone: inherited ones would hold for certificate authorities, too.
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.access import access_levels
from daemun.core.directive import Expr
from daemun.core.options import access_option, forward_auth_forms, rate_limit_form
from daemun.core.render import (
    client_certificates,
    counted_refusals,
    effective_access,
    forward_auth,
    judge_locations,
    network_refusals,
    other_spellings,
    site_scope,
    user_limits,
    webdav_destinations,
)

_ADDRESS = "$daemun_limit_address"
_GATE_ZONE, _ZONE = "10m", "1m"
"""A megabyte has room for 8,000 addresses; beyond that nginx forgets the oldest."""
_RETRY_AFTER = "$daemun_retry_after_"
_WAITS_S = (1, 2, 5, 10, 30, 60)


# --- for a server ----------------------------------------------------------------------------------------------


def server_lines(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """What every location of a server inherits."""
    effective = effective_access.of_site(scope)
    is_asking = effective.access.client_certificates is None and client_certificates.is_asking(scope)
    page = (client_certificates.page_line(),) if is_asking else ()
    conditions = _conditions(scope, effective, inherited=access_levels.NOTHING)
    return (*other_spellings.refusals(scope), *conditions, *_answers(effective), *page)


def retry_after(scope: site_scope.Scope) -> str | None:
    """The variable with the seconds after which a request that was refused for a limit may come again; None: the site
    has no limit. Daemun's own judge has limits of its own, and sends that time itself."""
    effective = [effective_access.of_route(scope, route).access for route in scope.site.routes]
    if not any(access.is_limited for access in effective):
        return judge_locations.WAIT if judge_locations.is_needed(scope) else None
    longest_s = max((_seconds_between(access) for access in effective), default=1.0)
    return f"{_RETRY_AFTER}{next((wait_s for wait_s in _WAITS_S if wait_s >= longest_s), _WAITS_S[-1])}"


def retry_after_of_server(wait: str | None) -> str:
    """The same where a page may stand for a server's answer: that server's time first."""
    of_limit = wait is not None and wait.startswith(_RETRY_AFTER)
    return f"{wait}_or_sent" if of_limit else "$upstream_http_retry_after"


def _seconds_between(access: access_option.Access) -> float:
    limit = access.rate_limit
    return 1.0 if limit is None else limit.rate.period_s / limit.rate.requests


# --- for a route -----------------------------------------------------------------------------------------------


def guarded(
    scope: site_scope.Scope,
    route: model.Route,
    locations: collections.abc.Iterable[directive.Node],
    pages: tuple[directive.Directive, ...],
) -> tuple[directive.Node, ...]:
    """The locations of a route, with what nginx looks at before it answers from them. pages: the route's error pages,
    for where those further out do not hold.

    Ours go first: what an owner wrote for addresses may refuse more, and lets in no one else.
    """
    effective, outer = effective_access.of_route(scope, route), effective_access.of_site(scope)
    conditions, rates, connections = (
        _conditions(scope, effective, inherited=outer),
        _rates(effective),
        _connections(effective),
    )
    answers = _answers(effective)
    is_as_further_out = answers == _answers(outer)
    more = () if is_as_further_out else (*answers, *pages)
    is_split = user_limits.is_split(scope, route)
    if is_split:
        user_limits.check(route)
    found: list[directive.Node] = []
    for node in locations:
        halves = user_limits.split(scope, route, node, rates) if is_split else None
        if halves is None:
            found.append(_with_lines(node, (*conditions, *rates, *connections), answers, more))
        else:
            found.append(_with_lines(halves[0], (*conditions, *connections), answers, more))
            found.append(_with_lines(halves[1], (), answers, more))
    refusals = (*_refusals(scope, effective), *webdav_destinations.refusals(scope, route))
    return tuple(network_refusals.repeat(node, refusals) for node in found)


def guarded_beside(
    scope: site_scope.Scope, nodes: collections.abc.Iterable[directive.Node]
) -> tuple[directive.Node, ...]:
    """What stands in a server beside the routes, hand-written locations among it. What of it is inherited stands there
    already (`server_lines`)."""
    effective = effective_access.of_site(scope)
    refusals = _refusals(scope, effective)
    return tuple(network_refusals.repeat(node, refusals) for node in nodes)


def _refusals(scope: site_scope.Scope, effective: access_levels.EffectiveAccess) -> tuple[directive.Directive, ...]:
    """By what variables decide on, first in each location."""
    return (
        *network_refusals.lines(scope, effective.access, effective.place),
        *client_certificates.refusals(effective.access),
        *counted_refusals.address_lines(scope, _by_address(effective)),
    )


def _by_address(effective: access_levels.EffectiveAccess) -> access_levels.EffectiveAccess:
    return dataclasses.replace(effective, access=_by_nginx_itself(effective.access))


def _with_lines(
    node: directive.Node,
    lines: tuple[directive.Directive, ...],
    answers: tuple[directive.Directive, ...],
    pages: tuple[directive.Directive, ...],
) -> directive.Node:
    """answers: for a location with error pages of its own, which nginx takes for all there are. pages: for others."""
    if not isinstance(node, directive.Directive) or node.name != "location" or node.block is None:
        return node
    more = answers if site_scope.owned(node.block, "error_page") else pages
    if answers and not site_scope.owned(node.block, "recursive_error_pages"):
        # A request that was handed to a named location is one with an "error", and nginx would follow no second one.
        more = (*more, arguments.line("recursive_error_pages", "on"))
    return dataclasses.replace(node, block=(*lines, *more, *node.block))


def _answers(effective: access_levels.EffectiveAccess) -> tuple[directive.Directive, ...]:
    """Where those go who are not let in by a judge, or for their certificate."""
    page = client_certificates.page_lines(effective.access)
    if effective.access.basic_auth is not None or effective.access.login is not None:
        return (judge_locations.refused_page(effective.access), *page)
    if effective.access.forward_auth is None:
        return page
    there = forward_auth.answer_place(effective_access.judge_place(effective))
    return (arguments.line("error_page", "401", "=", there), *page)


def is_guarded(scope: site_scope.Scope, route: model.Route) -> bool:
    """Whether nginx has anything to look at before it answers."""
    access = effective_access.of_route(scope, route).access
    return bool(access.conditions) or access.is_limited


def _conditions(
    scope: site_scope.Scope, effective: access_levels.EffectiveAccess, *, inherited: access_levels.EffectiveAccess
) -> tuple[directive.Directive, ...]:
    if effective == inherited:
        return ()
    access, outer = _by_nginx_itself(effective.access), _by_nginx_itself(inherited.access)
    rules = effective_access.address_rules(access, scope.environment)
    if not rules and effective_access.address_rules(outer, scope.environment):
        # Beside other conditions of which one is enough, "allow all" would be enough for everybody.
        rules = (arguments.line("deny" if access.any else "allow", "all"),)
    if effective_access.is_judged(access):
        place = effective_access.judge_place(effective)
        kept = (*forward_auth.request_lines(place, access), *judge_locations.request_lines(access))
        rules = (*rules, arguments.line("auth_request", place), *kept)
    elif effective_access.is_judged(outer):
        rules = (*rules, arguments.line("auth_request", "off"))
    if access.conditions or outer.conditions:
        # Written out, so that none further out, of an owner's, holds.
        return (arguments.line("satisfy", "any" if access.any else "all"), *rules)
    return rules


def _by_nginx_itself(access: access_option.Access) -> access_option.Access:
    """Without what a variable decides, which comes first: alone, it is one more condition; where one is enough, the
    variable knows all of them."""
    is_one = access.any and bool(access.countries)
    allow = () if is_one else access.allow
    return dataclasses.replace(access, countries=(), any=access.any and not is_one, allow=allow)


# --- limits ----------------------------------------------------------------------------------------------------


def shared(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """What the limits of a site and its routes count in, and where `Destination` may lead, at the http level."""
    every = (effective_access.of_site(scope), *(effective_access.of_route(scope, route) for route in scope.site.routes))
    limited = dict.fromkeys(effective for effective in every if effective != access_levels.of_gate(scope.settings))
    zones = (node for effective in limited for node in _zones(effective, _ZONE))
    return (*zones, *webdav_destinations.variables(scope))


def networks(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The variables that say whom a site and its routes refuse. Long, and so last in its file."""
    written = [effective_access.of_site(scope)] if access_option.OPTION.of(scope.site) is not None else []
    routes = (route for route in scope.site.routes if access_option.OPTION.of(route) is not None)
    written += [effective_access.of_route(scope, route) for route in routes]
    env = scope.environment
    found = [node for one in written for node in network_refusals.variables(one.access, one.place, env.named_addresses)]
    for one in written:
        found += counted_refusals.addresses(scope, _by_address(one))
    return tuple(found)


def networks_of_gate(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """The same for the whole gate, in a file of its own."""
    access = access_option.OPTION.of(settings) or access_option.Access()
    return network_refusals.variables(access, "gate", env.named_addresses)


def shared_by_sites(settings: model.Globals) -> tuple[directive.Node, ...]:
    """The same for the limits of the gate, which count what comes to any site."""
    return tuple(_zones(access_levels.of_gate(settings), _GATE_ZONE))


def variables() -> tuple[directive.Node, ...]:
    return (
        directive.Comment("What requests are counted by: the address, of IPv6 the network that one customer has."),
        # "::ffff:192.0.2.1" is an address of IPv4; a balancer may write it so.
        arguments.map_to(
            "$binary_remote_addr",
            _ADDRESS,
            (r"~(?s)^\x00{10}\xff{2}(?<daemun_mapped>.{4})\z", "$daemun_mapped"),
            (r"~(?s)^(?<daemun_network>.{8}).{8}\z", "$daemun_network"),
            default="$binary_remote_addr",
        ),
        directive.Comment("When one that was refused for a limit may come again."),
        *(arguments.map_to("$status", f"{_RETRY_AFTER}{wait_s}", ("429", str(wait_s))) for wait_s in _WAITS_S),
        directive.Comment("The same where the page may stand for a server's answer, which has a time of its own."),
        *(
            arguments.map_to(
                "$upstream_http_retry_after",
                f"{_RETRY_AFTER}{wait_s}_or_sent",
                ("", f"{_RETRY_AFTER}{wait_s}"),
                default="$upstream_http_retry_after",
            )
            for wait_s in _WAITS_S
        ),
    )


def _zones(effective: access_levels.EffectiveAccess, size: str) -> collections.abc.Iterator[directive.Node]:
    limit = effective.access.rate_limit
    if limit is not None:
        key = _ADDRESS
        if user_limits.is_on(effective.access):
            key = judge_locations.LIMIT_KEY
            if effective.access.forward_auth is not None:
                key = f"$daemun_limit_user_{effective.place}"
                yield from _named_by_judge(effective, effective.access.forward_auth, key)
        elif limit.header is not None:
            key = f"$daemun_limit_header_{effective.place}"
            header = f"$http_{limit.header.replace('-', '_')}"
            yield arguments.map_to(header, key, ("", _ADDRESS), default=header)
        zone = f"zone={_rate_zone(effective, limit)}:{size}"
        yield arguments.line("limit_req_zone", Expr(key), zone, f"rate={_rate(limit.rate)}")
    if effective.access.connections is not None:
        yield arguments.line("limit_conn_zone", Expr(_ADDRESS), f"zone=daemun_connections_{effective.place}:{size}")


def _named_by_judge(
    effective: access_levels.EffectiveAccess, judge: forward_auth_forms.ForwardAuth, key: str
) -> collections.abc.Iterator[directive.Node]:
    name = judge.user_header
    assert name is not None
    user = forward_auth.identity_variable(effective_access.judge_place(effective), name)
    # All that limits count in is defined, also where no location queries the judge.
    yield arguments.map_to("", user)
    yield judge_locations.limit_key(user, key)


def _rate(rate: rate_limit_form.Rate) -> str:
    """nginx knows whole requests in a second or a minute."""
    if rate.period_s == 1:
        return f"{rate.requests}r/s"
    return f"{max(1, rate.requests * 60 // rate.period_s)}r/m"


def _rate_zone(effective: access_levels.EffectiveAccess, limit: rate_limit_form.RateLimit) -> str:
    """nginx refuses to reload when a zone of the same name counts by something else."""
    by = "address" if limit.header is None else limit.header.replace("-", "_")
    if user_limits.is_on(effective.access):  # no header has capitals here
        by = "USER" if effective.access.forward_auth is None else "USER_OF_JUDGE"
    return f"daemun_rate_{effective.place}_{by}"


def _rates(effective: access_levels.EffectiveAccess) -> tuple[directive.Directive, ...]:
    limit = effective.access.rate_limit
    if limit is None:
        return ()
    # nginx counts what comes beyond the one that is due.
    more = (limit.burst or limit.rate.requests) - 1
    burst = (f"burst={more}", "nodelay") if more else ()
    return (
        arguments.line("limit_req", f"zone={_rate_zone(effective, limit)}", *burst),
        arguments.line("limit_req_status", "429"),
    )


def _connections(effective: access_levels.EffectiveAccess) -> tuple[directive.Directive, ...]:
    if effective.access.connections is None:
        return ()
    return (
        arguments.line("limit_conn", f"daemun_connections_{effective.place}", str(effective.access.connections)),
        arguments.line("limit_conn_status", "429"),
    )
