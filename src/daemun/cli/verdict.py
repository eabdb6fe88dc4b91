"""Whether everything is live, judged from the API's answers. Pure; decides the exit code 3 and how an edit ends."""

import typing

from daemun.cli import output, problems

Json = dict[str, typing.Any]

NOT_LIVE = 3
"""Also what LSB's "status" action means by 3: not running. Source: LSB Core 5.0, Init Script Actions."""

AT_REST = {"live", "disabled"}
NOT_YET = {"pending", "quarantined"}
_LONGEST_REASON = 300
SERVED_AS_ASKED = {"valid", "local"}


def all_live(status: Json) -> bool:
    """Whether nginx runs and everything that the sources ask for is live. Disabled sites are as they should be."""
    return (
        status["nginx"]["pid"] is not None
        and status["waiting_change"] is None
        and status["generation"] is not None
        and all(site["state"] in AT_REST for site in status["sites"])
        and not any(_is_failing(site) for site in status["sites"])
        and not problems.errors_of(status["problems"])
    )


def is_alive(status: Json) -> bool:
    """Whether daemun and nginx run and answer, whatever the sites are."""
    return status["nginx"]["pid"] is not None and status["nginx"]["answers"]


def all_served(certificates: list[Json]) -> bool:
    """Whether every site is served with the certificate that was asked for."""
    return all(certificate["state"] in SERVED_AS_ASKED for certificate in certificates)


def reasons(status: Json) -> list[str]:
    """Why sites are not live, a line each, but for the reasons that a problem of the same site already tells."""
    told = {problem["host"] for problem in problems.errors_of(status["problems"])}
    sites = [
        f"{site['host']} {_is(site['state'])}: {site['reason'] or 'no reason is known'}{_what_to_do(site)}"
        for site in status["sites"]
        if site["state"] not in AT_REST and site["host"] not in told
    ]
    failing = [site for site in status["sites"] if _is_failing(site) and site["host"] not in told]
    certificates = {site["certificate"]["name"]: _certificate_reason(site) for site in failing}
    return [*sites, *certificates.values()]


def _is_failing(site: Json) -> bool:
    """Whether its certificate is not got or not usable. One that is asked for, or waits for a limit, is on its way."""
    certificate = site.get("certificate")
    return site["state"] not in {*NOT_YET, "disabled"} and certificate is not None and certificate["state"] == "failing"


def _certificate_reason(site: Json) -> str:
    """In one line; `daemun certs` tells all."""
    certificate = site["certificate"]
    whole = " ".join((certificate["reason"] or "no reason is known").split())
    reason = output.clean(whole).partition(". The CA says")[0]
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON].rpartition(' ')[0]} … (`daemun certs show {site['host']}` tells all)"
    attempt = certificate["next_attempt"]
    next_try = f"; next try {attempt[:16].replace('T', ' ')} UTC" if attempt else ""
    return f"the certificate of {site['host']} is not as asked for: {reason}{next_try}"


def count_sites(status: Json) -> str:
    """ "18 of 18 sites live, 1 disabled"."""
    from daemun.core import served

    return served.count_states(site["state"] for site in status["sites"])


def _is(state: str) -> str:
    return "has a wrong certificate" if state == "wrong certificate" else f"is {output.state_of(state)}"


def _what_to_do(site: Json) -> str:
    return f"; {site['cure']}" if site.get("cure") else ""


def new_errors(*, host: str, before: list[Json], after: list[Json], is_served: bool = False) -> list[Json]:
    """The problems that an edit of the site `host` brought.

    Those of other sites were there before or are not the edit's doing; those of a whole source (no host) count unless
    they were there before, wherever the edit moved their lines to. is_served: nginx runs the site as the edit says, so
    that what was wrong with it before, such as its certificate, does not count either.
    """
    known = {problem["message"] for problem in before}
    return [
        problem
        for problem in problems.errors_of(after)
        if (problem["host"] == host and not (is_served and problem["message"] in known))
        or (problem["host"] is None and problem["message"] not in known)
    ]
