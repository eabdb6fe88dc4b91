"""What tests of a fleet stand on: machines that are cut off from each other, a database whose standby is promoted, and
nothing of it left afterwards."""

import collections.abc
import pathlib
import signal
import subprocess
import sys
import threading

import psycopg
import pytest

from tests.support import fleet_database, fleet_network, namespace_guard, postgresql, until

pytestmark = pytest.mark.postgresql

_SENDS = "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), (sys.argv[1], 9))"
_HEARS = """
import socket
ear = socket.socket(type=socket.SOCK_DGRAM)
ear.bind(("0.0.0.0", 9))
print(flush=True)
while True:
    print(ear.recv(100).decode(), flush=True)
"""
_LASTS = "import signal; print(flush=True); signal.pause()"


@pytest.fixture
def network() -> collections.abc.Iterator[fleet_network.Network]:
    with fleet_network.network("a", "b", "c") as made:
        yield made


class Ears:
    """What each machine hears. All of them know each other's card: a cut stops also the question for it."""

    def __init__(self, network: fleet_network.Network) -> None:
        self._network = network
        self._ears: dict[str, subprocess.Popen[str]] = {}
        for name, machine in network.machines.items():
            self._ears[name] = machine.start(sys.executable, "-c", _HEARS, stdout=subprocess.PIPE, text=True)
            self.next(name)

    def send(self, sender: str, receiver: str, text: str) -> None:
        address = self._network.machine(receiver).address
        done = self._network.machine(sender).run(sys.executable, "-c", _SENDS, address, text)
        assert done.returncode == 0, done.stderr

    def next(self, name: str) -> str:
        output = self._ears[name].stdout
        assert output is not None
        return str(output.readline()).strip()

    def close(self) -> None:
        for ear in self._ears.values():
            ear.kill()
            ear.communicate()


@pytest.fixture
def ears(network: fleet_network.Network) -> collections.abc.Iterator[Ears]:
    made = Ears(network)
    yield made
    made.close()


def test_a_cut_lets_nothing_through_until_it_heals(network: fleet_network.Network, ears: Ears) -> None:
    """What a third one sends later arrives first."""
    for both in (True, False):
        ears.send("a", "b", "before")
        assert ears.next("b") == "before"
        network.cut("a", "b", both=both)
        ears.send("a", "b", "lost")
        ears.send("c", "b", "of c")
        assert ears.next("b") == "of c"
        ears.send("b", "a", "back")
        ears.send("c", "a", "of c")
        assert ears.next("a") == ("of c" if both else "back")
        if not both:
            assert ears.next("a") == "of c"
        network.heal()


def test_all_of_a_machine_is_killed_or_stands_still_at_once(network: fleet_network.Network) -> None:
    started = {
        name: [machine.start(sys.executable, "-c", _LASTS, stdout=subprocess.PIPE) for _ in range(3)]
        for name, machine in network.machines.items()
    }
    for process in (one for some in started.values() for one in some):
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
    network.machine("b").pause()
    stopped = {pid for pid in _pids(started) if namespace_guard.state(pid) == "T"}
    assert stopped == {one.pid for one in started["b"]}
    network.machine("b").go_on()
    until.true(lambda: not {pid for pid in _pids(started) if namespace_guard.state(pid) == "T"})
    network.machine("b").kill()
    assert [one.wait(60) for one in started["b"]] == [-signal.SIGKILL] * 3
    assert [one.poll() for name in "ac" for one in started[name]] == [None] * 6
    for name in "ac":
        network.machine(name).kill()
    for process in (one for some in started.values() for one in some):
        process.communicate()


def _pids(started: dict[str, list[subprocess.Popen[bytes]]]) -> list[int]:
    return [one.pid for some in started.values() for one in some]


# --- the database --------------------------------------------------------------------------------------------------


@pytest.fixture
def wide() -> collections.abc.Iterator[fleet_network.Network]:
    with fleet_network.network("db1", "db2") as made:
        yield made


def test_an_asynchronous_standby_loses_what_it_was_not_sent(wide: fleet_network.Network) -> None:
    with fleet_database.pair(wide, "db1", "db2") as pair:
        pair.execute("CREATE TABLE said (what text)")
        pair.execute("INSERT INTO said VALUES ('known')")
        pair.wait_streaming()
        wide.cut("db1", "db2")
        pair.execute("INSERT INTO said VALUES ('lost')")
        old = pair.primary
        old.crash()
        pair.promote()
        assert pair.primary is not old
        assert pair.execute("SELECT what FROM said") == [("known",)]
        # The old one is back as it was: a primary, too.
        old.start()
        assert old.execute("SELECT pg_is_in_recovery()") == [(False,)]
        old.stop()
        wide.heal()
        pair.follow_anew()
        pair.execute("INSERT INTO said VALUES ('new')")
        pair.wait_streaming()
        pair.primary.crash()
        pair.promote()
        assert pair.primary is old
        assert pair.execute("SELECT what FROM said") == [("known",), ("new",)]


def test_with_a_synchronous_standby_nothing_that_was_agreed_to_is_lost(wide: fleet_network.Network) -> None:
    with fleet_database.pair(wide, "db1", "db2", is_synchronous=True) as pair:
        pair.execute("CREATE TABLE said (what text)")
        wide.cut("db1", "db2")
        with psycopg.connect(pair.primary.url("fleet"), autocommit=True) as waiting:
            # A cancelled wait for a standby is a warning, and the change is visible (patroni#1412).
            notices: list[str | None] = []
            waiting.add_notice_handler(lambda notice: notices.append(notice.message_primary))
            insert = threading.Thread(target=waiting.execute, args=("INSERT INTO said VALUES ('unsure')",))
            insert.start()
            waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            until.true(lambda: pair.execute(waits) == [(True,)])
            insert.join(60)
            assert notices == ["canceling wait for synchronous replication due to user request"]
        wide.heal()
        pair.execute("INSERT INTO said VALUES ('known')")
        pair.primary.crash()
        pair.promote()
        assert ("known",) in pair.execute("SELECT what FROM said")


# --- nothing is left -----------------------------------------------------------------------------------------------

_INTERRUPTED = """
import signal, sys
from tests.support import fleet_network
with fleet_network.network("a", "b") as network:
    network.cut("a", "b")
    child = network.machine("a").start("sleep", "600")
    print(network.folder, child.pid, network.machine("a").namespace, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_also_when_tests_are_interrupted(number: signal.Signals) -> None:
    cards, named = _cards(), _named()
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED],
        cwd=fleet_network.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as tests:
        assert tests.stdout is not None
        folder, pid, namespace = tests.stdout.readline().split()
        try:
            # A moment after its start it is still on its way into the namespace.
            until.true(lambda: int(pid) in namespace_guard.find({int(namespace)}))
        finally:
            tests.send_signal(number)
        tests.wait(60)
    until.true(lambda: not pathlib.Path(folder).exists())
    assert namespace_guard.state(int(pid)) in {"", "Z"}
    assert (_cards(), _named()) == (cards, named)


def test_nothing_is_left_of_a_whole_house(wide: fleet_network.Network) -> None:
    with fleet_database.pair(wide, "db1", "db2") as pair:
        files = pair.primary.files
        assert isinstance(pair.primary, postgresql.Server)
    assert not files.exists()
    assert namespace_guard.find({machine.namespace for machine in wide.machines.values()}) == []


def _cards() -> list[str]:
    return sorted(one.name for one in pathlib.Path("/sys/class/net").iterdir())


def _named() -> list[str]:
    """Namespaces that `ip netns` shows."""
    folder = pathlib.Path("/run/netns")
    return sorted(one.name for one in folder.iterdir()) if folder.exists() else []
