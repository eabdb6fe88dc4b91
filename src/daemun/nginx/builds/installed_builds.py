"""The nginx builds that `daemun nginx install` made: a folder each, and a link to the one that is used.

    BUILDS/1.30.6-2/            what its packages hold: usr/sbin/nginx, usr/lib, and daemun-build.json
    BUILDS/current              a link to one of them, switched in one step

BUILDS is in the state directory, or where all of the machine's state directories find it.
"""

import collections.abc
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shutil
import sys

from daemun import causes, durable, errors
from daemun.core import layout
from daemun.nginx import find_nginx

CURRENT = "current"
PROGRAM = "usr/sbin/nginx"
STAGING = ".new-"
"""How the name of a folder begins that is not whole."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """name: the package's version, "1.30.6-2". path: of the program, without a link in it."""

    name: str
    folder: pathlib.Path
    path: str


def folders(paths: layout.Layout) -> tuple[pathlib.Path, pathlib.Path]:
    """Where builds are looked for; the first wins."""
    return pathlib.Path(paths.builds), find_shared(sys.prefix, has_own=sys.prefix != sys.base_prefix)


def find_shared(prefix: str, *, has_own: bool) -> pathlib.Path:
    """Where all state directories find builds: beside the folder that daemun is installed in, whatever its version.

    prefix: Python's. has_own: it is a virtual environment's. Pure.
    """
    folder = pathlib.Path(prefix)
    if not has_own:
        return pathlib.Path("/opt/daemun/nginx")
    return (folder.parents[1] if folder.parent.name == "versions" else folder) / "nginx"  # scripts/install


def list_installed(paths: layout.Layout) -> tuple[Installed, ...]:
    """Every build, those of the state directory first. Blocking."""
    found = []
    for folder in folders(paths):
        with contextlib.suppress(OSError):
            found += [_installed(one) for one in sorted(folder.iterdir()) if _has_name(one) and is_complete(one)]
    return tuple(found)


def find_current(paths: layout.Layout) -> str | None:
    """The program of the build that was chosen; None: none was. Blocking."""
    for folder in folders(paths):
        link = folder / CURRENT
        if is_complete(link):
            return _installed(link.resolve()).path
    return None


def is_complete(folder: pathlib.Path) -> bool:
    return (folder / find_nginx.BUILD_FILE).is_file() and (folder / PROGRAM).is_file()


def _has_name(folder: pathlib.Path) -> bool:
    return folder.name != CURRENT and not folder.name.startswith(STAGING)


def use(paths: layout.Layout, name: str) -> Installed:
    """Choose a build for the next start of nginx.

    Raises: EnvironmentProblemError when it is not there, or cannot run.
    """
    chosen = _find(paths, name)
    usable = find_nginx.examine(chosen.path)
    if isinstance(usable, str):
        cure = "remove it with `daemun nginx rm`, and install it again"
        raise errors.EnvironmentProblemError(f"cannot use nginx {name} ({chosen.path}): {usable}; {cure}")
    point(chosen)
    for folder in folders(paths):
        # The state directory's own choice would win over one of the shared ones.
        if folder != chosen.folder.parent and folder == pathlib.Path(paths.builds):
            drop_choice(folder)
    return chosen


def point(chosen: Installed) -> None:
    """Switch the link, in one step. Raises: EnvironmentProblemError."""
    try:
        durable.point_link(chosen.folder.parent / CURRENT, chosen.name)
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f"cannot use nginx {chosen.name}: {causes.describe(error)}; free space, or get the right to write in "
            f"{chosen.folder.parent}"
        ) from error


def read_choices(paths: layout.Layout) -> dict[pathlib.Path, str | None]:
    """What the link of each folder leads to, for `restore_choices`."""
    found: dict[pathlib.Path, str | None] = {}
    for folder in folders(paths):
        found[folder] = None
        with contextlib.suppress(OSError):
            found[folder] = str((folder / CURRENT).readlink())
    return found


def restore_choices(choices: collections.abc.Mapping[pathlib.Path, str | None]) -> None:
    """Raises: OSError."""
    for folder, target in choices.items():
        if target is None:
            drop_choice(folder)
        else:
            durable.point_link(folder / CURRENT, target)


def drop_choice(folder: pathlib.Path) -> bool:
    """Use none of a folder's builds. Returns: whether one was used."""
    with contextlib.suppress(FileNotFoundError):
        (folder / CURRENT).unlink()
        return True
    return False


def remove(paths: layout.Layout, name: str, *, running: str | None) -> Installed:
    """Delete a build. running: the program that serves.

    Raises: EnvironmentProblemError when it serves, or cannot be deleted.
    """
    chosen = _find(paths, name)
    if running is not None and pathlib.Path(running).is_relative_to(chosen.folder):
        raise errors.EnvironmentProblemError(
            f"cannot remove nginx {name}: it serves now; `daemun nginx use` lets another one take over, or, where that "
            "has no name, `daemun nginx upgrade`"
        )
    with lock(chosen.folder.parent):
        if find_current(paths) == chosen.path:
            drop_choice(chosen.folder.parent)
        doomed = chosen.folder.with_name(f"{STAGING}rm-{chosen.name}")
        try:
            shutil.rmtree(doomed, ignore_errors=True)
            chosen.folder.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise errors.EnvironmentProblemError(
                f"cannot remove nginx {name}: {causes.describe(error)} ({error.filename}); get the right to write there"
            ) from error
    return chosen


@contextlib.contextmanager
def lock(folder: pathlib.Path) -> collections.abc.Iterator[None]:
    """One command at a time changes what is in a folder. Raises: EnvironmentProblemError."""
    try:
        # As the other folders of a state directory: root's workers have an account of their own.
        folder.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f"cannot write in {folder}: {causes.describe(error)}; choose another state directory with --state DIR"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.EnvironmentProblemError(
                f"cannot change {folder}: another `daemun nginx` is at work there; wait until it has ended"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _find(paths: layout.Layout, name: str) -> Installed:
    found = list_installed(paths)
    for one in found:
        if one.name == name:
            return one
    names = ", ".join(dict.fromkeys(one.name for one in found)) or "none yet; make one with `daemun nginx install`"
    raise errors.EnvironmentProblemError(f'cannot find an installed nginx "{name}": there is {names}')


def _installed(folder: pathlib.Path) -> Installed:
    real = folder.resolve()
    return Installed(name=real.name, folder=real, path=str(real / PROGRAM))
