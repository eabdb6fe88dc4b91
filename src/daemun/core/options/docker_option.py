"""`docker`: the engine whose containers request sites."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import short_texts
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import rules, words


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
class Docker:
    """is_on: False: no engine is queried.

    endpoint: its URL; None: what DOCKER_HOST names, else a usual socket if there is one.
    reserved: hosts that no container may claim, in the form of `Site.host`.
    tenants: a host belongs to the project that serves it first. shared: hosts, and the projects that may join there.
    stream_ports: those that containers may have.
    """

    is_on: bool = True
    endpoint: str | None = None
    tls: DockerTls | None = None
    reserved: tuple[str, ...] = ()
    tenants: bool = False
    shared: tuple[tuple[str, tuple[str, ...]], ...] = ()
    stream_ports: tuple[StreamPorts, ...] = ()


def _engine(value: object) -> object:
    """`auto`, `off`, or where the engine is."""
    if value is False or value == "off":
        return "off"
    if isinstance(value, str) and "://" in value:
        return short_texts.parse_engine(value)
    if value == "auto":
        return value
    known = ["auto", "off", "a URL such as unix:///var/run/docker.sock"]
    guess = words.guess(value, known[:2]) if isinstance(value, str) else ""
    raise ValueError(f"expected {words.listed(known)}, found {words.describe(value)}{guess}")


def _normal(host: str) -> str:
    """What is no host is refused by its form."""
    try:
        return short_texts.parse_host(host)
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
_ENDPOINT: forms.Json = {"anyOf": [{"enum": ["auto", "off", False]}, {"type": "string", "pattern": "://"}]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDocker(forms.OptionMap):
    shape: typing.ClassVar[str] = "auto, off, a URL or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "endpoint": "where the engine is: auto, off, or a URL such as tcp://host:2376",
        "tls": "the files for an engine that is reached over TLS",
        "reserve": "hosts that no container may claim",
        "tenants": "whether a host belongs to the project that serves it first",
        "share": "of hosts, the projects that may join there",
        "stream_ports": "the ports that streams of containers may have: a list, or a map of them to projects",
    }
    endpoint: typing.Annotated[str, pydantic.BeforeValidator(_engine), pydantic.WithJsonSchema(_ENDPOINT)] = "auto"
    tls: DockerTls | None = None
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


def _short(value: object) -> object:
    return value if isinstance(value, dict) else {"endpoint": value}


def _make(written: WrittenDocker) -> Docker:
    return Docker(
        is_on=written.endpoint != "off",
        endpoint=None if written.endpoint in {"auto", "off"} else written.endpoint,
        tls=written.tls,
        reserved=written.reserve,
        tenants=written.tenants,
        shared=tuple(written.share.items()),
        stream_ports=written.stream_ports,
    )


def _check(value: Docker, place: Place) -> None:
    if value.tls is not None and (value.endpoint is None or value.endpoint.startswith("unix:")):
        place.add("needs `endpoint`, the tcp:// URL of the engine that it is for", "tls")
    for index, host in enumerate(value.reserved):
        place.add_value(host, rules.check_host(host), "reserve", index)
    for host, projects in value.shared:
        place.add_value(host, rules.check_host(host), "share", host)
        for index, project in enumerate(projects):
            if not _PROJECT.match(project):
                cause = "is not the name of a project of compose: letters, digits, _, . and -"
                place.add_value(project, cause, "share", host, index)


def _files(value: Docker) -> collections.abc.Iterator[NamedFile]:
    if value.tls is not None:
        yield NamedFile(path=value.tls.ca, below=("tls", "ca"))
        yield NamedFile(path=value.tls.certificate, below=("tls", "cert"))
        yield NamedFile(path=value.tls.key, below=("tls", "key"), is_private_key=True)


OPTION = Option(
    name="docker",
    form=typing.Annotated[
        WrittenDocker, pydantic.BeforeValidator(_short), pydantic.AfterValidator(_make), forms.Also(_ENDPOINT)
    ],
    default=Docker(),
    doc=Doc(
        kind="`auto`, `off`, URL, `{endpoint, tls: {ca, cert, key}, reserve: [hosts], tenants: false, "
        "share: {HOST: [projects]}, stream_ports: [ports] or {PORT: [projects]}}`",
        default="`auto`",
        meaning="the engine whose containers are sites, see [docker.md](docker.md); `reserve`: hosts that no "
        "container may claim; `tenants`: a host belongs to the project that serves it first, until "
        "its owner or `share` lets others in; `stream_ports`: those that streams of containers may have, none by "
        "default",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    files=_files,
)
