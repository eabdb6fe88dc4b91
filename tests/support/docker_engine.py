"""A Docker engine of the tests' own: Debian's dockerd with every file of it in one temporary folder, and no registry.

Its image is made of Debian's static busybox. It shares the machine politely with an engine that may be there: it has a
bridge of its own, and of the firewall it only asks that its containers may speak with each other while it runs.
"""

import collections.abc
import os
import pathlib
import shutil
import subprocess
import tempfile
import typing

import pytest

from tests.support import binaries, container_engine

IMAGE = "daemun-test/busybox:latest"
"""It exposes port 80."""
IMAGE_WITHOUT_PORT = "daemun-test/busybox:bare"
NETWORK = "gate"
_POOL = "10.213.0.0/16"
_BRIDGE_ADDRESS = "10.213.255.1/24"


class DockerEngine(container_engine.ContainerEngine):
    """dockerd in a folder. `stop` and `start` again keep its containers.

    inside: a command that runs others in the engine's network, such as nsenter(1); default: in this one.
    """

    def __init__(self, folder: pathlib.Path, inside: collections.abc.Sequence[str] = ()) -> None:
        super().__init__(folder, folder / "docker.sock", image=IMAGE, network=NETWORK)
        self._inside = tuple(inside)
        self._dockerd = binaries.program("dockerd", "docker.io")
        self._docker = binaries.program("docker", "docker.io")
        self._busybox = pathlib.Path(binaries.program("busybox", "busybox-static"))
        self._ip = binaries.program("ip", "iproute2")
        self._iptables = binaries.program("iptables", "iptables")
        self._umount = binaries.program("umount", "mount")
        self._bridge = f"dt{os.getpid()}"

    def prepare(self) -> None:
        """Start for the first time, with an image and a network."""
        subprocess.run([*self._inside, self._ip, "link", "add", self._bridge, "type", "bridge"], check=True)
        subprocess.run([*self._inside, self._ip, "address", "add", _BRIDGE_ADDRESS, "dev", self._bridge], check=True)
        # Another engine, also one that has ended, makes the kernel drop what bridges forward.
        self._allow("--insert")
        self.start()
        files, command = container_engine.root_filesystem(self._busybox), ("--change", 'CMD ["sleep", "1000"]')
        self.cli("import", *command, "--change", "EXPOSE 80", "-", IMAGE, input_=files)
        self.cli("import", *command, "-", IMAGE_WITHOUT_PORT, input_=files)
        self.cli("network", "create", NETWORK)

    def clear(self) -> None:
        """Remove every container, and every network that a test made."""
        found = self.cli("ps", "--all", "--quiet").split()
        if found:
            self.cli("rm", "--force", *found)
        known = {"bridge", "host", "none", NETWORK}
        for name in self.cli("network", "ls", "--format", "{{.Name}}").split():
            if name not in known:
                self.cli("network", "rm", name)

    def destroy(self) -> None:
        """Leave nothing behind, neither processes nor bridges nor mounts."""
        if self._process is not None:
            self.clear()
            self.cli("network", "rm", NETWORK)
            self.stop()
        # dockerd leaves the namespace of containers with the host's network mounted.
        for mount in (self._folder / "exec" / "netns").glob("*"):
            subprocess.run([self._umount, str(mount)], check=False, capture_output=True)
        deletion = [self._ip, "link", "delete", self._bridge]
        subprocess.run([*self._inside, *deletion], check=False, capture_output=True)
        self._allow("--delete")

    def _allow(self, change: str) -> None:
        rule = ["--source", _POOL, "--destination", _POOL, "--jump", "ACCEPT"]
        command = [*self._inside, self._iptables, "--wait", change, "FORWARD", *rule]
        subprocess.run(command, check=False, capture_output=True)

    def load_filesystem(self, tar: typing.BinaryIO, image: str) -> None:
        """Make an image of the files in a tar."""
        done = subprocess.run([*self._client(), "import", "-", image], stdin=tar, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def build(self, context: pathlib.Path, image: str, *arguments: str) -> str:
        """Build a folder's Dockerfile, and return what was said. arguments: "NAME=VALUE" each."""
        given = [f"--build-arg={argument}" for argument in arguments]
        done = subprocess.run(
            [*self._client(), "build", "--force-rm", f"--tag={image}", *given, str(context)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DOCKER_BUILDKIT": "0"},  # what Debian's client can do by itself
        )
        assert done.returncode == 0, (done.stdout[-4000:], done.stderr[-4000:])
        return done.stdout

    def logs(self, name: str) -> str:
        """What a container wrote, to standard output and to standard error."""
        done = subprocess.run(
            [*self._client(), "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
        return done.stdout.decode(errors="replace")

    def _service(self) -> list[str]:
        return [
            *self._inside,
            self._dockerd,
            *("--data-root", str(self._folder / "data"), "--exec-root", str(self._folder / "exec")),
            *("--host", self.url, "--pidfile", str(self._folder / "pid")),
            *("--bridge", self._bridge, "--iptables=false", "--ip-masq=false"),
            *("--default-address-pool", f"base={_POOL},size=24"),
            *("--shutdown-timeout", "5", "--log-level", "warn"),
        ]

    def _client(self) -> list[str]:
        return [self._docker, "--host", self.url]

    def _client_of_service(self) -> list[str]:
        return self._client()


@pytest.fixture(scope="session")
def docker_engine_of_the_session() -> collections.abc.Iterator[DockerEngine]:
    binaries.needs_root("a Docker engine of one's own")
    # A short path: a unix socket's may have 107 bytes at most.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dockerd-"))
    engine = DockerEngine(folder)
    try:
        engine.prepare()
        yield engine
    finally:
        engine.destroy()
        shutil.rmtree(folder)


@pytest.fixture
def docker_engine(docker_engine_of_the_session: DockerEngine) -> collections.abc.Iterator[DockerEngine]:
    """A real engine without containers. Skips the test without root, or where dockerd, docker or busybox is missing."""
    yield docker_engine_of_the_session
    docker_engine_of_the_session.thaw()
    docker_engine_of_the_session.clear()
