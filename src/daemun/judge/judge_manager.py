"""In the daemon: the policies that the judge is to know, and a process that knows them for as long as a site needs it.

The process is started when it is first needed, adopted from an earlier daemon, started again when it ended, and ended
when no site needs it any more.
"""

import asyncio
import collections.abc
import contextlib
import json

import psutil
import structlog

from daemun import secret
from daemun.control import damaged_keys, operator_port, ports, shared_changes
from daemun.core import layout, model, problem_report
from daemun.core.access import access_tokens, judge_policies, login_providers, login_users
from daemun.errors import ConfigError, DaemunError
from daemun.judge import judge_process, provider_watch, sign_in_sharing, user_changes
from daemun.judge.providers import provider_roots

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY = "judge/policies.json"
IDLE_S = 60.0
"""How long the process is kept that no configuration needs: old workers of nginx may still request it."""
LOOK_S = 10.0
"""How often it is looked at, besides when its end is noticed: its sockets may have been deleted."""
RETRY_S = 5.0
_MOST_SILENT = 2
"""Looks one after another at which it does not answer, before another process takes its place."""


class JudgeManager:
    """Implements `control.access_port.Judge`. All methods are called on one event loop."""

    def __init__(self, store: ports.Store, paths: layout.Layout, *, group: int | None, version: str) -> None:
        """group: the number of the workers' group, which may connect; None: nginx runs as daemun does."""
        self._store = store
        self._layout = paths
        self._changed = asyncio.Event()
        self._process = judge_process.JudgeProcess(paths, group=group, version=version, ended=self._changed.set)
        self._lock = asyncio.Lock()
        self._desired: judge_process.Policies = ()
        self._policies: judge_process.Policies | None = None
        self._stored: judge_process.Policies | None = None
        self._pushed: tuple[judge_process.Policies, judge_process.SignInAccounts] | None = None
        self._failure: str | None = None
        self._unread: dict[str, str] = {}
        self.providers = provider_watch.ProviderWatch(lambda: _find_providers(self._policies or ()))
        self._silent = 0

    async def prepare(
        self, desired: collections.abc.Collection[judge_policies.AnyPolicy], live: collections.abc.Mapping[str, bytes]
    ) -> tuple[model.Problem, ...]:
        """See access_port.Judge."""
        self._desired = tuple(desired)
        await self._know(live)
        return self._problems()

    async def confirm(self, live: collections.abc.Mapping[str, bytes]) -> None:
        """See access_port.Judge."""
        await self._know(live)

    async def run(self) -> None:
        """Never returns."""
        while True:
            is_idle = not self._policies and self._process.is_known
            pause_s = RETRY_S if self._failure is not None else IDLE_S if is_idle else LOOK_S
            is_over = False
            try:
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            except TimeoutError:
                is_over = is_idle
            self._changed.clear()
            if is_over:
                await self._stop_idle()
            elif self._policies and (trouble := await self._find_trouble()) is not None:
                async with self._lock:
                    await self._replace(trouble)
            elif self._policies and _find_providers(self._policies):  # their secrets may have changed
                async with self._lock:
                    await self._serve()

    async def _replace(self, trouble: str) -> None:
        """Unless it was done meanwhile: a change of what the process needs ends the one before, which is no trouble."""
        if self._silent < _MOST_SILENT and await asyncio.to_thread(self._process.serves):
            return
        if self._process.is_known and self._failure is None:
            log.error(f"the judge of sign-ins {trouble}; another is started")
        await self._serve(anew=True)

    async def _find_trouble(self) -> str | None:
        """Why another process is needed; None: this one answers."""
        if not await asyncio.to_thread(self._process.serves):
            return "ended"
        try:
            status = await self._process.fetch_status()
        except (DaemunError, OSError, ValueError, TypeError, AttributeError, LookupError):
            self._silent += 1
        else:
            self._silent = 0
            if status.get("has_changes"):
                await self._take_over()
        return "does not answer" if self._silent >= _MOST_SILENT else None

    async def _take_over(self) -> None:
        """What users changed of their accounts, into the store."""
        with contextlib.suppress(DaemunError):  # a command changes them, or the disk is full: tried again
            await asyncio.to_thread(user_changes.take_over, self._store, self._layout)
            async with self._lock:
                await self._serve()

    async def _stop_idle(self) -> None:
        async with self._lock:
            if not self._policies:
                await self._end()

    async def fetch_waits(self) -> dict[str, tuple[int, float]]:
        """Networks whose guesses are not looked at now -> how many were wrong, and for how many seconds."""
        if not self._policies or not self._process.is_known:
            return {}
        try:
            return await self._process.fetch_waits()
        except (DaemunError, OSError, ValueError, TypeError, AttributeError, LookupError):
            return {}  # it is being replaced

    async def forget(self, network: str) -> None:
        """Count the guesses of a network anew."""
        if self._process.is_known:
            with contextlib.suppress(DaemunError, OSError):
                await self._process.forget(network)

    async def find_signed_in(self, secret: str, host: str) -> operator_port.SignedInUser | None:
        """Who is signed in at a site. secret: of the site's cookie. None: nobody. Raises: EnvironmentProblemError."""
        if not self._process.is_known:
            return None
        return await self._process.find_signed_in(secret, host)

    async def end_session(self, number: str) -> tuple[int, bool]:
        """End a session of the sign-in on every site. How many there were, and whether that is stored. Raises:
        EnvironmentProblemError."""
        if not self._process.is_known:
            return 0, True
        content = json.dumps({"user": None, "id": number}).encode()
        found = await judge_process.request(self._layout, "POST", "/sessions/end", content)
        return int(found["ended"]), bool(found["saved"])

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """Let who signed in at another machine of a fleet be signed in here, and who signed out there signed out."""
        sharing = sign_in_sharing.SignInSharing(self._store, self._layout, take_over=self._take_over)
        sharing.follow(changes)
        changes.run_beside(sharing.run)

    async def watch_users(self) -> None:
        """Bring changes of the sign-in's users and tokens to the process. Never returns."""
        async for _ in self._store.watch(login_users.KEY.partition("/")[0]):
            async with self._lock:
                if self._process.is_known:
                    await self._serve()

    def problems(self) -> tuple[model.Problem, ...]:
        """See access_port.Judge."""
        report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
        for key, cause in sorted(self._unread.items()):
            text = f"{cause}; nobody can sign in with {key} until then"
            report.add(text, "login", "providers", severity=model.Severity.WARNING)
        return (*report.problems, *self.providers.problems())

    async def stop(self) -> None:
        """End the process; it is started again when it is needed. Nothing happens where none runs."""
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        self._pushed = None
        await self._process.end()

    async def _know(self, live: collections.abc.Mapping[str, bytes]) -> None:
        """Bring what is wanted, and what nginx's files name, to the judge and, for the next daemon, to the store."""
        async with self._lock:
            if self._policies is None:
                self._policies = self._stored = await asyncio.to_thread(self._read)
            if self._policies or self._desired:
                named = await asyncio.to_thread(judge_policies.find_named, live)
                self._policies = judge_policies.choose(self._desired, self._policies, named)
            await self._keep()
            await self._serve()
            self._changed.set()

    async def _serve(self, *, anew: bool = False) -> None:
        """Make a process that runs know exactly what is to be known. anew: another than the one that there is."""
        policies = self._policies or ()
        accounts = judge_process.SignInAccounts()
        if judge_policies.find_host(policies) is not None:
            accounts = await asyncio.to_thread(self._read_accounts, policies)
        else:
            self._unread = {}  # of providers that there were
        pushed = (policies, accounts)
        try:
            if not self._process.is_known and self._pushed is None:
                is_adopted = await self._process.adopt()
                if not is_adopted and not policies:
                    await self._process.end()
            is_serving = not anew and await asyncio.to_thread(self._process.serves)
            is_serving = is_serving and self._process.can_decide(policies)
            if is_serving and pushed != self._pushed:
                await self._process.push(*pushed)
            elif policies and not is_serving:
                await self._process.replace(*pushed)
            self._pushed, self._failure, self._silent = pushed, None, 0
        except (DaemunError, OSError, psutil.Error) as error:
            self._pushed, self._failure = None, str(error) or type(error).__name__

    async def _keep(self) -> None:
        """For the next daemon: a site may be kept at its last good version then. The store is root's alone."""
        if self._policies == self._stored or self._policies is None:
            return
        with contextlib.suppress(DaemunError):  # a full disk is reported elsewhere, and tried again here
            if self._policies:
                await asyncio.to_thread(self._store.write, KEY, judge_policies.encode(self._policies))
            else:
                await asyncio.to_thread(self._store.delete, KEY)
            self._stored = self._policies

    def _read(self) -> judge_process.Policies:
        follows = "sites that are kept at their last good version let nobody in"
        return damaged_keys.read(self._store, KEY, judge_policies.decode, follows=follows) or ()

    def _read_accounts(self, policies: judge_process.Policies) -> judge_process.SignInAccounts:
        users = damaged_keys.read(self._store, login_users.KEY, login_users.decode, follows="nobody can sign in")
        follows = "no script comes in by a token"
        tokens = damaged_keys.read(self._store, access_tokens.KEY, access_tokens.decode, follows=follows)
        return judge_process.SignInAccounts(
            users=login_users.encode(users or ()),
            tokens=access_tokens.encode(tokens or ()),
            secrets=self._read_secrets(policies),
        )

    def _read_secrets(self, policies: judge_process.Policies) -> bytes:
        """Of identity providers, each time anew: their files may be renewed."""
        found: dict[str, dict[str, str]] = {}
        unread: dict[str, str] = {}
        for one in _find_providers(policies):
            try:
                found[one.key] = {"text": secret.read(one.secret), "roots": provider_roots.read(one.ca_file)}
            except ConfigError as error:
                unread[one.key] = str(error)
        self._unread = unread
        return json.dumps(found).encode()

    def _problems(self) -> tuple[model.Problem, ...]:
        if self._failure is None:
            return ()
        message = (
            f"cannot run the judge of sign-ins: {self._failure}; sites with `basic_auth` or `login` let nobody in "
            f"(503) until it runs; see {self._layout.logs}/judge.log"
        )
        return (model.Problem(origin=model.NOWHERE, message=message),)


def _find_providers(policies: judge_process.Policies) -> tuple[login_providers.Provider, ...]:
    host = judge_policies.find_host(policies)
    return () if host is None else host.providers
