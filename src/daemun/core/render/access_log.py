"""The access log of all sites, in one form of words.

A line names its request by its connection, which costs next to nothing: a random id takes a twentieth of a request.
Where one is shown, on the gate's own pages and to who waits for a server, a second format has it instead.

nginx keeps one buffer for each file: a line elsewhere that names it with another one decides for all
(ngx_http_log_set_log).
"""

import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import logs_option
from daemun.core.render import forwarded_headers, guess_log, site_scope, trace_lines, traffic_log
from daemun.core.texts import log_lines

FORMAT = "daemun"
_FORMAT_WITH_ID = "daemun_page"


def shared(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """At the http level."""
    others = (guess_log.line(env),) if guess_log.is_on(settings) else ()
    if traffic_log.is_on(settings):
        others = (*others, traffic_log.line(settings, env))
    if trace_lines.is_on(settings):
        others = (*others, trace_lines.line(env))
    if not logs_option.OPTION.of(settings).access:
        return others or (arguments.line("access_log", "off"),)
    # One write for many lines: a write for each would cost a request a twentieth of its CPU time. Users of nginx-proxy,
    # and their programs, look for a request in `docker logs` right after it.
    buffering = () if settings.like_nginx_proxy else ("buffer=64k", "flush=1s")
    return (arguments.line("access_log", f"{env.layout.logs}/access.log", FORMAT, *buffering), *others)


def formats(settings: model.Globals, nginx: render_environment.Nginx) -> tuple[directive.Directive, ...]:
    """For the http level. A format that an owner wrote stands everywhere."""
    others = (guess_log.format_line(),) if guess_log.is_on(settings) else ()
    others = (*others, *traffic_log.format_lines(), trace_lines.format_line(settings, nginx))
    logs = logs_option.OPTION.of(settings)
    if not logs.access:
        return others
    escape = () if logs.escape == "default" else (f"escape={logs.escape}",)
    line = logs.format or log_lines.TEXT_LINE
    if not _is_ours(settings):
        format_ = arguments.line("log_format", FORMAT, *escape, Expr(forwarded_headers.with_one_id(line, settings)))
        return (format_, *others)
    request_id = forwarded_headers.expressions(settings, nginx).request_id
    # A trace has the id, so it is drawn already.
    default = request_id if trace_lines.is_on(settings) else "$connection-$connection_requests"
    named = {FORMAT: default, _FORMAT_WITH_ID: request_id}
    written = (
        arguments.line("log_format", name, *escape, Expr(line.replace("$request_id", request)))
        for name, request in named.items()
    )
    return (*written, *others)


def with_request_id(settings: model.Globals, logs: tuple[directive.Directive, ...]) -> tuple[directive.Directive, ...]:
    """The same files, for a location whose answer shows the id of its request."""
    if not logs_option.OPTION.of(settings).access or not _is_ours(settings):
        return logs
    return tuple(_with_format(line) for line in logs)


def _with_format(line: directive.Directive) -> directive.Directive:
    if len(line.args) < 2 or line.args[1].value != FORMAT:
        return line
    return dataclasses.replace(line, args=(line.args[0], Expr(_FORMAT_WITH_ID), *line.args[2:]))


def _is_ours(settings: model.Globals) -> bool:
    return logs_option.OPTION.of(settings).format in {None, log_lines.TEXT_LINE, log_lines.JSON_LINE}


def of_server(
    settings: model.Globals, env: render_environment.Environment, snippet: model.Snippet
) -> tuple[directive.Directive, ...]:
    """What a server logs to, for a location that has another log besides. snippet: what an owner wrote for the server;
    it hides what is further out. One `off` ends all of its level."""
    outer = (*shared(settings, env), *site_scope.owned(settings.snippet, "access_log"))
    logs = site_scope.owned(snippet, "access_log") or outer
    return () if any(line.args and line.args[0].value == "off" for line in logs) else logs
