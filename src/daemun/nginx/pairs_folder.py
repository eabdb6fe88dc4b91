"""The folder from which nginx's workers load chains and keys: pairs/NAME, whose NAME nobody can guess.

Workers serve files, and they follow links of root to what is root's, so no key may be readable for them at a path that
others can write into a link. pairs/ can be entered by workers but not listed, and live/, where people and programs
find the same files, leads there through a folder that is root's alone:

    live -> nginx/live -> ../pairs/NAME

A daemun before this folder had the files in live/ itself. They are moved as one, and live/ leads straight to them until
nginx runs a configuration that does not name live/ any more. A downgrade works as it is: that daemun lets workers enter
nginx/ again.
"""

import contextlib
import os
import pathlib
import re
import secrets
import shutil
import stat
import threading
import time

from daemun import durable, regular_files
from daemun.core import layout
from daemun.core.plan import variable_definitions

_NAME_BYTES = 16
_NAME = re.compile(rf"[0-9a-f]{{{2 * _NAME_BYTES}}}")
_CLOSED, _STEP = "nginx/live", "../"
_HANDSHAKE_S = 30.0
"""So long a worker that is on its way out may still load a certificate: a visitor has this time for the handshake
(`client_header_timeout`)."""
_leading = threading.Lock()
"""A round and the watch of the disk may both be about to point the links."""


def find(state: str) -> str | None:
    """The name of the folder in use; None: the files are in live/ itself, or there are none. Blocking, microseconds."""
    live = f"{state}/live"
    if os.path.isdir(live) and not is_ours(live):  # noqa: PTH112 - of every command
        return None
    for link in (_step(state), live):
        name = _target(link).removeprefix(_STEP).removeprefix("pairs/")
        if _NAME.fullmatch(name):
            return name
    return next(iter(_list(state)), None)


def make(state: str) -> None:
    """Make the folder, or move there what an earlier daemun left in live/. Nothing when it is there.

    Only while no other daemun runs. Blocking. Raises: OSError: live/ is a mount or a link of the owner's, or nothing
        can be written; then all is as it was.
    """
    live = f"{state}/live"
    name = find(state)
    if name is None and os.path.islink(live) and os.path.isdir(live):  # noqa: PTH112, PTH114
        raise FileExistsError(f"{live} is a link")
    if name is None:
        name = secrets.token_hex(_NAME_BYTES)
        if os.path.isdir(live):  # noqa: PTH112
            _make_parent(state, like=os.stat(live))  # noqa: PTH116
            _move(live, f"{state}/pairs/{name}", link=f"pairs/{name}")
    paths = layout.Layout(state, pairs_name=name)
    _make_parent(state, like=None)
    with contextlib.suppress(FileExistsError):
        os.mkdir(paths.pairs, 0o700)  # noqa: PTH102
    lead_there(paths)


def lead_there(paths: layout.Layout) -> None:
    """Let live/ lead to the folder: so that root alone gets there, unless nginx has a configuration that needs it.

    Called again and again. Blocking, well below a millisecond. Raises: OSError.
    """
    if paths.pairs_name is None or paths.work is not None:
        return
    with _leading:
        _lead_there(paths)


def _lead_there(paths: layout.Layout) -> None:
    through = f"{_STEP}pairs/{paths.pairs_name}"
    if _target(_step(paths.state)) != through:
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{paths.state}/nginx", 0o700)  # noqa: PTH102
        _point(_step(paths.state), through)
    straight = f"pairs/{paths.pairs_name}"
    now = _target(paths.live)
    if _is_live_named(paths):
        wanted = straight
    else:
        wanted = straight if now == straight and _age_s(paths.current) < _HANDSHAKE_S else _CLOSED
    if now == wanted:
        return
    _point(paths.live, wanted)
    if wanted == _CLOSED:
        for name in _list(paths.state):
            if name != paths.pairs_name:  # a backup brought live/ back as a folder
                shutil.rmtree(f"{paths.state}/pairs/{name}", ignore_errors=True)


def find_refusal(paths: layout.Layout) -> str | None:
    """Why live/ has the files itself, and what to do; None: it has not."""
    if paths.pairs_name is not None or not os.path.isdir(paths.live):  # noqa: PTH112
        return None
    cause, cure = "the state directory could not be written at the start", "free some space or correct its rights"
    if os.path.islink(paths.live) or os.path.ismount(paths.live):  # noqa: PTH114
        kind = "a link" if os.path.islink(paths.live) else "a mount of its own"  # noqa: PTH114
        cause, cure = f"it is {kind}", "make it a folder of the state directory, with what it holds now"
    return (
        f"nginx's workers read private keys in {paths.live}, where a link that root made in a published folder could "
        f"lead to them: {cause}, so they cannot be moved to a path that nobody can guess; {cure}, then run "
        "`daemun stop` and `daemun up`"
    )


def is_ours(live: str) -> bool:
    """Whether live/ is the link that this module makes, wherever it leads."""
    target = _target(live)
    return target == _CLOSED or _NAME.fullmatch(target.removeprefix("pairs/")) is not None


def _is_live_named(paths: layout.Layout) -> bool:
    """Whether nginx would look into live/ itself."""
    named = rb'geo \$daemun_live \{\s*default "?' + re.escape(os.fsencode(paths.live)) + b'"?;'
    with contextlib.suppress(OSError):
        return re.search(named, regular_files.read(f"{paths.current}/{variable_definitions.FILE}")) is not None
    return False


def _move(live: str, to: str, *, link: str) -> None:
    """The folder live/ to another place, with a link in its own, at one stroke where the system can do that: workers
    read there all the time."""
    os.symlink(link, to)  # noqa: PTH211
    try:
        durable.exchange(live, to)
    except OSError:
        os.unlink(to)  # noqa: PTH108
        os.rename(live, to)  # noqa: PTH104
        os.symlink(link, live)  # noqa: PTH211
    durable.sync_directory(os.path.dirname(to))  # noqa: PTH120
    durable.sync_directory(os.path.dirname(live))  # noqa: PTH120


def _make_parent(state: str, like: os.stat_result | None) -> None:
    """like: workers that may enter this may enter that; `directories` sets what is right later."""
    parent = f"{state}/pairs"
    with contextlib.suppress(FileExistsError):
        os.mkdir(parent, 0o700)  # noqa: PTH102
        if like is not None and like.st_mode & stat.S_IXGRP:
            os.chown(parent, -1, like.st_gid)
            os.chmod(parent, 0o710)  # noqa: PTH101, S103 - nginx's workers pass


def _point(link: str, target: str) -> None:
    durable.point_link(pathlib.Path(link), target)


def _step(state: str) -> str:
    return f"{state}/{_CLOSED}"


def _target(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115
    except OSError:
        return ""


def _age_s(link: str) -> float:
    try:
        return time.time() - os.lstat(link).st_mtime
    except OSError:
        return 0.0


def _list(state: str) -> list[str]:
    """The one that changed last first."""
    try:
        with os.scandir(f"{state}/pairs") as entries:
            found = [one for one in entries if _NAME.fullmatch(one.name) and one.is_dir(follow_symlinks=False)]
            return [one.name for one in sorted(found, key=lambda one: one.stat().st_mtime_ns, reverse=True)]
    except OSError:
        return []
