"""What several judges of one site (`access.forward_auth`) cannot have together. Pure."""

from daemun.core import model, problem_report
from daemun.core.access import access_levels
from daemun.core.options import access_option, forward_auth_forms
from daemun.core.texts import words


def find_judge_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    """A path on which visitors sign in leads to one judge alone. Who would be sent to another one's could never come
    in. A route of that path is the owner's own answer to it."""
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    taken = {route.path for route in site.routes}
    found: dict[str, str] = {}
    levels: list[tuple[access_option.Access, problem_report.ProblemReport, problem_report.Field]] = []
    levels.append((access_levels.of_site(site, settings).access, report, ()))
    for route in site.routes:
        access = access_levels.of_route(route, site, settings).access
        levels.append((access, report.at(route.origin), route.field))
    for access, place, field in levels:
        judge = access.forward_auth
        for path in () if judge is None else judge.protocol.open_paths:
            server = _find_server(judge)
            if path not in taken and found.setdefault(path, server) != server:
                place.add(
                    f"{words.quoted(server)} needs the path {path} of this site for its sign-in, and so does "
                    f"{words.quoted(found[path])}; use one judge for all of it, or give the route a host of its own",
                    *field,
                    "access",
                    "forward_auth",
                )
    return tuple(report.problems)


def _find_server(judge: forward_auth_forms.ForwardAuth | None) -> str:
    """Where it is, without the path that is requested."""
    url = "" if judge is None else judge.url or judge.protocol.server or ""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.partition('/')[0].partition('?')[0]}"
