"""Replaces files whose own addresses nginx cannot listen on, so that all others go live (DESIGN.md decision 7).

A site that is reached now is to stay so. So its last good version goes on, unless what is left of the new one is
reached everywhere where that is. Pure.
"""

import collections.abc
import dataclasses

from daemun.core import model, render_environment
from daemun.core.plan import change_plan, generation_files, listeners, quarantine
from daemun.core.plan.quarantine import StandIn
from daemun.core.render import default_server, render_tree, site_file
from daemun.core.texts import words

Files = collections.abc.Mapping[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """content: of the file at `refused.path`, instead of what was wanted."""

    refused: quarantine.RefusedFile
    content: bytes


class GoodFiles(collections.abc.Mapping[str, bytes]):
    """The files of the tree nginx runs now that may go on: not a 503 page, nor a site that is nowhere.

    Looked at when one is needed, which is nearly never.
    """

    def __init__(self, running: Files, *, denied: frozenset[str]) -> None:
        self._running = running
        self._denied = denied

    def __getitem__(self, path: str) -> bytes:
        content = self._running[path]
        if not _is_good(path, content, self._denied):
            raise KeyError(path)
        return content

    def __iter__(self) -> collections.abc.Iterator[str]:
        return (path for path, content in self._running.items() if _is_good(path, content, self._denied))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def find_good(running: Files, *, denied: frozenset[str]) -> Files:
    """What of a tree that runs may go on."""
    return GoodFiles(running, denied=denied)


def _is_good(path: str, content: bytes, denied: frozenset[str]) -> bool:
    if not path.startswith(generation_files.SITES):
        return denied.isdisjoint(listeners.addresses(content))
    reached = listeners.reach(content)
    return bool(reached) and denied.isdisjoint(reached) and not site_file.is_unavailable(content)


def set_aside(
    desired: model.Desired,
    env: render_environment.Environment,
    files: Files,
    *,
    denied: collections.abc.Mapping[str, listeners.Denied],
    last_good: Files,
) -> tuple[Fallback, ...]:
    """Every file of `files` that names a denied address, and what stands in for it.

    last_good: path -> what runs now and may go on. Raises: RenderError.
    """
    gone = frozenset(denied)
    sites = {change_plan.site_file(site.host): site for site in desired.enabled}
    found: list[Fallback] = []
    for path, content in files.items():
        missing = sorted(listeners.addresses(content) & gone)
        if not missing or not quarantine.can_be_replaced(path):
            continue
        site = sites.get(path)
        rest = _render_rest(desired, env, site, path, gone)
        stand_in = _choose(rest, last_good.get(path))
        who = "the stream" if path.startswith(generation_files.STREAMS) else "the site" if site else "its server"
        cause, cure = _describe([denied[address] for address in missing], who)
        refused = quarantine.RefusedFile(path=path, cause=cause, cure=cure, stand_in=stand_in)
        good = stand_in is StandIn.LAST_GOOD
        found.append(Fallback(refused=refused, content=last_good[path] if good else rest.content))
    return tuple(found)


def render_main(
    desired: model.Desired,
    env: render_environment.Environment,
    used: collections.abc.Sequence[Fallback],
    *,
    denied: frozenset[str],
    running: Files,
    has_shared: bool,
) -> bytes:
    """nginx.conf for what stands in: its default servers listen where any file does. running: the tree nginx runs now.
    has_shared: whether sites of the new tree share their blocks.

    Raises: RenderError.
    """
    old = {item.refused.path: item.content for item in used if item.refused.stand_in is StandIn.LAST_GOOD}
    theirs = {address for content in old.values() for address in listeners.addresses(content)}
    earlier = tuple(
        (line.written, *line.options)
        for line in dict.fromkeys(listeners.read(running.get("nginx.conf", b"")))
        if "default_server" in line.options and not theirs.isdisjoint(line.addresses)
    )
    sites = tuple(
        dataclasses.replace(site, http_port=None, https_port=None) if change_plan.site_file(site.host) in old else site
        for site in desired.sites
    )
    return render_tree.render_main(
        dataclasses.replace(desired, sites=sites), env, denied=denied, earlier=earlier, has_shared=has_shared
    )


def _render_rest(
    desired: model.Desired,
    env: render_environment.Environment,
    site: model.Site | None,
    path: str,
    gone: frozenset[str],
) -> render_tree.ReducedSite:
    if path.startswith(generation_files.STREAMS):
        return render_tree.ReducedSite(content=b"", is_page=False)
    if site is None:
        return render_tree.ReducedSite(
            content=render_tree.render_snippet(desired.globals, env, path, denied=gone), is_page=False
        )
    chosen = default_server.default_site(desired)
    is_default = chosen is not None and chosen.host == site.host
    return render_tree.render_rest(site, env, denied=gone, is_default=is_default, settings=desired.globals)


def _choose(rest: render_tree.ReducedSite, good: bytes | None) -> StandIn:
    """Whichever is reached where the last good version is; a 503 page is never better than that."""
    left = listeners.reach(rest.content)
    if good is not None and (rest.is_page or not listeners.reach(good) <= left):
        return StandIn.LAST_GOOD
    if rest.is_page:
        return StandIn.UNAVAILABLE
    return StandIn.REST if left else StandIn.NOTHING


def _describe(denied: collections.abc.Sequence[listeners.Denied], who: str) -> tuple[str, str]:
    """Cause and cure; what goes wrong for the same reason is reported once."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in denied:
        groups.setdefault((one.cause, one.ways), []).append(one.address)
    causes = [
        f"cannot listen on {words.listed(addresses, last='and')}: {cause}" for (cause, _), addresses in groups.items()
    ]
    ways = dict.fromkeys(way for one in denied for way in one.ways)
    return "; ".join(causes), ", or ".join((*ways, f"give {who} another port"))
