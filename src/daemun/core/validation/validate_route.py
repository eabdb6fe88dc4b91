"""The rules of one route: its path, its servers, and its options. Pure."""

import re

from daemun.core import model, problem_report, source_abilities
from daemun.core.options import (
    balance_option,
    keep_option,
    option,
    option_rules,
    php_form,
    respond_form,
    rewrite_option,
)
from daemun.core.texts import expressions, names, quantity_rules, route_paths, rules, url_rules, words


def check_route(
    route: model.Route, site: model.Site, report: problem_report.ProblemReport, can: source_abilities.Abilities
) -> None:
    """One route, seen alone. can: what its source may."""
    report = report.at(route.origin)
    here = route.field
    used_in = route.action.to if isinstance(route.action, model.Redirect) else ""
    report.add(url_rules.check_route_path(route.path, with_patterns=can.patterns, used_in=used_in), *here)
    targets = route.action.targets if isinstance(route.action, model.Proxy) else ()
    if any(target.path is not None for target in targets):
        report.add(_find_cause_of_paths(route.path, targets), *here, "to")
    match route.action:
        case model.Proxy(php=model.Php() as php):
            php_form.check(php, option.Place(report=report, field=(*here, "php"), site=site, route=route))
            _check_target(route.action.targets[0], report, (*here, "php", "socket"), can, route.path)
        case model.Proxy():
            _check_targets(route.action, report, here, can)
        case model.Redirect():
            report.add_value(route.action.to, _check_redirect(route.action.to, route.path), *here, "redirect")
            _check_what_is_dropped(route, route.action, report, here)
        case model.Files():
            report.add_value(route.action.folder, rules.check_absolute(route.action.folder), *here, "files")
        case model.Respond():
            place = option.Place(report=report, field=(*here, "respond"), site=site, route=route)
            respond_form.check(route.action, place)
    option_rules.check_route(route, option.Place(report=report, field=here, site=site, route=route))


def _find_cause_of_paths(path: str, targets: tuple[model.Target, ...]) -> str | None:
    """What is wrong with a path of targets in a route that is no prefix."""
    kind = route_paths.find_kind(path)
    if kind is route_paths.PathKind.SUFFIX:
        return "a suffix has no prefix that a target's path could replace; `rewrite: {match, to}` changes a path"
    if kind is route_paths.PathKind.EXPRESSION and not route_paths.is_of_file(path):
        return "a regular expression has no prefix that a target's path could replace"
    if kind is route_paths.PathKind.EXPRESSION and any(one.scheme is model.Scheme.MEMCACHED for one in targets):
        return "has no path beside an expression: the keys of memcached are made of the visitor's path"
    return None


def _check_redirect(to: str, path: str) -> str | None:
    groups = route_paths.find_groups(path)
    if not groups:
        expression = route_paths.split_expression(path)[1] if route_paths.is_of_file(path) else ""
        is_named_there = expressions.name_groups(expression, to) is not None
        return None if is_named_there else url_rules.check_redirect(to)
    scheme, separator, rest = to.partition("://")
    before = scheme + re.split(r"[/?#]", rest, maxsplit=1)[0] if separator else ""
    if expressions.without_parts(before, groups) != before:
        return "has a group in its host, so visitors could be led anywhere; write the host out"
    if to.startswith("${") and expressions.without_parts(to, groups).startswith("x"):
        return "begins with a group; expected a URL or a path that begins with a slash"

    def check_rest(text: str) -> str | None:
        return url_rules.check_redirect(expressions.without_parts(text, groups))

    return expressions.check_spelling(to, groups, check_rest, names.is_variable) or check_rest(to)


def _check_what_is_dropped(
    route: model.Route, redirect: model.Redirect, report: problem_report.ProblemReport, here: problem_report.Field
) -> None:
    """A redirect is for all paths with its prefix, and leads all of them to one place. Who writes a variable knows."""
    is_meant = "$" in redirect.to or keep_option.OPTION.of(redirect) is not None
    if route.path == "/" or not route_paths.is_prefix(route.path) or is_meant:
        return
    more = f"{route.path}more" if route.path.endswith("/") else f"{route.path}/more"
    also = "" if route.path.endswith("/") else f" and {words.quoted(route.path + 'ly')}"
    cause = (
        f"leads every path under it there, {words.quoted(more + '?x=1')}{also} among them, without the rest and the "
        f"query; `keep: uri` keeps both, `keep: path` or `keep: query` one of them, and "
        f"{words.quoted('= ' + route.path)} is that path alone"
    )
    report.add(cause, *here, "redirect", severity=model.Severity.WARNING)


def check_files_together(routes: tuple[model.Route, ...], report: problem_report.ProblemReport) -> None:
    """Files under "/assets" are those under "/assets/": the first path only leads to the second."""
    paths = {route.path for route in routes}
    for route in routes:
        is_bare = route_paths.is_prefix(route.path) and not route.path.endswith("/")
        if isinstance(route.action, model.Files) and is_bare and f"{route.path}/" in paths:
            cause = f"files under it are files under {words.quoted(route.path + '/')}, which is a route of its own"
            report.at(route.origin).add(f"{cause}; keep one of them", *route.field)


def _check_targets(
    proxy: model.Proxy,
    report: problem_report.ProblemReport,
    here: problem_report.Field,
    can: source_abilities.Abilities,
) -> None:
    for index, target in enumerate(proxy.targets):
        _check_target(target, report, (*here, "to", index), can, str(here[1]))
    _check_targets_together(proxy, report, here)


def _check_target(
    target: model.Target,
    report: problem_report.ProblemReport,
    field: problem_report.Field,
    can: source_abilities.Abilities,
    path: str,
) -> None:
    if target.pool is not None:
        if (target.host, target.port, target.socket) != (None, None, None):
            report.add("has both a pool and a place of its own", *field)
        if not can.pools:
            report.add("is a pool, which only containers fill; expected a host or a unix socket", *field)
    elif target.socket is not None:
        report.add(rules.check_socket(target.socket), *field)
        if target.host is not None or target.port is not None:
            report.add("has both a unix socket and a host", *field)
    elif target.host is None or target.port is None:
        report.add("needs a host and a port, or a unix socket", *field)
    else:
        report.add(rules.check_server(target.host), *field)
        if not 1 <= target.port <= 65535:
            report.add(f"port {target.port} is not between 1 and 65535", *field)
    if target.path is not None:
        report.add(_check_target_path(target.path, path), *field)
    cause = quantity_rules.check_duration(target.fail_timeout_s, least=0.001, most=rules.YEAR_S)
    report.add(cause, *field, "fail_timeout")
    numbers: tuple[tuple[str, float, float, float], ...] = (
        ("weight", target.weight, 1, 65535),
        ("max_fails", target.max_fails, 0, 65535),
        ("max_connections", target.max_connections, 0, 1_000_000),
    )
    for name, value, least, most in numbers:
        report.add(rules.check_number(value, least=least, most=most), *field, name)


def _check_target_path(text: str, route_path: str) -> str | None:
    """Of a route by expression it may use groups."""
    if not route_paths.is_of_file(route_path):
        return url_rules.check_target_path(text)
    return expressions.check_parts(
        text, route_paths.find_groups(route_path), rewrite_option.check_path
    ) or rewrite_option.check_path(text)


def _check_targets_together(
    proxy: model.Proxy, report: problem_report.ProblemReport, here: problem_report.Field
) -> None:
    """One `proxy_pass` serves the whole route, so all its servers speak the same and get the same path."""
    if not proxy.targets:
        report.add("is empty; expected at least one target", *here, "to")
        return
    first = proxy.targets[0]
    for index, target in enumerate(proxy.targets[1:], start=1):
        if target.scheme is not first.scheme:
            found = f"{words.quoted(str(target))} has another scheme than {words.quoted(str(first))}"
            report.add(f"{found}; all targets of a route must have the same", *here, "to", index)
        elif target.path != first.path:
            found = f"{words.quoted(str(target))} has another path than {words.quoted(str(first))}"
            report.add(f"{found}; all targets of a route must have the same", *here, "to", index)
    if all(target.down or target.backup or target.drain for target in proxy.targets):
        report.add("no server is left: at least one must be neither `down`, `drain` nor `backup`", *here, "to")
    if balance_option.OPTION.of(proxy).method is not balance_option.Method.STICKY:
        for index, target in enumerate(proxy.targets):
            if target.drain:
                cause = "`drain` keeps the visitors of `balance: sticky`, which this route has not; use `down: true`"
                report.add(cause, *here, "to", index)
