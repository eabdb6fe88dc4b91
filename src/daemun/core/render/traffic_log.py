"""A short line for each request, from which daemun counts what each site and route costs (`core.traffic`).

Each server sets a variable to the name of its site, and where a site has several routes, each route does. nginx takes
the access logs of one level alone, and none of a level that has an `off`: so the line stands beside each access log,
those of hand-written nginx too, and in place of each `off`. It has no path and no address of a visitor. The line of
traces (`trace_lines`), which has them, stands beside each access log, and not where one is off.

nginx keeps one buffer for each file, so every line has the same words for it. What a cache did is in the lines of those
servers alone that have one (`server_logs`): the variable costs a request of all others 170 to 650 instructions. So is
which rule refused a request.
"""

import collections.abc
import dataclasses

from daemun.core import arguments, directive, layout, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import logs_option
from daemun.core.render import judge_memory, site_scope, trace_lines
from daemun.core.traffic import traffic_sums

FORMAT, FORMAT_WITH_CACHE = "daemun_traffic", "daemun_cache_traffic"
_WITH_REFUSALS = {FORMAT: "daemun_guarded_traffic", FORMAT_WITH_CACHE: "daemun_guarded_cache_traffic"}
OF = "$daemun_traffic_of"
_CACHES = frozenset({"proxy_cache", "fastcgi_cache", "uwsgi_cache", "scgi_cache"})
_NO_CACHES = frozenset({"off", judge_memory.OWN.variable, judge_memory.FOREIGN.variable})
"""What a judge said is remembered of requests of nginx's own, which are not counted."""
_LOG = "access_log"


def is_on(settings: model.Globals) -> bool:
    return logs_option.OPTION.of(settings).traffic


def is_named(settings: model.Globals) -> bool:
    """Whether servers and routes set the variable."""
    return is_on(settings) or trace_lines.is_on(settings)


def format_lines() -> tuple[directive.Directive, ...]:
    """For the http level. Always there: a site may be kept from a time when requests were counted. Nothing in a line is
    a visitor's, so nothing has to be escaped."""
    return tuple([_format(name, " ".join(fields)) for name, fields in _FIELDS.items()])


def formats_with_refusals() -> tuple[directive.Directive, ...]:
    """The same for servers in which a rule may refuse."""
    whole = {name: " ".join(fields) for name, fields in _FIELDS.items()}
    refused = f"{OF}{traffic_sums.REFUSED_BY}"
    return tuple([_format(_WITH_REFUSALS[name], line.replace(OF, refused, 1)) for name, line in whole.items()])


_FIELDS = {FORMAT: traffic_sums.FIELDS, FORMAT_WITH_CACHE: traffic_sums.FIELDS_WITH_CACHE}


def _format(name: str, line_: str) -> directive.Directive:
    return arguments.line("log_format", name, "escape=none", Expr(line_))


def variables() -> tuple[directive.Node, ...]:
    return (
        directive.Comment("What a request is counted for, where nothing else is set: its server."),
        arguments.map_to("", OF, default="$server_name"),
    )


def line(settings: model.Globals, env: render_environment.Environment) -> directive.Directive:
    """Of a server without a cache. One that an owner wrote for all sites may be anywhere."""
    return line_of(env, with_cache=has_cache(settings.snippet), with_refusals=False)


def line_of(env: render_environment.Environment, *, with_cache: bool, with_refusals: bool) -> directive.Directive:
    format_ = FORMAT_WITH_CACHE if with_cache else FORMAT
    format_ = _WITH_REFUSALS[format_] if with_refusals else format_
    return arguments.line(_LOG, f"{env.layout.logs}/{layout.TRAFFIC_LOG}", format_, "buffer=64k", "flush=1s")


def has_cache(nodes: collections.abc.Iterable[directive.Node]) -> bool:
    """Whether an answer may come from a cache there. A file of an owner's that could not be read may have one."""
    for node in nodes:
        if isinstance(node, directive.Comment):
            continue
        if node.block is not None:
            if has_cache(node.block):
                return True
        elif node.args and (
            (node.name in _CACHES and node.args[0].value not in _NO_CACHES)
            or (node.name == "include" and node.args[0].value.startswith("/"))
        ):
            return True
    return False


def beside_logs(
    nodes: tuple[directive.Node, ...], settings: model.Globals, env: render_environment.Environment
) -> tuple[directive.Node, ...]:
    """The nodes of a file, none of whose blocks keeps requests from being counted."""
    counted = (line(settings, env),) if is_on(settings) else ()
    traced = (trace_lines.line(env),) if trace_lines.is_on(settings) else ()
    if not (counted or traced):
        return nodes
    is_off = any(map(_is_off, settings.snippet))
    return tuple([_inside(node, counted, traced, is_off=is_off) for node in nodes])


def _inside(
    node: directive.Node,
    counted: tuple[directive.Directive, ...],
    traced: tuple[directive.Directive, ...],
    *,
    is_off: bool,
) -> directive.Node:
    """is_off: an owner wants no access log at the http level."""
    if isinstance(node, directive.Comment) or not node.block or node.name not in _HOLDERS:
        return node
    block = tuple([_inside(one, counted, traced, is_off=is_off) for one in node.block])
    logs = site_scope.owned(block, _LOG)
    if any(map(_is_off, logs)):
        if counted:
            block = (*(one for one in block if isinstance(one, directive.Comment) or one.name != _LOG), *counted)
    elif logs or (is_off and counted and node.name == "server"):
        further = (*counted, *traced) if logs else counted
        block = (*block, *(one for one in further if one not in logs))
    return node if block == node.block else dataclasses.replace(node, block=block)


_HOLDERS = frozenset({"http", "server", "location", "if", "limit_except"})


def _is_off(node: directive.Node) -> bool:
    return isinstance(node, directive.Directive) and node.name == _LOG and [one.value for one in node.args] == ["off"]
