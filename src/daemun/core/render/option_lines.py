"""What options write for themselves (`Option.lines`), for each level of nginx's configuration."""

from daemun.core import directive, model, render_environment
from daemun.core.options import catalogue, option
from daemun.core.render import site_scope


def of_gate(settings: model.Globals, nginx: render_environment.Nginx) -> tuple[directive.Directive, ...]:
    """For the http block: what holds where nothing nearer is set."""
    return tuple(catalogue.lines_of_gate(settings, option.NginxContext(features=nginx.features, is_gate=True)))


def of_site(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For its servers."""
    return tuple(catalogue.lines(option.NginxContext(features=scope.environment.nginx.features), scope.site))


def of_route(
    scope: site_scope.Scope, route: model.Route, module: str | None = None, *, is_named: bool = False
) -> tuple[directive.Directive, ...]:
    """For its locations. module: which one passes requests on there; None: nginx answers itself. is_named: as in
    `option.NginxContext`."""
    context = option.NginxContext(module=module, is_named=is_named, features=scope.environment.nginx.features)
    return tuple(catalogue.lines(context, route, route.action))
