"""What Docker's and Podman's engines of the tests' own have in common: a service on a unix socket, and a client."""

import collections.abc
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time

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


class ContainerEngine:
    """socket, url: of the service. image, network: what containers get where a test says nothing else."""

    def __init__(self, folder: pathlib.Path, socket: pathlib.Path, *, image: str, network: str) -> None:
        self._folder = folder
        self._image = image
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: dict[str, str] | None = None
        self.socket = socket
        self.url = f"unix://{socket}"

    # --- what the engines do in their own ways ---

    def _service(self) -> list[str]:
        """The command that serves at `url` until it is told to end."""
        raise NotImplementedError

    def _client(self) -> list[str]:
        """The command of the engine's users."""
        raise NotImplementedError

    def _client_of_service(self) -> list[str]:
        """The same, of users who reach the engine through the service alone."""
        raise NotImplementedError

    # --- the service ---

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._service(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        end = time.monotonic() + _START_S
        ask = [*self._client_of_service(), "version"]
        while subprocess.run(ask, capture_output=True, check=False, env=self._environment).returncode != 0:
            assert self._process.poll() is None and time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """As `systemctl stop docker`: Docker's containers are stopped first. Podman's live on."""
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

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def freeze(self) -> None:
        """Let it hang: connections are taken and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    # --- containers ---

    def cli(self, *arguments: str, input_: bytes = b"") -> str:
        """Do as the engine's users do, and return what was printed."""
        done = subprocess.run(
            [*self._client(), *arguments],
            input=input_,
            capture_output=True,
            check=False,
            timeout=120,
            env=self._environment,
        )
        assert done.returncode == 0, (arguments, done.stderr.decode(errors="replace"))
        return done.stdout.decode().strip()

    def run(
        self,
        name: str,
        *command: str,
        labels: collections.abc.Mapping[str, str] | None = None,
        network: str | None = None,
        options: collections.abc.Sequence[str] = (),
        image: str | None = None,
    ) -> str:
        """Start a container and return its id."""
        given = [f"--label={key}={value}" for key, value in (labels or {}).items()]
        given += [f"--name={name}", f"--network={network or self._network}", *options]
        return self.cli("run", "--detach", *given, image or self._image, *command)

    def remove(self, *names: str) -> None:
        """At once, also those that run."""
        self.cli("rm", "--force", *names)

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

    def address(self, name: str, network: str | None = None) -> str:
        """The container's IPv4 address in a network."""
        networks = json.loads(self.cli("inspect", name))[0]["NetworkSettings"]["Networks"]
        found = networks[network or self._network]["IPAddress"]
        assert isinstance(found, str) and found
        return found


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
