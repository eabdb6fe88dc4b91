"""What containers request of TCP and UDP becomes streams that stay the same while containers come and go. Pure.

A port belongs to the machine, and a stream goes past `access` and the bans of sites. So which ports containers may
have is the owner's to write (`docker.stream_ports`), and without that they have none. A stream is known by its name, as
one of the file is: containers that request the same share its connections.
"""

import collections.abc
import dataclasses
import hashlib
import types
import typing

from daemun.core import model
from daemun.core.options import docker_option, streams_option
from daemun.core.texts import reserved_hosts, words
from daemun.sources.docker import (
    container_address,
    container_remarks,
    containers,
    pool_endpoints,
    recent_claims,
    route_requests,
    tenants,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecentStream(recent_claims.Recent):
    named: streams_option.NamedStream

    @property
    def pool(self) -> str:
        found = self.named.stream.to[0].url.pool
        assert found is not None
        return found

    def with_first_origin(self, before: typing.Self) -> typing.Self:
        return self if before.named != self.named else dataclasses.replace(self, named=before.named)


Memory = dict[str, RecentStream]
"""By the stream's name."""
NO_MEMORY: collections.abc.Mapping[str, RecentStream] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamTerms:
    """ports: those that containers may have. The others: as of `container_sites.TranslationTerms`."""

    ports: tuple[docker_option.StreamPorts, ...] = ()
    reserved: tuple[str, ...] = ()
    policy: tenants.TenantPolicy = tenants.ONE_OWNER


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """memory, owners: to be given to the next translation."""

    streams: streams_option.Streams
    pools: tuple[model.Pool, ...]
    memory: Memory
    owners: tenants.Owners


_Requests = collections.abc.Mapping[containers.EngineContainer, route_requests.ContainerRequests]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    container: containers.EngineContainer
    request: route_requests.StreamRequest
    is_guest: bool = False

    @property
    def rank(self) -> tuple[object, ...]:
        """As of `container_claims.Claim`."""
        return (self.is_guest, not self.container.is_active, *self.container.age)


def translate(
    requests: _Requests,
    terms: StreamTerms,
    around: pool_endpoints.EndpointContext,
    known: collections.abc.Mapping[str, RecentStream],
    *,
    now_s: float,
    owners: tenants.Owners,
) -> Streams:
    """known: of the translation before. now_s: monotonic seconds. owners: those of hosts are known already."""
    report = around.report
    claims = sorted(_find_claims(requests, terms, report), key=lambda claim: claim.rank)
    if terms.policy.is_on:
        wanted = [(what, claim.container) for claim in claims for what in _belongings(claim.request)]
        owners = tenants.own(wanted, owners)
        claims = sorted(_refuse_strangers(claims, requests, terms.policy, owners, report), key=lambda claim: claim.rank)
    granted = _grant(claims, report)
    wanted_now = {name: _remembered(group) for name, group in granted.items()}
    services = frozenset(claim.container.service for group in granted.values() for claim in group)
    kept = recent_claims.remember(known, wanted_now, now_s=now_s, services=services)
    kept = {name: entry for name, entry in kept.items() if _is_allowed_still(entry, terms)}
    pools_by_name = {name: _find_pool(kept[name], group, around) for name, group in granted.items() if name in kept}
    return Streams(
        # What is there goes before what is only remembered, where both want one port; then the older.
        streams=tuple(kept[name].named for name in [*pools_by_name, *sorted(kept.keys() - pools_by_name.keys())]),
        pools=tuple(pools_by_name.get(name) or model.Pool(name=entry.pool) for name, entry in sorted(kept.items())),
        memory=kept,
        owners={
            what: owners[what]
            for entry in kept.values()
            for what in _belongings(_request_of(entry))
            if what in owners and terms.policy.is_on
        },
    )


def pool_name(name: str, protocol: str) -> str:
    text = f"docker stream {protocol} {name}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.daemun"


# --- who may have what -----------------------------------------------------------------------------------------


def _find_claims(
    requests: _Requests,
    terms: StreamTerms,
    report: container_remarks.RemarkCollector,
) -> collections.abc.Iterator[_Claim]:
    for container, found in requests.items():
        for request in found.streams:
            cause, cure = _find_cause(container.project or container.lasting_name, request, terms)
            if cause is None:
                yield _Claim(container=container, request=request)
            else:
                report.refuse(container, cause, cure=cure, stream=request.name)


def _find_cause(
    project: str | None, request: route_requests.StreamRequest, terms: StreamTerms
) -> tuple[str | None, str]:
    """Why a request is refused, and the cure. project: None: any."""
    for address in request.stream.listen:
        if not any(one.allows(address.port, project) for one in terms.ports):
            port = address.port
            cause = (
                f"no container of {words.quoted(project or '')} may have port {port}: `docker.stream_ports` has it not"
            )
            return cause, f"whoever owns the gate writes `docker: {{stream_ports: [{port}]}}` in daemun.yaml"
    for host in request.hosts:
        reservation = reserved_hosts.find_reservation(host, terms.reserved)
        if reservation is not None:
            return f"host {words.quoted(host)} is reserved by `docker.reserve`", "only daemun.yaml may serve it"
    return None, ""


def _is_allowed_still(entry: RecentStream, terms: StreamTerms) -> bool:
    """The owner's file may be another one since."""
    if entry.gone_at_s is None:
        return True
    return _find_cause(None, _request_of(entry), terms)[0] is None


def _request_of(entry: RecentStream) -> route_requests.StreamRequest:
    return route_requests.StreamRequest(name=entry.named.name, stream=entry.named.stream)


def _belongings(request: route_requests.StreamRequest) -> tuple[str, ...]:
    """What belongs to the first who has it: the name of the stream, its ports, and its hosts."""
    stream = request.stream
    kind = "udp" if stream.is_udp else "tcp"
    of_gate = stream.is_passthrough  # the port of HTTPS is everybody's
    ports = () if of_gate else tuple(f"port {address.port}/{kind}" for address in stream.listen)
    return (f"stream {request.name}", *ports, *request.hosts)


def _refuse_strangers(
    claims: collections.abc.Sequence[_Claim],
    requests: _Requests,
    policy: tenants.TenantPolicy,
    owners: tenants.Owners,
    report: container_remarks.RemarkCollector,
) -> collections.abc.Iterator[_Claim]:
    """As `tenants.refuse_strangers`, for all that belongs to a stream."""
    allowed, wildcards = dict(policy.shared), tenants.find_wildcards(owners)
    for claim in claims:
        belongings = _belongings(claim.request)
        found = (
            tenants.find_foreign(what, claim.container, owners, wildcards if what in claim.request.hosts else ())
            for what in belongings
        )
        foreign = [one for one in found if one is not None]
        strange = next((one for one in foreign if not _is_welcome(claim, one, requests, owners, allowed)), None)
        if strange is None:
            yield dataclasses.replace(claim, is_guest=bool(foreign))
            continue
        cause = f"{strange if ' ' in strange else words.quoted(strange)} belongs to {tenants.name(owners[strange])}"
        report.refuse(claim.container, cause, cure=_find_way_in(claim, strange), stream=claim.request.name)


def _is_welcome(
    claim: _Claim,
    foreign: str,
    requests: _Requests,
    owners: tenants.Owners,
    allowed: collections.abc.Mapping[str, tuple[str, ...]],
) -> bool:
    theirs = [
        container
        for container, found in requests.items()
        if tenants.find_tenant(container) == owners[foreign]
        and (
            any(foreign == one.host for one in found.requests)
            or any(foreign in _belongings(one) for one in found.streams)
        )
    ]
    return tenants.is_guest_welcome(claim.container, theirs, allowed.get(foreign, ()))


def _find_way_in(claim: _Claim, strange: str) -> str:
    kind, space, _ = strange.partition(" ")
    if not space:
        return tenants.way_in(claim.container, strange)
    guest = claim.container.project or claim.container.lasting_name
    other = "another name" if kind == "stream" else "another port"
    return f"give it {other}, or its owner lets it in with the label `daemun.share: {guest}`"


def _grant(
    claims: collections.abc.Iterable[_Claim], report: container_remarks.RemarkCollector
) -> dict[str, tuple[_Claim, ...]]:
    """Per name: the claim that decides, and those that request the same."""
    groups: dict[str, list[_Claim]] = {}
    for claim in claims:
        group = groups.setdefault(claim.request.name, [])
        if not group or group[0].request.stream == claim.request.stream:
            group.append(claim)
        elif claim.container.is_running:
            owner = group[0].container.title
            cause = f"the older {owner} has a stream of this name with other settings"
            cure = "give both the same labels, or one of them another name"
            report.refuse(claim.container, cause, cure=cure, stream=claim.request.name)
        else:
            report.leave_out(claim.container, container_address.find_unready(claim.container, is_leaving=False))
    return {name: tuple(group) for name, group in groups.items()}


# --- streams and pools -----------------------------------------------------------------------------------------


def _remembered(group: collections.abc.Sequence[_Claim]) -> RecentStream:
    first = group[0]
    stream = first.request.stream
    server = stream.to[0]
    pool = pool_name(first.request.name, stream.protocol.value)
    pooled = dataclasses.replace(server, url=dataclasses.replace(server.url, pool=pool))
    named = streams_option.NamedStream(
        name=first.request.name,
        stream=dataclasses.replace(stream, to=(pooled,)),
        origin=model.Origin(source=container_remarks.SOURCE, place=first.container.place),
    )
    return RecentStream(named=named, services=frozenset(claim.container.service for claim in group))


def _find_pool(
    entry: RecentStream, group: collections.abc.Sequence[_Claim], around: pool_endpoints.EndpointContext
) -> model.Pool:
    members = (
        pool_endpoints.Member(
            container=claim.container,
            port=_find_port(claim),
            port_word="",
            weight=claim.request.weight,
            is_udp=claim.request.stream.is_udp,
        )
        for claim in group
    )
    return model.Pool(name=entry.pool, endpoints=pool_endpoints.find_endpoints(members, around))


def _find_port(claim: _Claim) -> int:
    """What its label names, else the only TCP port that the container exposes, else where the stream listens."""
    request = claim.request
    if request.port is not None:
        return request.port
    if not request.stream.is_udp and len(claim.container.ports) == 1:
        return claim.container.ports[0]
    return request.stream.listen[0].port
