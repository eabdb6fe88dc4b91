"""`docker`: the engine, or the engines, whose containers request sites."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import engine_urls, names, rules, words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DockerTls(forms.OptionMap):
    """Absolute paths of PEM files: the CA of the engine's certificate, and what daemun shows it."""

    meanings: typing.ClassVar[dict[str, str]] = {
        "ca": "the file with the CA of the engine's certificate",
        "cert": "the file with the certificate that daemun shows the engine",
        "key": "the file with its key",
    }
    ca: forms.File
    certificate: typing.Annotated[forms.File, pydantic.Field(alias="cert")]
    key: forms.File


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamPorts:
    """Ports that containers may have for streams. projects: whose; empty: of every one."""

    first: int
    last: int
    projects: tuple[str, ...] = ()

    def allows(self, port: int, project: str | None) -> bool:
        """project: None: any."""
        return self.first <= port <= self.last and (project is None or not self.projects or project in self.projects)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """One of several engines.

    name: as messages show it, unique. address: where the ports are that its containers publish; None: the URL's host.
    networks: those of its networks whose addresses this machine reaches, beside what is reached in any case.
    """

    name: str
    endpoint: str
    tls: DockerTls | None = None
    address: str | None = None
    networks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """is_on: False: no engine is queried.

    endpoint: its URL; None: what DOCKER_HOST names, else a usual socket if there is one. tls, address, networks: as of
    `EngineChoice`. engines: where there are several; then the endpoint is None.
    reserved: hosts that no container may claim, in the form of `Site.host`.
    tenants: a host belongs to the project that serves it first. shared: hosts, and the projects that may join there.
    stream_ports: those that containers may have. swarm: whether services of Docker Swarm are sites, too; None: where
    the engine is one of a swarm's managers.
    """

    is_on: bool = True
    endpoint: str | None = None
    tls: DockerTls | None = None
    address: str | None = None
    networks: tuple[str, ...] = ()
    engines: tuple[EngineChoice, ...] = ()
    reserved: tuple[str, ...] = ()
    tenants: bool = False
    shared: tuple[tuple[str, tuple[str, ...]], ...] = ()
    stream_ports: tuple[StreamPorts, ...] = ()
    swarm: bool | None = None


def _engine(value: object) -> object:
    """`auto`, `off`, or where the engine is."""
    if value is False or value == "off":
        return "off"
    if isinstance(value, str) and "://" in value:
        return value_parsers.parse_engine(value)
    if value == "auto":
        return value
    known = ["auto", "off", "a URL such as unix:///var/run/docker.sock"]
    raise ValueError(
        f"expected {words.listed(known)}, found {words.describe(value)}{engine_urls.hint_engine(value, known[:2])}"
    )


def _engine_url(value: object) -> object:
    """Of one of several: where it is."""
    if isinstance(value, str) and "://" in value:
        return value_parsers.parse_engine(value)
    known = ["unix:///var/run/docker.sock", "ssh://nas", "tcp://nas:2376"]
    raise ValueError(f"expected {words.listed(known)}, found {words.describe(value)}")


def _address(value: object) -> object:
    """Raises: ValueError."""
    found = names.address_of(value) if isinstance(value, str) else None
    if found is not None and not (found.is_unspecified or found.is_multicast or found.is_link_local):
        return str(found)
    if found is None and isinstance(value, str) and engine_urls.is_machine(value):
        return value.lower()
    raise ValueError(f"expected the address or the name of the engine's machine, found {words.describe(value)}")


def _name(value: object) -> object:
    """Raises: ValueError."""
    if isinstance(value, str) and _NAME.match(value):
        return value
    raise ValueError(f"expected 1 to 64 of A-Z, a-z, 0-9, _, ., : and -, found {words.describe(value)}")


def _find_name(url: str) -> str:
    """What an engine without a name is called: as its machine; this one "local", or as the socket of another engine."""
    host = engine_urls.find_host(url)
    if host is not None:
        return host
    stem = url.rpartition("/")[2].removesuffix(".sock")
    return "local" if stem == "docker" or not _NAME.match(stem) else stem


def _normal(host: str) -> str:
    """What is no host is refused by its form."""
    try:
        return value_parsers.parse_host(host)
    except ValueError:
        return host


def _once(value: object) -> object:
    """Of a host in two spellings, one value would be lost."""
    seen: dict[str, str] = {}
    for written in value if isinstance(value, dict) else ():
        first = seen.setdefault(_normal(written), written)
        if first != written:
            raise ValueError(f"{words.quoted(written)} is the same host as {words.quoted(first)}; keep one of them")
    return value


_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?\Z")


def parse_stream_ports(value: object) -> tuple[StreamPorts, ...]:
    """A port, "27000-27100", a list of them, or a map of them to projects. Raises: ValueError."""
    if isinstance(value, dict):
        return tuple(_parse_ports(ports, projects) for ports, projects in value.items())
    return tuple(_parse_ports(one) for one in (value if isinstance(value, list | tuple) else [value]))


def _parse_ports(value: object, projects: object = True) -> StreamPorts:
    match = _PORTS.match(str(value).strip()) if isinstance(value, int | str) and not isinstance(value, bool) else None
    first = int(match["first"]) if match is not None else 0
    last = int(match["last"] or first) if match is not None else 0
    if not 1 <= first <= last <= 65535:
        raise ValueError(f'expected a port or "27000-27100", found {words.describe(value)}')
    if projects is True:
        return StreamPorts(first=first, last=last)
    listed: list[typing.Any] = list(projects) if isinstance(projects, list | tuple) else [projects]
    wrong = next((one for one in listed if not (isinstance(one, str) and _PROJECT.match(one))), None)
    if wrong is not None or not listed:
        raise ValueError(
            f"expected true, or projects of compose that may have port {value}, found {words.describe(wrong)}"
        )
    return StreamPorts(first=first, last=last, projects=tuple(listed))


def _swarm(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, bool):
        return value
    guess = words.guess(value, ["auto"]) if isinstance(value, str) else ""
    raise ValueError(f"expected auto, true or false, found {words.describe(value)}{guess}")


_A_PORT: forms.Json = {"type": ["integer", "string"]}
_WRITTEN_PORTS: forms.Json = {
    "anyOf": [
        _A_PORT,
        {"type": "array", "items": _A_PORT},
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [{"enum": [True]}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]
            },
        },
    ]
}
_PROJECT = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}\Z")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
MOST_ENGINES = 50
_URL: forms.Json = {"type": "string", "pattern": "://"}
_ENDPOINT: forms.Json = {"anyOf": [{"enum": ["auto", "off", False]}, _URL]}
_LIST: forms.Json = {"type": "array", "items": {"anyOf": [_URL, {"type": "object", "required": ["endpoint"]}]}}


_MEANING_OF_ADDRESS = (
    "the address, or the name, of the engine's machine, where the ports are that its containers publish"
)
_MEANING_OF_NETWORKS = "networks of the engine whose addresses this machine reaches"
_Address = typing.Annotated[str, pydantic.BeforeValidator(_address), pydantic.WithJsonSchema({"type": "string"})]
_Networks = typing.Annotated[forms.Texts, forms.ONE_OR_MORE]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenEngine(forms.OptionMap):
    shape: typing.ClassVar[str] = "a URL or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "endpoint": "where the engine is: a URL such as ssh://user@host",
        "name": "what messages call it; by default the host of the URL",
        "tls": "the files for an engine that is reached over TLS",
        "address": _MEANING_OF_ADDRESS,
        "networks": _MEANING_OF_NETWORKS,
    }
    endpoint: typing.Annotated[str, pydantic.BeforeValidator(_engine_url), pydantic.WithJsonSchema(_URL)]
    name: typing.Annotated[str, pydantic.BeforeValidator(_name), pydantic.WithJsonSchema({"type": "string"})] | None = (
        None
    )
    tls: DockerTls | None = None
    address: _Address | None = None
    networks: _Networks = ()


_Engine = typing.Annotated[
    WrittenEngine,
    pydantic.BeforeValidator(lambda value: value if isinstance(value, dict) else {"endpoint": value}),
    forms.Also(_URL),
]


def _some(value: object) -> object:
    if isinstance(value, list | tuple) and not value:
        raise ValueError("expected at least one engine, found an empty list; `docker: off` serves no containers")
    return value


_Engines = typing.Annotated[
    tuple[_Engine, ...], pydantic.Strict(strict=False), forms.ONE_OR_MORE, pydantic.BeforeValidator(_some)
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDocker(forms.OptionMap):
    shape: typing.ClassVar[str] = "auto, off, a URL, a list of engines or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "endpoint": "where the engine is: auto, off, or a URL such as tcp://host:2376",
        "tls": "the files for an engine that is reached over TLS",
        "address": _MEANING_OF_ADDRESS,
        "networks": _MEANING_OF_NETWORKS,
        "engines": "several engines instead of one `endpoint`: each a URL or a map",
        "reserve": "hosts that no container may claim",
        "tenants": "whether a host belongs to the project that serves it first",
        "share": "of hosts, the projects that may join there",
        "stream_ports": "the ports that streams of containers may have: a list, or a map of them to projects",
        "swarm": "whether services of Docker Swarm are sites, too: auto (where the engine is a manager's), true, false",
    }
    endpoint: typing.Annotated[str, pydantic.BeforeValidator(_engine), pydantic.WithJsonSchema(_ENDPOINT)] = "auto"
    tls: DockerTls | None = None
    address: _Address | None = None
    networks: _Networks = ()
    engines: _Engines = ()
    reserve: forms.Hosts = ()
    tenants: forms.Flag = False
    share: typing.Annotated[
        dict[forms.Host, typing.Annotated[forms.Texts, forms.ONE_OR_MORE]], pydantic.BeforeValidator(_once)
    ] = dataclasses.field(default_factory=dict)
    stream_ports: typing.Annotated[
        tuple[pydantic.InstanceOf[StreamPorts], ...],
        pydantic.Strict(strict=False),
        pydantic.BeforeValidator(parse_stream_ports),
        pydantic.WithJsonSchema(_WRITTEN_PORTS),
    ] = ()
    swarm: typing.Annotated[
        forms.Flag | None, pydantic.BeforeValidator(_swarm), pydantic.WithJsonSchema({"enum": ["auto", True, False]})
    ] = None


def _short(value: object) -> object:
    if isinstance(value, list | tuple):
        return {"engines": value}
    return value if isinstance(value, dict) else {"endpoint": value}


def _make(written: WrittenDocker) -> Docker:
    """Raises: ValueError."""
    if written.engines and (written.endpoint != "auto" or written.tls or written.address or written.networks):
        raise ValueError("`engines` stands for `endpoint`, `tls`, `address` and `networks`; write them for each engine")
    if len(written.engines) > MOST_ENGINES:
        raise ValueError(f"expected at most {MOST_ENGINES} engines, found {len(written.engines)}")
    return Docker(
        is_on=written.endpoint != "off",
        endpoint=None if written.endpoint in {"auto", "off"} else written.endpoint,
        tls=written.tls,
        address=written.address,
        networks=written.networks,
        engines=tuple(
            EngineChoice(
                name=one.name or _find_name(one.endpoint),
                endpoint=one.endpoint,
                tls=one.tls,
                address=one.address,
                networks=one.networks,
            )
            for one in written.engines
        ),
        reserved=written.reserve,
        tenants=written.tenants,
        shared=tuple(written.share.items()),
        stream_ports=written.stream_ports,
        swarm=written.swarm,
    )


def _check(value: Docker, place: Place) -> None:
    if value.tls is not None and (value.endpoint is None or value.endpoint.startswith(_NEVER_TLS)):
        place.add("needs `endpoint`, the tcp:// URL of the engine that it is for", "tls")
    _check_networks(value.networks, place, "networks")
    seen: set[str] = set()
    once = engine_urls.find_once(one.endpoint for one in value.engines)
    for index, engine in enumerate(value.engines):
        if index not in once:
            cause = "is the same engine as one above it, and counts once; take one of the two out"
            place.add(cause, "engines", index, severity=model.Severity.WARNING)
            continue
        if engine.tls is not None and engine.endpoint.startswith(_NEVER_TLS):
            place.add("needs `endpoint`, the tcp:// URL of the engine that it is for", "engines", index, "tls")
        if engine.name in seen:
            cause = f"two engines are called {words.quoted(engine.name)}; give one of them a `name` of its own"
            place.add(cause, "engines", index)
        seen.add(engine.name)
        _check_networks(engine.networks, place, "engines", index, "networks")
    for index, host in enumerate(value.reserved):
        place.add_value(host, rules.check_host(host), "reserve", index)
    for host, projects in value.shared:
        place.add_value(host, rules.check_host(host), "share", host)
        for index, project in enumerate(projects):
            if not _PROJECT.match(project):
                cause = "is not the name of a project of compose: letters, digits, _, . and -"
                place.add_value(project, cause, "share", host, index)


_NEVER_TLS = ("unix:", "ssh:")


def _check_networks(networks: tuple[str, ...], place: Place, *below: str | int) -> None:
    for index, network in enumerate(networks):
        if not _NETWORK.match(network):
            place.add_value(network, "is not the name of a network: letters, digits, _, . and -", *below, index)


def _files(value: Docker) -> collections.abc.Iterator[NamedFile]:
    yield from _files_of(value.tls, "tls")
    for index, engine in enumerate(value.engines):
        yield from _files_of(engine.tls, "engines", index, "tls")


def _files_of(tls: DockerTls | None, *below: str | int) -> collections.abc.Iterator[NamedFile]:
    if tls is not None:
        yield NamedFile(path=tls.ca, below=(*below, "ca"))
        yield NamedFile(path=tls.certificate, below=(*below, "cert"))
        yield NamedFile(path=tls.key, below=(*below, "key"), is_private_key=True)


OPTION = Option(
    name="docker",
    form=typing.Annotated[
        WrittenDocker,
        pydantic.BeforeValidator(_short),
        pydantic.AfterValidator(_make),
        forms.Also(_ENDPOINT, _LIST),
    ],
    default=Docker(),
    doc=Doc(
        kind="`auto`, `off`, URL, a list of engines (URL or `{endpoint, name, tls, address, networks}`), "
        "`{endpoint, tls: {ca, cert, key}, address, networks: [names], engines: [...], reserve: [hosts], "
        "tenants: false, share: {HOST: [projects]}, stream_ports: [ports] or {PORT: [projects]}, swarm: auto}`",
        default="`auto`",
        meaning="the engine whose containers are sites, or [several](docker.md#several-engines), see "
        "[docker.md](docker.md); `address`, `networks`: how containers of another machine are reached; "
        "`reserve`: hosts that no container may claim; `tenants`: a host belongs to the project that serves it "
        "first, until its owner or `share` lets others in; `stream_ports`: those that streams of containers may "
        "have, none by default; `swarm`: whether [services of Docker Swarm](docker.md#docker-swarm) are sites, too: "
        "`true`, `false`, or `auto`, where the engine is a manager's",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    files=_files,
)
