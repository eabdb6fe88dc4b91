"""The servers of a route, tried and queried beside the gate, for `daemun why`. Changes nothing: HEAD, and what was
asked about where it is as harmless."""

import asyncio
import collections.abc
import dataclasses
import urllib.parse

from daemun.certs import daemon_thread
from daemun.core import model
from daemun.core.options import host_header_option
from daemun.core.served import probe_targets, server_answers
from daemun.core.texts import names, route_paths
from daemun.core.why import access_walk, condition_match, request_changes, requested_url, url_facts
from daemun.discovery import host_lookup
from daemun.nginx import machine_limits
from daemun.probing import gate_visits, name_looks, server_tries

MOST_SERVERS = 6
RESOLVE_S = 4.0
_OPEN_S = 1.0
_MOST_OPEN = 6
_UNAUTHORIZED, _TOO_MANY = 401, 429
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""
_QUERIED = frozenset({model.Scheme.HTTP, model.Scheme.HTTPS})


async def resolve(host: str) -> tuple[tuple[str, ...], str | None]:
    """The addresses of a name, as programs of this machine see them, or why there are none."""
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await daemon_thread.run(
                lambda: host_lookup.read(host_lookup.system_addresses, host), name=f"resolve {host[:60]}"
            )
    except TimeoutError:
        return (), f"no answer within {RESOLVE_S:g} s"
    return tuple(map(str, found.addresses)), found.failure


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Those that a request of a site leads to. worker: whom nginx's workers run as; None: as this account. unwell:
    those of all routes that get no requests now, by `health`. is_queried: whether they are sent what was asked about;
    they are tried as the daemon does else."""

    site: model.Site
    route: model.Route
    desired: model.Desired
    url: requested_url.RequestedUrl
    request: condition_match.SentRequest
    worker: model.WorkerAccount | None = None
    unwell: tuple[server_answers.UnwellServer, ...] = ()
    is_queried: bool = True

    async def look(self) -> tuple[url_facts.QueriedServer, ...]:
        """Never raises but when cancelled."""
        aims = [
            one
            for one in probe_targets.find_aims(self.site, self.desired.globals)
            if one.path == self.route.name and not one.is_pool
        ]
        contexts = server_tries.Contexts(machine_limits.find_ca_bundle())
        found = await asyncio.gather(*(self._look_at(aim, contexts) for aim in aims[:MOST_SERVERS]))
        return tuple(view for views in found for view in views)

    async def _look_at(self, aim: model.Aim, contexts: server_tries.Contexts) -> list[url_facts.QueriedServer]:
        target = self._find_target(aim)
        sent = self.url.sent if aim.is_judge else self._map(target.path if target is not None else None)
        if not aim.is_judge and host_header_option.OPTION.of(self.route.action) is None:
            aim = dataclasses.replace(aim, sees=self.url.host)
        if aim.sent is not None and self.is_queried:
            aim = dataclasses.replace(aim, path=self.url.sent, sent=sent)
        endpoints, failed = await _find_endpoints(aim, target)
        if failed:
            return [
                url_facts.QueriedServer(
                    written=aim.written,
                    server=aim.named or aim.written,
                    found=server_answers.absent(aim),
                    is_judge=aim.is_judge,
                )
            ]
        views = await asyncio.gather(*(self._try(aim, one, contexts, sent, target) for one in endpoints[:MOST_SERVERS]))
        return list(views)

    def _find_target(self, aim: model.Aim) -> model.Target | None:
        action = self.route.action
        targets = action.targets if isinstance(action, model.Proxy) else ()
        return next((one for one in targets if str(one) == aim.written), None)

    def _map(self, path: str | None) -> str:
        """What the server sees of the request."""
        prefix = route_paths.find_literal(self.route.path)
        if path is None or prefix is None:
            return self.url.sent
        raw, mark, query = self.url.sent.partition("?")
        rest = self.url.path.removeprefix(prefix)
        quoted = urllib.parse.quote(path + rest, safe="/%:@!$&'()*+,;=~-._", errors="surrogateescape")
        return f"{quoted}{mark}{query}" if raw else quoted

    def _map_otherwise(self, path: str | None) -> str | None:
        """The same with the prefix that is taken off, or without the one that is left."""
        prefix = route_paths.find_literal(self.route.path)
        if prefix is None or not route_paths.is_prefix(self.route.path) or prefix == "/":
            return None
        if path is not None:
            return self.url.sent
        rest = self.url.path.removeprefix(prefix.rstrip("/"))
        return urllib.parse.quote(f"/{rest.lstrip('/')}", safe="/%:@!$&'()*+,;=~-._", errors="surrogateescape")

    async def _try(
        self,
        aim: model.Aim,
        endpoint: model.Endpoint | None,
        contexts: server_tries.Contexts,
        sent: str,
        target: model.Target | None,
    ) -> url_facts.QueriedServer:
        tried = server_tries.ServerProbe(
            aim=aim,
            endpoint=endpoint,
            contexts=contexts,
            machine=server_tries.ProbeMachine(in_container=machine_limits.is_container(), worker=self.worker),
            gate=probe_targets.find_gate(self.site, self.desired),
        )
        found = await tried.run()
        if found.trouble is None:
            found = self._find_unwell(endpoint) or found
        view = url_facts.QueriedServer(
            written=aim.written, server=tried.server, found=found, sent=sent, is_judge=aim.is_judge
        )
        is_harmless = self.is_queried and self.request.method in SAFE
        if (
            aim.is_judge
            or aim.scheme not in _QUERIED
            or not is_harmless
            or found.trouble not in {None, model.Trouble.LOOP}
        ):
            is_refused = found.trouble is model.Trouble.REFUSED and not aim.is_judge
            return dataclasses.replace(view, open_at=await _find_open(endpoint)) if is_refused and endpoint else view
        answer, seen_as = await self._query(aim, endpoint, sent)
        other_path = self._map_otherwise(target.path) if target is not None else None
        other = None
        if answer is not None and answer.status == 404 and other_path is not None and other_path != sent:
            other, _ = await self._query(aim, endpoint, other_path)
        changed = await self._query_changed(aim, endpoint, sent, answer)
        return dataclasses.replace(
            view, answer=answer, seen_as=seen_as, other_path=other_path, other=other, changed=changed
        )

    def _find_unwell(self, endpoint: model.Endpoint | None) -> server_answers.ServerFinding | None:
        if endpoint is None:
            return None
        host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
        wanted = (self.route.path, self.route.entry, f"{host}:{endpoint.port}")
        return next((one.found for one in self.unwell if (one.path, one.entry, one.server) == wanted), None)

    async def _query_changed(
        self, aim: model.Aim, endpoint: model.Endpoint | None, sent: str, answer: url_facts.HttpAnswer | None
    ) -> tuple[tuple[request_changes.RequestChange, url_facts.HttpAnswer], ...]:
        """Of a request that was refused, one that differs in one thing, and is taken."""
        if answer is None or answer.status < 400 or answer.status == _TOO_MANY:
            return ()
        if answer.status == _UNAUTHORIZED and self._without_gates().header("Authorization"):
            return ()  # each further one would count as a wrong password, and some applications lock a user out
        host_header = host_header_option.OPTION.of(self.route.action)
        own = urllib.parse.urlsplit(aim.written).netloc if aim.socket is None else "localhost"
        for change in request_changes.plan(self.url, self.request, host_header=host_header, own=own):
            other, _ = await self._query(aim, endpoint, sent, change)
            if other is None or not request_changes.is_better(answer.status, other.status):
                continue
            # What the same request is answered again; where the name is changed, what an unknown name is answered.
            again, _ = await self._query(aim, endpoint, sent, request_changes.find_control(change))
            if again is not None and again.status == answer.status:
                return ((change, other),)
        return ()

    def _without_gates(self) -> condition_match.SentRequest:
        return access_walk.without_gates(self.request, self.site, self.route, self.desired.globals)

    async def _query(
        self,
        aim: model.Aim,
        endpoint: model.Endpoint | None,
        sent: str,
        change: request_changes.RequestChange | None = None,
    ) -> tuple[url_facts.HttpAnswer | None, str | None]:
        """The answer, and the address of this machine that the server saw."""
        place = gate_visits.GateAddress(
            host=endpoint.address if endpoint is not None else "",
            port=endpoint.port if endpoint is not None else 0,
            socket=aim.socket,
            is_tls=aim.scheme.is_encrypted,
            name=aim.server_name,
        )
        own = host_header_option.OPTION.of(self.route.action) is not None
        authority = aim.sees if own else self.url.authority
        request = self._without_gates()
        address = self.request.address or "127.0.0.1"
        headers = {
            "X-Real-IP": address,
            "X-Forwarded-For": address,
            "X-Forwarded-Proto": self.url.scheme,
            "X-Forwarded-Host": self.url.authority,
            "X-Forwarded-Port": str(self.url.effective_port),
            **dict(aim.headers),
        }
        if change is not None:
            request, authority = request_changes.change(request, change), change.host or authority
            given = {name.lower(): (name, value) for name, value in (*headers.items(), *change.added)}
            headers = {name: value for key, (name, value) in given.items() if key not in change.without}
        written = gate_visits.write_request(authority, sent, request, headers)
        found = await gate_visits.exchange(place, written, within_s=server_answers.ANSWER_S)
        return found.answer, found.own


async def _find_open(endpoint: model.Endpoint) -> tuple[str, ...]:
    """Other addresses of this machine at which the same port takes connections."""
    known = names.address_of(endpoint.address)
    own = await asyncio.to_thread(name_looks.find_own)
    if known is None or not (known.is_loopback or str(known) in own):
        return ()
    likely = ["127.0.0.1", "::1", *sorted(own - {"127.0.0.1", "::1"})]
    tried = [one for one in likely if names.address_of(one) != known and not one.startswith("fe80:")][:_MOST_OPEN]
    found = await asyncio.gather(*(gate_visits.takes_connection(one, endpoint.port, within_s=_OPEN_S) for one in tried))
    return tuple(one for one, takes in zip(tried, found, strict=True) if takes)


async def _find_endpoints(
    aim: model.Aim, target: model.Target | None
) -> tuple[collections.abc.Sequence[model.Endpoint | None], bool]:
    """The addresses of a server, and whether its name has none. An address that is checked (`health`) has no endpoint
    in the aim: nginx queries daemun for it, too."""
    if aim.socket is not None:
        return (None,), False
    if aim.endpoint is not None:
        return (aim.endpoint,), False
    if aim.named is None:
        if target is None or target.host is None or target.port is None:
            return (), True
        return (model.Endpoint(address=target.host, port=target.port),), False
    port = urllib.parse.urlsplit(aim.written).port or model.DEFAULT_PORTS[aim.scheme]
    addresses, failure = await resolve(aim.named)
    return tuple(model.Endpoint(address=one, port=port) for one in addresses), failure is not None
