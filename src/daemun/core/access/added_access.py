"""Combines the access of a source that may not open what the file guards with the file's: a visitor has to pass both.
Pure."""

import dataclasses

from daemun.core import model, problem_report, source_abilities
from daemun.core.options import access_option, catalogue


def tighten(site: model.Site, settings: model.Globals) -> tuple[model.Site, tuple[model.Problem, ...]]:
    """The site with both in each of its routes, and what cannot be combined."""
    outer = access_option.OPTION.of(settings)
    if outer is None or outer == access_option.Access() or source_abilities.of_site(site).opens_access:
        return site, ()
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    routes = tuple(_tighten(route, outer, report) for route in site.routes)
    return dataclasses.replace(site, routes=routes), tuple(report.problems)


def _tighten(route: model.Route, outer: access_option.Access, report: problem_report.ProblemReport) -> model.Route:
    own = access_option.OPTION.of(route)
    if own is None:
        return route
    try:
        both = access_option.tighten(outer, own)
    except ValueError as error:
        report.at(route.origin).add(str(error), *route.field, access_option.OPTION.name)
        return route
    return dataclasses.replace(route, options=catalogue.with_value(route.options, access_option.OPTION, both))
