"""A Docker engine of the tests' own: Debian's dockerd with every file of it in one temporary folder, and no registry.

Its image is made of Debian's static busybox. It shares the machine politely with an engine that may be there: it has a
bridge of its own, and of the firewall it only asks that its containers may speak with each other while it runs.
"""

import collections.abc
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import typing

import pytest

from tests.support import binaries

IMAGE = "daemun-test/busybox:latest"
"""It exposes port 80."""
IMAGE_WITHOUT_PORT = "daemun-test/busybox:bare"
NETWORK = "gate"
_POOL = "10.213.0.0/16"
_BRIDGE_ADDRESS = "10.213.255.1/24"
_ROOT = pathlib.Path(__file__).parents[2]
_PACKAGES = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
PYTHON_MOUNTS = tuple(dict.fromkeys(("/usr", sys.base_prefix, *_PACKAGES, str(_ROOT / "tests"))))
"""Folders of this machine, mounted at the same place, with which a container runs the tests' own Python."""
PYTHON_PATH = ":".join((*_PACKAGES, str(_ROOT)))
PYTHON_OPTIONS = (
    *(f"--volume={folder}:{folder}:ro" for folder in PYTHON_MOUNTS),
    f"--env=PYTHONPATH={PYTHON_PATH}",
    "--env=PYTHONDONTWRITEBYTECODE=1",
)
_START_S = 60.0
_STOP_S = 60.0


class DockerEngine:
    """dockerd in a folder. `stop` and `start` again keep its containers."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._dockerd = binaries.program("dockerd", "docker.io")
        self._docker = binaries.program("docker", "docker.io")
        self._busybox = pathlib.Path(binaries.program("busybox", "busybox-static"))
        self._ip = binaries.program("ip", "iproute2")
        self._iptables = binaries.program("iptables", "iptables")
        self._umount = binaries.program("umount", "mount")
        self._bridge = f"dt{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "docker.sock"
        self.url = f"unix://{self.socket}"

    def prepare(self) -> None:
        """Start for the first time, with an image and a network."""
        subprocess.run([self._ip, "link", "add", self._bridge, "type", "bridge"], check=True)
        subprocess.run([self._ip, "address", "add", _BRIDGE_ADDRESS, "dev", self._bridge], check=True)
        # Another engine, also one that has ended, makes the kernel drop what bridges forward.
        self._allow("--insert")
        self.start()
        files, command = root_filesystem(self._busybox), ("--change", 'CMD ["sleep", "1000"]')
        self.cli("import", *command, "--change", "EXPOSE 80", "-", IMAGE, input_=files)
        self.cli("import", *command, "-", IMAGE_WITHOUT_PORT, input_=files)
        self.cli("network", "create", NETWORK)

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._dockerd,
                    *("--data-root", str(self._folder / "data"), "--exec-root", str(self._folder / "exec")),
                    *("--host", self.url, "--pidfile", str(self._folder / "pid")),
                    *("--bridge", self._bridge, "--iptables=false", "--ip-masq=false"),
                    *("--default-address-pool", f"base={_POOL},size=24"),
                    *("--shutdown-timeout", "5", "--log-level", "warn"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + _START_S
        while subprocess.run([*self._command(), "version"], capture_output=True, check=False).returncode != 0:
            assert self._process.poll() is None and time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """As `systemctl stop docker`: its containers are stopped first."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hang: connections are taken and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

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
        subprocess.run([self._ip, "link", "delete", self._bridge], check=False, capture_output=True)
        self._allow("--delete")

    def _allow(self, change: str) -> None:
        rule = ["--source", _POOL, "--destination", _POOL, "--jump", "ACCEPT"]
        subprocess.run([self._iptables, "--wait", change, "FORWARD", *rule], check=False, capture_output=True)

    def cli(self, *arguments: str, input_: bytes = b"") -> str:
        """Run `docker` against this engine and return what it printed."""
        done = subprocess.run(
            [*self._command(), *arguments], input=input_, capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, (arguments, done.stderr.decode(errors="replace"))
        return done.stdout.decode().strip()

    def load_filesystem(self, tar: typing.BinaryIO, image: str) -> None:
        """Make an image of the files in a tar."""
        done = subprocess.run([*self._command(), "import", "-", image], stdin=tar, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def build(self, context: pathlib.Path, image: str, *arguments: str) -> str:
        """Build a folder's Dockerfile, and return what was said. arguments: "NAME=VALUE" each."""
        given = [f"--build-arg={argument}" for argument in arguments]
        done = subprocess.run(
            [*self._command(), "build", "--force-rm", f"--tag={image}", *given, str(context)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DOCKER_BUILDKIT": "0"},  # what Debian's client can do by itself
        )
        assert done.returncode == 0, (done.stdout[-4000:], done.stderr[-4000:])
        return done.stdout

    def run(
        self,
        name: str,
        *command: str,
        labels: collections.abc.Mapping[str, str] | None = None,
        network: str = NETWORK,
        options: collections.abc.Sequence[str] = (),
        image: str = IMAGE,
    ) -> str:
        """Start a container and return its id."""
        given = [f"--label={key}={value}" for key, value in (labels or {}).items()]
        return self.cli("run", "--detach", f"--name={name}", f"--network={network}", *given, *options, image, *command)

    def run_server(
        self,
        name: str,
        *,
        labels: collections.abc.Mapping[str, str],
        options: collections.abc.Sequence[str] = (),
    ) -> str:
        """Start a container with `tests.support.container_server`, which answers with its container's name."""
        command = python_command("tests.support.container_server", name)
        return self.run(name, *command, labels=labels, options=[*PYTHON_OPTIONS, *options])

    def logs(self, name: str) -> str:
        """What a container wrote, to standard output and to standard error."""
        done = subprocess.run(
            [*self._command(), "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
        return done.stdout.decode(errors="replace")

    def address(self, name: str, network: str = NETWORK) -> str:
        """The container's IPv4 address in a network."""
        found = json.loads(self.cli("inspect", name))[0]["NetworkSettings"]["Networks"][network]["IPAddress"]
        assert isinstance(found, str) and found
        return found

    def _command(self) -> list[str]:
        return [self._docker, "--host", self.url]


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """What runs a module such as `tests.support.container_server` in a container that has PYTHON_MOUNTS."""
    return (os.path.realpath(sys.executable), "-m", module, *arguments)


def root_filesystem(busybox: pathlib.Path) -> bytes:
    """A tar of busybox, a link for each of its programs, and a page that its web server can serve."""
    content = io.BytesIO()
    applets = subprocess.run([str(busybox), "--list"], capture_output=True, check=True).stdout.decode().split()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for folder in ("bin", "etc", "tmp", "usr", "www"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        # Where this machine's programs find their libraries once its /usr is mounted.
        for name in ("lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(link)
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = busybox.stat().st_size, 0o755
        with busybox.open("rb") as file:
            tar.addfile(program, file)
        for applet in applets:
            if applet == "busybox":
                continue
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        page = tarfile.TarInfo("www/index.html")
        page.size, page.mode = len(_PAGE), 0o644
        tar.addfile(page, io.BytesIO(_PAGE))
    return content.getvalue()


_PAGE = b"a page\n"


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
