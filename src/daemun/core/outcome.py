"""What a round of the loop says about each site. Pure."""

import collections.abc

from daemun.core import model, plan, quarantine


def site_statuses(
    desired: model.Desired,
    *,
    live: collections.abc.Mapping[str, bytes],
    wanted: collections.abc.Mapping[str, bytes],
    refused: collections.abc.Sequence[quarantine.Refused] = (),
    error: str | None = None,
) -> tuple[model.SiteStatus, ...]:
    """The state of every site.

    live: the tree nginx runs; empty when it does not run. wanted: the tree that was asked for.
    refused: the files that were replaced in it, and why. error: why the round as a whole failed; what already ran as
    wanted is live all the same.
    """
    reasons = {item.path: item.reason for item in refused}
    return tuple(_status(site, live=live, wanted=wanted, reasons=reasons, error=error) for site in desired.sites)


def _status(
    site: model.Site,
    *,
    live: collections.abc.Mapping[str, bytes],
    wanted: collections.abc.Mapping[str, bytes],
    reasons: collections.abc.Mapping[str, str],
    error: str | None,
) -> model.SiteStatus:
    path = plan.site_file(site.host)
    if not site.enabled:
        return model.SiteStatus(site=site, state=model.SiteState.DISABLED)
    if path in reasons:
        return model.SiteStatus(site=site, state=model.SiteState.QUARANTINED, reason=reasons[path])
    if path in live and plan.is_same(wanted.get(path), live[path]):
        return model.SiteStatus(site=site, state=model.SiteState.LIVE)
    return model.SiteStatus(site=site, state=model.SiteState.PENDING, reason=error or "not applied yet")


def refusal_problems(
    desired: model.Desired,
    refused: collections.abc.Sequence[quarantine.Refused],
    *,
    last_good: collections.abc.Container[str],
) -> tuple[model.Problem, ...]:
    """A problem for each file nginx or the renderer refused, naming the line of the source that it came from."""
    sites = {plan.site_file(site.host): site for site in desired.sites}
    problems: list[model.Problem] = []
    for item in refused:
        site = sites.get(item.path)
        instead = "its last good version is served" if item.path in last_good else "a 503 page is served instead"
        if site is None:
            message = f"cannot use the hand-written nginx of the whole file: {item.reason}; the rest is live"
            problems.append(model.Problem(origin=desired.globals.snippet_origin, message=message))
        else:
            message = f'cannot apply site "{site.host}": {item.reason}; {instead}, and all other sites are live'
            problems.append(model.Problem(origin=site.origin, message=message, host=site.host))
    return tuple(problems)
