"""What is needed where people come in by daemun's own sign-in. Pure."""

import urllib.parse

from daemun.core import model, problem_report
from daemun.core.access import access_levels
from daemun.core.options import (
    access_option,
    dashboard_option,
    login_option,
    login_provider_form,
    login_rule_form,
    trusted_proxies_option,
)
from daemun.core.texts import account_names, patterns, words

_FIELD = ("access", "login")
_NO_PAGE = "needs a sign-in page; write `login: {host: auth.example.com}` at the top of daemun.yaml"


def surroundings(settings: model.Globals) -> object:
    """What `find_login_problems` depends on beside the site."""
    options = (login_option.OPTION, access_option.OPTION, trusted_proxies_option.OPTION)
    return tuple(one.of(settings) for one in options)


def find_gate_problems(settings: model.Globals) -> tuple[model.Problem, ...]:
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    rule = access_levels.of_gate(settings).access.login
    if rule is not None and login_option.OPTION.of(settings) is None:
        report.add(_NO_PAGE, *_FIELD)
    elif rule is not None:
        _check_rule(rule, settings, report, _FIELD)
    report.add(dashboard_option.find_lack(settings), dashboard_option.OPTION.name, severity=model.Severity.WARNING)
    return tuple(report.problems)


def find_login_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    """What is wrong with a site in a gate with these settings."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    places: list[tuple[access_levels.EffectiveAccess, problem_report.ProblemReport, bool, problem_report.Field]] = []
    places.append((access_levels.of_site(site, settings), report, access_option.OPTION.of(site) is not None, _FIELD))
    for route in site.routes:
        if access_option.OPTION.of(route) is not None:
            held = access_levels.of_route(route, site, settings)
            places.append((held, report.at(route.origin), True, (*route.field, *_FIELD)))
    has_page = login_option.OPTION.of(settings) is not None
    is_plain = site.tls.mode is model.TlsMode.OFF and not trusted_proxies_option.OPTION.of(settings)
    for held, place, is_own, field in places:
        if held.access.login is not None and is_own and not has_page:
            place.add(_NO_PAGE, *field)
        elif held.access.login is not None and is_own:
            _check_rule(held.access.login, settings, place, field)
        if held.access.login is not None and is_plain:
            place.add("needs HTTPS, or browsers keep no session; leave `tls: off` out", *field)
    _check_provider_site(site, settings, places[0][0], report)
    return tuple(report.problems)


def _check_provider_site(
    site: model.Site, settings: model.Globals, held: access_levels.EffectiveAccess, place: problem_report.ProblemReport
) -> None:
    """Whoever is to sign in at a provider must reach it without having signed in."""
    login = login_option.OPTION.of(settings)
    if login is None or held.access.login is None:
        return
    for one in login.providers:
        host = urllib.parse.urlsplit(one.issuer).hostname
        if host is not None and patterns.is_among(host, site.names):
            name = words.quoted(login_provider_form.find_name(one))
            place.add(
                f"is needed for the provider {name} itself, so nobody can sign in with it; write `access: public` here",
                *_FIELD,
                severity=model.Severity.WARNING,
            )


def _check_rule(
    rule: login_rule_form.LoginRule,
    settings: model.Globals,
    place: problem_report.ProblemReport,
    field: problem_report.Field,
) -> None:
    """What a rule has to do with identity providers."""
    login = login_option.OPTION.of(settings)
    providers = () if login is None else login.providers
    keys = [one.key for one in providers]
    for kind, names in (("users", rule.users), ("groups", rule.groups)):
        for index, name in enumerate(names):
            key = account_names.find_provider(name)
            if key is not None and key not in keys:
                known = f"; there are {words.listed(keys)}" if keys else "; `login` has no `providers`"
                place.add(f"{words.quoted(name)} is of a provider that is not there{known}", *field, kind, index)
    for index, name in enumerate(rule.groups):
        key = account_names.find_provider(name)
        missing = next(
            (found for one in providers if one.key == key and (found := login_provider_form.find_missing_groups(one))),
            None,
        )
        if missing is not None:
            place.add(
                f"{words.quoted(name)} is of a provider that gives no groups, so nobody has it; let it give them: "
                f"write {missing} in `login.providers`",
                *field,
                "groups",
                index,
                severity=model.Severity.WARNING,
            )
    public = [login_provider_form.find_name(one) for one in providers if login_provider_form.is_public(one)]
    if public and rule == login_rule_form.LoginRule():
        place.add(
            f"lets in everybody with an account of {words.listed(public)}, which anybody can make; name who may come "
            "in: `login: {emails: [you@example.com]}`, or `users`, or `groups`",
            *field,
            severity=model.Severity.WARNING,
        )
