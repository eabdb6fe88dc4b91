"""Expressions that guard scripts of a PHP application, and not every spelling of them. Pure.

A script runs at "/sub/index.php", with something behind it at "/sub/index.php/x", and as the index of its folder at
"/sub/". Exact paths and suffixes hold for all of them (`render.php_locations`); an expression is for what it is found
in. What it is for is tried with names made of its own words, as far as can be known.
"""

import collections.abc
import re

from daemun.core import directive, model, problem_report
from daemun.core.options import access_option
from daemun.core.texts import expressions, route_paths, words

_INDEX = "index.php"
_BEHIND = ("/", "/x", "/x.css")
_WORDS = re.compile(r"[A-Za-z0-9_-]+")
_FOLDERS = re.compile(r"\^((?:/[A-Za-z0-9_-]+)*/)")
_MOST_WORDS = 12
_REFUSING = frozenset({"allow", "auth_basic", "auth_request", "deny", "if", "include", "return"})
"""What an owner may write to refuse requests."""
_UNKNOWN = "with something behind their names, or as the index of a folder"


def check(site: model.Site, report: problem_report.ProblemReport) -> None:
    applications = [one for one in site.routes if _runs_php(one) and route_paths.is_prefix(one.path)]
    for route in site.routes if applications else ():
        if route_paths.find_kind(route.path) is not route_paths.PathKind.EXPRESSION:
            continue
        if expressions.check(route_paths.split_expression(route.path)[1]) is not None:
            continue  # what is wrong with it is reported
        for application in applications:
            if _guards(route, application) and (way := _find_way(route.path, application.path)) is not None:
                report.at(route.origin).add(
                    f"does not guard scripts in every spelling: {words.quoted(application.path)} runs them {way}; "
                    "write the exact path of the script, such as `= /sub/index.php`, its folder, such as `/sub/`, or "
                    "`*.php`, with which every spelling is guarded",
                    *route.field,
                    severity=model.Severity.WARNING,
                )
                break


def _guards(route: model.Route, application: model.Route) -> bool:
    """Whether a route may refuse what the application's own does not."""
    own, other = access_option.OPTION.of(route), access_option.OPTION.of(application)
    if isinstance(route.action, model.Respond) and route.action.refuses:
        return True
    if any(isinstance(node, directive.Directive) and node.name in _REFUSING for node in route.snippet):
        return True
    if own is None:
        return other is not None and not other.conditions  # that of the site may hold here
    return own != other and (bool(own.conditions) or own.is_limited)


def _runs_php(route: model.Route) -> bool:
    return isinstance(route.action, model.Proxy) and route.action.php is not None


def _find_way(expression: str, prefix: str) -> str | None:
    """How a request gets past an expression, in words; None: in no way that can be seen."""
    scripts = [one for one in _scripts(expression, prefix) if route_paths.matches(expression, one)]
    for script in scripts:
        others = [f"{script}{behind}" for behind in _BEHIND]
        if script.endswith(f"/{_INDEX}"):
            others.append(script.removesuffix(_INDEX))
        past = next((one for one in others if not route_paths.matches(expression, one)), None)
        if past is not None:
            return f"where {words.quoted(past)} is requested for {words.quoted(script)}"
    return None if scripts or "php" not in expression.lower() else _UNKNOWN


def _scripts(expression: str, prefix: str) -> collections.abc.Iterator[str]:
    """Of an application at a prefix, which an expression may be meant for."""
    text = route_paths.split_expression(expression)[1]
    found = list(dict.fromkeys(_WORDS.findall(text)))[:_MOST_WORDS]
    start = _FOLDERS.match(text)
    folders = [prefix, *((start[1],) if start is not None else ()), *(f"{prefix}{word}/" for word in found)]
    for folder in dict.fromkeys(folders):
        if folder.startswith(prefix):
            yield from (f"{folder}{name}" for name in (_INDEX, *(f"{word}.php" for word in found), "x.php"))
