"""What the loop needs from the outside world. Each Protocol's docstring is its contract; adapters live in the
packages named there and are put together in `daemun.wiring` only. Those of one area are in modules of their own:
`nginx_port`, `certificate_port`, `access_port`, `account_port` and so on.

All methods may be cancelled; a cancelled call leaves the world in a state from which the next call goes on.
"""

import collections.abc
import contextlib
import datetime
import typing

from daemun.control import damage_report, stored_values
from daemun.control.lease import LEASE_S, Lease
from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.services import dns_service
from daemun.errors import EnvironmentProblemError


class Clock(typing.Protocol):
    """The time, so that tests can pass their own."""

    def now(self) -> datetime.datetime:
        """Aware UTC."""
        ...


class Source(typing.Protocol):
    """A source of sites: the file, containers, the environment (`daemun.sources`).

    "The source failed" and "the source is empty" are different: a failure raises, and the loop keeps the last good
    snapshot.
    """

    @property
    def name(self) -> str: ...

    async def read(self) -> model.Snapshot:
        """All that the source wants now. Raises: ConfigError with every problem of the source in its text."""
        ...

    def changes(self) -> collections.abc.AsyncIterator[str]:
        """Yields after each change, merged within a few milliseconds; never ends by itself.

        What it yields is the version that a snapshot of what is there now would have; "": not known. A round that read
        just that is not followed by another one.
        """
        ...


class Endpoints(typing.Protocol):
    """The addresses behind names (`daemun.discovery`)."""

    async def publish(
        self,
        services: collections.abc.Collection[dns_service.Service],
        pools: collections.abc.Collection[model.Pool],
        named: collections.abc.Mapping[str, access_levels.NamingPlace] = ...,
    ) -> None:
        """Answer for these services from now on; returns when each was looked up once, and each of the host names
        `named`, whose addresses the configuration itself holds. A name that does not resolve is no error: it keeps its
        last addresses, or none (`problems`). A pool is what was given: one that is not there has no endpoints."""
        ...

    def move(self, pools: collections.abc.Iterable[model.Pool]) -> None:
        """Answer with these pools at once where their endpoints are others than before. Costs what changed."""
        ...

    def problems(self) -> tuple[model.Problem, ...]: ...


class HeldRequests(typing.Protocol):
    """Requests that no server answered (`daemun.hold`)."""

    def publish(self, waits: collections.abc.Collection[dns_service.HeldRoute]) -> None:
        """Let requests of these routes wait from now on; those of no other route do."""
        ...

    def counts(self) -> tuple[int, int]:
        """How many requests wait now, and how many ever did since the daemon started."""
        ...


class Served(typing.Protocol):
    """What visitors receive, looked at from outside (`daemun.probing`). Only `probe` waits for anything."""

    def publish(self, desired: model.Desired, sites: collections.abc.Iterable[model.SiteStatus]) -> None:
        """What a round came to. What is new in it is looked at soon."""
        ...

    async def absorb(self) -> None:
        """Return when `look` is of what was published last, and of no target that a site led to before."""
        ...

    def judge(
        self, sites: tuple[model.SiteStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...]:
        """The same, where visitors of one that is live are not served."""
        ...

    def judge_certificates(
        self, certificates: tuple[model.CertificateStatus, ...]
    ) -> tuple[model.CertificateStatus, ...]:
        """The same, where handshakes do not show one that is there."""
        ...

    def look(self, host: str) -> model.SiteLook | None:
        """What is known of the site with this host; None: there is no such one."""
        ...

    async def probe(self, host: str | None, *, within_s: float) -> int:
        """Look now, at one site or at all. Returns: how much was left when the time was over."""
        ...


class AlertSender(typing.Protocol):
    """Alerts of certificates in danger (`daemun.alerts`)."""

    async def test(self) -> tuple[model.SentAlert, ...]:
        """Send every target a test, and wait: half a minute at most. Empty: there is no target.

        Raises: ConfigError while the targets are not known."""
        ...


class Store(typing.Protocol):
    """Keys to bytes (`daemun.store`). Keys are relative paths of [a-z0-9._-] parts ("accounts/key.pem").

    A write is seen whole or not at all, also after a power cut. Blocking, for seconds at most: called through
    asyncio.to_thread where it could matter.

    Every method raises EnvironmentProblemError where the machine does not let it, of which StoreUnreachableError is for
    a store elsewhere that does not answer, UnreadableValueError for a value that is there and cannot be read (neither
    missing nor empty: nothing may be made anew in its place), and OutcomeUnknownError for a change that may have been
    made: what follows from it waits until it was read again.
    """

    @property
    def damage(self) -> damage_report.DamageReport:
        """What was found damaged."""
        ...

    def locate(self, key: str) -> str:
        """Where a person finds the value: a path, for a store of files."""
        ...

    def read(self, key: str) -> bytes:
        """Raises: NotFoundInStoreError."""
        ...

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        """These keys, and those that start with `under/` (all for ""), as they are at one moment: never with a part of
        a `commit`. One value that cannot be read does not keep the others back."""
        ...

    def write(self, key: str, value: bytes) -> None: ...

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, EnvironmentProblemError]:
        """As `write` of each, in a part of the time where they are many. Returns: why those failed that did."""
        ...

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        """Make all these changes, each of another key, or none, also where power fails in between.

        lease: they are made only while it is held.
        Raises: StoreConflictError where a key is not at the revision that was expected; LeaseLostError.
        """
        ...

    def delete(self, key: str) -> None:
        """Deleting what is not there is not an error."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix/` (all keys for ""), sorted."""
        ...

    def lock(self, name: str, *, lease_s: float = LEASE_S) -> contextlib.AbstractContextManager[Lease]:
        """Hold `name` while the block runs: it is renewed in time, by another thread. Others may take it lease_s after
        the last renewal; the holder notices before, and its `commit`s are refused.

        Raises: LockHeldError at once when another process (or task) holds it.
        """
        ...

    def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncIterator[stored_values.ChangedKeys]:
        """Yields which keys under the prefix were written or deleted since `after` (None: since this call), by any
        process. A key that changed several times may be reported once, one that came and went may not be. Goes on by
        itself after the store could not be reached, and misses nothing."""
        ...
