"""Settings of the environment where there is no file: enough for a daemun in a container that serves other
containers."""

import collections.abc
import pathlib
import typing

from daemun.control import ports
from daemun.core import model, value_parsers
from daemun.core.options import catalogue, docker_option, ordering_forms, trusted_proxies_option
from daemun.core.validation import validate
from daemun.errors import ConfigError
from daemun.sources import yaml_context

_T = typing.TypeVar("_T")

VARIABLES: dict[str, tuple[str, ...]] = {
    "DAEMUN_EMAIL": ("acme", "email"),
    "DAEMUN_DIRECTORY": ("acme", "directory"),
    "DAEMUN_CA_FILE": ("acme", "ca_file"),
    "DAEMUN_RESERVE": ("docker", "reserve"),
    "DAEMUN_STREAM_PORTS": ("docker", "stream_ports"),
    "DAEMUN_TRUSTED_PROXIES": ("trusted_proxies",),
}
"""Name -> the key of the file it stands for. Lists are separated by commas; an empty variable counts as not set."""


def read_snapshot(environ: collections.abc.Mapping[str, str]) -> model.Snapshot:
    """No sites, and the settings that the variables name. Pure. Raises: ConfigError with every problem in its text."""
    faults: list[str] = []
    given = {name: environ.get(name, "").strip() for name in VARIABLES}
    settings = model.Globals(
        acme=model.Acme(authorities=(_authority(given, faults),)),
        options=catalogue.values(
            docker_option.OPTION.set(
                docker_option.Docker(
                    reserved=_parse(given, "DAEMUN_RESERVE", _hosts, faults) or (),
                    stream_ports=_parse(given, "DAEMUN_STREAM_PORTS", _ports, faults) or (),
                )
            ),
            trusted_proxies_option.OPTION.set(tuple(_split(given["DAEMUN_TRUSTED_PROXIES"]))),
        ),
    )
    for problem in validate.find_global_problems(settings, ()):
        name = next((name for name, key in VARIABLES.items() if problem.field[: len(key)] == key), "the environment")
        faults.append(f"{name}: {problem.message}")
    if faults:
        raise ConfigError("\n".join(faults))
    return model.Snapshot(source=yaml_context.SOURCE, globals=settings)


def _parse(
    given: collections.abc.Mapping[str, str],
    name: str,
    parse: collections.abc.Callable[[str], _T],
    faults: list[str],
) -> _T | None:
    if not given[name]:
        return None
    try:
        return parse(given[name])
    except ValueError as error:
        faults.append(f"{name}: {error}")
        return None


def _authority(given: collections.abc.Mapping[str, str], faults: list[str]) -> model.Authority:
    directory = _parse(given, "DAEMUN_DIRECTORY", ordering_forms.parse_directory, faults) or model.LETS_ENCRYPT
    return model.Authority(
        directory=directory,
        email=given["DAEMUN_EMAIL"] or None,
        ca_file=given["DAEMUN_CA_FILE"] or None,
        staging=ordering_forms.STAGINGS.get(directory),
    )


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(value_parsers.parse_host(part) for part in _split(text))


def _ports(text: str) -> tuple[docker_option.StreamPorts, ...]:
    return docker_option.parse_stream_ports(_split(text))


class FileOrEnvironment:
    """Implements `control.ports.Source`: the file, or as long as there never was one the environment.

    is_known: there was one once, so one that is gone is missed.
    """

    def __init__(
        self,
        file: ports.Source,
        path: pathlib.Path,
        environ: collections.abc.Mapping[str, str],
        *,
        is_known: bool,
    ) -> None:
        self._file = file
        self._path = path
        self._environ = environ
        self._is_known = is_known

    @property
    def name(self) -> str:
        return self._file.name

    async def read(self) -> model.Snapshot:
        self._is_known = self._is_known or self._path.exists()
        return await self._file.read() if self._is_known else read_snapshot(self._environ)

    def changes(self) -> collections.abc.AsyncIterator[str]:
        return self._file.changes()
