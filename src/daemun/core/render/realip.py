"""From where nginx takes the visitor's address: the headers of trusted proxies, and the PROXY line before each
connection."""

import ipaddress

from daemun.core import arguments, directive, model
from daemun.core.options import trusted_proxies_option


def lines(settings: model.Globals) -> tuple[directive.Node, ...]:
    """$remote_addr becomes the visitor's address when a trusted proxy names it."""
    if settings.has_proxy_lines:
        trusted = balancers(settings) or networks(settings) or ("0.0.0.0/0", "::/0")
        return (
            directive.Comment("The line before each connection says who the visitor is."),
            *(arguments.line("set_real_ip_from", network) for network in trusted),
            arguments.line("real_ip_header", "proxy_protocol"),
        )
    if not trusted_proxies_option.OPTION.of(settings):
        return ()
    return (
        directive.Comment("Trusted proxies say who the visitor is."),
        *(arguments.line("set_real_ip_from", network) for network in networks(settings)),
        arguments.line("real_ip_header", "X-Forwarded-For"),
        arguments.line("real_ip_recursive", "on"),
    )


def balancers(settings: model.Globals) -> tuple[str, ...]:
    """Whose PROXY lines count, as nginx writes networks."""
    return tuple(str(ipaddress.ip_network(one, strict=False)) for one in settings.listen.balancers)


def networks(settings: model.Globals) -> tuple[str, ...]:
    """The trusted proxies, as nginx writes networks."""
    return tuple(str(ipaddress.ip_network(one, strict=False)) for one in trusted_proxies_option.OPTION.of(settings))
