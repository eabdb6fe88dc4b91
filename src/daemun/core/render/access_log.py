"""The access log of all sites, in one form of words.

nginx keeps one buffer for each file: a line elsewhere that names it with another one decides for all
(ngx_http_log_set_log).
"""

from daemun.core import arguments, directive, model, render_environment
from daemun.core.options import logs_option
from daemun.core.render import site_scope


def shared(settings: model.Globals, env: render_environment.Environment) -> directive.Directive:
    """At the http level."""
    if not logs_option.OPTION.of(settings).access:
        return arguments.line("access_log", "off")
    # One write for many lines: a write for each would cost a request a twentieth of its CPU time. Users of nginx-proxy,
    # and their programs, look for a request in `docker logs` right after it.
    buffering = () if settings.like_nginx_proxy else ("buffer=64k", "flush=1s")
    return arguments.line("access_log", f"{env.layout.logs}/access.log", "daemun", *buffering)


def of_server(
    settings: model.Globals, env: render_environment.Environment, snippet: model.Snippet
) -> tuple[directive.Directive, ...]:
    """What a server logs to, for a location that has another log besides. snippet: what an owner wrote for the server;
    it hides what is further out. One `off` ends all of its level."""
    outer = (shared(settings, env), *site_scope.owned(settings.snippet, "access_log"))
    logs = site_scope.owned(snippet, "access_log") or outer
    return () if any(line.args and line.args[0].value == "off" for line in logs) else logs
