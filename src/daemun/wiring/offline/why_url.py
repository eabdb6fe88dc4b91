"""What is found out about one URL for `daemun why`: the file, the name, the gate, and the servers. Changes nothing, and
needs no daemon; what a running one reports is given. Each step is given up after some seconds."""

import asyncio
import dataclasses
import typing

from daemun import errors, settings
from daemun.core import model
from daemun.core.options import access_option, user_option
from daemun.core.served import served_judgement
from daemun.core.texts import names
from daemun.core.why import (
    access_walk,
    condition_match,
    followed_redirects,
    page_parts,
    requested_url,
    route_walk,
    site_choice,
    url_facts,
)
from daemun.nginx import process, worker_account
from daemun.probing import gate_visits, handshakes, name_looks
from daemun.wiring import clock
from daemun.wiring.offline import configuration, run_async, why_daemon, why_disk, why_servers

Json = dict[str, typing.Any]

ANSWER_S = 12.0
HELD_S = 2.0
"""So long the gate's answer is waited for once no server of the route is known to serve."""
MOST_HOPS = 10
_PROOF = "daemun-why-daemun-why-daemun-why-daemun-why"
"""In the shape of a token of ACME (RFC 8555 section 8.3)."""
_GUARDED = "only owners of the dashboard have requests sent to what `access` guards, so nothing answered this one"
_MOST_NAMES = 10
_PART_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WhyRequest:
    """What is asked about. address: of the visitor that is meant; None: this machine. report: `GET /status` of the
    running daemon; None: none runs. bans: networks, each with why. visits: whether the gate is queried, too. is_onward:
    redirects led to the URL, and no others are followed from there. past_access: whether requests are sent to what is
    not for everybody: this machine may come in where who asks may not."""

    url: requested_url.RequestedUrl
    request: condition_match.SentRequest
    address: str | None = None
    report: Json | None = None
    bans: tuple[tuple[str, str], ...] = ()
    visits: bool = True
    is_onward: bool = False
    past_access: bool = True


def look(
    chosen: settings.Settings, question: WhyRequest, file: tuple[model.Desired | None, str | None]
) -> url_facts.UrlFacts:
    """All facts. file: as of `read_file`. Blocking."""
    return run_async.run(Look(chosen, question, *file).run())


def read_file(chosen: settings.Settings) -> tuple[model.Desired | None, str | None]:
    """What of the file can be used, with all that is wrong with it, or why nothing can."""
    try:
        return configuration.read_usable(chosen), None
    except errors.DaemunError as error:
        return None, str(error)


class Look:
    """One look. desired, config_error: as of `read_file`."""

    def __init__(
        self,
        chosen: settings.Settings,
        question: WhyRequest,
        desired: model.Desired | None,
        config_error: str | None = None,
    ) -> None:
        self._chosen = chosen
        self._url = question.url
        self._question = question
        self._desired = desired
        self._config_error = config_error
        self._last_request: condition_match.SentRequest | None = None

    async def run(self) -> url_facts.UrlFacts:
        """Never raises but when cancelled."""
        facts = self._begin()
        address, is_mapped = await self._find_place(facts)
        if facts.request.address is None and address is not None:
            request = dataclasses.replace(facts.request, address=address.host)
            facts = dataclasses.replace(facts, request=request)
        facts = dataclasses.replace(
            await self._walk(facts),
            is_mapped=is_mapped,
            gate_runs=await asyncio.to_thread(process.find_master, self._chosen.layout) is not None,
        )
        if facts.site is not None and not self._may_request(self._url, facts):
            facts = dataclasses.replace(facts, missing=(*facts.missing, _GUARDED))
        shown = await self._shake(address, facts)
        at = why_disk.log_size(self._chosen.layout)
        name_look, (visits, servers) = await asyncio.gather(
            self._look_at_name(facts, shown), self._visit_and_try(address, facts)
        )
        parts, onward, dead_end = await asyncio.gather(
            self._visit_parts(address, facts, visits), self._look_onward(visits), self._find_dead_end(visits)
        )
        return dataclasses.replace(
            facts,
            handshake=shown,
            names=name_look,
            visits=visits,
            servers=servers,
            parts=parts,
            onward=onward,
            dead_end=dead_end,
            file=await asyncio.to_thread(why_disk.look_at_file, facts.route, self._url),
            local_issuer=why_disk.read_local_issuer(self._chosen.layout),
            error_lines=await asyncio.to_thread(
                why_disk.read_errors, self._chosen.layout, at, visits, facts.request.method
            ),
        )

    async def run_without_servers(self) -> url_facts.UrlFacts:
        """As the file alone has it."""
        facts = await self._walk(self._begin())
        return dataclasses.replace(facts, file=await asyncio.to_thread(why_disk.look_at_file, facts.route, self._url))

    async def _walk(self, facts: url_facts.UrlFacts) -> url_facts.UrlFacts:
        if facts.site is None or (facts.own_faults and not facts.site.routes):  # routes of a faulty site are not known
            return facts
        walk = route_walk.walk(facts.site, self._url.path, facts.request)
        return dataclasses.replace(facts, walk=walk, addresses=await self._find_named(facts.site, walk))

    def _begin(self) -> url_facts.UrlFacts:
        url, desired = self._url, self._desired
        missing: list[str] = []
        choice = site_choice.SiteChoice()
        if desired is not None:
            choice = site_choice.choose(desired, url.host)
            if choice.site is not None:
                laid = why_daemon.lay_over(choice.site, self._question.report, desired.globals)
                choice = dataclasses.replace(choice, site=laid)
            if self._question.report is None:
                missing += [str(one) for one in configuration.unseen(self._chosen, desired)]
        if choice.name is None and self._question.report is not None:
            known = why_daemon.find_site(self._question.report, url.host)
            if known is not None and choice.disabled is None:
                choice = site_choice.SiteChoice(site=known, match=site_choice.Match.EXACT, name=url.host)
        if self._question.report is None:
            missing.append("no daemon runs here, so its state, bans and containers are not known")
        host = choice.site.host if choice.site is not None else None
        listen = desired.globals.listen if desired is not None else model.Listen()
        site = choice.site
        http = listen.http if site is None or site.http_port is None else _with_port(listen.http, site.http_port)
        https = listen.https if site is None or site.https_port is None else _with_port(listen.https, site.https_port)
        return url_facts.UrlFacts(
            url=url,
            request=dataclasses.replace(self._question.request, address=self._question.address),
            now=clock.SystemClock().now(),
            is_claimed=self._question.address is not None,
            desired=desired,
            config_error=self._config_error,
            choice=choice,
            listening=https if url.is_https else http,
            other_listening=http if url.is_https else https,
            daemon=why_daemon.view(self._question.report, host),
            bans=self._question.bans,
            missing=tuple(missing),
        )

    async def _find_place(self, facts: url_facts.UrlFacts) -> tuple[model.Address | None, bool]:
        """Where the gate is queried, and whether that is not the URL's port."""
        url = facts.url
        if facts.desired is None:
            return model.Address(host="127.0.0.1", port=url.effective_port), False
        own = [one for one in facts.listening if one.port == url.effective_port]
        other = [one for one in facts.other_listening if one.port == url.effective_port]
        if own or other:
            return _reached((own or other)[0])[0], False
        default = 443 if url.is_https else 80
        if not facts.listening:
            return None, False
        there = _reached(facts.listening[0])[0]
        if url.effective_port == default or await self._is_published(url, there):
            return there, True
        return None, False

    async def _is_published(self, url: requested_url.RequestedUrl, there: model.Address) -> bool:
        """Whether the URL's port leads to the gate all the same, as where a container engine publishes it."""
        if not url.is_https:
            return bool(await gate_visits.takes_connection("127.0.0.1", url.effective_port, within_s=1.0))
        here = model.Address(host="127.0.0.1", port=url.effective_port)
        if not await gate_visits.takes_connection("127.0.0.1", url.effective_port, within_s=1.0):
            return False
        return _is_same(await self._shown(here), await self._shown(there))

    async def _shown(self, address: model.Address) -> served_judgement.Shown | str:
        lines = self._desired is not None and self._desired.globals.has_proxy_lines
        return await handshakes.shake(address, self._url.host.strip("[]"), sends_proxy_line=lines)

    async def _shake(
        self, address: model.Address | None, facts: url_facts.UrlFacts
    ) -> served_judgement.Shown | str | None:
        is_off = facts.site is not None and facts.site.tls.mode is model.TlsMode.OFF
        if not self._question.visits or address is None or not self._url.is_https or is_off:
            return None
        return await self._shown(address)

    async def _look_at_name(
        self, facts: url_facts.UrlFacts, shown: served_judgement.Shown | str | None
    ) -> url_facts.NameLook | None:
        if not self._question.visits:
            return None

        async def answers_there(address: str) -> bool:
            there = model.Address(host=address, port=self._url.effective_port)
            if self._url.is_https:
                return _is_same(await self._shown(there), shown)
            here = facts.listening[0] if facts.listening else None
            if here is None:
                return False
            found = await asyncio.gather(*(self._challenge(one) for one in (there, *_reached(here)[:1])))
            return found[0] is not None and found[0] == found[1]

        return await name_looks.look(
            self._url.host, self._url.effective_port, resolve=why_servers.resolve, answers_there=answers_there
        )

    async def _challenge(self, address: model.Address) -> str | None:
        """What the proof of a name is answered with, which holds the thumbprint of the gate's account."""
        url = dataclasses.replace(self._url, sent=f"/.well-known/acme-challenge/{_PROOF}")
        found = await gate_visits.visit(url, address, condition_match.SentRequest(), within_s=name_looks.REACH_S)
        return found.answer.body if found.answer is not None and found.answer.status == 200 else None

    async def _find_named(
        self, site: model.Site | None, walk: route_walk.RouteWalk | None
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The addresses of the host names in `access.allow` and `deny`."""
        if site is None or self._desired is None:
            return ()
        access = access_walk.find_held(walk.route if walk is not None else None, site, self._desired.globals)
        listed = [one for one in (*access.allow, *access.deny) if access_option.is_name(one)][:_MOST_NAMES]
        found = await asyncio.gather(*map(why_servers.resolve, listed))
        return tuple((name, addresses) for name, (addresses, _) in zip(listed, found, strict=True))

    # --- what an answer leads to ---

    async def _visit_parts(
        self, address: model.Address | None, facts: url_facts.UrlFacts, visits: tuple[url_facts.GateVisit, ...]
    ) -> tuple[url_facts.GateVisit, ...]:
        """What the page that came names of its own host."""
        if not visits or address is None or self._question.is_onward:
            return ()
        found = await asyncio.gather(
            *(
                gate_visits.visit(
                    part,
                    self._place_of(part, address, facts),
                    dataclasses.replace(self._last_request or facts.request, method="GET", query=part.query),
                    sends_proxy_line=facts.settings.has_proxy_lines,
                    within_s=_PART_S,
                )
                for part in page_parts.find_parts(visits[-1])
                if self._may_request(part, facts)
            )
        )
        return tuple(found)

    async def _look_onward(self, visits: tuple[url_facts.GateVisit, ...]) -> url_facts.UrlFacts | None:
        """At the last URL, where redirects ended in an error."""
        last = visits[-1] if len(visits) > 1 else None
        if last is None or self._question.is_onward or (last.answer is not None and last.answer.status < 400):
            return None
        question = dataclasses.replace(
            self._question, url=last.url, request=self._last_request or self._question.request, is_onward=True
        )
        return await Look(self._chosen, question, self._desired, self._config_error).run()

    async def _find_dead_end(self, visits: tuple[url_facts.GateVisit, ...]) -> tuple[str, str] | None:
        answer = visits[-1].answer if visits else None
        if answer is None or answer.location is None or self._desired is None:
            return None
        there = requested_url.join(visits[-1].url, answer.location)
        if there is None or site_choice.choose(self._desired, there.host).name is not None:
            return None
        if names.address_of(there.host.strip("[]")) is not None:
            return None
        addresses, failure = await why_servers.resolve(there.host)
        return None if addresses or failure is None else (there.host, failure)

    # --- the gate and its servers ---

    async def _visit_and_try(
        self, address: model.Address | None, facts: url_facts.UrlFacts
    ) -> tuple[tuple[url_facts.GateVisit, ...], tuple[url_facts.QueriedServer, ...]]:
        """Together. A request that waits for a server (`hold`) is not waited for, once none is known to serve."""
        is_visited = self._question.visits and address is not None and facts.request.method in why_servers.SAFE
        is_visited = is_visited and self._may_request(self._url, facts)
        if not is_visited or address is None:
            return (), await self._try_servers(facts)
        visiting = asyncio.ensure_future(self._visit(address, facts))  # noqa: TID251 - it ends below
        try:
            servers = await self._try_servers(facts)
            is_dead = bool(servers) and all(one.found.trouble is not None for one in servers)
            done, _ = await asyncio.wait({visiting}, timeout=HELD_S if is_dead else 2 * ANSWER_S)
            if done:
                return visiting.result(), servers
            failure = f"no answer within {HELD_S:g} s"
            return (url_facts.GateVisit(url=self._url, at=str(address), failure=failure),), servers
        finally:
            visiting.cancel()

    async def _try_servers(self, facts: url_facts.UrlFacts) -> tuple[url_facts.QueriedServer, ...]:
        if facts.site is None or facts.route is None:
            return ()
        desired = facts.desired or model.Desired(globals=model.Globals())
        worker = worker_account.choose(user_option.OPTION.of(desired.globals))
        return await why_servers.Servers(
            site=facts.site,
            route=facts.route,
            desired=desired,
            url=self._url,
            request=facts.request,
            worker=worker,
            unwell=() if facts.daemon is None else facts.daemon.unwell,
            is_queried=self._question.past_access
            or (facts.desired is not None and access_walk.is_wholly_open(facts.site, facts.settings)),
        ).look()

    async def _visit(self, address: model.Address, facts: url_facts.UrlFacts) -> tuple[url_facts.GateVisit, ...]:
        """The URL, and what redirects of this gate lead to, each once, with the cookies that they set."""
        found: list[url_facts.GateVisit] = []
        url, request, cookies = self._url, facts.request, dict[tuple[str, str], str]()
        while len(found) < MOST_HOPS:
            self._last_request = followed_redirects.follow(url, self._url, request, cookies)
            visit = await gate_visits.visit(
                url,
                self._place_of(url, address, facts),
                self._last_request,
                sends_proxy_line=facts.settings.has_proxy_lines,
                within_s=ANSWER_S,
            )
            found.append(visit)
            if visit.answer is None or visit.answer.location is None:
                break
            before = dict(cookies)
            cookies |= followed_redirects.read_cookies(visit.answer, url.host, is_https=url.is_https)
            there = requested_url.join(url, visit.answer.location)
            is_seen = there is not None and any(str(there) == str(one.url) for one in found)
            if there is None or (is_seen and cookies == before) or not self._is_here(there, facts):
                break
            url = there
        return tuple(found)

    def _is_here(self, url: requested_url.RequestedUrl, facts: url_facts.UrlFacts) -> bool:
        if facts.desired is None or site_choice.choose(facts.desired, url.host).name is None:
            return False
        ports = {443 if url.is_https else 80, *(one.port for one in self._listening(url, facts))}
        return url.effective_port in ports and self._may_request(url, facts)

    def _may_request(self, url: requested_url.RequestedUrl, facts: url_facts.UrlFacts) -> bool:
        if self._question.past_access or facts.desired is None:
            return self._question.past_access
        site = facts.site if url.host == facts.url.host else site_choice.choose(facts.desired, url.host).site
        if site is None:
            return False
        return access_walk.is_open(route_walk.walk(site, url.path, facts.request), site, facts.settings)

    def _listening(self, url: requested_url.RequestedUrl, facts: url_facts.UrlFacts) -> tuple[model.Address, ...]:
        return facts.listening if url.is_https == self._url.is_https else facts.other_listening

    def _place_of(
        self, url: requested_url.RequestedUrl, address: model.Address, facts: url_facts.UrlFacts
    ) -> model.Address:
        if url.is_https == self._url.is_https or not facts.other_listening:
            return address
        return _reached(facts.other_listening[0])[0]


def _reached(address: model.Address) -> tuple[model.Address, ...]:
    return handshakes.reached_at(address, has_ipv6=False)


def _with_port(addresses: tuple[model.Address, ...], port: int) -> tuple[model.Address, ...]:
    return tuple(one.with_port(port) for one in addresses)


def _is_same(one: served_judgement.Shown | str | None, other: served_judgement.Shown | str | None) -> bool:
    if isinstance(one, served_judgement.Shown) and isinstance(other, served_judgement.Shown):
        return one.fingerprint == other.fingerprint
    return False
