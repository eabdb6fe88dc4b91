"""A swarm of the tests' own: engines with a network each, and nothing of it in this machine's.

The manager's network is that of the calling thread while the swarm is there, so its published ports are at 127.0.0.1;
the other nodes are at the other ends of cables.
"""

import collections.abc
import contextlib
import dataclasses
import pathlib
import shutil
import subprocess
import tempfile

from tests.support import binaries, own_network
from tests.support.docker_engine import DockerEngine

_ADDRESS = "10.214.{}.{}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A node that joined. id: the swarm's."""

    engine: DockerEngine
    id: str


class Swarm:
    """manager: the engine that services are started at."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._ip = binaries.program("ip", "iproute2")
        self._nsenter = binaries.program("nsenter", "util-linux")
        self._count = 0
        self.manager = self._make(())
        self._link("lo", _ADDRESS.format(0, 1))
        self.manager.cli("swarm", "init", "--advertise-addr", _ADDRESS.format(0, 1))

    def join(self, name: str) -> "Worker":
        """name: of its network namespace; every node of this machine has the machine's host name."""
        number = self._count
        place = f"/run/netns/{name}"
        self._run("netns", "add", name)
        self._stack.callback(self._run, "netns", "delete", name)
        inside = (self._nsenter, f"--net={place}")
        self._run("link", "add", f"node{number}", "type", "veth", "peer", "name", "cable", "netns", name)
        self._link(f"node{number}", _ADDRESS.format(number, 1))
        for line in (
            "link set lo up",
            f"address add {_ADDRESS.format(number, 2)}/24 dev cable",
            "link set cable up",
            f"route add {_ADDRESS.format(0, 1)} via {_ADDRESS.format(number, 1)}",
        ):
            subprocess.run([*inside, self._ip, *line.split()], check=True)
        engine = self._make(inside)
        token = self.manager.cli("swarm", "join-token", "--quiet", "worker")
        own = ("--advertise-addr", _ADDRESS.format(number, 2))
        engine.cli("swarm", "join", "--token", token, *own, f"{_ADDRESS.format(0, 1)}:2377")
        id_ = engine.cli("info", "--format={{.Swarm.NodeID}}")
        return Worker(engine=engine, id=id_)

    def _link(self, device: str, address: str) -> None:
        self._run("address", "add", f"{address}/{32 if device == 'lo' else 24}", "dev", device)
        self._run("link", "set", device, "up")

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._ip, *arguments], check=True)

    def _make(self, inside: collections.abc.Sequence[str]) -> DockerEngine:
        self._count += 1
        folder = pathlib.Path(tempfile.mkdtemp(prefix="dockerd-"))
        self._stack.callback(shutil.rmtree, folder)
        engine = DockerEngine(folder, inside)
        self._stack.callback(_leave, engine)
        engine.prepare()
        return engine


def _leave(engine: DockerEngine) -> None:
    """Its tasks end with it, and its networks with the namespace that it is in, whatever of that it does not remove."""
    for remove in (lambda: engine.cli("swarm", "leave", "--force"), engine.clear):
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            remove()
    engine.stop()
    engine.destroy()


@contextlib.contextmanager
def swarm() -> collections.abc.Iterator[Swarm]:
    """Of one node until others join."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_network.own_network())
        yield Swarm(stack)
