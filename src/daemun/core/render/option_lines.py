"""What options write for themselves (`Option.lines`), for each level of nginx's configuration."""

from daemun.core import directive, model
from daemun.core.options import catalogue, option


def of_gate(settings: model.Globals) -> tuple[directive.Directive, ...]:
    """For the http block: what holds where nothing nearer is set."""
    return tuple(catalogue.lines_of_gate(settings))


def of_site(site: model.Site) -> tuple[directive.Directive, ...]:
    """For its servers."""
    return tuple(catalogue.lines(option.Spot(), site))


def of_route(
    route: model.Route, module: str | None = None, *, is_named: bool = False
) -> tuple[directive.Directive, ...]:
    """For its locations. module: which one passes requests on there; None: nginx answers itself. is_named: as in
    `option.Spot`."""
    spot = option.Spot(module=module, is_named=is_named)
    return tuple(catalogue.lines(spot, route, route.action))
