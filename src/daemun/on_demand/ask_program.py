"""Whether a name that a visitor brings may be added: the owner's own program is queried over HTTP, and answers 200."""

import asyncio
import collections

import structlog

from daemun import causes
from daemun.core.certificates import on_demand_names
from daemun.core.options import on_demand_option
from daemun.core.texts import words
from daemun.on_demand import name_registry, network_budget

log: structlog.stdlib.BoundLogger = structlog.get_logger()

TIMEOUT_S = 5.0
REMEMBERED_S = 60.0
"""How long a refusal is remembered, so that scanners do not become a load for that program."""
_MOST_REMEMBERED = 10_000
_MOST_AT_ONCE = 16


class AskProgram:
    """Not thread-safe: one per event loop. What several visitors bring at once is one request."""

    def __init__(self, registry: name_registry.Registry) -> None:
        self._registry = registry
        self._denied: collections.OrderedDict[str, tuple[float, on_demand_names.RefusedName]] = (
            collections.OrderedDict()
        )
        self._under_way: dict[str, asyncio.Future[on_demand_names.RefusedName | None]] = {}
        self._logged_at: dict[str | None, float] = {}
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)

    async def decide(self, host: str, client: str | None = None) -> on_demand_names.RefusedName | None:
        """Add the name if it may be. None: it is one of the site's names now. client: the address of who brought it;
        None: not known."""
        if self._registry.has(host):
            return None
        now_s = asyncio.get_running_loop().time()
        known = self._denied.get(host)
        if known is not None and now_s - known[0] < REMEMBERED_S:
            return known[1]
        if host in self._under_way:
            return await asyncio.shield(self._under_way[host])
        future: asyncio.Future[on_demand_names.RefusedName | None] = asyncio.get_running_loop().create_future()
        self._under_way[host] = future
        try:
            outcome = await self._decide(host, network_budget.network_of(client or ""), now_s)
        except BaseException as error:
            future.cancel()
            raise error from None
        else:
            future.set_result(outcome)
            return outcome
        finally:
            del self._under_way[host]

    async def _decide(self, host: str, network: str | None, now_s: float) -> on_demand_names.RefusedName | None:
        site = self._registry.site
        wanted = None if site is None else on_demand_option.OPTION.of(site)
        url = None if wanted is None else wanted.ask
        refused = self._registry.find_refusal(host)
        if refused is None and url is None:
            refused = _refuse(
                on_demand_names.Denial.NOT_ALLOWED, host, "the site has no `on_demand.ask`; add it by the API"
            )
        if refused is None and wanted is not None:
            refused = self._take_turn(host, network, wanted.per_minute, now_s)
            if refused is not None:
                return refused  # soon there may be room again
        if refused is None and url is not None:
            refused = await self._fetch(url, host) or await self._registry.add(host)
        if refused is not None:
            self._remember(host, now_s, refused)
        return refused

    def _take_turn(
        self, host: str, network: str | None, per_minute: int, now_s: float
    ) -> on_demand_names.RefusedName | None:
        turned = self._registry.turns.take(host, network, per_minute, now_s)
        if turned is None:
            return None
        refused = _refuse(on_demand_names.Denial.BUSY, host, name_registry.explain_turned_away(turned, per_minute))
        if (
            now_s - self._logged_at.get(turned.network, -network_budget.MINUTE_S) >= network_budget.MINUTE_S
        ):  # a line a minute for each
            if len(self._logged_at) >= _MOST_REMEMBERED:
                self._logged_at.clear()
            self._logged_at[turned.network] = now_s
            log.warning(refused.message, host=host, network=turned.network)
        return refused

    async def _fetch(self, url: str, host: str) -> on_demand_names.RefusedName | None:
        import aiohttp  # noqa: PLC0415 - slow, and few gates have names that visitors bring

        try:
            async with (
                self._slots,
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as client,
                client.get(url, params={"domain": host}, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, ValueError) as error:
            found = causes.find_words(error) or type(error).__name__
            cause = f"{url} cannot be asked ({found}); check `on_demand.ask` and the program behind it"
            refused = _refuse(on_demand_names.Denial.UNREACHABLE, host, cause)
            log.warning(refused.message)
            return refused
        if status == 200:
            return None
        return _refuse(on_demand_names.Denial.NOT_ALLOWED, host, f"{url} answers {status}, and 200 means yes")

    def _remember(self, host: str, now_s: float, refused: on_demand_names.RefusedName) -> None:
        self._denied[host] = (now_s, refused)
        self._denied.move_to_end(host)
        if len(self._denied) > _MOST_REMEMBERED:
            self._denied.popitem(last=False)


def _refuse(denial: on_demand_names.Denial, host: str, cause: str) -> on_demand_names.RefusedName:
    return on_demand_names.RefusedName(denial=denial, message=f"cannot add {words.quoted(host)}: {cause}")
