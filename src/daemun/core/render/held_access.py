"""Which access holds where: that of a route, else of its site, else of the gate."""

import dataclasses

from daemun.core import arguments, directive, model, names, render_environment
from daemun.core.options import access_option
from daemun.core.render import site_scope


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccess:
    """access: what holds. place: what tells apart where it was set."""

    access: access_option.Access
    place: str


NOTHING = HeldAccess(access=access_option.Access(), place="")


def of_site(scope: site_scope.Scope) -> HeldAccess:
    if (own := written(scope.site)) is not None:
        return HeldAccess(access=own, place=names.variable_suffix(scope.site.host, ""))
    return HeldAccess(access=access_option.OPTION.of(scope.settings) or access_option.Access(), place="gate")


def of_route(scope: site_scope.Scope, route: model.Route) -> HeldAccess:
    if (own := written(route)) is not None:
        return HeldAccess(access=own, place=names.variable_suffix(scope.site.host, route.path))
    return of_site(scope)


def written(holder: model.Site | model.Route) -> access_option.Access | None:
    return access_option.OPTION.of(holder)


def judge_place(held: HeldAccess) -> str:
    """The location that decides for whatever holds this; no visitor can request it."""
    return f"/.daemun/judge/{held.place}"


def find_judged(scope: site_scope.Scope) -> dict[str, access_option.Access]:
    """The locations that a server needs for judges, and what each of them decides by."""
    held = (of_site(scope), *(of_route(scope, route) for route in scope.site.routes))
    return {judge_place(one): one.access for one in held if one.access.judge is not None}


def find_judge(scope: site_scope.Scope, route: model.Route) -> tuple[str, access_option.Access]:
    """The location that decides for a route, and what it decides by."""
    held = of_route(scope, route)
    return judge_place(held), held.access


def open_lines(env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """For a location that is for everybody, whatever is required further out."""
    lines = (arguments.line("satisfy", "all"), arguments.line("auth_basic", "off"), arguments.line("allow", "all"))
    if render_environment.Feature.AUTH_REQUEST not in env.nginx.features:
        return lines
    return (*lines, arguments.line("auth_request", "off"))
