"""A fleet of real daemons on machines of their own, with a CA, a server behind them, and visitors of each."""

import collections.abc
import contextlib
import dataclasses
import textwrap

from cryptography import x509

from daemun.fleet import membership
from daemun.store import file_store, fleet_key, key_owners
from tests.support import daemon, fleet_ca, fleet_database, fleet_load, fleet_network, fleet_store, pebble

NODES, DATABASES = ("a", "b", "c"), ("db1", "db2")
_APP_PORT = 8000


class Gate(daemon.Daemon):
    """Of one machine of the network, where it has the usual ports."""

    def __init__(self, machine: fleet_network.Machine, database: str) -> None:
        root = machine.folder / "gate"
        root.mkdir(mode=0o755)
        super().__init__(root)
        self.machine = machine
        self.run_by = machine.inside
        self.http, self.https = 80, 443
        self._key = root / "fleet.key"
        self._key.touch(mode=0o600)
        self._key.write_text(fleet_key.encode(fleet_store.KEY))
        self._database = database

    @property
    def listen(self) -> str:
        """What is this machine's own."""
        address = self.machine.address
        own = f'node: {{listen: {{http: "{address}:80", https: "{address}:443"}}}}\n'
        return f"fleet: {{database: '{self._database}', key: '{self._key}', name: {self.machine.name}}}\n{own}"

    def wait(
        self,
        look: collections.abc.Callable[[], daemon.T | None],
        what: str,
        *,
        within_s: float = 600,
        every_s: float = 0.2,
    ) -> daemon.T:
        return super().wait(look, what, within_s=within_s, every_s=every_s)

    def shared_copy(self) -> dict[str, bytes]:
        """What it knows of what all share."""
        store = file_store.FileStore(self.state / "store")
        some = [key for key in store.list("") if not key_owners.is_of_node(key)]
        return {key: one.value for key, one in store.read_many(some).found.items()}

    def shared_text(self) -> str:
        """Its file without what is its own."""
        lines = self.config.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith(("fleet:", "node:")))

    def lose_power(self) -> None:
        """Daemon, nginx and all else of the machine at once."""
        self.machine.kill()
        self.wait_exit()


@dataclasses.dataclass(kw_only=True)
class House:
    """gates: by their machines' names. host: of the site that visitors come to."""

    network: fleet_network.Network
    pair: fleet_database.Pair
    ca: fleet_ca.Ca
    gates: dict[str, Gate]
    host: str
    _names: list[str] = dataclasses.field(default_factory=list)

    def write(self, name: str) -> None:
        """The file of a node, as all have it: a site behind which the server is, and one for each of `names`."""
        app = f"http://{self.network.machine('app').address}:{_APP_PORT}"
        sites = "".join(daemon.signpost(host, "x") for host in self._names)
        text = f"""
            acme: {{directory: '{self.ca.directory}', ca_file: {self.ca.ca_file}, resolvers: '{self.ca.resolver}'}}
            sites:
              {self.host}: {{/: '{app}', /socket/: '{app}/socket/'}}
        """
        self.gates[name].write(textwrap.dedent(text) + sites)

    def add_site(self, host: str) -> None:
        """Its certificate is to be ordered, by whichever."""
        self._names.append(host)

    def has_all_sites(self, name: str) -> bool:
        """Whether the node serves them."""
        gate = self.gates[name]
        return {site["host"] for site in gate.look()["sites"]} >= set(self.hosts)

    @property
    def hosts(self) -> list[str]:
        return [self.host, *self._names]

    def answer_challenges(self, name: str) -> None:
        """The CA finds the sites at this node."""
        self.ca.set_address(self.network.machine(name).address)

    def issued(self, host: str) -> set[bytes | None]:
        """The certificates of the CA that nodes show; None: one shows none."""
        return {_issued(gate, host) for gate in self.gates.values()}

    def are_issued(self) -> bool:
        """Whether all nodes show the same of every site."""
        return all(len(found) == 1 and None not in found for found in map(self.issued, self.hosts))


def _issued(gate: Gate, host: str) -> bytes | None:
    try:
        chain = (gate.state / "live" / host / "fullchain.pem").read_bytes()
    except FileNotFoundError:
        return None
    return chain if "Pebble" in x509.load_pem_x509_certificate(chain).issuer.rfc4514_string() else None


@contextlib.contextmanager
def house(*, is_synchronous: bool) -> collections.abc.Iterator[House]:
    """Nothing of daemun runs yet."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(fleet_network.network(*NODES, *DATABASES, "ca", "app", "clients"))
        pair = stack.enter_context(fleet_database.pair(network, *DATABASES, is_synchronous=is_synchronous))
        with fleet_store.another(pair.url) as store:
            store.write(membership.KEY_IDENTITY, fleet_store.KEY.fleet.encode())
        machine = network.machine("ca")
        own = stack.enter_context(pebble.running_pebble(80, machine=machine))
        ca = stack.enter_context(fleet_ca.in_front_of(own, machine))
        app = network.machine("app")
        stack.enter_context(_serving(app))
        gates: dict[str, Gate] = {}
        for name in NODES:
            gates[name] = Gate(network.machine(name), pair.url)
            stack.callback(gates[name].close)
        yield House(network=network, pair=pair, ca=ca, gates=gates, host="visited.example.com")


@contextlib.contextmanager
def _serving(app: fleet_network.Machine) -> collections.abc.Iterator[None]:
    process = app.python(fleet_load.__name__, app.address, str(_APP_PORT))
    try:
        yield
    finally:
        process.kill()
        process.wait(60)
