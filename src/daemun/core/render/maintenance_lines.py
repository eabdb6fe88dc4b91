"""A site that is closed for a while (`maintenance`).

A server's `if` comes before its locations, and again after an internal redirect, so the variable is volatile, and lets
through the page itself. It ends by itself: nginx compares the time of each request with `until`, so that takes neither
a reload nor daemun. Certificate authorities come in, and so does whoever is allowed. Connections that are open,
WebSockets for instance, stay in nginx's old workers.
"""

import email.utils
import math

from daemun.core import arguments, directive
from daemun.core.directive import Expr
from daemun.core.options import access_option, maintenance_option
from daemun.core.render import counted_refusals, server_blocks, site_scope
from daemun.core.texts import names

_DEFAULT_WAIT = "300"
_WAIT, _STORED = "$daemun_maintenance_wait", "$daemun_maintenance_stored"


def variables() -> tuple[directive.Node, ...]:
    return (
        directive.Comment("Of a site that is closed for a while: when to come again, and that its page is not kept."),
        arguments.map_to("", _WAIT),
        arguments.map_to("", _STORED),
    )


def find(scope: site_scope.Scope) -> maintenance_option.Maintenance | None:
    """None: the site is open."""
    held = maintenance_option.OPTION.of(scope.site)
    return held if held.on else None


def shared(scope: site_scope.Scope, pages: tuple[str, ...]) -> tuple[directive.Node, ...]:
    """What the site's servers look at, for the http level. pages: paths of pages of the owner's, which are internal."""
    held = find(scope)
    if held is None:
        return ()
    allowed = _variable("allowed", scope)
    networks = (arguments.line(one, "1") for one in access_option.networks(held.allow))
    challenge = arguments.in_regex(server_blocks.CHALLENGE_PATH)
    source, before = f"{allowed}|$uri", ""
    if held.until is not None:
        source, before = f"$msec|{source}", r"[0-9.]+\|"
    entries = [
        *(() if held.until is None else ((rf"~^{at_least(math.ceil(held.until.timestamp()))}\.", ""),)),
        (rf"~^{before}1\|", ""),
        (rf"~^{before}0\|{challenge}", ""),
        *((rf"~^{before}0\|{arguments.in_regex(page)}\z", "") for page in pages),
    ]
    return (
        directive.Comment("1 for who comes in although the site is closed, and for what is closed."),
        arguments.line("geo", Expr(allowed), block=(arguments.line("default", "0"), *networks)),
        arguments.map_to(source, _variable("closed", scope), *entries, default="1", volatile=True),
    )


def server_lines(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """First in a server that has the site's content."""
    held = find(scope)
    if held is None:
        return ()
    wait = _DEFAULT_WAIT if held.until is None else email.utils.format_datetime(held.until, usegmt=True)
    closed = (
        arguments.line("set", Expr(_WAIT), wait),
        arguments.line("set", Expr(_STORED), "no-store"),
        *counted_refusals.marked(scope, "maintenance"),
        arguments.line("return", "503"),
    )
    return (arguments.line("if", Expr(_variable("closed", scope)), block=closed),)


def page_lines(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For the pages of the site's servers."""
    if find(scope) is None:
        return ()
    return (
        arguments.line("add_header", "Retry-After", Expr(_WAIT), "always"),
        arguments.line("add_header", "Cache-Control", Expr(_STORED), "always"),
    )


def at_least(number: int) -> str:
    """A regular expression for all of a whole number that is as large, or larger; nginx compares no numbers."""
    digits = str(max(number, 0))
    length = len(digits)
    larger = [
        f"{digits[:place]}[{int(digit) + 1}-9][0-9]{{{length - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return f"(?:[0-9]{{{length + 1},}}|{'|'.join((*larger, digits))})"


def _variable(name: str, scope: site_scope.Scope) -> str:
    return f"$daemun_{name}_{names.variable_suffix(scope.site.host, '')}"
