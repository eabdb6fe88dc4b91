"""What the loop needs from the outside world. Each Protocol's docstring is its contract; adapters live in the
packages named there and are put together in `daemun.wiring` only. Those of one area are in modules of their own:
`nginx_port`, `certificate_port`, `access_port`, `account_port` and so on.

All methods may be cancelled; a cancelled call leaves the world in a state from which the next call goes on.
"""

import collections.abc
import contextlib
import datetime
import typing

from daemun.control import damage_report
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
    """Somewhere that sites come from (`daemun.sources`).

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

    A write is seen whole or not at all, also after a power cut. Blocking: called through asyncio.to_thread where it
    could matter.
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

    def write(self, key: str, value: bytes) -> None: ...

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, EnvironmentProblemError]:
        """As `write` of each, in a part of the time where they are many. Returns: why those failed that did."""
        ...

    def delete(self, key: str) -> None:
        """Deleting what is not there is not an error."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix/` (all keys for ""), sorted."""
        ...

    def lock(self, name: str, *, lease_s: float) -> contextlib.AbstractContextManager[None]:
        """Hold `name` while the block runs; after lease_s without a release others may take it.

        Raises: LockHeldError at once when another process (or task) holds it.
        """
        ...

    def watch(self, prefix: str) -> collections.abc.AsyncIterator[str]:
        """Yields each key under the prefix that was written or deleted, by any process, from now on."""
        ...
