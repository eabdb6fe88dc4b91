"""The access that holds for what is rendered, and the locations of nginx that decide by it."""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.access import access_levels
from daemun.core.options import access_option
from daemun.core.render import site_scope


def of_site(scope: site_scope.Scope) -> access_levels.EffectiveAccess:
    return access_levels.of_site(scope.site, scope.settings)


def of_route(scope: site_scope.Scope, route: model.Route) -> access_levels.EffectiveAccess:
    return access_levels.of_route(route, scope.site, scope.settings)


def judge_place(effective: access_levels.EffectiveAccess) -> str:
    """The location that decides for whatever holds this; no visitor can request it."""
    return f"/.daemun/judge/{effective.place}"


def is_judged(access: access_option.Access) -> bool:
    """Whether nginx requests something for each visitor: a judge, or what looks at a certificate that is one of several
    conditions."""
    return access.judge is not None or (access.any and access.needs_certificate)


def find_all(scope: site_scope.Scope) -> tuple[access_option.Access, ...]:
    """That of the site, and of each of its routes."""
    return (of_site(scope).access, *(of_route(scope, route).access for route in scope.site.routes))


def find_judged(scope: site_scope.Scope) -> dict[str, access_option.Access]:
    """The locations that a server needs for judges, and what each of them decides by."""
    effective = (of_site(scope), *(of_route(scope, route) for route in scope.site.routes))
    return {judge_place(one): one.access for one in effective if is_judged(one.access)}


def find_judge(scope: site_scope.Scope, route: model.Route) -> tuple[str, access_option.Access]:
    """The location that decides for a route, and what it decides by."""
    effective = of_route(scope, route)
    return judge_place(effective), effective.access


def address_rules(access: access_option.Access, env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """nginx takes the first that fits. While a name that is denied has no known address, everybody is: who it is meant
    for cannot be distinguished."""
    known = env.named_addresses
    if any(access_option.is_name(one) and not known.get(one) for one in access.deny):
        return (arguments.line("deny", "all"),)
    lines = [arguments.line("deny", network) for network in access_option.networks(access.deny, known)]
    lines += [arguments.line("allow", network) for network in access_option.networks(access.allow, known)]
    return (*lines, arguments.line("deny", "all")) if access.allow else tuple(lines)


def open_lines(
    env: render_environment.Environment, rules: tuple[directive.Directive, ...] = ()
) -> tuple[directive.Directive, ...]:
    """For a location that is for everybody, whatever is required further out. rules: for everybody of these
    addresses."""
    addresses = rules or (arguments.line("allow", "all"),)
    lines = (arguments.line("satisfy", "all"), arguments.line("auth_basic", "off"), *addresses)
    if render_environment.Feature.AUTH_REQUEST not in env.nginx.features:
        return lines
    return (*lines, arguments.line("auth_request", "off"))
