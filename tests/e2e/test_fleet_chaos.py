"""A fleet of three real daemons under load loses nothing, whatever dies or is cut off at whatever moment.

Before each fault a site is added in the file of one node, which others follow, and its certificate is ordered while the
fault happens. What holds a lock when it dies is replaced after its lease, a minute; when the database's standby takes
over, no lock is given for a minute.
"""

import collections.abc
import contextlib
import functools
import os
import random
import signal
import time

import psutil
import pytest

from daemun.control.lease import LEASE_S
from daemun.fleet import configuration_files
from daemun.store import key_owners
from tests.support import fleet_gates, fleet_load, fleet_store, until

pytestmark = [pytest.mark.nginx, pytest.mark.pebble, pytest.mark.postgresql, pytest.mark.walk]

IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
SEED = int(os.environ.get("DAEMUN_TEST_SEED", "20261130"))
FAULTS = 50
SOCKETS = 300 if IS_DEEP else 30
VISITORS = 3
NODES, DATABASES = fleet_gates.NODES, fleet_gates.DATABASES
SETTLED_S = 900.0
"""For what a dead holder had, a new epoch after that, and an order that failed twice, as when the CA was cut off."""


class Walk:
    """answering: the node at which the CA looks for proofs at this moment. before: where it may be looking still."""

    def __init__(self, house: fleet_gates.House, visitors: fleet_load.Visitors) -> None:
        self.house = house
        self.chosen = random.Random(SEED)
        """Of one fault: what the one before took, which depends on how fast the machine is, changes nothing in it."""
        self.answering = self.before = NODES[0]
        self._visitors = visitors
        self._count = 0

    # --- what is done -----------------------------------------------------------------------------------------------

    def begin_order(self) -> str:
        """Of a new site. Returns: who orders, or a random node when nobody does any more or can."""
        self._count += 1
        self.chosen = random.Random(f"{SEED} {self._count}")
        self.before, self.answering = self.answering, self.chosen.choice(NODES)
        host = f"s{self._count}.example.com"
        self.house.add_site(host)
        self.house.answer_challenges(self.answering)
        self.house.write(self.chosen.choice(NODES))
        anybody = self.chosen.choice(NODES)
        found: list[str] = []

        def is_under_way() -> bool:
            sql = f"SELECT owner FROM daemun.lease WHERE name = 'order-{host}' AND expires > clock_timestamp()"
            found[:] = [str(row[0]) for row in self.house.pair.execute(sql)]
            return bool(found) or None not in self.house.issued(host)

        with contextlib.suppress(AssertionError):  # none is given in the first minute of a new epoch
            until.true(is_under_way, timeout_s=5)
        self.wait_for_a_moment(0.5)
        return found[0] if found else anybody

    def wait_for_a_moment(self, most_s: float) -> None:
        time.sleep(self.chosen.uniform(0.0, most_s))

    def other_than(self, name: str) -> str:
        return self.chosen.choice([one for one in NODES if one != name])

    def other_than_answering(self, name: str) -> str:
        return self.chosen.choice([one for one in (name, *NODES) if one not in {self.answering, self.before}])

    # --- faults -----------------------------------------------------------------------------------------------------

    def kill_daemon(self, name: str) -> None:
        """Its nginx serves on."""
        gate = self.house.gates[name]
        gate.kill()
        self.wait_for_a_moment(2.0)
        gate.start()

    def stop_daemon_for_long(self, name: str) -> None:
        gate = self.house.gates[name]
        psutil.Process(gate.pid).suspend()
        time.sleep(LEASE_S + 5.0)
        psutil.Process(gate.pid).resume()

    def kill_nginx(self, name: str) -> None:
        """The daemon starts it again."""
        name = self.other_than_answering(name)
        self._visitors.down(name)
        for process in self.house.gates[name].nginx_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._visitors.up(name)

    def lose_power(self, name: str) -> None:
        name = self.other_than_answering(name)
        self._visitors.down(name)
        self.house.gates[name].lose_power()
        self.wait_for_a_moment(2.0)
        self.house.gates[name].start()
        self._visitors.up(name)

    def crash_database(self, _: str) -> None:
        self.house.pair.primary.crash()
        self.wait_for_a_moment(5.0)
        self.house.pair.primary.start()
        self.house.pair.wait_streaming()

    def promote(self, _: str) -> None:
        self.house.pair.wait_streaming()
        self.house.pair.primary.crash()
        self.wait_for_a_moment(5.0)
        self.house.pair.promote()
        self.wait_for_a_moment(5.0)
        self.house.pair.follow_anew()

    def _cut(self, *pairs: tuple[str, str], both: bool = True) -> None:
        for one, other in pairs:
            self.house.network.cut(one, other, both=both)
        time.sleep(self.chosen.choice((2.0, 10.0, LEASE_S + 5.0) if IS_DEEP else (2.0, 10.0)))
        self.house.network.heal()

    def cut_from_database(self, name: str) -> None:
        self._cut(*((name, database) for database in DATABASES))

    def send_database_into_the_void(self, name: str) -> None:
        self._cut(*((name, database) for database in DATABASES), both=False)

    def hear_no_answer_of_database(self, name: str) -> None:
        self._cut(*((database, name) for database in DATABASES), both=False)

    def cut_all_from_database(self, _: str) -> None:
        self._cut(*((name, database) for name in NODES for database in DATABASES))

    def cut_databases(self, _: str) -> None:
        """With a synchronous standby each commit waits."""
        self._cut(DATABASES)
        self.house.pair.wait_streaming()

    def cut_nodes(self, name: str) -> None:
        self._cut(*((name, other) for other in NODES if other != name))

    def cut_from_ca(self, name: str) -> None:
        self._cut((self.other_than_answering(name), "ca"))

    # --- what must be -----------------------------------------------------------------------------------------------

    def check_visitors(self) -> None:
        for name, seen in self._visitors.seen().items():
            assert seen.failed == {}, f"{name}: {seen}"
            assert seen.dropped == {}, f"{name}: {seen}"
            assert seen.open == SOCKETS, f"{name}: {seen}"

    def check_orders(self) -> None:
        """One for each certificate."""
        hosts = len(self.house.hosts)
        assert self.house.ca.surplus() == ""
        assert self.house.ca.orders == hosts
        assert self.house.ca.issued == hosts

    def tell(self) -> str:
        seen = self._visitors.seen().values()
        counts = {name: sum(getattr(one, name) for one in seen) for name in ("answered", "repeated", "echoed", "open")}
        return f"{counts}; {self.house.ca.orders} orders, {self.house.ca.issued} certificates"

    def wait_for_sites(self) -> None:
        """A site is written again where a fault kept the fleet from agreeing to it, and copies of what was refused are
        deleted: that is left to a person."""
        deadline_s = time.monotonic() + SETTLED_S

        def are_followed() -> bool:
            return all(self.house.has_all_sites(name) for name in NODES)

        while not are_followed():
            assert time.monotonic() < deadline_s, [gate.config.read_text() for gate in self.house.gates.values()]
            self.house.write(self.chosen.choice(NODES))
            with contextlib.suppress(AssertionError):
                until.true(are_followed, timeout_s=15)
        for gate in self.house.gates.values():
            for ending in configuration_files.REFUSED, configuration_files.CONFLICT:
                for copy in gate.config.parent.glob(f"{gate.config.name}{ending}*"):
                    copy.unlink()

    def wait_equal(self) -> None:
        self.wait_for_sites()
        until.true(self.house.are_issued, timeout_s=SETTLED_S)
        with fleet_store.another(self.house.pair.url) as store:

            def are_equal() -> bool:
                found = store.read_many([key for key in store.list("") if not key_owners.is_of_node(key)])
                assert found.unreadable == {}
                shared = {key: one.value for key, one in found.found.items()}
                return all(gate.shared_copy() == shared for gate in self.house.gates.values())

            until.true(are_equal, timeout_s=SETTLED_S)
        assert len({gate.shared_text() for gate in self.house.gates.values()}) == 1
        for gate in self.house.gates.values():
            gate.wait(functools.partial(_has_no_problem, gate), "no problem", within_s=SETTLED_S)


FAULTS_OF = {
    "the daemon is killed": Walk.kill_daemon,
    "nginx is killed": Walk.kill_nginx,
    "all of a node is killed": Walk.lose_power,
    "the database is killed": Walk.crash_database,
    "the standby is promoted": Walk.promote,
    "a node is cut off from the database": Walk.cut_from_database,
    "a node sends to the database in vain": Walk.send_database_into_the_void,
    "a node hears nothing of the database": Walk.hear_no_answer_of_database,
    "all are cut off from the database": Walk.cut_all_from_database,
    "the databases are cut off from each other": Walk.cut_databases,
    "a node is cut off from the others": Walk.cut_nodes,
    "a node is cut off from the CA": Walk.cut_from_ca,
    "the daemon stands still for longer than its lease": Walk.stop_daemon_for_long,
}
SHORT = ("the daemon is killed", "all of a node is killed", "a node hears nothing of the database")


def _choose() -> collections.abc.Iterator[str]:
    """Each as often as the others, in a random order."""
    if not IS_DEEP:
        yield from SHORT
        return
    chosen = random.Random(SEED)
    everything = [name for _ in range(0, FAULTS, len(FAULTS_OF)) for name in chosen.sample(sorted(FAULTS_OF), 13)]
    yield from everything[:FAULTS]


def _tell(house: fleet_gates.House) -> str:
    logs = {name: gate.log_text()[0 if IS_DEEP else -4000 :] for name, gate in house.gates.items()}
    logs["more than one order each"] = house.ca.surplus()
    return "\n".join(f"--- {name}\n{text}" for name, text in logs.items())


def _has_no_problem(gate: fleet_gates.Gate) -> bool:
    problems = gate.look()["problems"]
    if problems:
        print(problems)
        time.sleep(1)
    return not problems


@contextlib.contextmanager
def _walk(*, is_synchronous: bool = True) -> collections.abc.Iterator[Walk]:
    with fleet_gates.house(is_synchronous=is_synchronous) as house:
        house.answer_challenges(NODES[0])
        for name in NODES:
            # Each site that is added is a reload, with all sockets alive. Visitors are as slow as this machine is.
            house.gates[name].preamble = (
                "old_workers: {generations: 1000, memory: 16g}\n"
                "client_timeout: {header: 10m, send: 10m, keepalive: 10m}\n"
            )
            house.write(name)
            house.gates[name].start()
            house.gates[name].wait_up()  # the CA finds the first one, whoever orders
        try:
            until.true(house.are_issued, timeout_s=SETTLED_S)
        except AssertionError:
            print(_tell(house))
            raise
        root = house.network.folder / "root.pem"
        root.write_bytes(house.ca.root_pem())
        form = fleet_load.Form(
            nodes={name: gate.machine.address for name, gate in house.gates.items()},
            host=house.host,
            ca=str(root),
            sockets=SOCKETS,
            visitors=VISITORS,
        )
        visitors = fleet_load.Visitors(house.network.machine("clients"), form)
        try:
            for name in NODES:
                visitors.up(name)
            yield Walk(house, visitors)
        finally:
            visitors.close()


@pytest.mark.timeout(7200)
def test_whatever_dies_nothing_is_lost_and_nothing_ordered_twice() -> None:
    with _walk() as walk:
        try:
            for number, fault in enumerate(_choose()):
                began_s = time.monotonic()
                name = walk.begin_order()
                if not IS_DEEP:  # nobody waits for a minute for a dead holder's lease
                    name = walk.other_than(name)
                FAULTS_OF[fault](walk, name)
                print(f"{number}: {fault} ({name}), {time.monotonic() - began_s:.1f} s", flush=True)
                walk.check_visitors()
            began_s = time.monotonic()
            walk.wait_equal()
            print(f"equal after {time.monotonic() - began_s:.1f} s", flush=True)
            walk.check_visitors()
            walk.check_orders()
            print(walk.tell(), flush=True)
        except BaseException:
            print(_tell(walk.house))
            raise


@pytest.mark.skipif(not IS_DEEP, reason="takes minutes; test_certs_failover has what becomes of certificates")
@pytest.mark.timeout(7200)
def test_an_asynchronous_standby_costs_one_order_of_a_new_site_at_most() -> None:
    """It lost that the site was agreed to, its certificate, and who served it."""
    with _walk(is_synchronous=False) as walk:
        try:
            walk.begin_order()
            walk.wait_equal()
            walk.house.network.cut(*DATABASES)
            walk.begin_order()
            walk.wait_equal()
            hosts = len(walk.house.hosts)
            assert walk.house.ca.orders == hosts
            walk.house.pair.primary.crash()
            walk.house.pair.promote()
            walk.house.network.heal()
            walk.wait_equal()
            walk.check_visitors()
            assert walk.house.ca.orders - hosts in {0, 1}
            print(f"{walk.house.ca.orders - hosts} orders more")
        except BaseException:
            print(_tell(walk.house))
            raise
