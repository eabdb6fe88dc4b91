"""What the engine reports of containers and networks, as values. Pure.

The engine's answers hold texts that strangers wrote, and differ between Docker and Podman, so whatever is missing or of
another type than expected counts as not given. Source: docs.docker.com/reference/api/engine, "ContainerInspect",
"NetworkList".
"""

import collections.abc
import dataclasses
import datetime
import enum
import re
import signal

from daemun.core.texts import names, words

NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_READ = re.compile(
    r"(?:(?:ACME|EXTERNAL|LETSENCRYPT|VIRTUAL)_[A-Z_]{1,64}|ACMESH_DNS_API_CONFIG|CERT_NAME|ENABLE_HTTP_ON_MISSING_CERT"
    r"|HSTS|HTTPS_METHOD|NETWORK_ACCESS|SERVER_TOKENS|SSL_POLICY|ZEROSSL_API_KEY)\Z"
)
"""Variables of containers that mean something here (`nginx_proxy`)."""
_MISSPELT = re.compile(r"(?:CERT|HTTPS|LETSENCRYPT|NETWORK|SSL|VI?[RTU]{2,4}AL)_?[A-Z0-9_]{1,64}\Z", re.IGNORECASE)
"""What such a variable may have been meant to be; of one only the name is kept."""
_SECRET = re.compile(r".*(?:KEY|KID|CONFIG|HOOK)\Z")
LONGEST_IMAGE = 255
_LONGEST_LINE = 200
_MOST_RESTARTS = 10**9
_MOST_BINDINGS = 100
"""Of one port."""
PROJECT_LABELS = ("com.docker.compose.project", "com.docker.stack.namespace", "io.podman.compose.project")
SWARM_SERVICE = "com.docker.swarm.service.id"
"""A label of each container that is a task's: the id of its service."""
SERVICE_LABELS = ("com.docker.compose.service", "com.docker.swarm.service.name", "io.podman.compose.service")
"""Where Compose, Swarm and podman-compose put which project a container belongs to."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")


class ContainerHealth(enum.Enum):
    """What the container's HEALTHCHECK found. NONE: it has none."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A container's place in one network.

    network: its id, or its name, as Podman reports. ipv4, ipv6, gateway: addresses, None when there is none.
    """

    network: str
    name: str
    ipv4: str | None = None
    ipv6: str | None = None
    gateway: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    """A port of a container as a port of its machine. address: where it listens, such as 0.0.0.0 and ::."""

    port: int
    host_port: int
    address: str
    is_udp: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineMark:
    """Which engine a container is of.

    name: "": there is but one. command: how a person runs `docker` with it.
    """

    name: str = ""
    command: str = "docker"


ONLY_ENGINE = EngineMark()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SwarmTask:
    """What makes a container a task of a service of Docker Swarm, or stand for the service as a whole.

    service, service_id: its name, its id. container: the id of the task's container, on whichever node; None: there is
    none. node_address: of the machine that it runs on. unready: why it gets no requests now, and cure: what to do;
    None: it may get some. is_wanted: whether it is meant to run.
    """

    service: str
    service_id: str = ""
    container: str | None = None
    node_address: str | None = None
    unready: str | None = None
    cure: str | None = None
    is_wanted: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineContainer:
    """One container, or one task of a service of Docker Swarm.

    image: as it was named when the container was made.
    created_at, started_at: aware; `NEVER` when the engine did not report it. labels: name and value, sorted.
    environment: the same, of the variables that are read here.
    ports: TCP ports that it exposes, sorted. network_mode: "host", "none", "container:ID", or a network's name.
    attachments: sorted by the network's name. state: the engine's word, such as "running". restarts: by its policy.
    stop_signal: the number of the signal that stops it; None when it is one that this system has no name for.
    published: ports that are its machine's, sorted. engine: the engine does not report it itself.
    task: of Swarm, as its managers know it; None: a container, as its engine knows it.
    """

    id: str
    name: str
    image: str = ""
    created_at: datetime.datetime = NEVER
    started_at: datetime.datetime = NEVER
    labels: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()
    network_mode: str = ""
    attachments: tuple[Attachment, ...] = ()
    state: str = "running"
    health: ContainerHealth = ContainerHealth.NONE
    restarts: int = 0
    stop_signal: int | None = 15
    published: tuple[PublishedPort, ...] = ()
    engine: EngineMark = ONLY_ENGINE
    task: SwarmTask | None = None

    @property
    def lasting_name(self) -> str:
        """The service's of a task: tasks come and go."""
        return self.name if self.task is None else self.task.service

    @property
    def full_name(self) -> str:
        """As messages name it: "web-1", of one of several engines "web-1@nas"."""
        return f"{self.lasting_name}@{self.engine.name}" if self.engine.name else self.lasting_name

    @property
    def place(self) -> str:
        """For origins: "container web-1", "service shop_web"."""
        return f"{'container' if self.task is None else 'service'} {self.full_name}"

    @property
    def title(self) -> str:
        """For messages: the same with the name quoted."""
        return f"{'container' if self.task is None else 'service'} {words.quoted(self.full_name)}"

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    @property
    def is_active(self) -> bool:
        """Whether it is meant to run: also between two tries of its restart policy, so that a container that crashes
        again and again does not change who decides each time."""
        if self.task is not None:
            return self.task.is_wanted
        return self.state in {"running", "restarting", "paused"}

    @property
    def project(self) -> str | None:
        """None: it belongs to none."""
        return self._find_label(PROJECT_LABELS)

    @property
    def service(self) -> str:
        """The same for a container and the one that replaces it."""
        service = self._find_label(SERVICE_LABELS)
        return self.place if service is None else f"{self.project}/{service}"

    @property
    def has_service(self) -> bool:
        return self._find_label(SERVICE_LABELS) is not None

    def _find_label(self, names_: tuple[str, ...]) -> str | None:
        return next((value for name in names_ if (value := dict(self.labels).get(name))), None)

    @property
    def age(self) -> tuple[datetime.datetime, str]:
        """Sorts the oldest container first, always in the same order."""
        return self.created_at, self.id


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListedContainer:
    """What the list of all containers shows of one: what can change while it is there, all but the health that
    Podman keeps to itself. name, attachments, state: as of `EngineContainer`. health: None when it is not listed.
    published: ports of the machine, sorted."""

    id: str
    name: str
    attachments: tuple[Attachment, ...] = ()
    state: str = "running"
    health: ContainerHealth | None = None
    published: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerNetwork:
    """driver: "bridge", "overlay", "macvlan", ... engine: as `EngineMark.name`."""

    id: str
    name: str
    driver: str = "bridge"
    engine: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerListing:
    """All that one look at the engine found."""

    containers: tuple[EngineContainer, ...] = ()
    networks: tuple[ContainerNetwork, ...] = ()


def parse_container(raw: object) -> EngineContainer:
    """An answer to "ContainerInspect"."""
    config, settings, state = _map(raw, "Config"), _map(raw, "NetworkSettings"), _map(raw, "State")
    identity = parse_id(_get(raw, "Id"))
    exposed = {*_map(config, "ExposedPorts"), *_map(settings, "Ports")}
    return EngineContainer(
        id=identity,
        name=_name(_get(raw, "Name"), identity),
        image=parse_text(_get(config, "Image"))[:LONGEST_IMAGE],
        created_at=parse_instant(_get(raw, "Created")),
        started_at=parse_instant(_get(state, "StartedAt")),
        labels=parse_labels(_get(config, "Labels")),
        environment=parse_environment(_get(config, "Env")),
        ports=tuple(sorted({port for text in exposed if (port := _tcp_port(text)) is not None})),
        network_mode=parse_text(_get(_map(raw, "HostConfig"), "NetworkMode")),
        attachments=_attachments(_map(settings, "Networks")),
        state=parse_text(_get(state, "Status")) or "unknown",
        health=_health(_map(state, "Health") or _map(state, "Healthcheck")),
        restarts=_count(_get(raw, "RestartCount")),
        stop_signal=parse_signal(_get(config, "StopSignal") or "SIGTERM"),
        published=_published(_map(settings, "Ports")),
    )


def parse_row(raw: object) -> ListedContainer:
    """One item of an answer to "ContainerList"."""
    identity, listed_names = parse_id(_get(raw, "Id")), _get(raw, "Names")
    # A container that others link to has a name for each link, too: "/other/alias".
    own = [one for one in listed_names if parse_text(one).count("/") <= 1] if isinstance(listed_names, list) else []
    return ListedContainer(
        id=identity,
        name=_name(own[0] if own else None, identity),
        attachments=_attachments(_map(_map(raw, "NetworkSettings"), "Networks")),
        state=parse_text(_get(raw, "State")) or "unknown",
        health=_parse_health(parse_text(_get(raw, "Status"))),
        published=_listed_ports(_get(raw, "Ports")),
    )


def parse_network(raw: object) -> ContainerNetwork:
    """One item of an answer to "NetworkList"."""
    name = parse_text(_get(raw, "Name"))
    return ContainerNetwork(id=parse_text(_get(raw, "Id")) or name, name=name, driver=parse_text(_get(raw, "Driver")))


def parse_signal(value: object) -> int | None:
    """The number of "15", 15, "TERM" or "SIGTERM"."""
    text = str(value) if isinstance(value, str | int) else ""
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return int(text)
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    return signal.Signals[name].value if name in signal.Signals.__members__ else None


def _name(raw: object, identity: str) -> str:
    """Names are the engine's to check; one that is not shaped like one is not repeated in files and logs."""
    name = parse_text(raw).removeprefix("/")
    return name if is_name(name) else identity[:12]


def parse_id(value: object) -> str:
    """Of a container, a service, a task or a node. One that is not shaped like one counts as not given: files, logs and
    commands hold it."""
    return value if isinstance(value, str) and is_name(value) else ""


def parse_labels(raw: object) -> tuple[tuple[str, str], ...]:
    """As they are, also where they are no text that can be written: who reads them refuses that."""
    found = raw.items() if isinstance(raw, dict) else ()
    return tuple(sorted((key, value if isinstance(value, str) else "") for key, value in found if isinstance(key, str)))


def parse_text(value: object) -> str:
    """Text that can be written; JSON may also hold half a character (a surrogate)."""
    if not isinstance(value, str):
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return ""
    return value


def parse_line(text: str) -> str:
    """What an engine or the owner of an image wrote, as one line that is fit for a log."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[:_LONGEST_LINE]).split())


def is_name(text: str) -> bool:
    """Whether it is shaped like the name of a container, a service or a node."""
    return _NAME.match(text) is not None


def parse_environment(raw: object) -> tuple[tuple[str, str], ...]:
    """Of "NAME=value" texts; the last of a name counts, as for the container. Only values that are read are kept."""
    pairs = [item.partition("=") for item in raw if isinstance(item, str)] if isinstance(raw, list) else []
    found = {name: value for name, equals, value in pairs if equals and (_READ.match(name) or _MISSPELT.match(name))}
    hidden = (name for name, value in found.items() if value and (_SECRET.match(name) or not _READ.match(name)))
    return tuple(sorted((found | dict.fromkeys(hidden, "(hidden)")).items()))


def _attachments(raw: collections.abc.Mapping[str, object]) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            network=parse_text(_get(item, "NetworkID")) or name,
            name=name,
            ipv4=_address(_get(item, "IPAddress")),
            ipv6=_address(_get(item, "GlobalIPv6Address")),
            gateway=_address(_get(item, "Gateway")) or _address(_get(item, "IPv6Gateway")),
        )
        for name, item in sorted(raw.items())
        if parse_text(name) == name
    )


def _health(raw: collections.abc.Mapping[str, object]) -> ContainerHealth:
    """Podman has "" where Docker leaves the map out."""
    word = parse_text(_get(raw, "Status"))
    return ContainerHealth(word) if word in {item.value for item in ContainerHealth} else ContainerHealth.NONE


def _parse_health(status: str) -> ContainerHealth | None:
    """Of words for people: "Up 2 seconds (health: starting)"."""
    return next((one for one in ContainerHealth if status.endswith((f"({one.value})", f"(health: {one.value})"))), None)


def _tcp_port(text: str) -> int | None:
    """The number in "80/tcp"."""
    number, _, protocol = text.partition("/")
    good = protocol in {"", "tcp"} and number.isascii() and number.isdigit() and len(number) <= 5
    return int(number) if good and 1 <= int(number) <= 65535 else None


def _published(raw: collections.abc.Mapping[str, object]) -> tuple[PublishedPort, ...]:
    """Of {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}. An empty address stands for every one of IPv4."""
    found = set()
    for text, bindings in raw.items():
        number, _, protocol = text.partition("/")
        if (port := _tcp_port(number)) is None or protocol not in {"", "tcp", "udp"} or not isinstance(bindings, list):
            continue
        for binding in bindings[:_MOST_BINDINGS]:
            host_port = _tcp_port(parse_text(_get(binding, "HostPort")))
            address = _address(parse_text(_get(binding, "HostIp")) or "0.0.0.0")  # noqa: S104 - what the engine means
            if host_port is not None and address is not None:
                found.add(PublishedPort(port=port, host_port=host_port, address=address, is_udp=protocol == "udp"))
    return tuple(sorted(found, key=lambda one: (one.port, one.is_udp, one.address, one.host_port)))


def _listed_ports(raw: object) -> tuple[int, ...]:
    """Of [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]."""
    found = [_get(one, "PublicPort") for one in raw] if isinstance(raw, list) else []
    return tuple(sorted({port for port in found if isinstance(port, int) and 1 <= port <= 65535}))


def _count(value: object) -> int:
    return min(value, _MOST_RESTARTS) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _address(value: object) -> str | None:
    return None if (found := names.address_of(parse_text(value))) is None else str(found)


def parse_instant(value: object) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(parse_text(value))
    except ValueError:
        return NEVER
    return found if found.tzinfo is not None else NEVER


def _get(raw: object, key: str) -> object:
    return raw.get(key) if isinstance(raw, dict) else None


def _map(raw: object, key: str) -> dict[str, object]:
    found = _get(raw, key)
    return {name: value for name, value in found.items() if isinstance(name, str)} if isinstance(found, dict) else {}
