"""What is needed where people come in by daemun's own sign-in. Pure."""

from daemun.core import model, problem_report
from daemun.core.access import access_levels
from daemun.core.options import access_option, login_option, trusted_proxies_option

_FIELD = ("access", "login")
_NO_PAGE = "needs a sign-in page; write `login: {host: auth.example.com}` at the top of daemun.yaml"


def surroundings(settings: model.Globals) -> object:
    """What `find_login_problems` depends on beside the site."""
    options = (login_option.OPTION, access_option.OPTION, trusted_proxies_option.OPTION)
    return tuple(one.of(settings) for one in options)


def find_gate_problems(settings: model.Globals) -> tuple[model.Problem, ...]:
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    if access_levels.of_gate(settings).access.login is not None and login_option.OPTION.of(settings) is None:
        report.add(_NO_PAGE, *_FIELD)
    return tuple(report.problems)


def find_login_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    """What is wrong with a site in a gate with these settings."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    places: list[tuple[access_levels.HeldAccess, problem_report.ProblemReport, bool, tuple[str, ...]]] = []
    places.append((access_levels.of_site(site, settings), report, access_option.OPTION.of(site) is not None, _FIELD))
    for route in site.routes:
        if access_option.OPTION.of(route) is not None:
            held = access_levels.of_route(route, site, settings)
            places.append((held, report.at(route.origin), True, ("routes", route.path, *_FIELD)))
    has_page = login_option.OPTION.of(settings) is not None
    is_plain = site.tls.mode is model.TlsMode.OFF and not trusted_proxies_option.OPTION.of(settings)
    for held, place, is_own, field in places:
        if held.access.login is not None and is_own and not has_page:
            place.add(_NO_PAGE, *field)
        if held.access.login is not None and is_plain:
            place.add("needs HTTPS, or browsers keep no session; leave `tls: off` out", *field)
    return tuple(report.problems)
