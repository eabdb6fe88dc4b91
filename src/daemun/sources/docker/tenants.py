"""Hosts belong to projects where several people have containers on a machine (`docker: {tenants: true}`). Pure.

A project is what Compose calls so; a container without one stands for itself. Whoever starts a container gives its
project's name, so this keeps apart people who mean each other no harm, or where something
else keeps from choosing names.
"""

import collections.abc
import dataclasses

from daemun.core.texts import names, reserved_hosts, words
from daemun.sources.docker import container_claims, container_labels, container_remarks, containers, recent_claims

ANY = "true"
"""In the label `daemun.share`: every project."""

Owners = collections.abc.Mapping[str, str]
"""What belongs to one of several people -> tenant: hosts, "stream NAME", and "port 53/udp"."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """is_on: whether a host belongs to the first that serves it. shared: hosts, and projects that may join there."""

    is_on: bool = False
    shared: tuple[tuple[str, tuple[str, ...]], ...] = ()


ONE_OWNER = TenantPolicy()
"""All containers are one person's."""


def find_tenant(container: containers.EngineContainer) -> str:
    return container.project or container.place


def name(tenant: str) -> str:
    """For messages."""
    return tenant if tenant.startswith(("container ", "service ")) else f"project {tenant}"


def is_guest_welcome(
    guest: containers.EngineContainer,
    hosts: collections.abc.Iterable[containers.EngineContainer],
    allowed: tuple[str, ...] = (),
) -> bool:
    """Whether a container may join the hosts of others. allowed: projects that the file lets join."""
    shared = {part.strip() for one in hosts for part in dict(one.labels).get(container_labels.SHARE, "").split(",")}
    return not {ANY, guest.project or guest.lasting_name}.isdisjoint({*shared, *allowed})


def find_owners(claims: collections.abc.Sequence[container_claims.Claim], known: Owners) -> Owners:
    """The tenant of each host: as before, else the first that requests it."""
    return own(((claim.request.host, claim.container) for claim in claims), known)


def own(wanted: collections.abc.Iterable[tuple[str, containers.EngineContainer]], known: Owners) -> dict[str, str]:
    """known, and what has no owner there as that of the first who wants it."""
    found = dict(known)
    for what, container in wanted:
        found.setdefault(what, find_tenant(container))
    return found


def find_foreign(
    what: str, container: containers.EngineContainer, owners: Owners, wildcards: collections.abc.Iterable[str]
) -> str | None:
    """What of another tenant a container would get with a host, itself or a wildcard above it, or with a stream."""
    above = (what, *(one for one in wildcards if one != what and reserved_hosts.covers(one, what)))
    return next((one for one in above if owners[one] != find_tenant(container)), None)


def find_wildcards(owners: Owners) -> list[str]:
    return [host for host in owners if names.is_pattern(host) or host.startswith("*.")]


def refuse_strangers(
    claims: collections.abc.Sequence[container_claims.Claim],
    policy: TenantPolicy,
    owners: Owners,
    report: container_remarks.RemarkCollector,
) -> collections.abc.Iterator[container_claims.Claim]:
    """Claims for hosts that belong to another tenant, themselves or by a wildcard above them, are granted where their
    owner or the file lets them in."""
    allowed = dict(policy.shared)
    wildcards = find_wildcards(owners)
    for claim in claims:
        foreign = find_foreign(claim.request.host, claim.container, owners, wildcards)
        if foreign is None:
            yield claim
            continue
        owner = owners[foreign]
        theirs = [
            one.container for one in claims if one.request.host == foreign and find_tenant(one.container) == owner
        ]
        if is_guest_welcome(claim.container, theirs, allowed.get(foreign, ())):
            yield dataclasses.replace(claim, is_guest=True)
            continue
        cause = f"{words.quoted(foreign)} belongs to {name(owner)}"
        report.refuse(claim.container, cause, cure=way_in(claim.container, foreign), request=claim.request)


def way_in(guest: containers.EngineContainer, host: str) -> str:
    """How a container comes to a host of others."""
    project = guest.project or guest.lasting_name
    return (
        f"its owner lets it in with the label `{container_labels.SHARE}: {project}`, and yours does in "
        f'daemun.yaml with `docker: {{tenants: true, share: {{"{host}": {project}}}}}`'
    )


def report_mixed_services(
    granted: collections.abc.Mapping[recent_claims.Key, tuple[container_claims.Claim, ...]],
    report: container_remarks.RemarkCollector,
) -> None:
    """Requests that go to two services in turn get answers of two applications, which is seldom meant: a label was
    copied. Containers of one service are meant, and so are those that no Compose started."""
    for (host, path), group in granted.items():
        first = group[0].container
        reported = {_find_application(first)}
        for claim in group[1:]:
            other = claim.container
            if _find_application(other) in reported or not other.is_active:
                continue
            reported.add(_find_application(other))
            if is_guest_welcome(other, [first]) or is_guest_welcome(first, [other]):
                continue
            is_within = first.project == other.project
            reason = (
                f"{_origin(other, is_within=is_within).lstrip()}serves {words.quoted(host + path)} beside "
                f"{first.title}{_origin(first, is_within=is_within).rstrip()}, "
                "so requests go to both in turn"
            )
            cure = (
                "give one of them another host or path; where it is meant, give the older one the label "
                f"`{container_labels.SHARE}: {other.project or other.lasting_name}`"
            )
            subject = f"{other.title} "
            report.add(other, subject, container_remarks.Remark(reason=reason, cure=cure), host=host)


def _find_application(container: containers.EngineContainer) -> str | None:
    """None: it is of no project."""
    if container.project is None or not container.has_service:
        return container.project
    return container.service


def _origin(container: containers.EngineContainer, *, is_within: bool) -> str:
    """is_within: both are of one project, so that the service tells them apart."""
    if container.project is None:
        return " "
    return (
        f" of service {words.quoted(container.service)} "
        if is_within
        else f" of project {words.quoted(container.project)} "
    )
