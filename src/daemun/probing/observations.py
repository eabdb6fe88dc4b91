"""What is known of each site: the tries of its servers, handshakes that failed, and nginx's last errors."""

import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.served import probe_targets, served_judgement, server_answers, server_history, upstream_errors
from daemun.core.texts import names, route_paths

Key = tuple[str, str, int]
"""A site's host, a route's path, and the place of the target in the route."""

FindHealth = collections.abc.Callable[[str], tuple[model.ServerLook, ...]]
"""Service name -> the results of its own health checks for each endpoint; without words where it has none."""


def follow_servers(
    before: collections.abc.Iterable[model.ServerLook],
    found: collections.abc.Iterable[tuple[str, server_answers.ServerFinding]],
    now: datetime.datetime,
) -> tuple[model.ServerLook, ...]:
    """What is known of the servers of one target after a further try of each. before: what was known."""
    earlier = {one.server: one for one in before}
    return tuple(_follow_server(earlier.get(server), server, one, now) for server, one in found)


def _follow_server(
    before: model.ServerLook | None, server: str, found: server_answers.ServerFinding, now: datetime.datetime
) -> model.ServerLook:
    since = before.since if before is not None and before.trouble is not None else now
    return model.ServerLook(
        server=server,
        at=now,
        trouble=found.trouble,
        cause=found.cause,
        cure=found.cure,
        since=since if found.trouble is not None else None,
        history=server_history.follow(before.history if before is not None else (), found.trouble, found.cause, now),
    )


class Looks:
    """The latest results of all probes, by site. Not thread-safe. find_health: for routes with a `health:`."""

    def __init__(self, find_health: FindHealth) -> None:
        self._find_health = find_health
        self._sites: dict[str, model.Site] = {}
        self._aims: dict[str, dict[Key, model.Aim]] = {}
        self._owners: dict[str, str] = {}
        self._wildcards: dict[str, str] = {}
        self._routes: dict[str, tuple[str, str]] = {}
        self._servers: dict[Key, tuple[model.ServerLook, ...]] = {}
        self._handshakes: dict[str, dict[tuple[str, str, bool], model.HandshakeLook]] = {}
        self._shaken: dict[str, datetime.datetime] = {}
        self._errors: dict[tuple[str, str], model.UpstreamError] = {}
        self._noteworthy: set[str] = set()
        self._checked: set[str] = set()

    # --- which sites there are -------------------------------------------------------------------------------------

    def put(self, site: model.Site, settings: model.Globals | None = None) -> tuple[Key, ...]:
        """A site that is new or another one, or before another judge of the gate. Returns: the targets that have to be
        tried."""
        before = self._aims.get(site.host, {})
        keys = {aim: key for key, aim in before.items()}
        results = {aim: self._servers[key] for aim, key in keys.items() if key in self._servers}
        before_site = self._sites.get(site.host)
        before_paths = {route.name for route in before_site.routes} if before_site is not None else set()
        self.remove(site.host, forget=False)
        found: dict[Key, model.Aim] = {}
        for aim in probe_targets.find_aims(site, settings):
            place = sum(key[1] == aim.path for key in found)
            found[site.host, aim.path, place] = aim
        self._sites[site.host] = site
        self._aims[site.host] = found
        for name in site.names:
            (self._wildcards if name.startswith("*.") else self._owners)[name] = site.host
        paths = {route.name for route in site.routes}
        for path in paths:
            self._routes[names.upstream_name(site.host, path)] = (site.host, path)
        for gone in before_paths - paths:
            self._errors.pop((site.host, gone), None)
        for key, aim in found.items():
            if aim in results:
                self._servers[key] = results[aim]
        if any(aim.is_checked for aim in found.values()):
            self._checked.add(site.host)
        self._note(site.host)
        return tuple(key for key, aim in found.items() if not aim.is_checked and aim not in results)

    def remove(self, host: str, *, forget: bool = True) -> None:
        """forget: what nginx logged of it, and its handshakes, too."""
        site = self._sites.pop(host, None)
        for key in self._aims.pop(host, {}):
            self._servers.pop(key, None)
        for name in site.names if site is not None else ():
            for hosts in (self._owners, self._wildcards):
                if hosts.get(name) == host:
                    del hosts[name]
        for route in site.routes if site is not None else ():
            self._routes.pop(names.upstream_name(host, route.name), None)
            if forget:
                self._errors.pop((host, route.name), None)
        self._checked.discard(host)
        if forget:
            self._handshakes.pop(host, None)
            self._shaken.pop(host, None)
            self._noteworthy.discard(host)

    def site(self, host: str) -> model.Site | None:
        return self._sites.get(host)

    def hosts(self) -> collections.abc.Iterable[str]:
        return self._sites.keys()

    def aim(self, key: Key) -> model.Aim | None:
        return self._aims.get(key[0], {}).get(key)

    def keys(self, host: str, path: str | None = None) -> tuple[Key, ...]:
        """The targets of a site, or of one route, that are tried."""
        found = self._aims.get(host, {})
        return tuple(key for key, aim in found.items() if not aim.is_checked and path in {None, key[1]})

    def owner(self, name: str) -> str | None:
        """The site that serves a name."""
        found = self._owners.get(name)
        while found is None and "." in name:
            name = name.partition(".")[2]
            found = self._wildcards.get(f"*.{name}")
        return found

    # --- what was found --------------------------------------------------------------------------------------------

    def note_servers(
        self,
        key: Key,
        found: collections.abc.Iterable[tuple[str, server_answers.ServerFinding]],
        now: datetime.datetime,
    ) -> bool:
        """What a try of each server of one target found. Returns: whether one is in trouble."""
        if self.aim(key) is None:
            return False
        self._servers[key] = looks = follow_servers(self._servers.get(key, ()), found, now)
        self._note(key[0])
        return any(one.trouble is not None for one in looks)

    def servers(self, key: Key) -> tuple[model.ServerLook, ...]:
        return self._servers.get(key, ())

    def note_handshake(
        self,
        host: str,
        listener: str,
        name: str,
        found: model.HandshakeLook | None,
        now: datetime.datetime,
        *,
        only_rsa: bool = False,
    ) -> None:
        """found: None: it went as it should. only_rsa: the client took no other keys."""
        if host not in self._sites:
            return
        self._shaken[host] = now
        bad = self._handshakes.setdefault(host, {})
        before = bad.pop((listener, name, only_rsa), None)
        if found is not None:
            bad[listener, name, only_rsa] = dataclasses.replace(found, at=before.at if before is not None else found.at)
        if not bad:
            del self._handshakes[host]
        self._note(host)

    def bad_handshakes(self) -> list[tuple[str, str]]:
        """Site and name of each that did not go as it should."""
        return [
            (host, name) for host, bad in self._handshakes.items() for name in dict.fromkeys(name for _, name, _ in bad)
        ]

    def note_error(
        self, line: upstream_errors.UpstreamErrorLine, now: datetime.datetime, *, left_out: bool
    ) -> tuple[str, str] | None:
        """Returns: the site and the route that it is about; None: there is no such one (any more)."""
        place = self._routes.get(line.upstream.partition("://")[2].partition("/")[0])
        if place is None:
            host = self.owner(line.host)
            path = None if host is None else _find_path(self._sites[host], line.path)
            if host is None or path is None:
                return None
            place = (host, path)
        before = self._errors.get(place)
        self._errors[place] = served_judgement.add_error(before, line.kind, line.words, now, left_out=left_out)
        self._note(place[0])
        return place

    # --- what follows ----------------------------------------------------------------------------------------------

    def look(self, host: str) -> model.SiteLook | None:
        """None: nothing is known of such a site."""
        site = self._sites.get(host)
        if site is None:
            return None
        return model.SiteLook(
            routes=tuple(self._look_at(host, route.name) for route in site.routes),
            handshakes=tuple(self._handshakes.get(host, {}).values()),
            shaken_at=self._shaken.get(host),
        )

    def noteworthy(self) -> collections.abc.Set[str]:
        """Sites of which something is known that may keep them from being live."""
        return self._noteworthy | self._checked

    def find_fault(self, upstream: str) -> model.ServerFault | None:
        """upstream: made by `texts.names.upstream_name`."""
        place = self._routes.get(upstream)
        return served_judgement.find_fault(self._look_at(*place).servers) if place is not None else None

    def _look_at(self, host: str, path: str) -> model.RouteLook:
        servers: list[model.ServerLook] = []
        judges: list[model.ServerLook] = []
        for key, aim in self._aims.get(host, {}).items():
            if key[1] == path:
                is_checked = aim.is_checked and aim.service is not None
                found = self._look_at_checked(aim) if is_checked else self._servers.get(key, ())
                (judges if aim.is_judge else servers).extend(found)
        error = self._errors.get((host, path))
        return model.RouteLook(path=path, servers=tuple(servers), judges=tuple(judges), last_error=error)

    def _look_at_checked(self, aim: model.Aim) -> collections.abc.Iterator[model.ServerLook]:
        for one in self._find_health(aim.service or ""):
            if one.trouble is None or one.cause is not None:
                yield one
            else:
                found = server_answers.absent(aim)
                yield dataclasses.replace(one, cause=found.cause, cure=found.cure)

    def _note(self, host: str) -> None:
        is_noteworthy = (
            host in self._handshakes
            or any((host, route.name) in self._errors for route in self._sites[host].routes)
            or any(one.trouble is not None for key in self._aims.get(host, {}) for one in self._servers.get(key, ()))
        )
        (self._noteworthy.add if is_noteworthy else self._noteworthy.discard)(host)


def _find_path(site: model.Site, path: str) -> str | None:
    """The route that serves a path."""
    found = route_paths.choose([route.path for route in site.routes], path)
    return None if found is None else site.routes[found].name
