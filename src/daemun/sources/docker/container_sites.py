"""What the engine listed becomes a snapshot: sites that stay the same while containers come and go. Pure.

A site follows from what containers request; who is behind it now follows from their state and is only in
`Snapshot.pools`. So replacing, scaling, starting or stopping containers of a known site changes no site, and nginx is
not reloaded. A site also outlives its containers for a while (`memory`), so that requests can wait for the next one.
"""

import collections
import collections.abc
import dataclasses
import hashlib
import types

from daemun.core import model
from daemun.core.options import catalogue, docker_option, streams_option
from daemun.core.texts import reserved_hosts, words
from daemun.sources.docker import (
    container_address,
    container_claims,
    container_labels,
    container_remarks,
    container_streams,
    containers,
    engine_reach,
    pool_endpoints,
    recent_claims,
    route_requests,
    tenants,
)

LABELS = route_requests.Dialect(read=container_labels.read_requests)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TranslationTerms:
    """Settings that the translation depends on, besides the listing.

    own_id: of the container daemun runs in; None on the host. reserved: hosts that no container may claim, in the form
    of `model.Site.host`; "*.name" stands for every host under a name. leaving: ids of containers that were sent their
    stop signal. prefers_ipv6: which of two addresses of a container is used. policy: the owners of hosts.
    stream_ports: those that containers may have. reaches: as of `container_address.NginxLocation`.
    """

    own_id: str | None = None
    reserved: tuple[str, ...] = ()
    leaving: frozenset[str] = frozenset()
    prefers_ipv6: bool = False
    policy: tenants.TenantPolicy = tenants.ONE_OWNER
    stream_ports: tuple[docker_option.StreamPorts, ...] = ()
    reaches: collections.abc.Mapping[str, engine_reach.EngineReach] = dataclasses.field(default_factory=dict)


Readings = collections.abc.Mapping[containers.EngineContainer, route_requests.ContainerRequests]
"""What each container requests, in one dialect: parsing its labels and variables is most of the work of a
translation."""
NO_READINGS: Readings = types.MappingProxyType({})
NO_OWNERS: tenants.Owners = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """memory, streams, readings, owners: to be given to the next translation."""

    snapshot: model.Snapshot
    memory: recent_claims.Memory
    streams: container_streams.Memory
    readings: Readings
    owners: tenants.Owners


def translate(
    listing: containers.ContainerListing,
    terms: TranslationTerms,
    known: recent_claims.Memory,
    *,
    now_s: float,
    dialect: route_requests.Dialect = LABELS,
    readings: Readings = NO_READINGS,
    owners: tenants.Owners = NO_OWNERS,
    known_streams: collections.abc.Mapping[str, container_streams.RecentStream] = container_streams.NO_MEMORY,
) -> Translated:
    """All that the containers request, and every container that is not served, with the reason and the cure.

    known, known_streams: of the translation before, or empty ones. now_s: monotonic seconds. readings: of the same
    dialect, as far as there are some. owners: of the translation before.
    """
    report = container_remarks.RemarkCollector()
    requests = {container: readings.get(container) or dialect.read(container) for container in listing.containers}
    claims = sorted(_find_claims(requests, terms, report), key=lambda claim: claim.rank)
    if terms.policy.is_on:
        owners = tenants.find_owners(claims, owners)
        claims = sorted(tenants.refuse_strangers(claims, terms.policy, owners, report), key=lambda claim: claim.rank)
    granted = _grant(_agree(claims, dialect, report), report)
    tenants.report_mixed_services(granted, report)
    options = _choose_site_options(granted, dialect, report)
    running = next((one for one in listing.containers if one.id == terms.own_id), None)
    place = container_address.NginxLocation(
        gate=running, listing=listing, prefers_ipv6=terms.prefers_ipv6, reaches=terms.reaches
    )
    around = pool_endpoints.EndpointContext(place=place, leaving=terms.leaving, report=report)
    endpoints_by_claim, out_of_reach = _find_endpoints(granted, around)
    wanted = {
        key: recent_claims.RecentClaim(
            route=_into_pool(group[0].request),
            site=options.get(group[0].request.host),
            services=frozenset(claim.container.service for claim in group),
        )
        for key, group in granted.items()
    }
    services = frozenset(claim.container.service for group in granted.values() for claim in group)
    kept = recent_claims.remember(known, wanted, now_s=now_s, services=services)
    kept = {
        key: entry for key, entry in kept.items() if reserved_hosts.find_reservation(key[0], terms.reserved) is None
    }
    streams = container_streams.translate(
        requests,
        container_streams.StreamTerms(ports=terms.stream_ports, reserved=terms.reserved, policy=terms.policy),
        around,
        known_streams,
        now_s=now_s,
        owners=owners,
    )
    if dialect.find_unused is not None:
        report.problems += dialect.find_unused(_find_places(granted, kept))
    snapshot = model.Snapshot(
        source=container_remarks.SOURCE,
        sites=_make_sites(kept),
        options=catalogue.values(streams_option.OPTION.set(streams.streams)) if streams.streams else (),
        pools=tuple(
            sorted((*_make_pools(kept, endpoints_by_claim, out_of_reach), *streams.pools), key=lambda pool: pool.name)
        ),
        containers=report.list_containers(requests),
        problems=tuple(dict.fromkeys(report.problems)),
    )
    hosts = {host for host, _ in kept}
    owned = {host: tenant for host, tenant in owners.items() if host in hosts and terms.policy.is_on}
    return Translated(
        snapshot=snapshot,
        memory=kept,
        streams=streams.memory,
        readings=requests,
        owners={**streams.owners, **owned},
    )


def pool_name(host: str, path: str, scheme: model.Scheme) -> str:
    """The same as long as all three are. Strangers choose them, so the digest is too long to be met on purpose."""
    text = f"docker {scheme.value}://{host}{path}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.daemun"


# --- who requests what -----------------------------------------------------------------------------------------


def _find_claims(
    requests: collections.abc.Mapping[containers.EngineContainer, route_requests.ContainerRequests],
    terms: TranslationTerms,
    report: container_remarks.RemarkCollector,
) -> collections.abc.Iterator[container_claims.Claim]:
    for container, found in requests.items():
        for fault in found.faults:
            again = "make it anew with them" if container.task is None else "deploy it again"
            report.refuse(container, fault, cure=f"correct its {found.words}, and {again}")
        for note in found.notes:
            report.add(container, f"{container.title}: ", container_remarks.Remark(reason=note))
        for request in found.requests:
            reservation = reserved_hosts.find_reservation(request.host, terms.reserved)
            if reservation is None:
                yield container_claims.Claim(container=container, request=request)
                continue
            because = "" if reservation == request.host else f" (as {words.quoted(reservation)})"
            cause = f"the host is reserved by `docker.reserve`{because}"
            report.refuse(container, cause, cure="only daemun.yaml may serve it", request=request)


def _agree(
    claims: collections.abc.Sequence[container_claims.Claim],
    dialect: route_requests.Dialect,
    report: container_remarks.RemarkCollector,
) -> list[container_claims.Claim]:
    """The same claims, those for one host and path completed by each other where the dialect does that."""
    if dialect.complete is None:
        return list(claims)
    groups: dict[recent_claims.Key, list[container_claims.Claim]] = collections.defaultdict(list)
    for claim in claims:
        groups[claim.key].append(claim)
    for group in groups.values():
        _report_disagreements(group, "path_variables", report)
        agreed = dialect.complete([claim.request for claim in group])
        group[:] = [dataclasses.replace(claim, request=request) for claim, request in zip(group, agreed, strict=True)]
    return sorted((claim for group in groups.values() for claim in group), key=lambda claim: claim.rank)


def _report_disagreements(
    claims: collections.abc.Iterable[container_claims.Claim], of: str, report: container_remarks.RemarkCollector
) -> dict[str, object]:
    """Each variable as the first container sets it. of: "path_variables" or "host_variables"."""
    owners: dict[str, tuple[container_claims.Claim, object]] = {}
    for claim in claims:
        for name, value in getattr(claim.request, of) or ():
            owner, first = owners.setdefault(name, (claim, value))
            if first != value and claim.container.is_running:
                where = words.quoted(
                    claim.request.host if of == "host_variables" else claim.request.host + claim.request.route.path
                )
                reason = f"sets {name} for {where} otherwise than the older {owner.container.title}, which decides"
                subject = f"{claim.container.title} "
                remark = container_remarks.Remark(reason=reason, cure="give both the same")
                report.add(claim.container, subject, remark, host=claim.request.host)
    return {name: value for name, (_, value) in owners.items()}


def _grant(
    claims: collections.abc.Sequence[container_claims.Claim], report: container_remarks.RemarkCollector
) -> dict[recent_claims.Key, tuple[container_claims.Claim, ...]]:
    """Per host and path: the claim that decides, and those that request the same."""
    groups: dict[recent_claims.Key, list[container_claims.Claim]] = {}
    for claim in claims:
        group = groups.setdefault(claim.key, [])
        if not group or _same(group[0].request.route, claim.request.route):
            group.append(claim)
        elif claim.container.is_running:
            owner = group[0].container.title
            cause = f"the older {owner} serves it with other settings"
            report.refuse(
                claim.container,
                cause,
                cure=f"give both the same {'labels' if claim.request.path_variables is None else 'variables'}",
                request=claim.request,
            )
        else:
            report.leave_out(claim.container, container_address.find_unready(claim.container, is_leaving=False))
    return {key: tuple(group) for key, group in groups.items()}


def _same(one: model.Route, other: model.Route) -> bool:
    return dataclasses.replace(one, origin=other.origin) == other


def _choose_site_options(
    granted: collections.abc.Mapping[recent_claims.Key, tuple[container_claims.Claim, ...]],
    dialect: route_requests.Dialect,
    report: container_remarks.RemarkCollector,
) -> dict[str, route_requests.SiteOptions]:
    """Per host, the options of the first container that sets some; daemun's labels before other dialects."""
    claims = sorted((claim for group in granted.values() for claim in group), key=lambda claim: claim.rank)
    return _merge_hosts(claims, dialect, report) | _choose_labelled(claims, report)


def _merge_hosts(
    claims: collections.abc.Sequence[container_claims.Claim],
    dialect: route_requests.Dialect,
    report: container_remarks.RemarkCollector,
) -> dict[str, route_requests.SiteOptions]:
    """Per host, the options that follow from the variables of all its containers together."""
    groups: dict[str, list[container_claims.Claim]] = collections.defaultdict(list)
    for claim in claims:
        if claim.request.host_variables is not None:
            groups[claim.request.host].append(claim)
    found: dict[str, route_requests.SiteOptions] = {}
    for host, group in groups.items():
        variables = _report_disagreements(group, "host_variables", report)
        assert dialect.merge_host is not None  # a dialect with variables of hosts merges them
        merged = dialect.merge_host(host, variables)
        found[host] = merged.options
        for note in merged.notes:
            report.add(group[0].container, f"{words.quoted(host)}: ", container_remarks.Remark(reason=note), host=host)
    return found


def _choose_labelled(
    claims: collections.abc.Sequence[container_claims.Claim], report: container_remarks.RemarkCollector
) -> dict[str, route_requests.SiteOptions]:
    chosen: dict[str, container_claims.Claim] = {}
    for claim in claims:
        if claim.request.site is None:
            continue
        owner = chosen.setdefault(claim.request.host, claim)
        if owner.request.site != claim.request.site and claim.container.is_running:
            name = owner.container.title
            subject = (
                f"cannot use the tls, http and hsts labels of {claim.container.title} for "
                f"{words.quoted(claim.request.host)}: "
            )
            remark = container_remarks.Remark(reason=f"the older {name} has set others", cure="give both the same")
            report.add(claim.container, subject, remark, host=claim.request.host)
    return {host: claim.request.site for host, claim in chosen.items() if claim.request.site is not None}


# --- who serves it now -----------------------------------------------------------------------------------------


def _find_endpoints(
    granted: collections.abc.Mapping[recent_claims.Key, tuple[container_claims.Claim, ...]],
    around: pool_endpoints.EndpointContext,
) -> tuple[dict[recent_claims.Key, tuple[model.Endpoint, ...]], frozenset[recent_claims.Key]]:
    """Per host and path, the oldest container first; and the hosts and paths where all that runs is out of reach."""
    found: dict[recent_claims.Key, tuple[model.Endpoint, ...]] = {}
    out_of_reach: set[recent_claims.Key] = set()
    for key, group in granted.items():
        members = [
            pool_endpoints.Member(
                container=claim.container,
                port=claim.request.port,
                port_word=claim.request.port_word,
                weight=claim.request.weight,
            )
            for claim in group
            if claim.request.scheme is not None  # a redirect needs none
        ]
        active = [one for one in members if one.container.is_active]
        if active and all(pool_endpoints.is_out_of_reach(one, around.place) for one in active):
            out_of_reach.add(key)
        found[key] = pool_endpoints.find_endpoints(members, around)
    return found, frozenset(out_of_reach)


def _find_places(
    granted: collections.abc.Mapping[recent_claims.Key, tuple[container_claims.Claim, ...]], kept: recent_claims.Memory
) -> route_requests.Places:
    """Every host of the dialect with its paths; how those of a container that was removed were spelled is forgotten."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for (host, path), group in granted.items():
        if group[0].request.path_variables is not None:
            found[host] |= {path, *group[0].request.written}
    gone = {host for (host, _), entry in kept.items() if entry.gone_at_s is not None}
    return {host: frozenset(paths) for host, paths in found.items()} | dict.fromkeys(gone)


# --- sites and pools -------------------------------------------------------------------------------------------


def _into_pool(request: route_requests.RouteRequest) -> model.Route:
    """The route with its target in the pool of its host, path and scheme."""
    action = request.route.action
    if not isinstance(action, model.Proxy):
        return request.route
    target = action.targets[0]
    pooled = dataclasses.replace(target, pool=pool_name(request.host, request.route.path, target.scheme))
    return dataclasses.replace(request.route, action=dataclasses.replace(action, targets=(pooled,)))


def _make_sites(kept: recent_claims.Memory) -> tuple[model.Site, ...]:
    """What containers request now comes before what is only remembered, where both name one host."""
    entries: dict[str, list[recent_claims.RecentClaim]] = collections.defaultdict(list)
    for (host, _), entry in sorted(kept.items()):
        entries[host].append(entry)
    return tuple(_make_site(host, found) for host, found in sorted(entries.items()))


def _make_site(host: str, entries: collections.abc.Sequence[recent_claims.RecentClaim]) -> model.Site:
    with_site = sorted((one for one in entries if one.site is not None), key=lambda one: one.gone_at_s is not None)
    options = (with_site[0].site if with_site else None) or route_requests.SiteOptions()
    return options.make_site(host, tuple(entry.route for entry in entries), entries[0].route.origin)


def _make_pools(
    kept: recent_claims.Memory,
    endpoints_by_claim: collections.abc.Mapping[recent_claims.Key, tuple[model.Endpoint, ...]],
    out_of_reach: frozenset[recent_claims.Key],
) -> tuple[model.Pool, ...]:
    return tuple(
        model.Pool(name=entry.pool, endpoints=endpoints_by_claim.get(key, ()), is_out_of_reach=key in out_of_reach)
        for key, entry in kept.items()
        if entry.pool is not None
    )
