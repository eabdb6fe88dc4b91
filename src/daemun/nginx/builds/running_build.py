"""The nginx that serves a state directory, and which known weaknesses its configuration lays open."""

import collections.abc
import dataclasses
import datetime
import pathlib
import re

from daemun import errors
from daemun.core import layout
from daemun.core.nginx_builds import nginx_build, nginx_weaknesses
from daemun.nginx import process
from daemun.nginx.builds import build_facts

_INCLUDE = re.compile(rb"(?:^|[;{}])\s*include\s+[\"']?(?P<path>[^;\"'\s]+)", re.MULTILINE)
_MOST_FILES = 20_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """build: what serves, else what would. weaknesses: the worst first. serves: it runs. is_replaced: it runs, and its
    file was replaced or deleted meanwhile, as an update by apt does."""

    build: nginx_build.Build
    weaknesses: tuple[nginx_weaknesses.Weakness, ...]
    serves: bool
    is_replaced: bool


def look(paths: layout.Layout, find: collections.abc.Callable[[], str], *, today: datetime.date) -> Exposure | None:
    """What runs, else what would run with the files of `current`; None: that cannot be known.

    find: the path of the binary that would run, or EnvironmentProblemError. Blocking, about 10 ms, and more with
    thousands of sites that have files of their own."""
    master = process.find_master(paths)
    try:
        # The kernel's link leads to the program that runs even when its file was replaced.
        build = build_facts.read(find() if master is None else f"/proc/{master.pid}/exe")
    except errors.EnvironmentProblemError:
        return None
    return Exposure(
        build=build,
        weaknesses=judge(build, paths, today=today),
        serves=master is not None,
        is_replaced=master is not None and process.find_program(paths) is None,
    )


def judge(
    build: nginx_build.Build, paths: layout.Layout, *, today: datetime.date
) -> tuple[nginx_weaknesses.Weakness, ...]:
    """The weaknesses of a binary with the configuration that runs, or ran last; with the usual one where none did yet.
    Blocking."""
    wanted = nginx_weaknesses.list_conditions(build)
    found = nginx_weaknesses.ALWAYS_USED
    if pathlib.Path(paths.current, "nginx.conf").is_file():
        found = nginx_weaknesses.find_conditions(wanted, _read_files(pathlib.Path(paths.current)))
    return nginx_weaknesses.find_weaknesses(build, found, today=today)


def _read_files(tree: pathlib.Path) -> collections.abc.Iterator[bytes]:
    """The files of a generation, and those that they include from elsewhere."""
    left = [tree / "nginx.conf", *(path for path in tree.rglob("*") if path.suffix != ".types" and path.is_file())]
    seen: set[pathlib.Path] = set()
    while left and len(seen) < _MOST_FILES:
        path = left.pop(0)
        if path in seen:
            continue
        seen.add(path)
        try:
            text = path.read_bytes()
        except OSError:
            continue
        yield text
        for match in _INCLUDE.finditer(text):
            outside = pathlib.Path(match["path"].decode(errors="replace"))
            if outside.is_absolute() and not outside.is_relative_to(tree):
                left += sorted(pathlib.Path(outside.anchor).glob(str(outside.relative_to(outside.anchor))))
