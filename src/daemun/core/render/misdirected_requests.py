"""Requests whose name in Host is not the one in the handshake: 421, so that no site is reached by the handshake of
another."""

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.render import site_scope
from daemun.core.texts import names

_LONGEST_EXPRESSION = 1000
"""Bytes. nginx takes a word of 4,096, and looks through the names in an expression one by one."""


def refuse(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """RFC 9110 section 15.5.20: the client tries again on a connection of its own.

    For few names one expression rather than a `map`: each map takes nginx a millisecond of every reload, because it
    clears tables for sixteen thousand keys first (ngx_hash_keys_array_init). For two hundred sites that was two thirds
    of a reload. An expression for many names would be slow, and longer than nginx reads.
    """
    if scope.is_default:
        return ()
    expression = _names_of(scope.site)
    condition: tuple[directive.Arg, ...] = (Expr("$ssl_server_name"), directive.Text("!~*"), Expr(expression))
    if _is_long(expression):
        condition = (Expr(_variable(scope)),)
    return (
        directive.Comment("The TLS handshake was for another site."),
        arguments.line("if", *condition, block=(arguments.line("return", "421"),)),
    )


def handshakes(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """At the http level, for a site of many names: what `refuse` looks at. Raises: RenderError."""
    site = scope.site
    if scope.is_default or not site_scope.has_tls(site) or not _is_long(_names_of(site)):
        return ()
    lines = [arguments.line("hostnames"), arguments.line("default", "1")]
    for name in site.names:
        key = arguments.map_host(name)
        # In a server name an expression matches capitals, too.
        lines.append(arguments.line(f"~*{key[1:]}" if key.startswith("~") else key, ""))
    if _has_address(site):
        lines.append(directive.Directive("", (directive.Text(""),)))
    return (
        directive.Comment("1 for a TLS handshake that was for another site."),
        arguments.line("map", Expr("$ssl_server_name"), Expr(_variable(scope)), block=tuple(lines)),
    )


def _variable(scope: site_scope.Scope) -> str:
    return f"$daemun_misdirected_{names.variable_suffix(scope.site.host)}"


def _is_long(expression: str) -> bool:
    return len(expression.encode()) > _LONGEST_EXPRESSION


def _has_address(site: model.Site) -> bool:
    return any(names.address_of(name) is not None for name in site.names)


def _names_of(site: model.Site) -> str:
    """An expression for the names of the handshakes that are for this site. Those without a name are for an address.

    As nginx compares server names: without regard to case, and to a dot at the end. Raises: RenderError.
    """
    written = [arguments.host(name).value for name in site.names]
    patterns = [name for name in written if name.startswith("~")]
    others = [_expression(name) for name in written if not name.startswith("~")]
    if _has_address(site):
        others.append("")
    exact = [rf"^(?:{'|'.join(others)})\.?\z"] if others else []
    return "|".join((*exact, *(f"(?:{name[1:]})" for name in patterns)))


def _expression(name: str) -> str:
    """Of an address or a host name, which may begin or end with a star."""
    return "".join(".+" if char == "*" else char if char.isalnum() else f"\\{char}" for char in name)
