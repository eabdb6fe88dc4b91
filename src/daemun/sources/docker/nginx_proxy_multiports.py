"""VIRTUAL_HOST_MULTIPORTS: hosts, paths and ports of one container, as YAML or JSON. Pure."""

import dataclasses

from ruamel import yaml
from ruamel.yaml import composer
from ruamel.yaml import error as yaml_error

from daemun.core.texts import words
from daemun.sources.docker import nginx_proxy_values as parse

NAME = "VIRTUAL_HOST_MULTIPORTS"
MAX_CHARACTERS = 32_768
_PATH_STARTS = ("/", "~", "=", "^~")
"""What nginx could match a request with: dropped, its requests would be another location's, without its password. One
that daemun refuses as VIRTUAL_PATH is refused here."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """written: the path as the container spells it. port: None: left open. variables: those that the
    rest of the entry stands for."""

    path: str
    written: str
    port: int | None
    variables: dict[str, object]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MultiportHost:
    """A host. variables: those that its own settings stand for. unread: keys that are no paths."""

    host: str
    variables: dict[str, object]
    paths: tuple[Path, ...]
    unread: tuple[str, ...] = ()


def read(text: str) -> tuple[MultiportHost, ...]:
    """Raises: ValueError that names the entry."""
    found = _load(text)
    places = tuple(_read_place(key.strip(), entry) for key, entry in found.items())
    spelled: dict[str, str] = {}
    for place, key in zip(places, found, strict=True):
        # Both would be granted, and requests would go to each of two ports in turn.
        first = spelled.setdefault(place.host, key)
        if first != key:
            raise ValueError(f"{NAME}: {words.quoted(key)} is the same host as {words.quoted(first)}; write it once")
    return places


def protocol(text: str) -> str:
    return parse.one_of(text, tuple(parse.PROTOCOLS))


def _read_place(key: str, raw: object) -> MultiportHost:
    where = f"{NAME}, {words.quoted(key)}"
    try:
        host = parse.host(key)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    entry = _map(where, raw)
    variables: dict[str, object] = {}
    for name in ("external_http_port", "external_https_port"):
        if entry.get(name) is not None:
            variables[name.upper()] = _port(f"{where}, {name}", entry[name])
    paths = {written: value for written, value in entry.items() if written.lstrip().startswith(_PATH_STARTS)}
    unread = tuple(key for key in entry if key not in paths and key.upper() not in variables)
    read_paths = tuple(_read_path(where, written, value) for written, value in (paths or {"/": None}).items())
    spelled: dict[str, str] = {}
    for one in read_paths:
        first = spelled.setdefault(one.path, one.written)
        if first != one.written:
            raise ValueError(f"{where}: {words.quoted(one.written)} is the same path as {words.quoted(first)}")
    return MultiportHost(host=host, variables=variables, paths=read_paths, unread=unread)


def _read_path(where: str, written: str, raw: object) -> Path:
    where = f"{where}, {words.quoted(written)}"
    entry = _map(where, raw)
    unknown = sorted(entry.keys() - {"port", "proto", "dest"})
    if unknown:
        raise ValueError(f"{where}: expected port, proto or dest, found {words.quoted(unknown[0])}")
    variables: dict[str, object] = {}
    if entry.get("proto") not in (None, ""):
        try:
            variables["VIRTUAL_PROTO"] = protocol(str(entry["proto"]))
        except ValueError as error:
            raise ValueError(f"{where}, proto: {error}") from error
    destination = entry.get("dest")
    if destination is not None and not isinstance(destination, str):
        raise ValueError(f"{where}, dest: expected a path, found {words.describe(destination)}")
    if destination:
        variables["VIRTUAL_DEST"] = destination.strip()
    is_open = entry.get("port") in (None, "", "default")
    return Path(
        path=parse.path(written.strip()),
        written=written,
        port=None if is_open else _port(f"{where}, port", entry["port"]),
        variables=variables,
    )


def _load(text: str) -> dict[str, object]:
    try:
        found = yaml.YAML(typ="safe", pure=True).load(text)
    except (yaml_error.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{NAME} is not YAML: {_cause(error)}") from error
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{NAME}: expected a map of hosts, found {words.describe(found)}")
    misread = [key for key in found if key is None or isinstance(key, bool | tuple)]
    if misread:
        what = "a list" if isinstance(misread[0], tuple) else words.describe(misread[0])
        raise ValueError(f"{NAME}: expected the name of a host, found {what}; put a name in quotes")
    return {str(key): value for key, value in found.items()}


def _cause(error: Exception) -> str:
    """What is wrong and where, without what the parser was doing."""
    if not isinstance(error, yaml_error.MarkedYAMLError) or not error.problem:
        return (str(error) or type(error).__name__).splitlines()[0]
    cause = error.problem.strip().splitlines()[0]
    if isinstance(error, composer.ComposerError) and "undefined alias" in cause:
        cause += '; a host that begins with "*" belongs in quotes'
    mark = error.problem_mark
    return cause if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {cause}"


def _map(where: str, value: object) -> dict[str, object]:
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected a map, found {words.describe(value)}")  # noqa: TRY004 - of a text
    return {str(key): item for key, item in value.items()}


def _port(where: str, value: object) -> int:
    is_number = isinstance(value, int | str) and not isinstance(value, bool)
    try:
        return parse.port(str(value) if is_number else "")
    except ValueError as error:
        raise ValueError(f"{where}: expected a number from 1 to 65535, found {words.describe(value)}") from error
