"""What the loop needs from the outside world. Each Protocol's docstring is its contract; adapters live in the
packages named there and are put together in `daemun.wiring` only.

All methods may be cancelled; a cancelled call leaves the world in a state from which the next call goes on.
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import typing

from daemun.control import damage_report
from daemun.core import model, render_environment
from daemun.core.access import access_levels, banned_networks, judge_policies
from daemun.core.certificates import on_demand_names
from daemun.core.plan import listeners
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TestFailure:
    """nginx's refusal of a staged tree. file: relative to the tree, None when nginx named none. message: its words.
    cure: what to do about it, where that is known. may_pass: it is for something outside the configuration, which may
    be there later without a change of it."""

    __test__ = False  # not a pytest class

    message: str
    file: str | None = None
    line: int | None = None
    cure: str | None = None
    may_pass: bool = False


class ListenError(EnvironmentProblemError):
    """nginx cannot have one of the addresses that a tree listens on. denied: which, and why."""

    def __init__(self, denied: listeners.Denied, message: str | None = None) -> None:
        super().__init__(message or str(denied))
        self.denied = denied


class ReverseProxy(typing.Protocol):
    """nginx (`daemun.nginx`): generations of configuration and the processes that run them."""

    async def read_actual(self) -> model.Actual: ...

    async def stage(self, files: collections.abc.Mapping[str, bytes]) -> TestFailure | None:
        """Write the next generation and let nginx test it. None: accepted. Nothing that runs is touched.

        Raises: EnvironmentProblemError when the disk is full or nginx cannot be started; ListenError when the machine
        has no such address, or a port needs a right.
        """
        ...

    async def activate(self) -> int:
        """Switch to the staged generation, start or reload nginx, and wait until its workers answer with it.

        Returns: the generation's number. Raises: ApplyError after the previous generation was restored byte for byte;
        EnvironmentProblemError when the cause is the machine's, ListenError when an address is taken.
        """
        ...

    async def stop(self, *, grace_s: float) -> None:
        """Let open requests finish for at most grace_s, then end nginx. Does nothing when it does not run."""
        ...


class Succession(typing.Protocol):
    """Which nginx binary serves, and which one takes over from it (`daemun.nginx`)."""

    @property
    def binary(self) -> render_environment.Nginx:
        """The one that serves, or would be started; while another one is offered, that one."""
        ...

    async def find_successor(self) -> render_environment.Successor | None:
        """The binary that would be started now, where that is another file than the one that serves. None also when
        nothing serves. Takes milliseconds. Raises: EnvironmentProblemError when there is none that could be used."""
        ...

    def offer(self, successor: render_environment.Nginx | None) -> None:
        """Let this one judge what is staged, and take over with the next `ReverseProxy.activate`, from which on it is
        the one that serves. None: no other one is to."""
        ...


class OldWorkers(typing.Protocol):
    """Generations of nginx's workers that others replaced, and that finish their connections (`daemun.nginx`)."""

    async def list_old(self) -> tuple[model.OldGeneration, ...]:
        """Oldest first, with their memory; sockets are not counted. Takes milliseconds."""
        ...

    async def count_sockets(self, old: tuple[model.OldGeneration, ...]) -> tuple[model.OldGeneration, ...]:
        """The same with their sockets, where this account may know. Costs more the more connections are open."""
        ...

    async def close_sockets(self, one: model.OldGeneration, most: int) -> int:
        """End so many connections, each once: what is being sent is sent. A worker without connections
        ends by itself. Returns: how many were ended. Raises: EnvironmentProblemError when this account may
        not; nothing was closed then."""
        ...

    async def end_worker(self, worker: model.OldWorker) -> None:
        """End it with all its connections at once. Nothing happens when it is gone. Raises: EnvironmentProblemError."""
        ...


class Listening(typing.Protocol):
    """The machine's addresses, before nginx needs them (`daemun.nginx`)."""

    async def find_denied(self, addresses: collections.abc.Collection[str]) -> tuple[listeners.Denied, ...]:
        """Those of these addresses ("0.0.0.0:80", "[::]:80") that nginx surely could not listen on now: another program
        does, or the machine has no such address. They are tried for an instant, and nothing is sent."""
        ...


class Certificates(typing.Protocol):
    """Certificates in live/ (`daemun.certs`). No method waits for a CA."""

    def configure(self, acme: model.Acme) -> None:
        """Which CA is used from now on, and for which sites. Cheap when nothing changed."""
        ...

    def thumbprint(self) -> str | None:
        """The ACME account key's thumbprint (RFC 7638); makes the key on first use. None: there is no key that can be
        used, which the store reports. Blocking, milliseconds."""
        ...

    async def prepare(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> tuple[model.Problem, ...]:
        """Make live/NAME/ hold a usable certificate for every spec before it returns: the one that is there, the
        owner's, or one of the local CA. Orders and renewals go on in the background for exactly these specs."""
        ...

    def wake(self) -> None:
        """Look now at what is due, and at the owner's files: what is there becomes live soon, without a `prepare`."""
        ...

    async def wait_for_files(self) -> None:
        """Returns when the owner's files were looked at since the last `wake`."""
        ...

    async def confirm(self) -> None:
        """nginx runs what the last `prepare` was for. It answers challenges for these names, so orders may begin; and
        it needs no others, so what live/ holds for them is removed."""
        ...

    def status(self, *, added: bool = True) -> tuple[model.CertificateStatus, ...]:
        """Of all. added: with those of names that were added to a site, of which there may be a hundred thousand."""
        ...

    def problems(self) -> tuple[model.Problem, ...]:
        """What is wrong now with the owner's files, and with writing live/."""
        ...

    def renew(self, host: str, *, force: bool = False) -> bool:
        """Order now the certificate of the site `host`, forgetting earlier failures. False: none such.

        force: also while the CA demands a wait. Raises: RetryableError: without it.
        """
        ...


class SingleCertificates(typing.Protocol):
    """Certificates beside those of the last `Certificates.prepare` (`daemun.certs`)."""

    async def add(self, *specs: model.CertificateSpec) -> None:
        """As `prepare` and `confirm`, for a few more. Their specs are among those of the next `prepare`."""
        ...

    async def remove(self, name: str) -> None:
        """The certificate of this name (`CertificateSpec.name`) is not needed any more, now."""
        ...


class Domains(typing.Protocol):
    """Names that are added to a site while the gate runs (`daemun.on_demand`)."""

    async def publish(self, desired: model.Desired) -> tuple[model.CertificateSpec, ...]:
        """Add names to the site of `desired` that takes them from now on. Returns: the certificates of all that were
        added so far and that no site has."""
        ...

    async def add(self, host: str) -> on_demand_names.RefusedName | None:
        """None: the name has a certificate under live/ and is served, also when it was there before. Its store may
        raise EnvironmentProblemError; it is then not added."""
        ...

    async def remove(self, host: str) -> bool:
        """Whether it was there."""
        ...

    def problems(self) -> tuple[model.Problem, ...]:
        """What people should know of names that visitors brought. Called on the event loop."""
        ...

    def hosts(self) -> tuple[str, ...]:
        """Sorted."""
        ...


class Examiner(typing.Protocol):
    """Looks at names before an order (`daemun.certs.preflight`)."""

    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        """Every finding about an order for these hosts at this CA; takes seconds at most. Never raises: what could not
        be found out is no finding that blocks."""
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


class Judge(typing.Protocol):
    """The process that decides for nginx who may come in (`daemun.judge`); it outlives the daemon."""

    async def prepare(
        self, wanted: collections.abc.Collection[judge_policies.Known], live: collections.abc.Mapping[str, bytes]
    ) -> tuple[model.Problem, ...]:
        """Make the process know these policies, and those of before that nginx's files `live` still name; it is started
        when there are any. Returns: why visitors are kept out meanwhile. Never raises."""
        ...

    async def confirm(self, live: collections.abc.Mapping[str, bytes]) -> None:
        """nginx runs these files: forget the policies that neither they nor the last `prepare` name. Never raises."""
        ...

    def problems(self) -> tuple[model.Problem, ...]:
        """What keeps people from signing in elsewhere now, at identity providers."""
        ...


class Bans(typing.Protocol):
    """Addresses that are refused on every site (`daemun.banning`)."""

    def list(self) -> tuple[banned_networks.Ban, ...]: ...

    def find_attacks(self) -> tuple[banned_networks.Ban, ...]:
        """Who guessed passwords, and whom CrowdSec had refused, in the last day: the newest first, a bounded number.
        Some of them may come in again."""
        ...

    def problems(self) -> tuple[model.Problem, ...]: ...

    async def ban(self, text: str, duration: datetime.timedelta | None) -> tuple[banned_networks.Ban, bool]:
        """duration: None: for good. Returns: the ban, and whether it holds only once nginx was reloaded.

        Raises: ConfigError: it is no address, or one that is never banned."""
        ...

    async def unban(self, text: str) -> banned_networks.Ban:
        """Raises: ConfigError: it is not banned, or another one decides."""
        ...


class Served(typing.Protocol):
    """What visitors receive, looked at from outside (`daemun.probing`). Only `probe` waits for anything."""

    def publish(self, desired: model.Desired, sites: collections.abc.Iterable[model.SiteStatus]) -> None:
        """What a round came to. What is new in it is looked at soon."""
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
