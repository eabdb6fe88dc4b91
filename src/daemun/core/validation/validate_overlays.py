"""Sites that lie over those of containers (`from: docker`), where no container can have their hosts. Pure."""

from daemun.core import model, problem_report
from daemun.core.options import docker_option, from_option
from daemun.core.texts import reserved_hosts, words


def find_overlay_problems(site: model.Site, settings: model.Globals) -> tuple[model.Problem, ...]:
    if site.overlay is None:
        return ()
    report = problem_report.ProblemReport(host=site.host, origin=site.origin)
    docker = docker_option.OPTION.of(settings)
    by = reserved_hosts.find_reservation(site.host, docker.reserved)
    cause = None
    if not docker.is_on:
        cause = "the site waits for ever: `docker` is off, so no container is looked at"
    elif by is not None:
        cause = f"the site waits for ever: no container may claim {words.quoted(by)} (`docker.reserve`)"
    report.add(cause, from_option.OPTION.name, severity=model.Severity.WARNING)
    return tuple(report.problems)
