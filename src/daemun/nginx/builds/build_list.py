"""Every nginx that a gate could take, with what is known of each."""

import dataclasses
import datetime
import os

from daemun import errors
from daemun.core import layout, render_environment
from daemun.core.nginx_builds import nginx_build, nginx_weaknesses
from daemun.nginx import find_nginx, master_program, process
from daemun.nginx.builds import build_facts, installed_builds, running_build


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """name: for `daemun nginx use`; None: it is none that daemun installed. refusal: why daemun cannot take it.

    serves: it runs now. is_next: it would be started. gains: what a gate would have with it and has not with the one
    that serves, or would. made: when its file was.
    """

    origin: nginx_build.BuildOrigin
    path: str
    name: str | None = None
    refusal: str | None = None
    build: nginx_build.Build | None = None
    http3: bool = False
    key_exchange: tuple[str, ...] = ()
    made: datetime.datetime | None = None
    serves: bool = False
    is_next: bool = False
    weaknesses: tuple[nginx_weaknesses.Weakness, ...] = ()
    gains: tuple[str, ...] = ()


def list_builds(paths: layout.Layout, *, named: str | None, path: str, today: datetime.date) -> tuple[Listed, ...]:
    """The one that serves or would first. named: by the owner. path: folders to look in. Blocking, 50 ms for each."""
    running = process.find_program(paths)
    found: list[tuple[nginx_build.BuildOrigin, str, str | None]] = []
    found += [(nginx_build.BuildOrigin.NAMED, named, None)] if named else []
    chosen = installed_builds.find_current(paths)
    installed = installed_builds.list_installed(paths)
    ordered = sorted(installed, key=lambda one: one.path != chosen)
    found += [(nginx_build.BuildOrigin.INSTALLED, one.path, one.name) for one in ordered]
    found += [(nginx_build.BuildOrigin.SYSTEM, one, None) for one in find_nginx.search(path)]
    bundled = find_nginx.find_bundled()
    found += [(nginx_build.BuildOrigin.BUNDLED, bundled, None)] if bundled else []
    master = process.find_master(paths)
    if running is None and master is not None:
        running = master_program.path_of(
            master.pid
        )  # its file was replaced or deleted, which leaves it to whoever runs it
        found.append((nginx_build.BuildOrigin.REPLACED, running, None))
    elif running is not None and os.path.realpath(running) not in {os.path.realpath(one) for _, one, _ in found}:
        found.append((nginx_build.BuildOrigin.NAMED, running, None))
    listed = [_look(origin, one, name, paths, today) for origin, one, name in found]
    next_ = next((one.path for one in listed if one.refusal is None and _may_be_next(one, chosen)), None)
    marked = [
        dataclasses.replace(
            one,
            serves=running is not None and os.path.realpath(one.path) == os.path.realpath(running),
            is_next=one.path == next_,
        )
        for one in listed
    ]
    return _with_gains(marked)


def _may_be_next(one: Listed, chosen: str | None) -> bool:
    return one.origin is not nginx_build.BuildOrigin.INSTALLED or one.path == chosen


def _look(
    origin: nginx_build.BuildOrigin, path: str, name: str | None, paths: layout.Layout, today: datetime.date
) -> Listed:
    usable = find_nginx.examine(path)
    refusal = usable if isinstance(usable, str) else None
    try:
        build = build_facts.read(path)
    except errors.EnvironmentProblemError:
        return Listed(origin=origin, path=path, name=name, refusal=refusal or "cannot be run")
    return Listed(
        origin=origin,
        path=path,
        name=name,
        refusal=refusal,
        build=build,
        http3=build.has("http_v3"),
        key_exchange=() if isinstance(usable, str) else _key_exchange(usable),
        # Packages keep the day on which a file was made, and pip does not.
        made=None if origin is nginx_build.BuildOrigin.BUNDLED else build_facts.read_date(path),
        weaknesses=running_build.judge(build, paths, today=today),
    )


def _key_exchange(usable: render_environment.Nginx) -> tuple[str, ...]:
    """The groups that are safe from quantum computers."""
    return ("X25519MLKEM768",) if render_environment.Feature.POST_QUANTUM in usable.features else ()


def _with_gains(listed: list[Listed]) -> tuple[Listed, ...]:
    ordered = sorted(listed, key=lambda one: (not one.serves, not one.is_next))
    base = next((one for one in ordered if one.serves or one.is_next), None)
    if base is None:
        return tuple(ordered)
    return tuple(dataclasses.replace(one, gains=tuple(sorted(_abilities(one) - _abilities(base)))) for one in ordered)


def _abilities(one: Listed) -> set[str]:
    usable = find_nginx.examine(one.path)
    if not isinstance(usable, render_environment.Nginx) or one.build is None:
        return set()
    gained = {feature.value for feature in usable.features}
    if one.http3:
        gained.add("HTTP/3, by nginx of your own")
    if one.build.libc == nginx_build.GLIBC:
        gained.add("a request costs the same whatever the lengths of names (glibc)")
    return gained | {os.path.basename(module).removesuffix(".so") for module in usable.modules}  # noqa: PTH119
