"""Files in the state directory where a folder belongs, links that lead nowhere, and folders where a file belongs.
Nothing could be served for it, so it is renamed aside at the start, and reported as long as it lies there.
"""

import collections.abc
import contextlib
import errno
import os
import pathlib
import stat

from daemun.core import layout
from daemun.nginx import answers_folder, pairs_folder

_ASIDE = ".damaged-"
_NO_KEY = "~"
"""No key of the store begins so (`store.keys`)."""
_OF_STORE = (
    "accounts",
    "adopted",
    "alerts",
    "bans",
    "budget",
    "ca",
    "certs",
    "clients",
    "configuration",
    "dashboard",
    "discovery",
    "dns",
    "domains",
    "drafts",
    "fleet",
    "history",
    "invitations",
    "judge",
    "login",
    "node",
    "sign-ins",
    "tickets",
)


def set_aside(paths: layout.Layout) -> None:
    """Rename what nothing could be made in the place of. Blocking. What cannot be renamed stays: a file system that
    cannot be written has a way of its own (`work_folder`)."""
    for path in (*_folders(paths), *_folders_of_store(paths)):
        if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112
            _rename(path, paths.store)
    if not answers_folder.is_possible(paths) and not os.path.islink(paths.answers):  # noqa: PTH114 - a disk may be away
        _rename(paths.answers)
    for path in _files(paths):
        if os.path.isdir(path) or _is_unread_pipe(path):  # noqa: PTH112
            _rename(path)


def find_aside(paths: layout.Layout) -> collections.abc.Iterator[tuple[str, str]]:
    """What was renamed and is still there, with a text about it. Blocking, microseconds."""
    stores = (paths.store, f"{paths.store}/history")
    for folder in (paths.state, *(f"{paths.state}/{name}" for name in ("nginx", "pairs", "logs", "run")), *stores):
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):  # noqa: PTH208
                place, mark, number = name.rpartition(_ASIDE)
                if mark and number.isdecimal() and (folder not in stores or place.startswith(_NO_KEY)):
                    why = "nothing could be kept in it" if folder in stores else "nothing could be served"
                    yield f"{folder}/{name}", _describe(folder, place.removeprefix(_NO_KEY), name, why)


def _describe(folder: str, place: str, name: str, why: str) -> str:
    path = pathlib.Path(folder, name)
    kind = "a file"
    if path.is_symlink():
        kind = f"a link to {path.readlink()}, which was not there"
    elif path.is_dir():
        kind = "a folder"
    elif not path.is_file():
        kind = "no file"
    return (
        f"{folder}/{place} was {kind}, so that {why}; it is {path} now, and a new one is in its "
        "place. To have it back, put it right and move it there while daemun is stopped; else delete it"
    )


def _folders(paths: layout.Layout) -> tuple[str, ...]:
    """Each after the one that holds it."""
    nginx = (paths.nginx, f"{paths.nginx}/gen")
    live = () if pairs_folder.is_ours(paths.live) else (paths.live,)
    pairs = (f"{paths.state}/pairs", *(() if paths.pairs_name is None else (paths.pairs,)))
    return (*nginx, *live, *pairs, paths.challenges, paths.logs, paths.run, paths.temp, paths.bans, paths.store)


def _folders_of_store(paths: layout.Layout) -> tuple[str, ...]:
    """Those whose keys are written while daemun runs: what cannot be written there would end the start."""
    return tuple(f"{paths.store}/{name}" for name in (*_OF_STORE, "history/applied"))


def _files(paths: layout.Layout) -> tuple[str, ...]:
    logs = tuple(f"{paths.logs}/{name}" for name in ("error.log", "access.log", layout.TRAFFIC_LOG))
    sockets = (
        paths.control_socket,
        paths.hold_socket,
        paths.domains_socket,
        paths.client_links_socket,
        paths.dashboard_socket,
        paths.api_socket,
        paths.missed_socket,
        paths.guesses_socket,
    )
    kept = (paths.nginx_pid, paths.nginx_reloads, paths.nginx_workers)
    return (*logs, *kept, *sockets, *paths.confirm_sockets)


def _is_unread_pipe(path: str) -> bool:
    """nginx waits for a reader when it opens one to write its log; where there is one, it is meant."""
    try:
        if not stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116
            return False
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.ENXIO
    return False


def _rename(path: str, store: str | None = None) -> None:
    """store: where a name that is a key would be taken for a value."""
    folder, _, name = path.rpartition("/")
    aside = f"{folder}/{_NO_KEY}{name}" if store is not None and path.startswith(f"{store}/") else path
    with contextlib.suppress(OSError):
        number = next(n for n in range(1, 1000) if not os.path.lexists(f"{aside}{_ASIDE}{n}"))
        os.rename(path, f"{aside}{_ASIDE}{number}")  # noqa: PTH104
