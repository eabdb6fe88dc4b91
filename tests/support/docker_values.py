"""Containers and networks as plain values, as one engine would list them."""

import collections.abc
import datetime
import hashlib

from daemun.core import model
from daemun.core.options import docker_option
from daemun.sources.docker import (
    container_sites,
    container_streams,
    containers,
    recent_claims,
    route_requests,
    tenants,
)

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
GATE = containers.ContainerNetwork(id="gate-id", name="gate")


def attachment(
    network: str = "gate", *, ipv4: str | None = "10.0.0.2", ipv6: str | None = None, gateway: str | None = "10.0.0.1"
) -> containers.Attachment:
    return containers.Attachment(network=f"{network}-id", name=network, ipv4=ipv4, ipv6=ipv6, gateway=gateway)


def identity(name: str) -> str:
    """A container id, always the same for a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def container(
    name: str = "web-1",
    labels: collections.abc.Mapping[str, str] | None = None,
    *,
    environment: collections.abc.Mapping[str, str] | None = None,
    age_s: float = 0,
    started_s: float | None = None,
    ip: str = "10.0.0.2",
    ports: tuple[int, ...] = (80,),
    state: str = "running",
    health: containers.ContainerHealth = containers.ContainerHealth.NONE,
    network_mode: str = "gate",
    attachments: tuple[containers.Attachment, ...] | None = None,
) -> containers.EngineContainer:
    """age_s: the older, the sooner it was made. started_s: how long it has been running; None: it is not told."""
    return containers.EngineContainer(
        started_at=containers.NEVER if started_s is None else NOON - datetime.timedelta(seconds=started_s),
        id=identity(name),
        name=name,
        created_at=NOON - datetime.timedelta(seconds=age_s),
        labels=tuple(sorted((labels or {}).items())),
        environment=tuple(sorted((environment or {}).items())),
        ports=ports,
        state=state,
        health=health,
        network_mode=network_mode,
        attachments=(attachment(ipv4=ip),) if attachments is None else attachments,
    )


def run(
    *found: containers.EngineContainer,
    known: recent_claims.Memory | None = None,
    now_s: float = 0.0,
    own: str | None = None,
    reserved: tuple[str, ...] = (),
    leaving: tuple[str, ...] = (),
    networks: tuple[containers.ContainerNetwork, ...] = (GATE,),
    dialect: route_requests.Dialect = container_sites.LABELS,
    prefers_ipv6: bool = False,
    tenants_: tenants.TenantPolicy = tenants.ONE_OWNER,
    owners: tenants.Owners = container_sites.NO_OWNERS,
    stream_ports: object = (),
    known_streams: container_streams.Memory | None = None,
) -> container_sites.Translated:
    """Translate a listing. own, leaving: names of containers. stream_ports: as in daemun.yaml."""
    terms = container_sites.TranslationTerms(
        own_id=identity(own) if own is not None else None,
        reserved=reserved,
        leaving=frozenset(identity(name) for name in leaving),
        prefers_ipv6=prefers_ipv6,
        policy=tenants_,
        stream_ports=docker_option.parse_stream_ports(stream_ports),
    )
    listing = containers.ContainerListing(containers=found, networks=networks)
    return container_sites.translate(
        listing,
        terms,
        {} if known is None else known,
        now_s=now_s,
        dialect=dialect,
        owners=owners,
        known_streams=known_streams or {},
    )


def snapshot(*found: containers.EngineContainer, **terms: object) -> model.Snapshot:
    return run(*found, **terms).snapshot  # type: ignore[arg-type]


def endpoints(found: model.Snapshot, host: str, path: str = "/") -> list[str]:
    """Who serves a route now, as "address:port", an IPv6 address in brackets."""
    (site,) = (site for site in found.sites if site.host == host)
    (route,) = (route for route in site.routes if route.path == path)
    assert isinstance(route.action, model.Proxy)
    (pool,) = (pool for pool in found.pools if pool.name == route.action.targets[0].pool)
    return [
        f"[{endpoint.address}]:{endpoint.port}" if ":" in endpoint.address else f"{endpoint.address}:{endpoint.port}"
        for endpoint in pool.endpoints
    ]


def messages(found: model.Snapshot, severity: model.Severity = model.Severity.ERROR) -> list[str]:
    return [str(problem) for problem in found.problems if problem.severity is severity]
