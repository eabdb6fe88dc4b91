"""The snapshots of all sources become what the gate is to be. Pure.

The first source wins: the file comes before the others, and two claims on one host are a problem of the later one.
"""

import collections.abc
import dataclasses

from daemun.core import model, names, validate, words
from daemun.core import services as services_


def merge_snapshots(snapshots: collections.abc.Sequence[model.Snapshot]) -> model.Desired:
    """All sites that can go live together, and every problem of those that cannot.

    A site with an error is left out, the others go on. Warnings are kept. Sites are sorted by host, routes by path.
    """
    settings = next((snapshot.globals for snapshot in snapshots if snapshot.globals is not None), model.Globals())
    problems: list[model.Problem] = []
    owners: dict[str, model.Site] = {}
    sites: list[model.Site] = []
    for snapshot in snapshots:
        problems += snapshot.problems
        known = {(problem.host, problem.field, problem.message) for problem in snapshot.problems}
        for site in snapshot.sites:
            found = (*validate.find_site_problems(site), *validate.find_order_problems(site, settings.acme))
            problems += [item for item in found if (item.host, item.field, item.message) not in known]
            clash = _find_clash(site, owners)
            if clash is not None:
                problems.append(clash)
            elif not any(problem.severity is model.Severity.ERROR for problem in found):
                owners.update(dict.fromkeys(site.names, site))
                sites.append(dataclasses.replace(site, routes=tuple(sorted(site.routes, key=_path))))
    sites.sort(key=lambda site: site.host)
    settings, lost = _with_possible_default(settings, sites)
    pools = {pool.name: pool for snapshot in reversed(snapshots) for pool in snapshot.pools}
    return model.Desired(
        globals=settings,
        sites=tuple(sites),
        pools=tuple(pools[name] for name in sorted(pools)),
        problems=(*problems, *lost),
    )


def _path(route: model.Route) -> str:
    return route.path


def _find_clash(site: model.Site, owners: collections.abc.Mapping[str, model.Site]) -> model.Problem | None:
    taken = next((name for name in site.names if name in owners), None)
    if taken is None:
        return None
    owner = owners[taken]
    place = f" ({owner.origin.place})" if owner.origin.place else ""
    message = (
        f"cannot merge site {_full_name(site)}: host {words.quoted(taken)} already belongs to "
        f"{_full_name(owner)}{place}"
    )
    return model.Problem(origin=site.origin, message=message, host=site.host)


def _full_name(site: model.Site) -> str:
    return words.quoted(f"{site.host}@{site.origin.source}")


def _with_possible_default(
    settings: model.Globals, sites: collections.abc.Sequence[model.Site]
) -> tuple[model.Globals, tuple[model.Problem, ...]]:
    """Unknown hosts are refused while the site that was to answer them is not there, or is disabled."""
    default = settings.default
    if default.kind is not model.DefaultKind.SITE or any(site.host == default.host and site.enabled for site in sites):
        return settings, ()
    refused = dataclasses.replace(settings, default=model.Default(origin=default.origin))
    if any(site.host == default.host for site in sites):
        return refused, ()
    message = f"cannot answer unknown hosts from site {words.quoted(default.host or '')}: it is not there"
    return refused, (model.Problem(origin=default.origin, message=message, field=("default", "site")),)


def certificate_specs(desired: model.Desired) -> tuple[model.CertificateSpec, ...]:
    """The certificate of every enabled site that has one, sorted by host."""
    specs = (_certificate_spec(site) for site in desired.enabled)
    return tuple(spec for spec in specs if spec is not None)


def _certificate_spec(site: model.Site) -> model.CertificateSpec | None:
    mode = site.tls.mode
    if mode is model.TlsMode.OFF:
        return None
    if mode is model.TlsMode.AUTO:
        orderable = all(validate.is_orderable(name) for name in site.names)
        mode = model.TlsMode.ACME if orderable else model.TlsMode.LOCAL
    return model.CertificateSpec(
        name=names.slug(site.host),
        host=site.host,
        names=site.names,
        mode=mode,
        certificate=site.tls.certificate,
        key=site.tls.key,
    )


def services(desired: model.Desired) -> tuple[model.Service, ...]:
    """What nginx asks the DNS responder for, once, sorted by name."""
    return services_.find_services(desired)
