"""Signing in at an identity provider: who is sent there, and the session of who comes back. No HTTP of our own pages.

The way back is bound to the browser by a cookie, to the provider by a path of its own (RFC 9700 section 4.4.2), and is
good once. It has 256 random bits, so a way back that is none is no guess that is counted: any page could lead a
visitor's browser there. Who was sent and comes back with what the provider does not take is counted, by network and
provider, apart from passwords.
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import json
import math
import os
import sys
import typing

from daemun.core.access import guess_limits, judge_policies, login_policies, login_providers
from daemun.core.texts import repeats
from daemun.judge import login_judge, session_table
from daemun.judge.providers import github_provider, pending_sign_ins, provider_requests
from daemun.judge.providers.provider_error import ProviderError, ProviderFault

_T = typing.TypeVar("_T")

WITHIN_S = 40.0
"""For all that is requested of a provider while a visitor waits; less than nginx waits for the judge."""
MOST_AT_ONCE = 50
"""Visitors that wait for one provider."""
FAILURES = guess_limits.Allowance(free=20, longest_wait_s=60.0)
"""Callbacks of one provider that signed no visitor in: each costs a request to the provider."""
_LONGEST_QUERY = 4096


class Connection(typing.Protocol):
    """The protocol of one identity provider. Both methods raise ProviderError."""

    async def make_url(self, state: str, pending: pending_sign_ins.Pending) -> str:
        """The URL that the visitor is sent to."""

    async def identify(
        self, query: collections.abc.Mapping[str, str], pending: pending_sign_ins.Pending, secret: str
    ) -> login_providers.Identity:
        """Who came back with this query."""


class WaitError(Exception):
    """retry_after_s: when it may be tried again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class StaleError(Exception):
    """The callback belongs to no pending sign-in: it was not begun here, is too old, or comes from another browser."""


class NotAdmittedError(Exception):
    """No site lets this account in. name: of the account."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A visitor signed in. secret: of the new session. to, challenge: where the visitor goes on to."""

    secret: str = dataclasses.field(repr=False)
    to: str
    challenge: str


@dataclasses.dataclass(frozen=True, slots=True)
class ClientSecret:
    """What daemun reads for the judge. roots: as of `provider_requests.make_trust`."""

    text: str = dataclasses.field(repr=False)
    roots: str = ""


_NO_SECRET = ClientSecret("")


def read_secrets(content: bytes) -> dict[str, ClientSecret]:
    """As daemun sends them, by the keys of providers. Raises: ValueError, KeyError, TypeError, AttributeError when it
    is no such text."""
    return {str(key): ClientSecret(str(one["text"]), str(one["roots"])) for key, one in json.loads(content).items()}


class ProviderSignIn:
    """Sends visitors to identity providers and begins their sessions when they come back. All methods are called on one
    event loop. client: None: this process cannot reach providers."""

    def __init__(
        self,
        login: login_judge.LoginJudge,
        client: provider_requests.ProviderClient | None,
        now: collections.abc.Callable[[], float],
    ) -> None:
        """now: seconds since the epoch."""
        self._login = login
        self._client = client
        self._now = now
        self._pending = pending_sign_ins.PendingSignIns()
        self._connections: dict[str, tuple[login_providers.Provider, Connection]] = {}
        self._rules: tuple[judge_policies.LoginPolicy, ...] = ()
        self._providers: tuple[login_providers.Provider, ...] = ()
        self._secrets: dict[str, ClientSecret] = {}
        self._clients: dict[str, provider_requests.ProviderClient] = {}
        self._running: collections.Counter[str] = collections.Counter()
        self._failures = guess_limits.GuessLimits(os.urandom(32), FAILURES)
        self._repeats = repeats.Repeats()

    def set_policies(self, policies: collections.abc.Collection[judge_policies.AnyPolicy]) -> None:
        """Instead of all before."""
        self._rules = tuple(one for one in policies if isinstance(one, judge_policies.LoginPolicy))
        host = judge_policies.find_host(policies)
        self._providers = host.providers if host is not None and self._client is not None else ()
        self._connect_all(self._secrets)

    async def set_secrets(self, secrets: dict[str, ClientSecret]) -> None:
        """By the keys of the providers. Raises: OSError when roots are none; all is as before then."""
        roots = {one.roots for one in secrets.values() if one.roots}
        clients = {one: self._clients.get(one) or _make_client(one) for one in roots}
        unused = [client for one, client in self._clients.items() if one not in clients]
        before, self._secrets, self._clients = self._secrets, secrets, clients
        self._connect_all(before)
        for client in unused:
            await client.retire()

    def _connect_all(self, secrets: dict[str, ClientSecret]) -> None:
        """secrets: of the connections that there are. Those of which nothing changed go on, with what they fetched."""
        before = self._connections
        found: dict[str, tuple[login_providers.Provider, Connection]] = {}
        for one in self._providers:
            roots = self._secrets.get(one.key, _NO_SECRET).roots
            is_same = roots == secrets.get(one.key, _NO_SECRET).roots
            if is_same and one.key in before and before[one.key][0] == one:
                found[one.key] = before[one.key]
            else:
                found[one.key] = (one, _connect(one, self._find_client(roots), self._now))
        self._connections = found

    def _find_client(self, roots: str) -> provider_requests.ProviderClient:
        if roots:
            return self._clients[roots]
        assert self._client is not None
        return self._client

    def find_name(self, key: str) -> str | None:
        """Of a provider; None: there is none."""
        return self._connections[key][0].name if key in self._connections else None

    async def begin(
        self, key: str, browser: str, callback: str, visitor: login_judge.SessionVisitor, *, to: str, challenge: str
    ) -> str:
        """Where the browser goes. key: of a provider that there is. browser: the secret in its cookie. callback: where
        the provider leads back to. Raises: WaitError, ProviderError."""
        provider, connection = self._connections[key]
        network = guess_limits.network_of(visitor.address)
        self._check_wait(_place(key, network))
        self._find_secret(key)
        state = session_table.draw()
        pending = pending_sign_ins.Pending(
            provider=key,
            stamp=provider.stamp,
            browser=session_table.digest(browser),
            network=network,
            redirect_uri=callback,
            to=to,
            challenge=challenge,
            nonce=session_table.draw(),
            verifier=session_table.draw(),
            until_s=self._now() + pending_sign_ins.WITHIN_S,
        )
        with self._bounded(key):
            url = await self._await(key, connection.make_url(state, pending))
        self._pending.add(state, pending)
        return url

    async def finish(
        self, key: str, query: collections.abc.Mapping[str, str], browser: str, visitor: login_judge.SessionVisitor
    ) -> Arrival:
        """query: with which the browser came back. Raises: WaitError, StaleError, ProviderError, NotAdmittedError."""
        place = _place(key, guess_limits.network_of(visitor.address))
        self._check_wait(place)
        pending = self._pending.take(query.get("state", ""), browser, self._now())
        if pending is None or not self._is_current(key, pending) or not _is_short(query):
            raise StaleError
        failure: ProviderError | NotAdmittedError | None = None
        with self._bounded(key), self._failures.guess(place, place) as tried:
            try:
                identity = await self._identify(key, query, pending)
                tried.was_right = True
            except (ProviderError, NotAdmittedError) as error:
                failure = error
                # Who changes the mind at the provider has cost it nothing.
                tried.was_right = (
                    "error" in query and isinstance(error, ProviderError) and error.fault is ProviderFault.REFUSED
                )
            tried.ended_s = asyncio.get_running_loop().time()
        if failure is not None:
            raise failure
        if not self._is_current(key, pending):  # it was taken out of the file meanwhile
            raise StaleError
        secret = await self._login.begin_identity(identity, pending.stamp, visitor)
        return Arrival(secret=secret, to=pending.to, challenge=pending.challenge)

    async def _identify(
        self, key: str, query: collections.abc.Mapping[str, str], pending: pending_sign_ins.Pending
    ) -> login_providers.Identity:
        """Raises: ProviderError, NotAdmittedError."""
        provider, connection = self._connections[key]
        identity = await self._await(key, connection.identify(query, pending, self._find_secret(key)))
        user = identity.make_user(provider.stamp)
        if not any(login_policies.admits(rule, user) for rule in self._rules):
            raise NotAdmittedError(identity.email or identity.name)
        return identity

    def _is_current(self, key: str, pending: pending_sign_ins.Pending) -> bool:
        return key in self._connections and (pending.provider, pending.stamp) == (key, self._connections[key][0].stamp)

    def _check_wait(self, place: str) -> None:
        wait_s = self._failures.find_wait_s(place, place, asyncio.get_running_loop().time())
        if wait_s > 0:
            raise WaitError(math.ceil(wait_s))

    def _find_secret(self, key: str) -> str:
        found = self._secrets.get(key, _NO_SECRET).text
        if not found:
            cause = "its client_secret or ca_file cannot be read; `daemun status` has the cause"
            raise ProviderError(ProviderFault.SETTINGS, cause)
        return found

    @contextlib.contextmanager
    def _bounded(self, key: str) -> collections.abc.Iterator[None]:
        """A provider that hangs delays no sign-in at another one."""
        if self._running[key] >= MOST_AT_ONCE:
            raise WaitError(5)
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1

    async def _await(self, key: str, answer: collections.abc.Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(WITHIN_S):
                return await answer
        except TimeoutError:
            error = ProviderError(ProviderFault.AWAY, f"it did not answer within {WITHIN_S:.0f} seconds")
        except ProviderError as found:
            error = found
        self._log(key, error)
        raise error

    def _log(self, key: str, error: ProviderError) -> None:
        """Visitors can repeat most failures as often as they like."""
        line = f"sign-in at {key}: {error.fault.value}: {error.cause}"
        if error.fault is ProviderFault.REFUSED:
            return
        left_out = self._repeats.note(line, asyncio.get_running_loop().time())
        if left_out is not None:
            print(repeats.add_left_out(line, left_out), file=sys.stderr)


def _make_client(roots: str) -> provider_requests.ProviderClient:
    return provider_requests.ProviderClient(provider_requests.make_trust(roots))


def _connect(
    provider: login_providers.Provider,
    client: provider_requests.ProviderClient,
    now: collections.abc.Callable[[], float],
) -> Connection:
    if provider.kind is login_providers.ProviderKind.GITHUB:
        return github_provider.GithubProvider(provider, client)
    from daemun.judge.providers import oidc_provider  # noqa: PLC0415 - slow, and few gates have providers

    return oidc_provider.OidcProvider(provider, client, now)


def _place(key: str, network: str) -> str:
    """What waits: no other network, and at no other provider."""
    return f"{key}\n{network}"


def _is_short(query: collections.abc.Mapping[str, str]) -> bool:
    return sum(len(key) + len(value) for key, value in query.items()) <= _LONGEST_QUERY
