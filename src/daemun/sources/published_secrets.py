"""Folders and files that would show visitors a secret: the one list of where secrets are. And sockets of daemun's own
as servers of sites, which would let visitors past all that guards what they are for.

Links on the way to a folder are followed; those inside it are nginx's business (`disable_symlinks`).
"""

import collections.abc
import dataclasses
import os
import pathlib

from daemun.core import model, problem_report
from daemun.core.options import catalogue, streams_option
from daemun.sources import snippet_files


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A file, or a folder, of this machine that visitors are shown. field: of the option that names it."""

    host: str | None
    origin: model.Origin
    field: tuple[str | int, ...]
    path: str


def find_problems(
    snapshot: model.Snapshot, paths: collections.abc.Iterable[pathlib.Path], state: str | None
) -> list[model.Problem]:
    """paths: of the files that the snapshot was read from. state: the state directory. Blocking, microseconds."""
    problems = [] if state is None else [*_find_own_sockets(snapshot, state)]
    shown = [*_find_shown(snapshot)]
    if not shown:
        return problems
    secrets = {os.path.realpath(file): what for file, what in _find_secrets(snapshot, paths, state)}
    for one in shown:
        place = os.path.realpath(one.path)
        for secret, what in secrets.items():
            common = os.path.commonpath((place, secret))
            if common in {place, secret}:
                where = "is" if place == secret else "holds" if common == place else "lies in"
                key = str(one.field[-1])
                apart = "a folder apart from it" if key in {"files", "php"} else "another file"
                label = problem_report.label(one.field, host=one.host)
                message = f"{label}: {place} {where} {what}; name {apart}"
                problems.append(
                    model.Problem(origin=one.origin, message=message, host=one.host, field=one.field, bars=one.path)
                )
    return problems


def _find_shown(snapshot: model.Snapshot) -> collections.abc.Iterator[_Shown]:
    for site in snapshot.sites:
        for route in site.routes if site.enabled else ():
            if (place := _find_place(route)) is not None:
                key, path = place
                yield _Shown(host=site.host, origin=site.origin, field=(*route.field, key), path=path)
    for page, held in catalogue.find_pages(snapshot):
        if held.site is None:
            yield _Shown(host=None, origin=model.NOWHERE, field=held.field, path=page.path)
        elif held.site.enabled:
            yield _Shown(host=held.site.host, origin=held.site.origin, field=held.field, path=page.path)


def _find_own_sockets(snapshot: model.Snapshot, state: str) -> collections.abc.Iterator[model.Problem]:
    """daemun's API, and that of the judge, believe what comes over them. No other program has a socket there."""
    folder = os.path.realpath(state)
    for one in _find_reached(snapshot):
        place = os.path.realpath(one.path)
        if os.path.commonpath((place, folder)) == folder:
            label = problem_report.label(one.field, host=one.host)
            message = (
                f"{label}: {place} lies in the state directory {state}, where the sockets are daemun's own; expected "
                "one of another program, which lies elsewhere"
            )
            yield model.Problem(origin=one.origin, message=message, host=one.host, field=one.field, bars=one.path)


def _find_reached(snapshot: model.Snapshot) -> collections.abc.Iterator[_Shown]:
    """The sockets of servers, of sites and streams."""
    for site in snapshot.sites:
        for route in site.routes if site.enabled else ():
            if isinstance(route.action, model.Proxy):
                for target in route.action.targets:
                    if target.socket is not None:
                        field = (*route.field, "to" if route.action.php is None else "php")
                        yield _Shown(host=site.host, origin=site.origin, field=field, path=target.socket)
    if snapshot.globals is not None:
        for stream in streams_option.find_enabled(snapshot.globals):
            for server in stream.stream.to:
                if server.url.socket is not None:
                    field = (streams_option.OPTION.name, stream.name, "to")
                    yield _Shown(host=None, origin=stream.origin, field=field, path=server.url.socket)


def _find_place(route: model.Route) -> tuple[str, str] | None:
    """The key of what a route shows of this machine's files, and the path."""
    match route.action:
        case model.Files(folder=folder):
            return "files", folder
        case model.Proxy(php=model.Php(folder=folder)):
            return "php", folder
        case model.Respond(file=str(file)):
            return "respond", file
        case _:
            return None


def _find_secrets(
    snapshot: model.Snapshot, paths: collections.abc.Iterable[pathlib.Path], state: str | None
) -> collections.abc.Iterator[tuple[str, str]]:
    """Absolute paths, and what is there, in words; of several words for one path the last ones are the nearest."""
    for file in snippet_files.find_secrets(snapshot):
        yield file, f"{file}, which hand-written nginx takes a key from"
    for held in catalogue.find_values(snapshot):
        for file in _find_files(held.value):
            yield file, f"the secret {file}"
    for named, _ in catalogue.find_files(snapshot):
        if named.is_private_key:
            yield named.path, f"the private key {named.path}"
        if named.has_passwords:
            yield named.path, f"{named.path}, which has passwords"
    for file in snippet_files.find_passwords(snapshot):
        yield file, f"{file}, which has passwords"
    for path in paths:
        yield str(path), f"{path}, the configuration that is in use"
    if state is not None:
        yield state, f"the state directory {state}, which has the private keys"


def _find_files(value: object) -> collections.abc.Iterator[str]:
    """Files that a part of the configuration has a secret in, however deep."""
    if isinstance(value, model.Secret):
        # Some DNS providers take the path of a file with keys as a word of their own.
        own = (value.text or "").removeprefix("file::")
        if value.file is not None:
            yield value.file
        elif own.startswith("/") and "\n" not in own and pathlib.Path(own).is_file():
            yield own
    elif isinstance(value, tuple | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _find_files(one)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _find_files(getattr(value, field.name))
