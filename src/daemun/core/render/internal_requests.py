"""Requests that nginx passes on to processes of daemun's own: with chosen headers, and none of the visitor's."""

import collections.abc

from daemun.core import arguments, directive
from daemun.core.directive import Expr


def lines(
    sent: collections.abc.Mapping[str, str], *, read_timeout: str, has_body: bool = False
) -> tuple[directive.Directive, ...]:
    """For their location, before `proxy_pass`. sent: header -> expression. They are tried once, and their answers reach
    nginx as they are: no page of the gate replaces one, and none leads to another location."""
    body = () if has_body else (arguments.line("proxy_pass_request_body", "off"),)
    return (
        arguments.line("proxy_http_version", "1.1"),
        arguments.line("proxy_pass_request_headers", "off"),
        *body,
        *(arguments.line("proxy_set_header", name, Expr(value)) for name, value in sent.items()),
        arguments.line("proxy_connect_timeout", "2s"),
        arguments.line("proxy_read_timeout", read_timeout),
        arguments.line("proxy_next_upstream", "off"),
        arguments.line("proxy_intercept_errors", "off"),
        arguments.line("proxy_ignore_headers", "X-Accel-Redirect"),
    )
