"""Files in nginx-proxy's folders that are for no host and path of any container. Pure.

They are called after hosts, and after digests of paths. One that is called otherwise than its owner thinks guards
nothing, so each is named.
"""

import collections.abc

from daemun.core import model
from daemun.core.texts import words
from daemun.sources.docker import nginx_proxy_folders, route_requests

_FOR_ALL: dict[str, tuple[str, ...]] = {
    "certs": ("ca.crt", "ca.crl.pem"),
    "htpasswd": (),
    "vhost.d": ("default", "default_location"),
}
_FOR_A_HOST = {"certs": (".ca.crt", ".crl.pem"), "htpasswd": ("",), "vhost.d": ("", "_location")}
_FOR_A_PATH: dict[str, tuple[str, ...]] = {
    "certs": (),
    "htpasswd": ("",),
    "vhost.d": ("_location", "_location_override"),
}
"""By folder: names of files, and the ends of names."""
_MOST_SHOWN = 5


def find_unused(folders: nginx_proxy_folders.Folders, places: route_requests.Places) -> tuple[model.Problem, ...]:
    """places: every host that containers have, and its paths as they spell them; None: these are not known."""
    given = {
        "htpasswd": folders.passwords,
        "vhost.d": frozenset(name for name, _ in folders.vhosts),
        "certs": frozenset(name for name, _ in folders.trusted),
    }
    open_ = tuple(nginx_proxy_folders.file_name(host) for host, paths in places.items() if paths is None)
    return tuple(
        _problem(folders, folder, name, places)
        for folder, found in given.items()
        for name in sorted(found - frozenset(_names(folder, places)))
        if not name.startswith(open_)
    )


def _names(folder: str, places: route_requests.Places) -> collections.abc.Iterator[str]:
    """What files in a folder may be called."""
    yield from _FOR_ALL[folder]
    for host, paths in places.items():
        name = nginx_proxy_folders.file_name(host)
        yield from (f"{name}{end}" for end in _FOR_A_HOST[folder])
        digests = {digest for path in paths or () for digest in nginx_proxy_folders.digests(path, (path,))}
        yield from (f"{name}_{digest}{end}" for digest in digests for end in _FOR_A_PATH[folder])
        if "/" in (paths or ()):
            yield f"{name}_location_override"


def _problem(
    folders: nginx_proxy_folders.Folders, folder: str, name: str, places: route_requests.Places
) -> model.Problem:
    path = folders.path(folder, name)
    host = next((one for one in places if name.startswith(f"{nginx_proxy_folders.file_name(one)}_")), None)
    cause = f"it fits no host that a container has (VIRTUAL_HOST){words.guess(name, places)}"
    if host is not None:
        shown = words.listed((words.quoted(one) for one in sorted(places[host] or ())[:_MOST_SHOWN]), last="and")
        cause = (
            f"{words.quoted(host)} has no path that it fits: its paths are {shown}, and files are called after "
            '`echo -n "$VIRTUAL_PATH" | sha1sum`'
        )
    message = f"the file is not used, so it guards nothing: {cause}; rename it, or remove it"
    origin = model.Origin(source="docker", place=path)
    return model.Problem(origin=origin, message=message, severity=model.Severity.WARNING)
