"""What a manager of Docker Swarm reports of services, tasks and nodes, as values. Pure.

As in `containers`, whatever is missing or of another type than expected counts as not given.
Source: docs.docker.com/reference/api/engine, "ServiceList", "TaskList", "NodeList"
"""

import collections.abc
import dataclasses
import datetime
import enum
import http

from daemun.core.texts import names
from daemun.sources.docker import containers

RUNNING = "running"
REPLICATED, GLOBAL = "replicated", "global"
JOBS = frozenset({"replicated-job", "global-job"})
"""Services whose tasks end when their work is done."""
_UPDATING = frozenset({"updating", "rollback_started"})
_MOST_REPLICAS = 10**6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SwarmService:
    """labels: of `deploy:`, sorted. ports: the container's TCP ports that are published, sorted.

    mode: "replicated", "global", ...; replicas: None where nobody sets a number. has_vip: whether its endpoint mode
    gives it a virtual address; vips: that address on each network, whose names the manager does not report here.
    """

    id: str
    name: str
    created_at: datetime.datetime = containers.NEVER
    labels: tuple[tuple[str, str], ...] = ()
    image: str = ""
    container_labels: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()
    mode: str = REPLICATED
    replicas: int | None = None
    has_vip: bool = True
    vips: tuple[containers.Attachment, ...] = ()
    is_updating: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTask:
    """service, node: their ids. slot: its number among the replicas; None: of a global service. container: its id.

    state, desired: Swarm's words. error: in the manager's words, at most 200 characters. labels, environment: of its
    container, which may be older than its service's.
    """

    id: str
    service: str
    node: str = ""
    slot: int | None = None
    state: str = RUNNING
    desired: str = RUNNING
    error: str = ""
    reported_at: datetime.datetime = containers.NEVER
    container: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    image: str = ""
    attachments: tuple[containers.Attachment, ...] = ()
    uses_host_network: bool = False

    @property
    def is_wanted(self) -> bool:
        return self.desired == RUNNING


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SwarmNode:
    """state: "ready", "down", "disconnected" or "unknown". address: as the managers see it."""

    id: str
    name: str
    state: str = "ready"
    address: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SwarmListing:
    """All that one look at the swarm found. tasks: those that are meant to run, and some that failed."""

    services: tuple[SwarmService, ...] = ()
    tasks: tuple[ServiceTask, ...] = ()
    nodes: tuple[SwarmNode, ...] = ()

    @property
    def without_tasks(self) -> tuple[str, ...]:
        """Ids of services of which no task is meant to run though some should: others of theirs tell why."""
        found = {one.service for one in self.tasks if one.is_wanted}
        return tuple(one.id for one in self.services if one.id not in found and one.replicas != 0)


class Absence(enum.Enum):
    """Why no services are seen. NO_SWARM: the engine is in none. WORKER: its node is no manager. FORBIDDEN: a proxy in
    front of the engine, or another kind of engine, does not answer that."""

    NO_SWARM = "no swarm"
    WORKER = "worker"
    FORBIDDEN = "forbidden"


def find_absence(status: int, message: str) -> Absence | None:
    """Of an answer that lists no services; None: a failure that may pass.

    Source: moby's daemon/cluster/errors.go. Podman has no such path.
    """
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE and "not a swarm manager" in message:
        return Absence.WORKER if "Worker nodes" in message else Absence.NO_SWARM
    is_refused = 400 <= status < 500 or status == http.HTTPStatus.NOT_IMPLEMENTED
    return Absence.FORBIDDEN if is_refused else None


def parse_service(raw: object) -> SwarmService:
    spec, template = _at(raw, "Spec"), _at(raw, "Spec", "TaskTemplate", "ContainerSpec")
    mode = next((name for name in _map(_at(spec, "Mode"))), "")
    replicas = _at(spec, "Mode", "Replicated", "Replicas")
    identity = containers.parse_id(_at(raw, "ID"))
    ports = [_at(one, "TargetPort") for one in _list(_at(spec, "EndpointSpec", "Ports")) if _is_tcp(one)]
    return SwarmService(
        id=identity,
        name=_name(_at(spec, "Name"), identity),
        created_at=containers.parse_instant(_at(raw, "CreatedAt")),
        labels=containers.parse_labels(_at(spec, "Labels")),
        image=_image(_at(template, "Image")),
        container_labels=containers.parse_labels(_at(template, "Labels")),
        environment=containers.parse_environment(_at(template, "Env")),
        ports=tuple(sorted({port for port in ports if isinstance(port, int) and 1 <= port <= 65535})),
        mode={"Replicated": REPLICATED, "Global": GLOBAL, "ReplicatedJob": "replicated-job"}.get(mode, "global-job"),
        replicas=min(replicas, _MOST_REPLICAS) if isinstance(replicas, int) and mode == "Replicated" else None,
        has_vip=_at(spec, "EndpointSpec", "Mode") != "dnsrr",
        vips=tuple(
            _attachment(containers.parse_text(_at(one, "NetworkID")), "", [_at(one, "Addr")])
            for one in _list(_at(raw, "Endpoint", "VirtualIPs"))
        ),
        is_updating=containers.parse_text(_at(raw, "UpdateStatus", "State")) in _UPDATING,
    )


def parse_task(raw: object) -> ServiceTask:
    spec, status = _at(raw, "Spec", "ContainerSpec"), _at(raw, "Status")
    slot = _at(raw, "Slot")
    networks = _list(_at(raw, "NetworksAttachments"))
    return ServiceTask(
        id=containers.parse_id(_at(raw, "ID")),
        service=containers.parse_id(_at(raw, "ServiceID")),
        node=containers.parse_id(_at(raw, "NodeID")),
        slot=slot if isinstance(slot, int) and slot > 0 else None,
        state=containers.parse_text(_at(status, "State")) or "unknown",
        desired=containers.parse_text(_at(raw, "DesiredState")) or "unknown",
        error=containers.parse_line(containers.parse_text(_at(status, "Err"))),
        reported_at=containers.parse_instant(_at(status, "Timestamp")),
        container=containers.parse_id(_at(status, "ContainerStatus", "ContainerID")) or None,
        labels=containers.parse_labels(_at(spec, "Labels")),
        environment=containers.parse_environment(_at(spec, "Env")),
        image=_image(_at(spec, "Image")),
        attachments=_sorted(
            _attachment(
                containers.parse_text(_at(one, "Network", "ID")),
                containers.parse_text(_at(one, "Network", "Spec", "Name")),
                _list(_at(one, "Addresses")),
            )
            for one in networks
            if not _is_host_network(one)
        ),
        uses_host_network=any(_is_host_network(one) for one in networks),
    )


def parse_node(raw: object) -> SwarmNode:
    identity = containers.parse_id(_at(raw, "ID"))
    return SwarmNode(
        id=identity,
        name=_name(_at(raw, "Description", "Hostname"), identity),
        state=containers.parse_text(_at(raw, "Status", "State")) or "unknown",
        address=_address(_at(raw, "Status", "Addr")),
    )


# --- parts -----------------------------------------------------------------------------------------------------


def _attachment(network: str, name: str, addresses: collections.abc.Iterable[object]) -> containers.Attachment:
    """Addresses have their network's size behind them: "10.0.1.5/24"."""
    found = [
        address for one in addresses if (address := _address(containers.parse_text(one).partition("/")[0])) is not None
    ]
    return containers.Attachment(
        network=network,
        name=name,
        ipv4=next((one for one in found if ":" not in one), None),
        ipv6=next((one for one in found if ":" in one), None),
    )


def _sorted(found: collections.abc.Iterable[containers.Attachment]) -> tuple[containers.Attachment, ...]:
    return tuple(sorted(found, key=lambda one: (one.name, one.network)))


def _is_host_network(raw: object) -> bool:
    return "host" in (_at(raw, "Network", "DriverState", "Name"), _at(raw, "Network", "Spec", "Name"))


def _is_tcp(raw: object) -> bool:
    return containers.parse_text(_at(raw, "Protocol")) in {"", "tcp"}


def _image(value: object) -> str:
    """Without the digest that the manager adds: "nginx:1@sha256:..."."""
    return containers.parse_text(value).partition("@")[0][: containers.LONGEST_IMAGE]


def _name(raw: object, identity: str) -> str:
    """Names are the manager's to check; one that is not shaped like one is not repeated in files and logs."""
    name = containers.parse_text(raw)
    return name if containers.is_name(name) else identity[:12]


def _address(value: object) -> str | None:
    found = names.address_of(containers.parse_text(value))
    return None if found is None else str(found)


def _at(raw: object, *path: str) -> object:
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw


def _map(raw: object) -> dict[str, object]:
    return {name: value for name, value in raw.items() if isinstance(name, str)} if isinstance(raw, dict) else {}


def _list(raw: object) -> list[object]:
    return raw if isinstance(raw, list) else []
