"""One try of a server that is not in the configuration yet, for the form of a site (`control.draft_port.TargetTrier`).

As nginx would reach it: a connection, a handshake, one request line that changes nothing. Only what a file could have
as a target is tried, and of an answer its status alone is shown.
"""

import asyncio
import collections.abc

from daemun.control import draft_port
from daemun.core import model, value_parsers
from daemun.core.texts import words
from daemun.core.validation import validate
from daemun.core.why import condition_match, requested_url, url_facts
from daemun.errors import ConfigError, TooManyAtOnceError
from daemun.wiring.offline import why_servers

LONGEST_S = 20.0
MOST_AT_ONCE = 4
_LONGEST_TEXT = 1000


class TargetTries:
    """find_desired: what is served now; None: nothing yet. find_worker: whom nginx's workers run as."""

    def __init__(
        self,
        find_desired: collections.abc.Callable[[], model.Desired | None],
        find_worker: collections.abc.Callable[[], model.WorkerAccount | None],
    ) -> None:
        self._find_desired = find_desired
        self._find_worker = find_worker
        self._running = 0

    async def try_target(self, target: str, *, host: str, path: str) -> tuple[draft_port.TriedServer, ...]:
        """See the port."""
        site, url = _make_site(target, host, path)
        if self._running >= MOST_AT_ONCE:
            raise TooManyAtOnceError(f"cannot try {words.quoted(target)}: others are tried now; try again in a moment")
        self._running += 1
        try:
            async with asyncio.timeout(LONGEST_S):
                found = await why_servers.Servers(
                    site=site,
                    route=site.routes[0],
                    desired=self._find_desired() or model.Desired(globals=model.Globals()),
                    url=url,
                    request=condition_match.SentRequest(method="HEAD"),
                    worker=self._find_worker(),
                ).look()
        except TimeoutError:
            cause = f"no answer within {LONGEST_S:g} s"
            return (draft_port.TriedServer(server=target, works=False, cause=cause, cure="look at its own log"),)
        finally:
            self._running -= 1
        return tuple(_describe(one) for one in found)


def _make_site(target: str, host: str, path: str) -> tuple[model.Site, requested_url.RequestedUrl]:
    """Raises: ConfigError for what no file could have."""
    if max(map(len, (target, host, path))) > _LONGEST_TEXT:
        raise ConfigError(f"cannot try a target: a text has more than {_LONGEST_TEXT} signs")
    try:
        parsed = value_parsers.parse_target(target)
        name = value_parsers.parse_host(host)
        url = requested_url.parse(f"https://{host}{path if path.startswith('/') else '/'}")
    except ValueError as error:
        raise ConfigError(f"cannot try {words.quoted(target)}: {error}") from error
    route = model.Route(path=path if path.startswith("/") else "/", action=model.Proxy(targets=(parsed,)))
    site = model.Site(host=name, routes=(route,))
    found = [one for one in validate.find_site_problems(site) if one.severity is model.Severity.ERROR]
    if found:
        raise ConfigError(f"cannot try {words.quoted(target)}: {'; '.join(one.message for one in found)}")
    return site, url


def _describe(one: url_facts.QueriedServer) -> draft_port.TriedServer:
    return draft_port.TriedServer(
        server=one.server,
        works=one.found.trouble is None,
        cause=one.found.cause,
        cure=one.found.cure,
        status=one.answer.status if one.answer is not None else None,
    )
