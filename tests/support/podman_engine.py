"""Podman's service on a socket of the tests' own: storage, networks, events in one temporary folder, and no registry.

Its image is the Docker engine's, made of Debian's static busybox. Podman has no daemon: containers live on while the
service, which is all that daemun sees of it, is away. Nothing is asked of systemd, so the tests run health checks.
"""

import collections.abc
import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import pytest

from tests.support import binaries, container_engine

IMAGE = "localhost/daemun-test/busybox:latest"
NETWORK = "daemun-test"
NETAVARK = "/usr/lib/podman/netavark"
_POOL = "10.214.0.0/16"
_METRIC = "4242"
_MOST_ROUNDS = 10

_STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{folder}/root"
runroot = "{folder}/run"
"""
# runc also runs where both versions of cgroups are mounted, and the limits are such that a confined root may set them.
_CONTAINERS = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "{folder}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
default_subnet_pools = [{{base = "{pool}", size = 24}}]
"""


class PodmanEngine(container_engine.ContainerEngine):
    """`podman system service` in a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder, folder / "podman.sock", image=IMAGE, network=NETWORK)
        self._podman = binaries.program("podman", "podman")
        binaries.program("runc", "runc")
        binaries.program(NETAVARK, "netavark")
        self._busybox = pathlib.Path(binaries.program("busybox", "busybox-static"))
        self._firewall = _Firewall()
        self._umount = binaries.program("umount", "mount")
        self._ip = binaries.program("ip", "iproute2")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CONTAINER", "DOCKER"))},
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

    def prepare(self) -> None:
        """Start for the first time, with an image and a network."""
        # The bridge of a network ends with its last container; what is sent there then is not for the world outside.
        subprocess.run([self._ip, "route", "add", "unreachable", _POOL, "metric", _METRIC], check=True)
        (self._folder / "containers.conf").write_text(_CONTAINERS.format(folder=self._folder, pool=_POOL))
        (self._folder / "storage.conf").write_text(_STORAGE.format(folder=self._folder))
        self.start()
        image = self._folder / "image.tar"
        image.write_bytes(container_engine.root_filesystem(self._busybox))
        self.cli("import", "--change", 'CMD ["sleep", "1000"]', "--change", "EXPOSE 80", str(image), IMAGE)
        self.cli("network", "create", NETWORK)

    def clear(self, *, keeping: frozenset[str] = frozenset({NETWORK})) -> None:
        """Remove every container, and every network but those to keep and Podman's own."""
        for _ in range(_MOST_ROUNDS):
            if not self.cli("ps", "--all", "--quiet"):
                break
            # One whose network another one shares can only be removed after that one.
            with contextlib.suppress(AssertionError):
                self.cli("rm", "--force", "--time=0", "--all")
        for name in self.cli("network", "ls", "--format", "{{.Name}}").split():
            if name != "podman" and name not in keeping:
                self.cli("network", "rm", name)

    def destroy(self) -> None:
        """Leave nothing behind, neither processes nor bridges nor mounts nor rules of the firewall."""
        self.stop()
        if (self._folder / "storage.conf").exists():  # else it would be the machine's own Podman that is cleared
            self.clear(keeping=frozenset())
        mounts = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed([path for path in mounts if path.startswith(f"{self._folder}/")]):
            subprocess.run([self._umount, mount], check=False, capture_output=True)
        self._firewall.restore()
        route = ("route", "delete", "unreachable", _POOL, "metric", _METRIC)
        subprocess.run([self._ip, *route], check=False, capture_output=True)

    def _service(self) -> list[str]:
        return [self._podman, "system", "service", "--time=0", self.url]

    def _client(self) -> list[str]:
        """On this machine, beside the service: Podman's users need none."""
        return [self._podman]

    def _client_of_service(self) -> list[str]:
        return [self._podman, "--url", self.url]

    def stop(self) -> None:
        super().stop()
        self.socket.unlink(missing_ok=True)

    def remove(self, *names: str) -> None:
        self.cli("rm", "--force", "--time=0", *names)

    def check_health(self, name: str) -> None:
        """Run a container's health check, as a timer of systemd's would."""
        command = [self._podman, "healthcheck", "run", name]
        subprocess.run(command, capture_output=True, check=False, env=self._environment)  # 1 means unhealthy


class _Firewall:
    """The chains that netavark makes and leaves, unless they were there before: then another Podman needs them."""

    def __init__(self) -> None:
        self._programs = tuple(binaries.program(name, "iptables") for name in ("iptables", "ip6tables"))
        self._before = self._rules()

    def restore(self) -> None:
        for program, table, rule in self._rules() - self._before:
            if rule[0] == "-A" and not rule[1].startswith("NETAVARK"):
                self._change(program, table, "-D", *rule[1:])
        chains = [(program, table, rule[1]) for program, table, rule in self._rules() - self._before if rule[0] == "-N"]
        for action in ("-F", "-X"):
            for program, table, chain in chains:
                self._change(program, table, action, chain)

    def _rules(self) -> frozenset[tuple[str, str, tuple[str, ...]]]:
        """Those that name a chain of netavark's."""
        return frozenset(
            (program, table, tuple(shlex.split(line)))
            for program in self._programs
            for table in ("filter", "nat")
            for line in self._change(program, table, "-S").splitlines()
            if "NETAVARK" in line
        )

    def _change(self, program: str, table: str, *arguments: str) -> str:
        command = [program, "--wait", "--table", table, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="session")
def podman_engine_of_the_session() -> collections.abc.Iterator[PodmanEngine]:
    binaries.needs_root("a Podman of one's own")
    # A short path: a unix socket's may have 107 bytes at most.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="podman-"))
    try:
        engine = PodmanEngine(folder)
        try:
            engine.prepare()
            yield engine
        finally:
            engine.destroy()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def podman_engine(podman_engine_of_the_session: PodmanEngine) -> collections.abc.Iterator[PodmanEngine]:
    """A real Podman without containers. Skips the test without root, or where one of its programs is missing."""
    engine = podman_engine_of_the_session
    yield engine
    if engine.is_running:
        engine.thaw()
    else:
        engine.start()
    engine.clear()
