"""A world in memory for the loop: it can be interrupted at every call, as a kill would, and looked at afterwards."""

import asyncio
import collections.abc
import dataclasses
import datetime
import re
import types

from daemun.control import history_port, nginx_port
from daemun.core import model, render_environment, worker_generations
from daemun.core.access import access_levels, banned_networks, judge_policies
from daemun.core.certificates import on_demand_names
from daemun.core.options import old_workers_option
from daemun.core.plan import listeners
from daemun.core.services import dns_service
from daemun.errors import EnvironmentProblemError


class Interrupted(BaseException):
    """The daemon ended here, as by SIGKILL: nothing catches it."""


@dataclasses.dataclass(slots=True)
class World:
    """What outlives a daemon. calls_left: so many calls succeed before `Interrupted`; None: all.

    taken: addresses that another program holds; nginx's start or reload fails for them, too.
    """

    snapshot: model.Snapshot
    trees: dict[int, dict[str, bytes]] = dataclasses.field(default_factory=dict)
    current: int | None = None
    running: int | None = None
    prepared: frozenset[str] = frozenset()
    published: frozenset[str] = frozenset()
    moved: tuple[model.Pool, ...] = ()
    reloads: int = 0
    calls_left: int | None = None
    taken: frozenset[str] = frozenset()
    tried: list[str] = dataclasses.field(default_factory=list)
    unnamed: list[str] = dataclasses.field(default_factory=list)
    """What nginx was made to run although its certificate or its endpoints were not there yet."""

    def step(self) -> None:
        if self.calls_left == 0:
            raise Interrupted
        if self.calls_left is not None:
            self.calls_left -= 1


class Source:
    name = "file"

    def __init__(self, world: World) -> None:
        self._world = world

    async def read(self) -> model.Snapshot:
        self._world.step()
        return self._world.snapshot

    async def changes(self) -> collections.abc.AsyncIterator[str]:
        for _ in ():
            yield ""


class Domains:
    """No name was ever added."""

    async def publish(self, _: model.Desired) -> tuple[model.CertificateSpec, ...]:
        return ()

    async def add(self, host: str) -> on_demand_names.RefusedName | None:
        return on_demand_names.RefusedName(denial=on_demand_names.Denial.NO_SITE, message=host)

    async def remove(self, _: str) -> bool:
        return False

    def problems(self) -> tuple[model.Problem, ...]:
        return ()

    def hosts(self) -> tuple[str, ...]:
        return ()


class Succession:
    """One binary, and no other."""

    def __init__(self, binary: render_environment.Nginx) -> None:
        self.binary = binary

    async def find_successor(self) -> render_environment.Successor | None:
        return None

    def offer(self, _: render_environment.Nginx | None) -> None:
        pass


class Judge:
    """Always knows what it is to know."""

    async def prepare(
        self, _: collections.abc.Collection[judge_policies.AnyPolicy], __: collections.abc.Mapping[str, bytes]
    ) -> tuple[model.Problem, ...]:
        return ()

    async def confirm(self, _: collections.abc.Mapping[str, bytes]) -> None:
        pass

    def problems(self) -> tuple[model.Problem, ...]:
        return ()


class Proxy:
    def __init__(self, world: World) -> None:
        self._world = world
        self._staged: int | None = None

    async def read_actual(self) -> model.Actual:
        world = self._world
        world.step()
        return model.Actual(
            pid=None if world.running is None else 1,
            generation=world.running,
            current_generation=world.current,
            files=None if world.current is None else world.trees[world.current],
        )

    async def stage(self, files: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        self._world.step()
        self._staged = max(self._world.trees, default=0) + 1
        self._world.trees[self._staged] = dict(files)
        return None

    async def activate(self) -> int:
        world = self._world
        number = self._staged or world.current
        assert number is not None
        world.step()
        for address in sorted(world.taken & _addresses(world.trees[number])):
            raise nginx_port.ListenError(_taken(address))
        world.current = number
        world.step()
        for path, content in world.trees[number].items():
            world.unnamed += _certificates_in(path, content) - world.prepared
        world.running = number
        world.reloads += 1
        return number

    async def stop(self, *, grace_s: float) -> None:
        self._world.running = None


def _certificates_in(path: str, content: bytes) -> frozenset[str]:
    words = content.decode().split()
    found = (word.split("/")[1] for word in words if re.fullmatch(r"\$daemun_live/.+/fullchain\.pem;", word))
    return frozenset(found) if path.startswith("sites/") else frozenset()


class Listening:
    def __init__(self, world: World) -> None:
        self._world = world

    async def find_denied(self, addresses: collections.abc.Collection[str]) -> tuple[listeners.Denied, ...]:
        self._world.step()
        self._world.tried += sorted(addresses)
        return tuple(_taken(address) for address in sorted(addresses) if address in self._world.taken)


def _taken(address: str) -> listeners.Denied:
    return listeners.Denied(address=address, cause="the port is taken by x (pid 7)", ways=("stop that program",))


def _addresses(tree: collections.abc.Mapping[str, bytes]) -> frozenset[str]:
    return frozenset(address for content in tree.values() for address in listeners.addresses(content))


class Certificates:
    def __init__(self, world: World) -> None:
        self._world = world
        self.was_woken = False
        self.looked_at_files = asyncio.Event()
        self.looked_at_files.set()

    def configure(self, acme: model.Acme) -> None:
        pass

    def thumbprint(self) -> str:
        return "thumbprint"

    async def prepare(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> tuple[model.Problem, ...]:
        self._world.step()
        self._world.prepared |= {spec.name for spec in specs}
        self._wanted = frozenset(spec.name for spec in specs)
        return ()

    async def confirm(self) -> None:
        self._world.step()
        self._world.prepared = self._wanted

    def wake(self) -> None:
        self.was_woken = True

    async def wait_for_files(self) -> None:
        await self.looked_at_files.wait()

    def status(self, *, added: bool = True) -> tuple[model.CertificateStatus, ...]:
        return ()

    def problems(self) -> tuple[model.Problem, ...]:
        return ()

    def renew(self, host: str, *, force: bool = False) -> bool:
        return False


class Endpoints:
    def __init__(self, world: World) -> None:
        self._world = world

    async def publish(
        self,
        services: collections.abc.Collection[dns_service.Service],
        pools: collections.abc.Collection[model.Pool],
        named: collections.abc.Mapping[str, access_levels.NamingPlace] = types.MappingProxyType({}),
    ) -> None:
        self._world.step()
        self._world.published = frozenset(service.name for service in services)

    def move(self, pools: collections.abc.Iterable[model.Pool]) -> None:
        self._world.moved = tuple(pools)

    def problems(self) -> tuple[model.Problem, ...]:
        return ()


class Alerts:
    async def test(self) -> tuple[model.SentAlert, ...]:
        return ()


class History:
    """What was reported of each round."""

    def __init__(self) -> None:
        self.noted: list[history_port.AppliedRound] = []

    def note(self, applied: history_port.AppliedRound) -> None:
        self.noted.append(applied)

    def problems(self) -> tuple[model.Problem, ...]:
        return ()


class Bans:
    """No address is banned, nor can be."""

    def find_attacks(self) -> tuple[banned_networks.Ban, ...]:
        return ()

    def list(self) -> tuple[banned_networks.Ban, ...]:
        return ()

    def problems(self) -> tuple[model.Problem, ...]:
        return ()

    async def ban(self, text: str, duration: datetime.timedelta | None) -> tuple[banned_networks.Ban, bool]:
        raise NotImplementedError

    async def unban(self, text: str) -> banned_networks.Ban:
        raise NotImplementedError


class Served:
    """Nobody looks from outside."""

    def publish(self, desired: model.Desired, sites: collections.abc.Iterable[model.SiteStatus]) -> None:
        pass

    async def absorb(self) -> None:
        pass

    def judge(
        self, sites: tuple[model.SiteStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...]:
        return sites

    def judge_certificates(
        self, certificates: tuple[model.CertificateStatus, ...]
    ) -> tuple[model.CertificateStatus, ...]:
        return certificates

    def look(self, host: str) -> model.SiteLook | None:
        return None

    async def probe(self, host: str | None, *, within_s: float) -> int:
        return 0


class ServedStreams:
    """Nobody looks at streams."""

    def publish(self, desired: model.Desired, streams: collections.abc.Iterable[model.StreamStatus]) -> None:
        pass

    def judge(
        self, streams: tuple[model.StreamStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.StreamStatus, ...]:
        return streams

    async def probe(self, *, within_s: float) -> int:
        return 0


class HeldRequests:
    def publish(self, waits: collections.abc.Collection[dns_service.HeldRoute]) -> None:
        pass

    def counts(self) -> tuple[int, int]:
        return 0, 0


class OldWorkers:
    """Generations of workers that others replaced; `generations` is what there is. Each socket is closed when told.

    refuses: no socket can be closed. is_immortal: none is, though told. ended: who was told to end with all it had.
    """

    def __init__(self, *generations: model.OldGeneration) -> None:
        self.generations = generations
        self.refuses = False
        self.is_immortal = False
        self.looks = 0
        self.ended: list[int] = []

    async def list_old(self) -> tuple[model.OldGeneration, ...]:
        self.looks += 1
        return tuple(dataclasses.replace(one, sockets=None) for one in self.generations)

    async def count_sockets(self, old: tuple[model.OldGeneration, ...]) -> tuple[model.OldGeneration, ...]:
        return tuple(one for one in self.generations if one.workers in {other.workers for other in old})

    async def close_sockets(self, one: model.OldGeneration, most: int) -> int:
        if self.refuses:
            raise EnvironmentProblemError("cannot close single connections")
        if self.is_immortal:
            return 0
        left = next(other.sockets or 0 for other in self.generations if other.workers == one.workers)
        closed = min(most, left)
        self.generations = tuple(
            dataclasses.replace(other, sockets=left - closed) if other.workers == one.workers else other
            for other in self.generations
            if other.workers != one.workers or left > closed
        )
        return closed

    async def end_worker(self, worker: model.OldWorker) -> None:
        self.ended.append(worker.pid)
        if self.is_immortal:
            return
        left = ((one, tuple(other for other in one.workers if other != worker)) for one in self.generations)
        self.generations = tuple(dataclasses.replace(one, workers=workers) for one, workers in left if workers)


class Admission:
    """Old workers cost nothing here, or `held` is why a reload has to wait."""

    def __init__(self, held: worker_generations.HeldReload | None = None) -> None:
        self.held = held
        self.withdrawn = 0

    async def admit(
        self, _: old_workers_option.OldWorkersBudget, urgency: worker_generations.Urgency
    ) -> worker_generations.HeldReload | None:
        return None if urgency is worker_generations.Urgency.NEEDED else self.held

    def withdraw(self) -> None:
        self.withdrawn += 1


class Examiner:
    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        return ()
