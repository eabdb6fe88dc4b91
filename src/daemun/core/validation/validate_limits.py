"""Limits that count by user (`access.rate_limit`, `by: user`), and what would count something else. Pure."""

import re

from daemun.core import directive, model, problem_report
from daemun.core.access import access_levels
from daemun.core.options import access_option, forward_auth_forms
from daemun.core.texts import words

_FIELD = ("access", "rate_limit", "by")
_OF_ONE = re.compile(r"user|mail|login|name|account|subject|sub\Z|id\Z|principal")
_OF_MANY = re.compile(r"group|role|team|organi[sz]ation|scope|entitlement")


def find_gate_problems(settings: model.Globals) -> tuple[model.Problem, ...]:
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    _check(access_levels.of_gate(settings).access, report, _FIELD, _is_counted(settings.snippet))
    return tuple(report.problems)


def find_limit_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    """Of the limits that a site and its routes set."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    is_counted = _is_counted(site.snippet) or _is_counted(settings.snippet)
    if access_option.OPTION.of(site) is not None:
        _check(access_levels.of_site(site, settings).access, report, _FIELD, is_counted)
    for route in site.routes:
        if access_option.OPTION.of(route) is not None:
            held, place = access_levels.of_route(route, site, settings).access, report.at(route.origin)
            _check(held, place, (*route.field, *_FIELD), is_counted)
    return tuple(report.problems)


def _is_counted(snippet: model.Snippet) -> bool:
    return any(node.name == "limit_req" for node in snippet if isinstance(node, directive.Directive))


def _check(
    access: access_option.Access, place: problem_report.ProblemReport, field: problem_report.Field, is_counted: bool
) -> None:
    """is_counted: an owner's nginx counts already. nginx looks at limits once (ngx_http_limit_req_handler), and at
    those before anybody has a name."""
    if access.rate_limit is None or not access.rate_limit.is_by_user:
        return
    cause = _find_cause(access, is_counted=is_counted)
    if cause is not None:
        place.add(f"{cause}, or `by: address`", *field, severity=model.Severity.WARNING)


def _find_cause(access: access_option.Access, *, is_counted: bool) -> str | None:
    judge = access.forward_auth
    if judge is not None and judge.user_header is None:
        return "counts by address, for the judge names no user; write the header in which it does in its `copy`"
    if not access.names_users:
        return "counts by address, for nobody has a name here; write `login`, `basic_auth` or `forward_auth` beside it"
    if is_counted:
        return "counts nothing beside the hand-written `limit_req` further out, which comes first; write that no more"
    if judge is not None and judge.user_header is not None and not _is_of_one(judge.user_header):
        header = words.quoted(judge.user_header)
        return f"counts by {header}, which may name many users; write the header that names one first in `copy`"
    return None


def _is_of_one(header: str) -> bool:
    name = header.lower()
    is_known = name in forward_auth_forms.USER_HEADERS
    return is_known or (_OF_ONE.search(name) is not None and _OF_MANY.search(name) is None)
