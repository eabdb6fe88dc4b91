"""The snapshots of all sources become what the gate is to be. Pure.

The first source wins: the file comes before the others, and two claims on one host are a problem of the later one. A
site of the file that lies over one of containers (`core.site_overlays`) has their routes; without them it waits.
The built-in sites (`core.access.built_in_sites`) come behind the file that names their hosts, and before the others.
"""

import collections.abc
import dataclasses
import functools

from daemun.core import model, site_memory, site_overlays
from daemun.core.access import added_access, built_in_sites
from daemun.core.certificates import certificate_choice
from daemun.core.options import access_option, catalogue, on_demand_option, streams_option
from daemun.core.services import dns_service, dns_services
from daemun.core.texts import route_paths, rules, words
from daemun.core.validation import (
    validate,
    validate_acme,
    validate_cache,
    validate_judges,
    validate_limits,
    validate_login,
    validate_streams,
)

DEFAULT_SITE = ("default", "site")
"""`Problem.field` of a site for unknown hosts that is not there."""
_ANOTHER_HOST = "give one of the two another host"
_LIES_OVER = "write `from: docker` into the file's site, which then has the containers' routes, or "
_Cuts = collections.abc.Mapping[str, site_overlays.Cut]
"""As of `site_overlays.Laid`, of one host."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """problems: of the site, seen alone. merged: as it goes on, if it does."""

    problems: tuple[model.Problem, ...]
    is_refused: bool
    merged: model.Site


def _judge_site(settings: model.Globals, site: model.Site) -> Judged:
    if site.fault is not None or not site.enabled:
        # Its source reported all of it; only its names have to be fit, for a 503 page or for those who list them.
        return Judged(problems=(), is_refused=any(map(rules.check_host, site.names)), merged=site)
    problems = (
        *validate.find_site_problems(site),
        *validate_acme.find_order_problems(site, settings.acme),
        *validate_login.find_login_problems(site, settings),
        *validate_judges.find_judge_problems(site, settings),
        *validate_cache.find_cache_problems(site, settings),
        *validate_limits.find_limit_problems(site, settings),
    )
    if any(problem.severity is model.Severity.ERROR for problem in problems):
        return Judged(problems=problems, is_refused=True, merged=_in_order(site))
    tightened, loose = added_access.tighten(site, settings)
    return Judged(problems=(*problems, *loose), is_refused=bool(loose), merged=_in_order(tightened))


def _judge_beneath(settings: model.Globals, site: model.Site) -> Judged:
    """A site of containers as it is, for what lies over it to guard."""
    problems = validate.find_site_problems(site)
    is_refused = any(problem.severity is model.Severity.ERROR for problem in problems)
    return Judged(problems=problems, is_refused=is_refused, merged=site)


def _accept(site: model.Site) -> Judged:
    return Judged(problems=(), is_refused=False, merged=_in_order(site))


def _in_order(site: model.Site) -> model.Site:
    routes = tuple(sorted(site.routes, key=_path))
    return site if routes == site.routes else dataclasses.replace(site, routes=routes)


def merge_snapshots(
    snapshots: collections.abc.Sequence[model.Snapshot],
    memory: site_memory.PerSite[Judged] | None = None,
    *,
    validated: str | None = None,
) -> model.Desired:
    """All sites that can go live together, and every problem of those that cannot.

    A site with an error is left out, the others go on. Warnings are kept. Sites are sorted by host, routes by path.
    memory: of earlier merges, for who merges again. validated: the source whose sites were judged when they were read,
    a moment ago, so that all that is wrong with them is in its problems.
    """
    settings = next((snapshot.globals for snapshot in snapshots if snapshot.globals is not None), model.Globals())
    memory = memory or site_memory.PerSite()
    memory.enter(
        (settings.acme, access_option.OPTION.of(settings), validate_login.surroundings(settings), settings.snippet)
    )
    judge = functools.partial(_judge_site, settings)
    problems: list[model.Problem] = []
    owners: dict[str, model.Site] = {}
    ports, passed = _Ports.of(settings), streams_option.find_passed(settings)
    sites: list[model.Site] = []
    overlays: dict[str, model.Site] = {}
    cuts: dict[str, _Cuts] = {}
    for snapshot in snapshots:
        problems += snapshot.problems
        known = {(problem.host, problem.field, problem.message) for problem in snapshot.problems}
        for site in snapshot.sites:
            if site.origin.source == model.CONTAINERS and site.host in overlays:
                laid, found, cuts[site.host] = _lay_over(overlays[site.host], site, settings, memory)
                problems += [item for item in found if (item.host, item.field, item.message) not in known]
                if laid is not None and (clash := ports.find_clash(laid)) is None:
                    ports.take(laid)
                    owners.update(dict.fromkeys(laid.names, laid))
                    overlays[site.host] = laid
                elif laid is not None and clash is not None:
                    problems.append(clash)
                continue
            judged = memory.get(site, judge) if snapshot.source != validated else _accept(site)
            problems += [item for item in judged.problems if (item.host, item.field, item.message) not in known]
            clash = (
                _find_passed(site, passed)
                or _find_clash(site, owners)
                or ports.find_clash(site)
                or _find_rival(site, sites, settings)
            )
            if clash is not None:
                problems.append(clash)
            elif not judged.is_refused:
                owners.update(dict.fromkeys(site.names, site))
                ports.take(site)
                if site.overlay is not None:
                    overlays[site.host] = judged.merged
                else:
                    sites.append(judged.merged)
        for _, built_in in built_in_sites.find_all(settings) if snapshot.globals is settings else ():
            if (clash := _find_clash(built_in, owners)) is None:
                owners[built_in.host] = built_in
                sites.append(built_in)
            else:
                problems.append(clash)
    sites += (site_overlays.wait(site) if site.waits_for_container else site for site in overlays.values())
    sites.sort(key=lambda site: site.host)
    settings, lost = _with_possible_default(settings, sites)
    settings, refused = _with_more_streams(settings, snapshots, sites)
    problems += refused
    pools = {pool.name: pool for snapshot in reversed(snapshots) for pool in snapshot.pools}
    return model.Desired(
        globals=settings,
        sites=tuple(sites),
        pools=tuple(pools[name] for name in sorted(pools)),
        containers=tuple(
            _judge_streams(_judge(container, snapshot.source, owners, problems, cuts), problems)
            for snapshot in snapshots
            for container in snapshot.containers
        ),
        engines=tuple(engine for snapshot in snapshots for engine in snapshot.engines),
        problems=(*problems, *lost),
    )


def _lay_over(
    site: model.Site, beneath: model.Site, settings: model.Globals, memory: site_memory.PerSite[Judged]
) -> tuple[model.Site | None, tuple[model.Problem, ...], _Cuts]:
    """The site of the file over that of containers, and what is wrong with either; None: it waits for another."""
    below = memory.get(beneath, functools.partial(_judge_beneath, settings), variant="beneath")
    if below.is_refused:
        errors = _errors_of(below)
        if any(one.field[:1] == ("routes",) for one in errors):
            return None, below.problems, {}
        return _lay_over_some(site, beneath, settings, errors)
    laid = site_overlays.lay_over(site, beneath, settings)
    judge = functools.partial(_judge_site, settings)
    judged = memory.get(laid.site, judge, variant="over containers")
    if judged.is_refused:
        return _lay_over_some(site, beneath, settings, _errors_of(judged))
    return judged.merged, (*laid.problems, *judged.problems), laid.cuts


def _lay_over_some(
    site: model.Site, beneath: model.Site, settings: model.Globals, errors: tuple[model.Problem, ...]
) -> tuple[model.Site | None, tuple[model.Problem, ...], _Cuts]:
    """Without what labels set for the whole site, or the routes that they make wrong, where that is in the way."""
    problems: tuple[model.Problem, ...] = ()
    laid = site_overlays.lay_over(site, beneath, settings)
    judged = _judge_site(settings, laid.site)
    paths = {route.path for route in site.routes}
    if any(one.field[:1] != ("routes",) or one.field[1] in paths for one in errors):
        unlabelled = site_overlays.without_labels(site, beneath, errors)
        without = site_overlays.lay_over(site, unlabelled.site, settings)
        judged_without = _judge_site(settings, without.site)
        if len(_errors_of(judged_without)) < len(errors):
            problems, laid, judged = unlabelled.problems, without, judged_without
    if judged.is_refused:
        laid = site_overlays.close(laid, beneath, _errors_of(judged))
        judged = _judge_site(settings, laid.site)
    if judged.is_refused:
        return None, (*laid.problems, *judged.problems), laid.cuts
    return judged.merged, (*problems, *laid.problems, *judged.problems), laid.cuts


def _errors_of(judged: Judged) -> tuple[model.Problem, ...]:
    return tuple(one for one in judged.problems if one.severity is model.Severity.ERROR)


def _path(route: model.Route) -> tuple[bool, str]:
    return route_paths.order(route.path)


def _with_more_streams(
    settings: model.Globals,
    snapshots: collections.abc.Iterable[model.Snapshot],
    sites: collections.abc.Sequence[model.Site],
) -> tuple[model.Globals, tuple[model.Problem, ...]]:
    """The streams of containers come behind those of the file, and behind all sites."""
    more = tuple(one for snapshot in snapshots for one in streams_option.OPTION.of(snapshot))
    if not more:
        return settings, ()
    kept, problems = validate_streams.add_possible(settings, sites, more)
    options = catalogue.with_value(settings.options, streams_option.OPTION, kept)
    return dataclasses.replace(settings, options=options), problems


def _find_passed(
    site: model.Site, passed: collections.abc.Mapping[str, streams_option.NamedStream]
) -> model.Problem | None:
    """Its handshakes would never come here."""
    taken = next((name for name in site.names if name in passed), None) if passed and site.enabled else None
    if taken is None:
        return None
    stream = passed[taken]
    message = (
        f"cannot serve site {_full_name(site)}: host {words.quoted(taken)} already belongs to stream "
        f"{words.quoted(stream.name)} ({stream.origin.place}); {_ANOTHER_HOST}"
    )
    return model.Problem(origin=site.origin, message=message, host=site.host)


def _find_clash(site: model.Site, owners: collections.abc.Mapping[str, model.Site]) -> model.Problem | None:
    taken = next((name for name in site.names if name in owners), None)
    if taken is None:
        return None
    owner = owners[taken]
    if (built_in := built_in_sites.find(owner)) is not None:
        message = (
            f"cannot serve site {_full_name(site)}: {_of_built_in(taken, built_in)}; {_another_host_than(built_in)}"
        )
        return model.Problem(origin=site.origin, message=message, host=site.host)
    place = f" ({owner.origin.place})" if owner.origin.place else ""
    cure = _cure_clash(owner, site.host, site.origin.source)
    message = (
        f"cannot serve site {_full_name(site)}: host {words.quoted(taken)} already belongs to "
        f"{_full_name(owner)}{place}; {cure}"
    )
    return model.Problem(origin=site.origin, message=message, host=site.host, cure=cure)


def _cure_clash(owner: model.Site, host: str, source: str) -> str:
    """source: of who wants the host that another has."""
    lies_over = source == model.CONTAINERS != owner.origin.source and owner.host == host
    return f"{_LIES_OVER if lies_over else ''}{_ANOTHER_HOST}"


def _find_rival(
    site: model.Site, sites: collections.abc.Sequence[model.Site], settings: model.Globals
) -> model.Problem | None:
    """Names that no site has can go to one place only."""
    if on_demand_option.OPTION.of(site) is None or not site.enabled:
        return None
    default = settings.default
    taking = (one for one in sites if one.enabled and on_demand_option.OPTION.of(one) is not None)
    rival = next((words.quoted(one.host) for one in taking), None)
    if rival is None and default.kind is not model.DefaultKind.REFUSE and default.host != site.host:
        rival = f"`default` ({default.origin})"
    if rival is None:
        return None
    message = f"on_demand: names that no site has already go to {rival}, and can go to one place only"
    return model.Problem(origin=site.origin, message=message, host=site.host, field=("on_demand",))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Ports:
    """The protocols on the ports of the gate and of sites with ports of their own: one port, one protocol."""

    protocols: dict[int, str]

    @classmethod
    def of(cls, settings: model.Globals) -> "_Ports":
        protocols = dict.fromkeys(validate_streams.find_tcp_ports(settings), "a stream")
        protocols |= {address.port: "HTTP" for address in settings.listen.http}
        return cls(protocols=protocols | {address.port: "HTTPS" for address in settings.listen.https})

    def take(self, site: model.Site) -> None:
        self.protocols.update(self._ports_of(site))

    def find_clash(self, site: model.Site) -> model.Problem | None:
        for port, protocol in self._ports_of(site).items():
            if self.protocols.get(port, protocol) != protocol:
                message = (
                    f"cannot serve site {_full_name(site)}: it wants {protocol} on port {port}, which "
                    f"{self.protocols[port]} has; choose another port"
                )
                return model.Problem(origin=site.origin, message=message, host=site.host)
        return None

    def _ports_of(self, site: model.Site) -> dict[int, str]:
        ports = {} if site.http_port is None else {site.http_port: "HTTP"}
        return ports if site.https_port is None else {**ports, site.https_port: "HTTPS"}


def _judge(
    container: model.ContainerStatus,
    source: str,
    owners: collections.abc.Mapping[str, model.Site],
    problems: collections.abc.Sequence[model.Problem],
    cuts: collections.abc.Mapping[str, _Cuts],
) -> model.ContainerStatus:
    """Its source knows what keeps requests from a container itself, but not whether its hosts were granted."""
    lost = next((host for host in container.hosts if host not in owners or not _has(owners[host], source)), None)
    if lost is None and container.is_served:
        return _judge_beneath_file(container, cuts)
    if lost is None or not container.is_served:
        return container
    if lost in owners and (built_in := built_in_sites.find(owners[lost])) is not None:
        return dataclasses.replace(
            container, is_served=False, why=_of_built_in(lost, built_in), cure=_another_host_than(built_in)
        )
    if lost in owners and owners[lost].overlay is None:
        why = f"host {words.quoted(lost)} already belongs to {_full_name(owners[lost])} ({owners[lost].origin})"
        return dataclasses.replace(container, is_served=False, why=why, cure=_cure_clash(owners[lost], lost, source))
    errors = [problem for problem in problems if problem.host == lost and problem.severity is model.Severity.ERROR]
    refusals = (problem for problem in errors if problem.origin.source == source or lost in owners)
    why = next((problem.message for problem in refusals), "its site was refused")
    return dataclasses.replace(container, is_served=False, why=why, cure=None)


def _judge_beneath_file(
    container: model.ContainerStatus, cuts: collections.abc.Mapping[str, _Cuts]
) -> model.ContainerStatus:
    """One of whose routes a site of the file lets nothing through: it is served while others of them go on."""
    places = [f"{kind} {container.full_name}" for kind in ("container", "service")]
    found = [cuts[host][place] for host in container.hosts if host in cuts for place in places if place in cuts[host]]
    if not found:
        return container
    worst = next((one for one in found if one.is_whole), found[0])
    return dataclasses.replace(container, is_served=not worst.is_whole, why=worst.why, cure=None)


def _has(site: model.Site, source: str) -> bool:
    """Whether requests for the site go to what a source requests."""
    return site.origin.source == source or (
        source == model.CONTAINERS and site.overlay is not None and not site.waits_for_container
    )


def _judge_streams(
    container: model.ContainerStatus, problems: collections.abc.Iterable[model.Problem]
) -> model.ContainerStatus:
    if not container.streams or not container.is_served:
        return container
    refused = {streams_option.find_name(one): one.message for one in problems if one.origin.source == model.CONTAINERS}
    why = next((refused[name] for name in container.streams if name in refused), None)
    return container if why is None else dataclasses.replace(container, is_served=False, why=why, cure=None)


def _of_built_in(host: str, built_in: built_in_sites.BuiltInSite) -> str:
    return f"host {words.quoted(host)} is {built_in.use}"


def _another_host_than(built_in: built_in_sites.BuiltInSite) -> str:
    return f"give the container or {built_in.short} another host"


def _full_name(site: model.Site) -> str:
    return words.quoted(f"{site.host}@{site.origin.source}")


def _with_possible_default(
    settings: model.Globals, sites: collections.abc.Sequence[model.Site]
) -> tuple[model.Globals, tuple[model.Problem, ...]]:
    """Unknown hosts are refused while the site that was to answer them is not there, or is disabled."""
    default = settings.default
    if default.kind is not model.DefaultKind.SITE or any(site.host == default.host and site.enabled for site in sites):
        return settings, ()
    without = dataclasses.replace(default, kind=model.DefaultKind.REFUSE, host=None)
    refused = dataclasses.replace(settings, default=without)
    if any(site.host == default.host for site in sites):
        return refused, ()
    message = f"cannot answer unknown hosts from site {words.quoted(default.host or '')}: it is not there"
    return refused, (model.Problem(origin=default.origin, message=message, field=DEFAULT_SITE),)


def certificate_specs(
    desired: model.Desired, memory: site_memory.PerSite[model.CertificateSpec | None] | None = None
) -> tuple[model.CertificateSpec, ...]:
    """The certificate of every enabled site that has one, sorted by host. memory: of earlier calls."""
    return certificate_choice.find_specs(desired, memory)


def services(desired: model.Desired) -> tuple[dns_service.Service, ...]:
    """What nginx queries at the DNS responder, once, sorted by name."""
    return dns_services.find_services(desired)
