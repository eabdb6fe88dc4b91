"""Machines with an address each on a bridge of the test's own, and what cuts them off from each other.

    with fleet_network.network("a", "b") as network:
        network.machine("a").start("ping", network.machine("b").address)
        network.cut("a", "b")

Each machine is a network namespace that only descriptors of this process keep, and the bridge is in one of the calling
thread's own, so that nothing of them is in this machine's network and nothing is left, however the tests end. The
calling thread, and what it starts, reaches all machines, whatever is cut.
"""

import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import typing

from tests.support import binaries, namespace_guard, own_network, until

ROOT = pathlib.Path(__file__).parents[2]
_HUB, _ADDRESS = "10.215.0.254", "10.215.0.{}"
_CARD = "cable"
_RULES = """
table bridge fleet {
    set cut { type ifname . ifname; }
    chain forward { type filter hook forward priority 0; iifname . oifname @cut drop; }
}
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """folder: for its files; every account may enter it. inside: a command that runs another one there."""

    name: str
    address: str
    folder: pathlib.Path
    inside: tuple[str, ...]
    namespace: int

    def start(self, *command: str, **options: typing.Any) -> subprocess.Popen[typing.Any]:
        """options: of `subprocess.Popen`."""
        return subprocess.Popen([*self.inside, *command], **options)

    def python(self, module: str, *arguments: str, **options: typing.Any) -> subprocess.Popen[typing.Any]:
        return self.start(sys.executable, "-m", module, *arguments, **{"cwd": ROOT, **options})

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """To its end, for at most a minute."""
        return subprocess.run([*self.inside, *command], capture_output=True, text=True, check=False, timeout=60)

    def kill(self) -> None:
        """Every process of it at once, as when it loses power. What the disk has stays."""
        namespace_guard.end({self.namespace})

    def pause(self) -> None:
        """As a virtual machine that its host does not run. Returns when all of it stands still."""
        namespace_guard.send({self.namespace}, signal.SIGSTOP)
        until.true(lambda: all(namespace_guard.state(pid) == "T" for pid in namespace_guard.find({self.namespace})))

    def go_on(self) -> None:
        namespace_guard.send({self.namespace}, signal.SIGCONT)


class Network:
    """folder: for what belongs to no machine."""

    def __init__(
        self,
        folder: pathlib.Path,
        names: collections.abc.Iterable[str],
        stack: contextlib.ExitStack,
        guard: subprocess.Popen[str],
    ) -> None:
        self.folder = folder
        self._guard = guard
        self._ip = binaries.program("ip", "iproute2")
        self._nft = binaries.program("nft", "nftables")
        self._nsenter = binaries.program("nsenter", "util-linux")
        self._run(self._ip, ["link", "add", "hub", "type", "bridge"])
        self._run(self._ip, f"address add {_HUB}/24 dev hub".split())
        self._run(self._ip, ["link", "set", "hub", "up"])
        self._run(self._nft, ["-f", "-"], _RULES)
        self.machines = {name: self._make(number, name, stack) for number, name in enumerate(names, 1)}

    def machine(self, name: str) -> Machine:
        return self.machines[name]

    @property
    def address(self) -> str:
        """Of the calling thread."""
        return _HUB

    def cut(self, one: str, other: str, *, both: bool = True) -> None:
        """Nothing comes from one to the other any more, nor back unless both is false: no packet of any kind, as when
        a switch between them fails, and nobody is told. The same again changes nothing."""
        pairs = f"{one} . {other}" + (f", {other} . {one}" if both else "")
        self._run(self._nft, ["add", "element", "bridge", "fleet", "cut", f"{{ {pairs} }}"])

    def heal(self) -> None:
        """All that was cut."""
        self._run(self._nft, ["flush", "set", "bridge", "fleet", "cut"])

    def _make(self, number: int, name: str, stack: contextlib.ExitStack) -> Machine:
        file = _new_namespace()
        stack.callback(os.close, file)
        place = f"/proc/{os.getpid()}/fd/{file}"
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        self._guard.stdin.write(f"{place}\n")
        self._guard.stdin.flush()
        assert self._guard.stdout.readline() == "\n"  # it has it
        inside = (self._nsenter, f"--net={place}")
        address = _ADDRESS.format(number)
        self._run(self._ip, f"link add name {name} type veth peer name {_CARD} netns {place}".split())
        self._run(self._ip, f"link set dev {name} master hub up".split())
        for line in ("link set lo up", f"address add {address}/24 dev {_CARD}", f"link set {_CARD} up"):
            self._run(*inside[:1], [*inside[1:], self._ip, *line.split()])
        folder = self.folder / name
        folder.mkdir(mode=0o755)
        return Machine(name=name, address=address, folder=folder, inside=inside, namespace=os.fstat(file).st_ino)

    @staticmethod
    def _run(program: str, arguments: list[str], text: str | None = None) -> None:
        done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stderr}"


@contextlib.contextmanager
def network(*names: str) -> collections.abc.Iterator[Network]:
    """names: of the machines, at most 15 signs each. Skips the test without root, or what it needs."""
    binaries.needs_root("a network of machines")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="daemun-fleet-"))
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack, _guarding(folder) as guard:
        stack.enter_context(own_network.own_network())
        yield Network(folder, names, stack, guard)


@contextlib.contextmanager
def _guarding(folder: pathlib.Path) -> collections.abc.Iterator[subprocess.Popen[str]]:
    """In a session of its own: an interrupt from the keyboard is for the tests alone."""
    guard = subprocess.Popen(
        [sys.executable, "-m", namespace_guard.__name__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        yield guard
    finally:
        guard.communicate(timeout=60)


def _new_namespace() -> int:
    """A descriptor of it. A thread that is not used again makes it: it stays in it."""

    def make() -> int:
        own_network.leave()
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(make).result()
