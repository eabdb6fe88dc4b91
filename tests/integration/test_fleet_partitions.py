"""Locks and values of a fleet while its machines are cut off from the database, stand still, lose power, and while a
standby that lost commits takes the database's place.

Not here: a server that was replaced and takes changes again while a node that has never heard of the new one reaches
only that. Two that order at once are possible then; docs/fleet.md says so.
"""

import collections.abc
import contextlib
import itertools
import os
import pathlib
import random
import subprocess

import pytest

from daemun.control.lease import monotonic_s
from tests.support import fleet_database, fleet_member, fleet_network, fleet_store, until

pytestmark = [pytest.mark.postgresql, pytest.mark.walk]

SEED = 20_261_130
IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
ROUNDS = 6
"""Of all faults."""
NODES, DATABASES = ("a", "b", "c"), ("db1", "db2")
LONG_S = fleet_member.LEASE_S + 1.0
"""Longer than a lease: another gets it meanwhile."""

# The database's own record of what was written under a lock. It is part of what a standby gets.
_RECORD = """
CREATE TABLE public.written (id bigserial, epoch bigint, token bigint);
CREATE FUNCTION public.record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.written (epoch, token) VALUES (NEW.epoch, NEW.token);
    RETURN NEW;
END
$$;
CREATE TRIGGER record AFTER INSERT OR UPDATE ON daemun.item FOR EACH ROW WHEN (NEW.token > 0)
    EXECUTE FUNCTION public.record();
"""


class House:
    """Three nodes at work."""

    def __init__(self, network: fleet_network.Network, pair: fleet_database.Pair, *options: str) -> None:
        """options: of their program."""
        self._options = options
        self.network = network
        self.pair = pair
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        pair.execute(_RECORD)
        for name in NODES:
            self.start(name)

    def folder(self, name: str) -> pathlib.Path:
        return self.network.machine(name).folder

    def start(self, name: str) -> None:
        machine = self.network.machine(name)
        arguments = (name, self.pair.url, str(machine.folder), *self._options)
        with (self.network.folder / f"{name}.log").open("ab") as log:
            self._running[name] = machine.python(fleet_member.__name__, *arguments, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        self.network.machine(name).kill()
        self._running[name].wait(60)

    def close(self) -> None:
        for name in NODES:
            self.kill(name)

    def lines(self) -> list[fleet_member.Line]:
        """By time."""
        lines = [line for name in NODES for line in fleet_member.read_journal(self.folder(name), name)]
        return sorted(lines, key=lambda line: line.at_s)

    def log(self) -> str:
        return "\n".join((self.network.folder / f"{name}.log").read_text()[-2000:] for name in NODES)

    # --- what must be -----------------------------------------------------------------------------------------------

    def wait_work(self, *, of: collections.abc.Collection[str] = NODES) -> str:
        """Until one of them has written under the lock, from now on. Returns: which."""
        since = monotonic_s()

        def look() -> list[str]:
            return [
                line.node for line in self.lines() if line.what == "write" and line.node in of and line.at_s > since
            ]

        until.true(lambda: bool(look()))
        return look()[-1]

    def check(self) -> None:
        """Who holds the lock later has a higher token, so no step and no write of an old holder comes after."""
        for before, after in itertools.pairwise(self.lines()):
            assert before.token <= after.token, f"{after} after {before}"
        written = self.pair.execute("SELECT epoch, token FROM public.written ORDER BY id")
        assert written == sorted(written)
        assert all(process.poll() is None for process in self._running.values()), self.log()

    def wait_equal(self) -> int:
        """All end, and each knows what is shared. Returns: how often was written under the lock, as the database knows
        it."""
        self.close()
        for name in NODES:
            self._follow(name)
        with fleet_store.another(self.pair.url) as store:
            found = store.read_many(store.list("")).found
        shared = {key: one.value for key, one in found.items()}
        assert shared[fleet_member.GUARDED]
        for name in NODES:
            assert fleet_member.copy(self.folder(name)) == shared, name
        return int(shared[fleet_member.GUARDED])

    def _follow(self, name: str) -> None:
        machine = self.network.machine(name)
        process = machine.python(fleet_member.__name__, name, self.pair.url, str(machine.folder), "--follow")
        assert process.wait(60) == 0

    # --- what happens to it -----------------------------------------------------------------------------------------

    def cut_from_database(self, name: str, *, both: bool = True, is_back: bool = False) -> None:
        """Others go on meanwhile. is_back: only answers are lost."""
        for database in DATABASES:
            one, other = (database, name) if is_back else (name, database)
            self.network.cut(one, other, both=both)
        self._last(LONG_S)
        self.wait_work(of=[one for one in NODES if one != name])
        self.network.heal()

    def stand_still(self, name: str) -> None:
        machine = self.network.machine(name)
        machine.pause()
        self._last(LONG_S)
        self.wait_work(of=[one for one in NODES if one != name])
        machine.go_on()

    def lose_power(self, name: str) -> None:
        self.kill(name)
        self.wait_work(of=[one for one in NODES if one != name])
        self.start(name)

    def crash_database(self) -> None:
        """It comes back with everything."""
        self.pair.primary.crash()
        self.pair.primary.start()

    def promote(self, *, is_behind: bool) -> None:
        """is_behind: the standby lost what was agreed to last."""
        self.pair.wait_streaming()
        if is_behind:
            self.network.cut(*DATABASES)
            self.wait_work()
        old = self.pair.primary
        old.crash()
        self.pair.promote()
        self.network.heal()
        self.wait_work()
        self.pair.follow_anew()

    def cut_everything(self) -> None:
        """Nobody reaches the database: nobody works."""
        for name, database in itertools.product(NODES, DATABASES):
            self.network.cut(name, database)
        self._last(LONG_S)
        since = monotonic_s()
        self._last(1.0)
        assert [line for line in self.lines() if line.at_s > since] == []
        self.network.heal()

    @staticmethod
    def _last(seconds: float) -> None:
        ends_at_s = monotonic_s() + seconds
        until.true(lambda: monotonic_s() > ends_at_s)


@contextlib.contextmanager
def house(*options: str, is_synchronous: bool = False) -> collections.abc.Iterator[House]:
    with (
        fleet_network.network(*NODES, *DATABASES) as network,
        fleet_database.pair(network, *DATABASES, is_synchronous=is_synchronous) as pair,
    ):
        made = House(network, pair, *options)
        try:
            yield made
        finally:
            made.close()


Fault = collections.abc.Callable[[House, str], None]
EVERY: dict[str, Fault] = {
    "cut off": lambda house, name: house.cut_from_database(name),
    "sends into the void": lambda house, name: house.cut_from_database(name, both=False),
    "hears no answer": lambda house, name: house.cut_from_database(name, both=False, is_back=True),
    "stands still": lambda house, name: house.stand_still(name),
    "loses power": lambda house, name: house.lose_power(name),
    "the database crashes": lambda house, name: house.crash_database(),
    "a standby that has all": lambda house, name: house.promote(is_behind=False),
    "a standby that lost changes": lambda house, name: house.promote(is_behind=True),
    "nobody reaches the database": lambda house, name: house.cut_everything(),
}


# Those of the usual run.
SHORT = ("hears no answer", "stands still", "a standby that lost changes")


def _choose(faults: collections.abc.Collection[str]) -> list[str]:
    chosen = random.Random(SEED)
    return [name for _ in range(ROUNDS) for name in chosen.sample(sorted(faults), len(faults))]


def _walk(one: House, faults: collections.abc.Iterable[str]) -> None:
    """Each fault hits the holder, as far as it hits a node."""
    for number, name in enumerate(faults):
        holder = one.wait_work()
        print(f"{number}: {name} ({holder})")
        EVERY[name](one, holder)
        one.wait_work()
        one.check()
    for name in NODES:  # each of them lives
        one.wait_work(of=[name])
    one.check()


@pytest.mark.timeout(1800)
def test_never_two_that_act_and_never_a_late_write() -> None:
    faults = _choose(EVERY) if IS_DEEP else SHORT
    with house() as one:
        _walk(one, faults)
        one.wait_equal()
        assert len({line.token for line in one.lines()}) > len(faults)


@pytest.mark.timeout(1800)
def test_with_a_synchronous_standby_no_write_is_lost() -> None:
    known = [name for name in EVERY if name != "a standby that lost changes"]
    with house(is_synchronous=True) as one:
        _walk(one, _choose(known) if IS_DEEP else ("a standby that has all",))
        written = one.wait_equal()
        # Some were made whose answer did not arrive.
        assert written >= len([line for line in one.lines() if line.what == "write"])


def test_a_holder_that_does_not_look_at_its_lease_is_noticed() -> None:
    """By the test, which sees nothing else wrong then: the database takes no write of it."""
    with house("--careless") as one:
        one.stand_still(one.wait_work())
        until.true(lambda: _is_noticed(one))
        written = one.pair.execute("SELECT epoch, token FROM public.written ORDER BY id")
        assert written == sorted(written)


def _is_noticed(one: House) -> bool:
    try:
        one.check()
    except AssertionError as error:
        assert " after Line(" in str(error)
        return True
    return False
