"""Every rule that a value of the model must keep, wherever it came from. Pure.

All problems are returned at once. Each message starts with the field as it is called in daemun.yaml, and
`Problem.field` holds its path, so that a source can find the line. Rules for single texts are in `texts.rules`.
"""

import collections
import collections.abc
import functools

from daemun.core import model, problem_report, render_environment, site_memory, source_abilities
from daemun.core.options import (
    catalogue,
    docker_option,
    http3_option,
    option,
    option_rules,
    tls_option,
    trusted_proxies_option,
)
from daemun.core.texts import rules, words
from daemun.core.validation import (
    php_spellings,
    request_loops,
    route_lists,
    route_order,
    validate_acme,
    validate_cache,
    validate_judges,
    validate_limits,
    validate_login,
    validate_overlays,
    validate_route,
    validate_site,
    validate_streams,
)

_FEATURES = {
    model.Scheme.H2: render_environment.Feature.HTTP2_UPSTREAM,
    model.Scheme.H2C: render_environment.Feature.HTTP2_UPSTREAM,
    model.Scheme.GRPC: render_environment.Feature.GRPC,
    model.Scheme.GRPCS: render_environment.Feature.GRPC,
    model.Scheme.FASTCGI: render_environment.Feature.FASTCGI,
    model.Scheme.UWSGI: render_environment.Feature.UWSGI,
    model.Scheme.SCGI: render_environment.Feature.SCGI,
    model.Scheme.MEMCACHED: render_environment.Feature.MEMCACHED,
}


def find_errors(site: model.Site) -> tuple[model.Problem, ...]:
    """What of a site nginx could not do or would not do as it is meant, whatever its source may."""
    found = find_site_problems(site, source_abilities.Abilities(patterns=True, pools=True))
    return tuple(problem for problem in found if problem.severity is model.Severity.ERROR)


def find_site_problems(site: model.Site, can: source_abilities.Abilities | None = None) -> tuple[model.Problem, ...]:
    """What is wrong with one site, seen alone. can: what its source may; None: as its origin allows."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    can = can or source_abilities.of_site(site)
    _check_host(site, report, can)
    validate_site.check_details(site, report)
    if not site.routes and site.overlay is None:
        report.add("is empty; expected at least one path with a target", "routes")
    counted = collections.Counter(route.name for route in site.routes)
    for name in (name for name, count in counted.items() if count > 1):
        report.add("is given twice in this site", "routes", name)
    for route in site.routes:
        validate_route.check_route(route, site, report, can)
    validate_route.check_files_together(site.routes, report)
    route_order.check(site, report)
    route_lists.check(site, report)
    php_spellings.check(site, report)
    return tuple(report.problems)


def find_global_problems(
    settings: model.Globals,
    sites: collections.abc.Sequence[model.Site],
    memory: site_memory.PerSite[tuple[model.Problem, ...]] | None = None,
) -> tuple[model.Problem, ...]:
    """What is wrong with what concerns no single site, and with sites seen together. memory: of earlier calls."""
    memory = memory or site_memory.PerSite()
    listening = (*settings.listen.http, *settings.listen.https)
    docker = docker_option.OPTION.of(settings)
    listens = (listening, settings.listen.balancers)
    memory.enter((settings.acme, listens, validate_login.surroundings(settings), settings.snippet, docker))
    judge = functools.partial(_judge_in_gate, settings=settings, listening=listening)
    orders = [problem for site in sites for problem in memory.get(site, judge)]
    return (*find_gate_problems(settings, sites), *_find_claimed_twice(sites), *orders)


def find_gate_problems(
    settings: model.Globals, sites: collections.abc.Sequence[model.Site]
) -> tuple[model.Problem, ...]:
    """What is wrong with the options of the gate."""
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    place = option.Place(report=report, field=(), sites=sites)
    option_rules.check_level(option.Level.GATE, settings, place)
    if settings.listen.balancers and trusted_proxies_option.OPTION.of(settings):
        place.add(
            "stands beside `trusted_proxies`, and nginx takes a visitor's address from one of them alone: remove "
            "`trusted_proxies` where a balancer passes connections on, `proxy_protocol` where a proxy passes requests",
            "listen",
            "proxy_protocol",
        )
    if settings.listen.balancers and http3_option.OPTION.of(settings):
        place.add(_BESIDE_BALANCERS, "http3")
    if settings.tls_policy is not None:
        tls_option.check_policy(settings.tls_policy, place.below("tls_policy"))
    others = (
        *validate_limits.find_gate_problems(settings),
        *validate_streams.find_problems(settings, sites),
        *validate_streams.find_metrics_problems(settings, sites),
    )
    return (*report.problems, *validate_login.find_gate_problems(settings), *others)


_BESIDE_BALANCERS = "stands beside `listen.proxy_protocol`, which is for TCP alone; remove one of them"


def _find_http3_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    if settings.listen.balancers and http3_option.OPTION.of(site):
        report.add(_BESIDE_BALANCERS, "http3")
    return tuple(report.problems)


def _judge_in_gate(
    site: model.Site, settings: model.Globals, listening: tuple[model.Address, ...]
) -> tuple[model.Problem, ...]:
    """What is wrong with a site in this gate."""
    return (
        *validate_acme.find_order_problems(site, settings.acme),
        *validate_login.find_login_problems(site, settings),
        *validate_judges.find_judge_problems(site, settings),
        *validate_cache.find_cache_problems(site, settings),
        *validate_limits.find_limit_problems(site, settings),
        *route_lists.find_list_problems(site, settings),
        *request_loops.find_loops(site, listening),
        *validate_overlays.find_overlay_problems(site, settings),
        *_find_http3_problems(site, settings),
    )


def find_unsupported(
    site: model.Site, features: collections.abc.Set[render_environment.Feature]
) -> tuple[model.Problem, ...]:
    """What the site needs and this nginx cannot do."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    for name, feature in catalogue.find_needs(site.options):
        if feature not in features:
            report.add(_unsupported(feature), name)
    for route in site.routes:
        targets = route.action.targets if isinstance(route.action, model.Proxy) else ()
        needed = {_FEATURES[target.scheme] for target in targets if target.scheme in _FEATURES}
        needed |= {feature for _, feature in catalogue.find_needs(route.options + route.action.options)}
        for feature in sorted(needed - features, key=lambda feature: feature.value):
            report.at(route.origin).add(_unsupported(feature), *route.field)
    return tuple(report.problems)


def find_unsupported_globals(
    settings: model.Globals, features: collections.abc.Set[render_environment.Feature]
) -> tuple[model.Problem, ...]:
    """What `settings` need and this nginx cannot do."""
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    needed = [*catalogue.find_needs(settings.options)]
    if settings.has_proxy_lines:
        needed.append(("proxy_protocol", render_environment.Feature.REALIP))
    for field, feature in needed:
        if feature not in features:
            report.add(_unsupported(feature), field)
    return tuple(report.problems)


def find_unmet(
    desired: model.Desired, features: collections.abc.Set[render_environment.Feature]
) -> tuple[model.Problem, ...]:
    """What holds in part alone with this nginx."""
    found: list[model.Problem] = []
    origins = dict(desired.globals.origins)
    for one in desired.globals.options:
        report = problem_report.ProblemReport(host=None, origin=origins.get(one[0], model.NOWHERE))
        _add_unmet((one,), features, report)
        found += report.problems
    for site in desired.enabled:
        report = problem_report.ProblemReport(host=site.host, origin=site.origin)
        _add_unmet(site.options, features, report)
        for route in site.routes:
            _add_unmet(route.options, features, report.at(route.origin), *route.field)
        found += report.problems
    return tuple(found)


def _add_unmet(
    options: model.OptionValues,
    features: collections.abc.Set[render_environment.Feature],
    report: problem_report.ProblemReport,
    *field: str | int,
) -> None:
    for name, value in options:
        wants = catalogue.BY_NAME[name].wants
        for want in () if wants is None else wants(value):
            if want.feature not in features:
                cause = f"nginx was built without {want.feature.value}, so {want.without}"
                report.add(cause, *field, name, severity=model.Severity.WARNING)


def find_waiting_for_restart(env: render_environment.Environment) -> tuple[model.Problem, ...]:
    """What is wanted and cannot be had while daemun runs."""
    if env.next_user in {None, env.user}:
        return ()
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    cause = f"nginx's workers run as {env.user}, and as {env.next_user} after `daemun stop` and `daemun up`"
    report.add(cause, "user", severity=model.Severity.WARNING)
    return tuple(report.problems)


def _unsupported(feature: render_environment.Feature) -> str:
    return f"this nginx was built without {feature.value}; `pip install 'daemun[nginx]'` brings one that has them"


# --- sites -----------------------------------------------------------------------------------------------------


def _check_host(site: model.Site, report: problem_report.ProblemReport, can: source_abilities.Abilities) -> None:
    if (cause := rules.check_host(site.host, with_patterns=can.patterns)) is not None:
        report.add(f"host {words.quoted(site.host)} {cause}")


# --- what concerns no single site ------------------------------------------------------------------------------


def _find_claimed_twice(sites: collections.abc.Sequence[model.Site]) -> tuple[model.Problem, ...]:
    names = [name for site in sites for name in site.names]
    if len(frozenset(names)) == len(names):
        return ()
    owners: dict[str, model.Site] = {}
    problems: list[model.Problem] = []
    for site in sites:
        report = problem_report.ProblemReport(host=site.host, origin=site.origin)
        for index, name in enumerate(site.names):
            owner = owners.setdefault(name, site)
            if owner is not site:
                place = f" ({owner.origin})" if owner.origin != model.NOWHERE else ""
                cause = f"host {words.quoted(name)} already belongs to site {words.quoted(owner.host)}{place}"
                report.add(cause, *(("aliases", index - 1) if index else ()))
        problems += report.problems
    return tuple(problems)
