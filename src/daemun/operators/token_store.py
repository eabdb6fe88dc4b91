"""Tokens of the dashboard's API, in memory and in the store. One that is made is written first; one that is withdrawn
opens nothing from then on, written or not.
"""

import asyncio
import collections.abc
import secrets

from daemun.control import damaged_keys, operator_port, ports, value_change
from daemun.core.access import access_tokens, api_tokens, dashboard_roles
from daemun.core.texts import words
from daemun.errors import ConfigError, ConflictError, EnvironmentProblemError
from daemun.operators import moments

RETRY_S = 5.0
_Tokens = list[api_tokens.ApiToken]


class TokenStore:
    """All methods are called on one event loop."""

    def __init__(self, store: ports.Store, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._tokens: dict[str, api_tokens.ApiToken] = {}
        """By their digests."""
        self._withdrawn: set[str] = set()
        """Digests of those that the store may have still."""
        self._is_read = False
        self._used = asyncio.Event()

    async def run(self) -> None:
        """Keep when tokens were used last, and write what could not be. Never returns."""
        async with self._lock:
            await self._read()  # what is damaged is reported from the start on
        while True:
            await self._used.wait()
            self._used.clear()
            is_written = True
            async with self._lock:
                try:
                    await self._write(lambda stored: stored)
                except EnvironmentProblemError:
                    is_written = False
            if not is_written:  # one that was withdrawn must not be back after a restart
                self._used.set()
                await asyncio.sleep(RETRY_S)

    async def find(self, secret: str, address: str) -> api_tokens.ApiToken | None:
        """Whose secret it is, if it is good now and from there."""
        if not self._is_read:
            async with self._lock:
                await self._read()
        digest, now_s = api_tokens.digest(secret), self._clock.now().timestamp()
        token = self._tokens.get(digest)
        if token is None or token.is_over(now_s) or not token.is_for(address):
            return None
        used = token.use(now_s)
        if used is not token:
            self._tokens[digest] = used
            self._used.set()
        return used

    def is_known(self, secret: str) -> bool:
        """Whether there is one, good or not: then it is no guess."""
        return api_tokens.digest(secret) in self._tokens

    async def list(self) -> tuple[operator_port.KnownToken, ...]:
        """By name. Raises: EnvironmentProblemError."""
        async with self._lock:
            await self._read_well()
            return tuple(map(self._describe, sorted(self._tokens.values(), key=lambda one: one.name)))

    async def add(
        self,
        name: str,
        role: dashboard_roles.Role,
        *,
        lifetime_s: float | None,
        networks: collections.abc.Sequence[str],
        by: str,
    ) -> operator_port.MadeToken:
        """See operator_port.OperatorTokens."""
        if (cause := access_tokens.check_name(name)) is not None:
            raise ConfigError(f"cannot name a token {words.quoted(name)}: it {cause}")
        found = _read_networks(networks)
        secret = api_tokens.make_secret(secrets.token_bytes(api_tokens.RANDOM_BYTES))
        now_s = self._clock.now().timestamp()
        made = api_tokens.ApiToken(
            name=name,
            role=role,
            digest=api_tokens.digest(secret),
            created_s=now_s,
            ends_s=None if lifetime_s is None else now_s + lifetime_s,
            networks=found,
            by=by,
        )
        async with self._lock:
            await self._read_well()
            await self._write(lambda stored: _add(stored, made))
        return operator_port.MadeToken(secret=secret, token=self._describe(made))

    async def remove(self, name: str) -> operator_port.KnownToken | None:
        """See operator_port.OperatorTokens."""
        async with self._lock:
            await self._read_well()
            token = next((one for one in self._tokens.values() if one.name == name), None)
            if token is None:
                return None
            del self._tokens[token.digest]
            self._withdrawn.add(token.digest)
            try:
                await self._write(lambda stored: stored)
            except EnvironmentProblemError as error:
                self._used.set()
                raise EnvironmentProblemError(
                    f"the token {name} opens nothing any more, but is back when daemun starts again: {error}"
                ) from error
            return self._describe(token)

    async def _read(self) -> None:
        """Nothing, once they are known."""
        if not self._is_read:
            follows = (
                "no program uses the dashboard's API by a token; put back a copy, or delete it and make them again"
            )
            found = await asyncio.to_thread(
                damaged_keys.read, self._store, api_tokens.KEY, api_tokens.decode, follows=follows
            )
            self._tokens = {one.digest: one for one in found or ()}
            self._is_read = True

    async def _read_well(self) -> None:
        """Raises: EnvironmentProblemError: what is there must not be written over."""
        if self._store.damage.is_noted(api_tokens.KEY):
            self._is_read = False
        await self._read()
        if self._store.damage.is_noted(api_tokens.KEY):
            raise EnvironmentProblemError(
                f"cannot read the tokens of the dashboard: {self._store.locate(api_tokens.KEY)} is damaged; put back a "
                "copy, or delete it and make them again"
            )

    async def follow(self, _: collections.abc.Sequence[str]) -> None:
        """Another machine of the fleet made or withdrew tokens (`shared_changes.Take`)."""
        async with self._lock:
            if self._is_read:
                before, self._is_read = self._tokens, False
                await self._read()
                self._take(self._tokens.values(), before)

    async def _write(self, change: collections.abc.Callable[[_Tokens], _Tokens]) -> None:
        """Change those that are stored, by what is known here of uses and of those that were withdrawn, too. Raises:
        EnvironmentProblemError; what `change` raises."""
        if self._store.damage.is_noted(api_tokens.KEY):
            return
        ours, withdrawn = dict(self._tokens), set(self._withdrawn)

        def alter(content: bytes | None) -> bytes:
            try:
                stored = api_tokens.decode(content) if content is not None else tuple(ours.values())
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                raise EnvironmentProblemError(
                    f"cannot read {self._store.locate(api_tokens.KEY)}: it is damaged"
                ) from error
            left = [one for one in api_tokens.note_uses(stored, ours) if one.digest not in withdrawn]
            return api_tokens.encode(change(left))

        written = await asyncio.to_thread(value_change.change, self._store, api_tokens.KEY, alter)
        self._withdrawn -= withdrawn
        self._take(api_tokens.decode(written or b"[]"), self._tokens)

    def _take(
        self,
        stored: collections.abc.Iterable[api_tokens.ApiToken],
        ours: collections.abc.Mapping[str, api_tokens.ApiToken],
    ) -> None:
        left = (one for one in api_tokens.note_uses(stored, ours) if one.digest not in self._withdrawn)
        self._tokens = {one.digest: one for one in left}

    def _describe(self, token: api_tokens.ApiToken) -> operator_port.KnownToken:
        return operator_port.KnownToken(
            name=token.name,
            role=token.role,
            by=token.by,
            networks=tuple(map(str, token.networks)),
            created_at=moments.of(token.created_s),
            ends_at=None if token.ends_s is None else moments.of(token.ends_s),
            seen_at=None if token.seen_s is None else moments.of(token.seen_s),
            is_over=token.is_over(self._clock.now().timestamp()),
        )


def _add(stored: _Tokens, made: api_tokens.ApiToken) -> _Tokens:
    """Raises: ConflictError."""
    if any(one.name == made.name for one in stored):
        raise ConflictError(f'there is a token "{made.name}"; `daemun dashboard tokens rm {made.name}` withdraws it')
    if len(stored) >= api_tokens.MOST:
        raise ConflictError(f"there are {len(stored)} tokens, as many as there may be; remove one first")
    return [*stored, made]


def _read_networks(texts: collections.abc.Sequence[str]) -> tuple[api_tokens.Network, ...]:
    """Raises: ConfigError."""
    if len(texts) > api_tokens.MOST_NETWORKS:
        raise ConfigError(f"cannot make a token for {len(texts)} networks: {api_tokens.MOST_NETWORKS} at most")
    found = []
    for text in texts:
        try:
            found.append(api_tokens.read_network(text))
        except ValueError:
            raise ConfigError(
                f"cannot make a token for the network {words.quoted(text)}: expected an address or a network, such as "
                "192.0.2.7 or 192.0.2.0/24"
            ) from None
    return tuple(dict.fromkeys(found))
