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
from daemun.core.texts import route_paths
from daemun.core.why import condition_match, requested_url, url_facts
from daemun.discovery import host_lookup
from daemun.nginx import machine_limits
from daemun.probing import gate_visits, server_tries

MOST_SERVERS = 6
RESOLVE_S = 4.0
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
    """Those that a request of a site leads to. worker: whom nginx's workers run as; None: as this account."""

    site: model.Site
    route: model.Route
    desired: model.Desired
    url: requested_url.RequestedUrl
    request: condition_match.SentRequest
    worker: model.WorkerAccount | None = None

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
        if aim.sent is not None:
            aim = dataclasses.replace(aim, path=self.url.sent, sent=sent)
        endpoints, failed = await _find_endpoints(aim)
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
        view = url_facts.QueriedServer(
            written=aim.written, server=tried.server, found=found, sent=sent, is_judge=aim.is_judge
        )
        is_harmless = self.request.method in SAFE
        if (
            aim.is_judge
            or aim.scheme not in _QUERIED
            or not is_harmless
            or found.trouble not in {None, model.Trouble.LOOP}
        ):
            return view
        answer = await self._query(aim, endpoint, sent)
        other_path = self._map_otherwise(target.path) if target is not None else None
        other = None
        if answer is not None and answer.status == 404 and other_path is not None and other_path != sent:
            other = await self._query(aim, endpoint, other_path)
        return dataclasses.replace(view, answer=answer, other_path=other_path, other=other)

    async def _query(self, aim: model.Aim, endpoint: model.Endpoint | None, sent: str) -> url_facts.HttpAnswer | None:
        place = gate_visits.GateAddress(
            host=endpoint.address if endpoint is not None else "",
            port=endpoint.port if endpoint is not None else 0,
            socket=aim.socket,
            is_tls=aim.scheme.is_encrypted,
            name=aim.server_name,
        )
        own = host_header_option.OPTION.of(self.route.action) is not None
        authority = aim.sees if own else self.url.authority
        address = self.request.address or "127.0.0.1"
        headers = {
            "X-Real-IP": address,
            "X-Forwarded-For": address,
            "X-Forwarded-Proto": self.url.scheme,
            "X-Forwarded-Host": self.url.authority,
            "X-Forwarded-Port": str(self.url.effective_port),
            **dict(aim.headers),
        }
        written = gate_visits.write_request(authority, sent, self.request, headers)
        found = await gate_visits.exchange(place, written, within_s=server_answers.ANSWER_S)
        return found.answer


async def _find_endpoints(aim: model.Aim) -> tuple[collections.abc.Sequence[model.Endpoint | None], bool]:
    """The addresses of a server, and whether its name has none."""
    if aim.socket is not None:
        return (None,), False
    if aim.endpoint is not None:
        return (aim.endpoint,), False
    if aim.named is None:
        return (), True
    port = urllib.parse.urlsplit(aim.written).port or model.DEFAULT_PORTS[aim.scheme]
    addresses, failure = await resolve(aim.named)
    return tuple(model.Endpoint(address=one, port=port) for one in addresses), failure is not None
