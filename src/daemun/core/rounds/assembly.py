"""The whole tree of files for a desired state, in which a site that cannot be rendered hurts no other. Pure."""

import collections.abc
import contextlib
import dataclasses
import functools
import types

from daemun.core import model, render_environment, site_memory
from daemun.core.options import streams_option
from daemun.core.plan import change_plan, listeners, quarantine, shared_sites, variable_definitions
from daemun.core.render import render_tree, shared_blocks, snippets, stream_lines, variables
from daemun.core.rounds import fallbacks
from daemun.core.validation import validate
from daemun.errors import RenderError

Denied = collections.abc.Mapping[str, listeners.Denied]
"""By address: what nginx cannot listen on, and why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """files: what nginx is to run. definitions: of the variables that other files in their place may use.

    unavailable: path -> 503 version of each site's file. last_good: path -> what runs now and may go on.
    refused: the files that cannot be had as they were wanted; `files` holds what stands in for them.
    problems: what else deserves a look. denied: as it was given.
    moved: the files of sites that share their nginx blocks now and had their own, or the other way round, and are
        otherwise the same.
    """

    files: dict[str, bytes]
    definitions: variable_definitions.Definitions
    unavailable: collections.abc.Mapping[str, bytes]
    last_good: collections.abc.Mapping[str, bytes]
    refused: tuple[quarantine.RefusedFile, ...] = ()
    problems: tuple[model.Problem, ...] = ()
    denied: Denied
    moved: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AssemblyMemory:
    """What earlier calls found of single sites. files: rendered. entries: None: it shares no blocks. unsupported: why
    this nginx cannot serve it; None: it can."""

    files: site_memory.PerSite[bytes] = dataclasses.field(default_factory=site_memory.PerSite)
    entries: site_memory.PerSite[shared_sites.SharedSite | None] = dataclasses.field(
        default_factory=site_memory.PerSite
    )
    unsupported: site_memory.PerSite[str | None] = dataclasses.field(default_factory=site_memory.PerSite)


def assemble_files(
    desired: model.Desired,
    env: render_environment.Environment,
    *,
    last_good: collections.abc.Mapping[str, bytes],
    denied: Denied = types.MappingProxyType({}),
    memory: AssemblyMemory | None = None,
) -> Assembled:
    """Render every enabled site, and what stands in for those that cannot be.

    last_good: the tree nginx runs now. denied: addresses that only single sites want. memory: of earlier calls.
    Raises: RenderError when what concerns all sites cannot be rendered.
    """
    unsupported = validate.find_unsupported_globals(desired.globals, env.nginx.features)
    if unsupported:
        raise RenderError("; ".join(problem.message for problem in unsupported))
    gone = frozenset(denied)
    unavailable = _Unavailable(desired, env, gone)
    memory = memory or AssemblyMemory()
    faults = {change_plan.site_file(site.host): site.fault for site in desired.enabled if site.fault is not None}
    broken = _find_unsupported(desired, env, memory.unsupported)
    broken |= {path: fault.reason for path, fault in faults.items()}
    aside = {change_plan.stream_file(one.name): one for one in _find_streams_aside(desired)}
    # One that cannot be rendered moves no other between shared blocks and its own.
    entries = shared_blocks.find_entries(desired, env, memory.entries)
    try:
        files = render_tree.render_files(_without(desired, broken), env, memory.files, entries=entries, whole=desired)
    except RenderError:
        broken |= _find_unrenderable(_without(desired, broken), env, memory.files, entries)
        left = _left(entries, broken)
        files = render_tree.render_files(_without(desired, broken), env, memory.files, entries=left, whole=desired)
    former = _find_former(desired, env, files, last_good)
    before = _Before(desired.globals, env, last_good, former.good)
    bars = {**faults, **{path: one.fault for path, one in aside.items() if one.fault is not None}}
    good = _without_barred(fallbacks.find_good(before, denied=gone), bars)
    for path in broken:
        files[path] = good[path] if path in good else unavailable[path]
    refused = [_refuse(path, cause, good) for path, cause in broken.items()]
    refused += [_set_stream_aside(files, path, one, good) for path, one in aside.items()]
    if denied:
        rendered = _without(desired, broken)
        used = fallbacks.set_aside(rendered, env, files, denied=denied, last_good=good)
        files |= {item.refused.path: item.content for item in used}
        refused += [item.refused for item in used]
        files["nginx.conf"] = fallbacks.render_main(
            rendered, env, used, denied=gone, running=last_good, has_shared=shared_sites.MAIN in files
        )
    # One without an earlier version that runs: that could let in whom this one is to keep out.
    refused += [
        quarantine.RefusedFile(path=path, cause=cause, stand_in=quarantine.StandIn.NOTHING)
        for path, cause in stream_lines.find_unsupported(desired, env).items()
        if path not in aside
    ]
    known = variables.define(desired, env)
    return Assembled(
        files=variable_definitions.complete(files, known) if refused else files,
        definitions=known,
        unavailable=unavailable,
        last_good=good,
        refused=tuple(refused),
        problems=(
            *validate.find_waiting_for_restart(env),
            *validate.find_unmet(desired, env.nginx.features),
        ),
        denied=denied,
        moved=former.moved,
    )


class _Unavailable(collections.abc.Mapping[str, bytes]):
    """Path -> the 503 version of each enabled site's file, rendered when it is needed: nearly never."""

    def __init__(self, desired: model.Desired, env: render_environment.Environment, denied: frozenset[str]) -> None:
        self._sites = {change_plan.site_file(site.host): site for site in desired.enabled}
        self._desired = desired
        self._settings = desired.globals
        self._env = env
        self._denied = denied

    def __getitem__(self, path: str) -> bytes:
        """Raises: KeyError; RenderError when the names themselves cannot be written."""
        if path in snippets.paths(self._settings):
            return render_tree.render_stand_in(self._desired, self._env, path)
        site = self._sites[path]
        return render_tree.render_unavailable(site, self._env, settings=self._settings, denied=self._denied)

    def __iter__(self) -> collections.abc.Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)


class _Before(collections.abc.Mapping[str, bytes]):
    """The tree nginx runs now, in which a site that shares its blocks there has the file that it would have had.

    That one is rendered when it is needed, which is nearly never, and is found by its path alone.
    """

    def __init__(
        self,
        settings: model.Globals,
        env: render_environment.Environment,
        running: collections.abc.Mapping[str, bytes],
        former: collections.abc.Mapping[str, bytes],
    ) -> None:
        self._settings = settings
        self._env = env
        self._files = {**running, **former}
        self._shared = shared_sites.read(running)

    def __getitem__(self, path: str) -> bytes:
        """Raises: KeyError; RenderError."""
        if path in self._files:
            return self._files[path]
        entry = self._shared[change_plan.host_of(path)]
        return render_tree.render_site(shared_blocks.make_site(entry), self._env, settings=self._settings)

    def __iter__(self) -> collections.abc.Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Former:
    """Former files of sites that moved between a file of their own and the shared blocks.

    good: path -> the file that a site would have had that shared its blocks. moved: as in `Assembled`.
    """

    good: dict[str, bytes]
    moved: frozenset[str]


def _find_former(
    desired: model.Desired,
    env: render_environment.Environment,
    files: collections.abc.Mapping[str, bytes],
    running: collections.abc.Mapping[str, bytes],
) -> _Former:
    """Raises: RenderError."""
    before, now = shared_sites.read(running), shared_sites.read(files)
    good: dict[str, bytes] = {}
    moved: set[str] = set()
    for site in desired.enabled:
        was, path = before.get(site.host), change_plan.site_file(site.host)
        if was is not None and site.host not in now:
            good[path] = render_tree.render_site(shared_blocks.make_site(was), env, settings=desired.globals)
            is_same = change_plan.is_same(good[path], files.get(path))
        elif was is None and site.host in now and path in running:
            is_same = change_plan.is_same(render_tree.render_site(site, env, settings=desired.globals), running[path])
        else:
            continue
        if is_same:
            moved.add(path)
    return _Former(good=good, moved=frozenset(moved))


def _without_barred(
    good: collections.abc.Mapping[str, bytes], faults: collections.abc.Mapping[str, model.SetAside]
) -> collections.abc.Mapping[str, bytes]:
    """Without the versions that nginx would refuse, too, for they name files that are missing, and those that would
    show a secret."""
    lost = {path for path, fault in faults.items() if any(bar.encode() in good.get(path, b"") for bar in fault.bars)}
    return {path: content for path, content in good.items() if path not in lost} if lost else good


def _refuse(path: str, cause: str, good: collections.abc.Container[str]) -> quarantine.RefusedFile:
    stand_in = quarantine.StandIn.LAST_GOOD if path in good else quarantine.StandIn.UNAVAILABLE
    return quarantine.RefusedFile(path=path, cause=cause, stand_in=stand_in)


def _find_streams_aside(desired: model.Desired) -> collections.abc.Iterator[streams_option.NamedStream]:
    for one in streams_option.OPTION.of(desired.globals):
        if one.fault is not None and one.stream.enabled:
            yield one


def _set_stream_aside(
    files: dict[str, bytes], path: str, one: streams_option.NamedStream, good: collections.abc.Mapping[str, bytes]
) -> quarantine.RefusedFile:
    """What runs of it goes on, and what does not run could let in whom it is to keep out."""
    assert one.fault is not None
    is_serving = one.is_known and path in good
    if is_serving:
        files[path] = good[path]
    else:
        files.pop(path, None)
    stand_in = quarantine.StandIn.LAST_GOOD if is_serving else quarantine.StandIn.NOTHING
    return quarantine.RefusedFile(path=path, cause=one.fault.reason, stand_in=stand_in)


def _find_unsupported(
    desired: model.Desired, env: render_environment.Environment, memory: site_memory.PerSite[str | None]
) -> dict[str, str]:
    """Sites that need what this nginx cannot do: path -> reason."""
    memory.enter(env.nginx.features)
    judge = functools.partial(_judge, features=env.nginx.features)
    found: dict[str, str] = {}
    for site in desired.enabled:
        reason = memory.get(site, judge)
        if reason is not None:
            found[change_plan.site_file(site.host)] = reason
    return found


def _judge(site: model.Site, features: collections.abc.Set[render_environment.Feature]) -> str | None:
    return "; ".join(problem.message for problem in validate.find_unsupported(site, features)) or None


def _find_unrenderable(
    desired: model.Desired,
    env: render_environment.Environment,
    memory: site_memory.PerSite[bytes],
    entries: tuple[shared_sites.SharedSite, ...],
) -> dict[str, str]:
    """The sites whose own files cannot be rendered, and when there are none, those for which the others cannot.

    entries: the sites that share their blocks.
    """
    found: dict[str, str] = {}
    for path, error in render_tree.find_refused(desired, env, memory, entries):
        found[path] = str(error)
    if found:
        with contextlib.suppress(RenderError):
            render_tree.render_files(_without(desired, found), env, memory, entries=entries)
            return found
    for site in desired.enabled:
        try:
            render_tree.render_files(dataclasses.replace(desired, sites=(site,)), env)
        except RenderError as error:
            found[change_plan.site_file(site.host)] = str(error)
    return found


def _left(
    entries: tuple[shared_sites.SharedSite, ...], refused: collections.abc.Container[str]
) -> tuple[shared_sites.SharedSite, ...]:
    return tuple(entry for entry in entries if change_plan.site_file(entry.host) not in refused)


def _without(desired: model.Desired, refused: collections.abc.Mapping[str, str]) -> model.Desired:
    if not refused:
        return desired
    kept = tuple(site for site in desired.sites if change_plan.site_file(site.host) not in refused)
    return dataclasses.replace(desired, sites=kept)
