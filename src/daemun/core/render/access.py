"""Which clients a route serves, by their addresses."""

import ipaddress

from daemun.core import directive, model, words
from daemun.core.render import values
from daemun.errors import RenderError


def lines(route: model.Route) -> tuple[directive.Directive, ...]:
    """For each of its locations: a request for a stream reaches a named one before nginx looked at its address.

    Raises: RenderError.
    """
    if not route.allow:
        return ()
    try:
        networks = [str(ipaddress.ip_network(network, strict=False)) for network in route.allow]
    except ValueError as error:
        shown = words.listed((words.quoted(network) for network in route.allow), last="and")
        raise RenderError(f"cannot render allow {shown}: {error}") from error
    return (*(values.line("allow", network) for network in networks), values.line("deny", "all"))
