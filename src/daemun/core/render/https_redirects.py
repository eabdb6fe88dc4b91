"""Redirects of a site: from plain HTTP to HTTPS, and from its aliases to it."""

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import redirect_status_option, trusted_proxies_option


def believes_https(settings: model.Globals) -> bool:
    """Whether a proxy in front that sends plain HTTP may state that its visitor came over HTTPS: to send that one there
    again would never end."""
    return bool(trusted_proxies_option.OPTION.of(settings)) and not settings.believes_clients


def to_https_unless_there(redirects: tuple[directive.Node, ...]) -> tuple[directive.Node, ...]:
    """For a server that has the site's content for visitors of a trusted proxy. redirects: as `to_https` has them."""
    there, other = redirects[-1], redirects[:-1]
    lines: list[directive.Node] = []
    if other:
        (unsafe,) = other
        assert isinstance(unsafe, directive.Directive)
        lines.append(arguments.line("if", Expr("$daemun_other_insecure"), block=unsafe.block or ()))
    return (*lines, arguments.line("if", Expr("$daemun_insecure"), block=(there,)))


def to_https(site: model.Site, uri: str = "$request_uri", host: str = "$host") -> tuple[directive.Node, ...]:
    """Permanently; what is neither GET nor HEAD comes as it is (308, RFC 9110 section 15.4.9): after a 301 browsers and
    programs send a GET instead."""
    port = "$daemun_https_port"
    if site.https_port is not None:
        port = "" if site.https_port == 443 else f":{site.https_port}"
    return moved(site, Expr(f"https://{host}{port}{uri}"))


def moved(site: model.Site, there: Expr) -> tuple[directive.Node, ...]:
    """Permanently, to there."""
    always = arguments.line("return", "301", there)
    status = redirect_status_option.OPTION.of(site)
    if status == 301:
        return (always,)
    other = arguments.line("return", str(status), there)
    return (arguments.line("if", Expr("$request_method"), "!~", r"^(?:GET|HEAD)\z", block=(other,)), always)
