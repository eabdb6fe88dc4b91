"""Locations of routes that the gate answers itself: redirects, and fixed answers.

nginx answers by `return` before it looks at who may come in, so behind `access` the answer stands in a named location
(`early_answers`). What refuses everybody needs no guard.
"""

import posixpath

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import keep_option, respond_form, status_option
from daemun.core.render import (
    access,
    counted_refusals,
    early_answers,
    error_pages,
    header_directives,
    option_lines,
    request_body,
    rewrites,
    site_scope,
)
from daemun.core.texts import expressions, names, route_paths

_PLAIN = "text/plain; charset=utf-8"
_CHARSET = "; charset=utf-8"
"""What is written in daemun.yaml is UTF-8."""

_THERE = "$daemun_redirect"
_OTHER_HOST = r"^/[/\\]"
"""A path that browsers take for a host."""


def redirect(
    scope: site_scope.Scope, route: model.Route, action: model.Redirect, *, https: bool
) -> tuple[directive.Directive, ...]:
    lines = _lines(scope, route, https=https)
    is_rewritten = rewrites.may_lead_to(route, scope.site.snippet)
    # nginx answers by the first `return` that it meets, and that is the owner's.
    answers = _redirections(route, action, is_rewritten=is_rewritten)
    return _locations(scope, route, (*lines, *route.snippet, *answers), "redirect")


def redirect_line(action: model.Redirect, *, is_rewritten: bool = False) -> directive.Directive:
    """is_rewritten: the owner changes paths before."""
    there = arguments.redirection(action.to, is_rewritten=is_rewritten)
    return arguments.line("return", str(status_option.OPTION.of(action)), there)


def _redirections(route: model.Route, action: model.Redirect, *, is_rewritten: bool) -> tuple[directive.Directive, ...]:
    """The rest of a path is joined by exactly one slash: with none, `https://a.test` could become `https://a.test.b`,
    and two at its beginning are another host for browsers, as a slash and a backslash are."""
    kept = keep_option.OPTION.of(action)
    if groups := route_paths.find_groups(route.path):
        return _by_groups(route, action, groups, kept, is_rewritten=is_rewritten)
    whole = redirect_line(action, is_rewritten=is_rewritten)
    if kept is None:
        return (whole,)
    query = "$is_args$args" if kept.has_query else ""

    def answer(to: str, rest: str = "") -> directive.Directive:
        there = arguments.redirection(to, is_rewritten=is_rewritten).value
        return arguments.line("return", str(status_option.OPTION.of(action)), Expr(f"{there}{rest}{query}"))

    if not kept.has_path:
        return (answer(action.to),)
    bare = route.path.rstrip("/")
    is_host_alone = action.to.rstrip("/").count("/") == 2 and "://" in action.to
    joined = f"{action.to.rstrip('/')}/"
    lines = []
    for source, prefix in (("$daemun_sent_uri", arguments.encoded(bare)), ("$daemun_uri", bare)):
        if is_rewritten and source == "$daemun_sent_uri":
            continue
        pattern = rf"(?s)^{arguments.in_regex(prefix)}[/\\]+(?<daemun_kept>.*)\z"
        lines.append(arguments.line("if", Expr(source), "~", Expr(pattern), block=(answer(joined, "$daemun_kept"),)))
    if not route.path.endswith("/"):
        pattern = rf"(?s)^{arguments.in_regex(bare)}(?<daemun_kept>.+)\z"
        more = answer(joined if is_host_alone else action.to, "$daemun_kept")
        lines.append(arguments.line("if", Expr("$daemun_uri"), "~", Expr(pattern), block=(more,)))
    return (*lines, answer(action.to))


def _by_groups(
    route: model.Route,
    action: model.Redirect,
    groups: tuple[str, ...],
    kept: keep_option.Keep | None,
    *,
    is_rewritten: bool,
) -> tuple[directive.Directive, ...]:
    """The groups of the path as the visitor sent it; where the expression is not found in that, as nginx decoded it.

    Groups may match nothing, or a slash: what they make together must not begin as another host does.
    """
    sign, expression = route_paths.split_expression(route.path)
    query = "$is_args$args" if kept is not None else ""

    def literal(text: str) -> str:
        return arguments.redirection(text, is_rewritten=is_rewritten).value

    found = (arguments.line("set", Expr(_THERE), Expr(f"{expressions.expand(action.to, literal, groups)}{query}")),)
    sources = ("$daemun_uri",) if is_rewritten else ("$daemun_uri", "$daemun_sent_uri")
    pattern = Expr(expressions.written(expression))
    answer = arguments.line("return", str(status_option.OPTION.of(action)), Expr(_THERE))
    return (
        arguments.line("set", Expr(_THERE), ""),
        *(arguments.line("if", Expr(source), sign, pattern, block=found) for source in sources),
        arguments.line("if", Expr(_THERE), "~", Expr(_OTHER_HOST), block=(arguments.line("return", "404"),)),
        arguments.line("if", Expr(_THERE), block=(answer,)),
        arguments.line("return", "404"),
    )


def respond(
    scope: site_scope.Scope, route: model.Route, action: model.Respond, *, https: bool
) -> tuple[directive.Directive, ...]:
    if action.file is not None:
        return _respond_file(scope, route, action, action.file, https=https)
    lines = _lines(scope, route, https=https)
    if action.body is None:
        pages = error_pages.of_status(scope, route, action.status)
        marks = counted_refusals.marked(scope, "deny_route") if action == respond_form.DENIAL else ()
        block = (*lines, *pages, *route.snippet, *marks, arguments.line("return", str(action.status)))
        return _locations(scope, route, block, "respond", is_open=action.refuses)
    answer = arguments.line("return", str(action.status), Expr(arguments.literal(action.body)))
    block = (*lines, *_type_lines(_with_charset(action.media_type)), *route.snippet, answer)
    return _locations(scope, route, block, "respond")


def _respond_file(
    scope: site_scope.Scope, route: model.Route, action: model.Respond, file: str, *, https: bool
) -> tuple[directive.Directive, ...]:
    """nginx has no status for a file but by `error_page`, which leads to a location that no visitor can request."""
    there = f"/.daemun-answer-{names.variable_suffix(scope.site.host, route.name)}"
    pages = (error_pages.RECURSIVE, *error_pages.repeated(scope, route))
    status = request_body.APART_STATUS
    block = (
        arguments.line("error_page", status, f"={action.status}", there),
        *pages,
        *route.snippet,
        arguments.line("return", status),
    )
    folder, name = posixpath.split(file)
    trusted = folder if action.trusted is None else action.trusted
    of_file = (
        arguments.line("internal"),
        *pages,
        *_lines(scope, route, https=https),
        *(() if action.media_type is None else (arguments.line("types", block=()), *_type_lines(action.media_type))),
        arguments.line("root", folder),
        arguments.line("disable_symlinks", "if_not_owner", Expr(f"from={arguments.literal(trusted)}")),
        arguments.line("try_files", Expr(f"/{arguments.literal(name)}"), "=404"),
    )
    return (
        *_locations(scope, route, block, "respond"),
        arguments.line("location", "=", there, block=of_file),
    )


def _lines(scope: site_scope.Scope, route: model.Route, *, https: bool) -> tuple[directive.Node, ...]:
    """The options of the route."""
    headers = header_directives.response_lines(scope, route, https=https, hide_header=None)
    return site_scope.yielding((*option_lines.of_route(scope, route), *headers), route.snippet)


def _with_charset(media_type: str | None) -> str:
    if media_type is None:
        return _PLAIN
    is_text = media_type.startswith("text/") and ";" not in media_type
    return f"{media_type}{_CHARSET}" if is_text else media_type


def _type_lines(media_type: str) -> tuple[directive.Directive, ...]:
    return (arguments.line("default_type", media_type),)


def _locations(
    scope: site_scope.Scope,
    route: model.Route,
    block: tuple[directive.Node, ...],
    name: str,
    *,
    is_open: bool = False,
) -> tuple[directive.Directive, ...]:
    """is_open: it need not be behind what guards the route."""
    if is_open or not access.is_guarded(scope, route):
        return (arguments.location(route.path, block),)
    # Locations inside it stay there: nginx allows none in a named one.
    inside = site_scope.owned(route.snippet, "location")
    there = f"@{names.upstream_name(scope.site.host, route.name)}_{name}"
    moved = tuple(node for node in block if node not in inside)
    return (
        arguments.location(route.path, (*early_answers.beyond(scope, there), *inside)),
        arguments.line("location", there, block=moved),
    )
