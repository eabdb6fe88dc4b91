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
class Docker:
    """is_on: False: no engine is queried.

    endpoint: its URL; None: what DOCKER_HOST names, else a usual socket if there is one.
    reserved: hosts that no container may claim, in the form of `Site.host`.
    tenants: a host belongs to the project that serves it first. shared: hosts, and the projects that may join there.
    """

    is_on: bool = True
    endpoint: str | None = None
    tls: DockerTls | None = None
    reserved: tuple[str, ...] = ()
    tenants: bool = False
    shared: tuple[tuple[str, tuple[str, ...]], ...] = ()


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
    }
    endpoint: typing.Annotated[str, pydantic.BeforeValidator(_engine), pydantic.WithJsonSchema(_ENDPOINT)] = "auto"
    tls: DockerTls | None = None
    reserve: forms.Hosts = ()
    tenants: forms.Flag = False
    share: typing.Annotated[
        dict[forms.Host, typing.Annotated[forms.Texts, forms.ONE_OR_MORE]], pydantic.BeforeValidator(_once)
    ] = dataclasses.field(default_factory=dict)


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
        "share: {HOST: [projects]}}`",
        usual="`auto`",
        meaning="the engine whose containers are sites, see [docker.md](docker.md); `reserve`: hosts that no "
        "container may claim; `tenants`: a host belongs to the project that serves it first, until "
        "its owner or `share` lets others in",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    files=_files,
)
