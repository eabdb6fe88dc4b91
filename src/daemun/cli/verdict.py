"""Whether everything is live, judged from the API's answers. Pure; decides the exit code 3 and how an edit ends."""

import typing

from daemun.cli import output, problem_lines

Json = dict[str, typing.Any]

NOT_LIVE = 3
"""Also what LSB's "status" action means by 3: not running. Source: LSB Core 5.0, Init Script Actions."""

AT_REST = {"live", "disabled", "waiting"}
NOT_YET = {"pending", "quarantined"}
_MOST_NAMED = 3
"""Of sites that have the same trouble."""
SERVED_AS_WANTED = {"valid", "local"}


def all_live(status: Json) -> bool:
    """Whether nginx runs and everything that the sources want is live. Disabled sites are as they should be."""
    return (
        status["nginx"]["pid"] is not None
        and status["waiting_change"] is None
        and status["generation"] is not None
        and all(one["state"] in AT_REST for one in (*status["sites"], *status.get("streams", ())))
        and not problem_lines.errors_of(status["problems"])
    )


def is_alive(status: Json) -> bool:
    """Whether daemun and nginx run and answer, whatever the sites are."""
    return status["nginx"]["pid"] is not None and status["nginx"]["answers"]


def all_served(certificates: list[Json]) -> bool:
    """Whether every site is served with the certificate that its settings want."""
    return all(certificate["state"] in SERVED_AS_WANTED for certificate in certificates)


def reasons(status: Json) -> list[str]:
    """Why sites and streams are not live, a line for each cause, but for those that a problem already has."""
    alike: dict[tuple[str, str], list[str]] = {}
    for site in status["sites"]:
        if site["state"] not in AT_REST and not _is_explained(site, status["problems"]):
            alike.setdefault((site["state"], _cause_of(site)), []).append(site["host"])
    for stream in status.get("streams", ()):
        if stream["state"] not in AT_REST | NOT_YET:
            alike.setdefault((stream["state"], _cause_of(stream)), []).append(f"stream {stream['name']}")
    return [f"{_several(hosts)} {_is(state, len(hosts))}: {cause}" for (state, cause), hosts in alike.items()]


def _is_explained(site: Json, found: list[Json]) -> bool:
    """A problem has it with the line that is to be corrected."""
    own = [problem for problem in found if problem["host"] == site["host"]]
    if site["state"] in NOT_YET and problem_lines.errors_of(own):
        return True
    messages = (problem["message"].removeprefix(f'site "{site["host"]}": ') for problem in own)
    return any(message in (site["reason"] or "") for message in messages)


def _cause_of(site: Json) -> str:
    cure = f"; {site['cure']}" if site.get("cure") else ""
    return output.clean(f"{site['reason'] or 'no reason is known'}{cure}")


def _several(hosts: list[str]) -> str:
    more = f" and {len(hosts) - _MOST_NAMED} more" if len(hosts) > _MOST_NAMED else ""
    return f"{', '.join(hosts[:_MOST_NAMED])}{more}"


def count_sites(status: Json) -> str:
    """ "18 of 18 sites live, 1 disabled; 2 of 2 streams live"."""
    from daemun.core.served import served_judgement

    return served_judgement.count_states(
        [one["state"] for one in status["sites"]], [one["state"] for one in status.get("streams", ())]
    )


def _is(state: str, count: int) -> str:
    if state == "wrong certificate":
        return f"{'has' if count == 1 else 'have'} a wrong certificate"
    return f"{'is' if count == 1 else 'are'} {output.state_of(state)}"


def new_errors(*, host: str, before: list[Json], after: list[Json], is_served: bool = False) -> list[Json]:
    """The problems that an edit of the site `host` brought.

    Those of other sites were there before or are not the edit's doing; those of a whole source (no host) count unless
    they were there before, wherever the edit moved their lines to. is_served: nginx runs the site as edited, so
    that what was wrong with it before, such as its certificate, does not count either.
    """
    known = {problem["message"] for problem in before}
    return [
        problem
        for problem in problem_lines.errors_of(after)
        if (problem["host"] == host and not (is_served and problem["message"] in known))
        or (problem["host"] is None and problem["message"] not in known)
    ]
