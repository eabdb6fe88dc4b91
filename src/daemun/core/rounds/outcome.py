"""The state of each site after a round of the loop. Pure."""

import collections.abc
import dataclasses
import re

from daemun.core import model, site_overlays
from daemun.core.options import stream_forms, streams_option
from daemun.core.plan import change_plan, generation_files, quarantine
from daemun.core.render import snippets

# Not that all else is live, which is not known here: other sites may have mistakes, or servers that do not answer.
_REST, _ELSE, _OTHERS = "; the rest is live", ", and nothing else is affected", ", and no other site is affected"
_LIVE = re.compile(
    rf"; (?:{'|'.join(re.escape(one.value) for one in quarantine.StandIn)})(?:{_ELSE}|{_OTHERS})?|{_REST}"
)


def site_statuses(
    desired: model.Desired,
    *,
    live: collections.abc.Mapping[str, bytes],
    rendered: collections.abc.Mapping[str, bytes],
    refused: collections.abc.Sequence[quarantine.RefusedFile] = (),
    moved: collections.abc.Set[str] = frozenset(),
    error: str | None = None,
) -> tuple[model.SiteStatus, ...]:
    """The state of every site.

    live: the tree nginx runs; empty when it does not run. rendered: the tree that was rendered.
    refused: the files that were replaced in it, and why. moved: as in `change_plan.diff_files`.
    error: why the round as a whole failed; what already ran as wanted is live all the same.
    """
    by_path = {item.path: item for item in refused}
    is_all_live = live is rendered
    live = change_plan.expand(live)
    rendered = live if is_all_live else change_plan.expand(rendered)
    return tuple(
        _status(site, live=live, rendered=rendered, refused=by_path, moved=moved, error=error, engines=desired.engines)
        for site in desired.sites
    )


def _status(
    site: model.Site,
    *,
    live: collections.abc.Mapping[str, bytes],
    rendered: collections.abc.Mapping[str, bytes],
    refused: collections.abc.Mapping[str, quarantine.RefusedFile],
    moved: collections.abc.Set[str],
    error: str | None,
    engines: tuple[model.EngineStatus, ...],
) -> model.SiteStatus:
    path = change_plan.site_file(site.host)
    if not site.enabled:
        return model.SiteStatus(site=site, state=model.SiteState.DISABLED)
    if path in refused:
        return model.SiteStatus(
            site=site,
            state=model.SiteState.QUARANTINED,
            reason=refused[path].placed_reason,
            has_page=not refused[path].stand_in.is_serving,
        )
    if path in live and (path in moved or change_plan.is_same(rendered.get(path), live[path])):
        if site.waits_for_container and site.fault is None:
            return model.SiteStatus(
                site=site,
                state=model.SiteState.WAITING,
                reason=site_overlays.why_it_waits(site),
                cure=site_overlays.how_to_serve(site, engines),
            )
        return model.SiteStatus(site=site, state=model.SiteState.LIVE)
    return model.SiteStatus(site=site, state=model.SiteState.PENDING, reason=error or "not applied yet")


def stream_statuses(
    desired: model.Desired,
    *,
    live: collections.abc.Mapping[str, bytes],
    rendered: collections.abc.Mapping[str, bytes],
    refused: collections.abc.Sequence[quarantine.RefusedFile] = (),
    error: str | None = None,
) -> tuple[model.StreamStatus, ...]:
    """The same for every entry of `streams`."""
    by_path = {item.path: item for item in refused}
    pools = {pool.name: pool for pool in desired.pools}
    return tuple(
        _stream_status(one, live=live, rendered=rendered, refused=by_path, error=error, pools=pools)
        for one in sorted(streams_option.OPTION.of(desired.globals), key=lambda one: one.name)
    )


def _stream_status(
    one: streams_option.NamedStream,
    *,
    live: collections.abc.Mapping[str, bytes],
    rendered: collections.abc.Mapping[str, bytes],
    refused: collections.abc.Mapping[str, quarantine.RefusedFile],
    error: str | None,
    pools: collections.abc.Mapping[str, model.Pool],
) -> model.StreamStatus:
    path, stream = change_plan.stream_file(one.name), one.stream
    state, is_served = model.SiteState.PENDING, True
    reason: str | None = error or "not applied yet"
    if not stream.enabled:
        state, reason = model.SiteState.DISABLED, None
    elif path in refused:
        state, reason = model.SiteState.QUARANTINED, refused[path].placed_reason
        is_served = refused[path].stand_in.is_serving
    elif path in live and change_plan.is_same(rendered.get(path), live[path]):
        state, reason = model.SiteState.LIVE, None
    return model.StreamStatus(
        name=one.name,
        origin=one.origin,
        protocol=stream.protocol.value,
        listen=tuple(map(str, stream.listen)),
        to=tuple(text for server in stream.to for text in _texts_of(server.url, pools)),
        tls=stream.tls,
        hosts=one.hosts_passed,
        state=state,
        reason=reason,
        is_served=is_served,
    )


def _texts_of(target: stream_forms.StreamTarget, pools: collections.abc.Mapping[str, model.Pool]) -> tuple[str, ...]:
    """A server as the file has it; of a pool, those that are in it now."""
    if target.pool is None:
        return (str(target),)
    ends = pools[target.pool].endpoints if target.pool in pools else ()
    return tuple(str(dataclasses.replace(target, pool=None, host=end.address, port=end.port)) for end in ends)


def refusal_problems(
    desired: model.Desired, refused: collections.abc.Sequence[quarantine.RefusedFile], *, is_applied: bool = True
) -> tuple[model.Problem, ...]:
    """A problem for each file that cannot be had, naming the line of the source that it came from. is_applied: whether
    what stands in for it is live by this; else it was a test, and nobody knows what will be."""
    sites = {change_plan.site_file(site.host): site for site in desired.sites}
    streams = {one.name: one for one in streams_option.OPTION.of(desired.globals)}
    problems: list[model.Problem] = []
    for item in refused:
        stream = streams.get(change_plan.stream_of(item.path) or "")
        if stream is not None and stream.fault is not None:
            continue  # its source reports it, with the place
        if stream is not None:
            instead = f"; {item.stand_in.value}{_ELSE}" if is_applied else ""
            message = f'cannot apply stream "{stream.name}": {item.reason}{instead}'
            problems.append(model.Problem(origin=_origin(item, stream.origin), message=message))
            continue
        site = sites.get(item.path)
        if item.path == generation_files.INTERNAL_CLIENTS:
            instead = f"; {item.stand_in.value}" if is_applied else ""
            message = f"cannot use the hand-written nginx: {item.reason}{instead}"
            problems.append(model.Problem(origin=desired.globals.internal_origin, message=message))
        elif site is None:
            part = snippets.find_part(desired.globals, item.path)
            origin = desired.globals.snippet_origin if part is None else model.Origin(source="docker", place=part.place)
            what = "of the whole file" if part is None else "in it"
            instead = _REST if is_applied else ""
            message = f"cannot use the hand-written nginx {what}: {item.reason}{instead}"
            problems.append(model.Problem(origin=_origin(item, origin), message=message))
        elif site.fault is None:  # else its source reports it, with the place
            instead = f"; {item.stand_in.value}{_OTHERS}" if is_applied else ""
            message = f'cannot apply site "{site.host}": {item.reason}{instead}'
            problems.append(model.Problem(origin=_origin(item, site.origin), message=message, host=site.host))
    return tuple(problems)


def without_rest(message: str) -> str:
    """Of such a problem, where nothing of what was to be applied stays: what is said there of the rest is left out."""
    return _LIVE.sub("", message)


def _origin(item: quarantine.RefusedFile, otherwise: model.Origin) -> model.Origin:
    return otherwise if item.place is None else dataclasses.replace(otherwise, place=item.place)


def judge_containers(
    desired: model.Desired, refused: collections.abc.Sequence[quarantine.RefusedFile]
) -> tuple[model.ContainerStatus, ...]:
    """The containers, with the problems of their sites where nothing else keeps requests from them."""
    by_path = {item.path: item for item in refused}
    return tuple(_judge(container, by_path) for container in desired.containers)


def _judge(
    container: model.ContainerStatus, refused: collections.abc.Mapping[str, quarantine.RefusedFile]
) -> model.ContainerStatus:
    """One that is served owns all of its hosts and streams (`merge`), so what is refused of them is its own."""
    paths = (*map(change_plan.site_file, container.hosts), *map(change_plan.stream_file, container.streams))
    found = [refused[path] for path in paths if path in refused]
    if not container.is_served or not found:
        return container
    # What keeps requests away comes before what only deserves a look.
    worst = min(found, key=lambda item: item.stand_in.is_serving)
    if worst.stand_in.is_serving and container.why is not None:
        return container
    return dataclasses.replace(
        container, is_served=worst.stand_in.is_serving, why=f"{worst.cause}; {worst.stand_in.value}", cure=worst.cure
    )


def judge_pending(
    containers: collections.abc.Sequence[model.ContainerStatus], sites: collections.abc.Sequence[model.SiteStatus]
) -> tuple[model.ContainerStatus, ...]:
    """The same, where a site of one that is served is not live yet."""
    pending = {item.site.host: item.reason for item in sites if item.state is model.SiteState.PENDING}
    return tuple(_judge_pending(container, pending) for container in containers)


def _judge_pending(
    container: model.ContainerStatus, pending: collections.abc.Mapping[str, str | None]
) -> model.ContainerStatus:
    why = next((pending[host] for host in container.hosts if host in pending), None)
    return dataclasses.replace(container, is_served=False, why=why) if container.is_served and why else container
