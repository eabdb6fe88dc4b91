"""Where `cache` would keep nothing, because visitors have names there. Pure."""

from daemun.core import model, problem_report
from daemun.core.access import access_levels
from daemun.core.options import cache_option


def find_cache_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    """What a site or a route further out sets keeps nothing there, without a word."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    name = cache_option.OPTION.name
    for route in filter(cache_option.is_set, site.routes):
        report.at(route.origin).add(_find_cause(route, site, settings), *route.field, name)
    if cache_option.is_set(site) and site.routes:
        causes = [_find_cause(route, site, settings) for route in site.routes]
        report.add(causes[0] if all(causes) else None, name)
    return tuple(report.problems)


def _find_cause(route: model.Route, site: model.Site, settings: model.Globals) -> str | None:
    return cache_option.find_private(access_levels.of_route(route, site, settings).access)
