"""A daemun with many sites, started as a user starts it, and changed as a user changes it."""

import collections.abc
import contextlib
import dataclasses
import os
import pathlib
import sys
import time

import psutil

from bench import processes, visits
from tests.support import binaries, ports


@dataclasses.dataclass(slots=True, kw_only=True)
class Plots:
    """What daemun.yaml says. targets: site -> port of the server on loopback behind it. docker: the engine's URL.
    own: the site with files of its own for a certificate, of which own.pem and own.key lie beside daemun.yaml. The
    server behind it is the one that the first site began with: a site that changes changes no other.
    on_demand: the site that takes names while daemun runs."""

    targets: dict[str, int]
    docker: str | None = None
    own: str | None = None
    on_demand: str | None = None
    own_port: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.own_port = next(iter(self.targets.values()))

    def write(self, http: int, https: int) -> str:
        lines = [f'listen: {{http: "127.0.0.1:{http}", https: "127.0.0.1:{https}"}}']
        lines.append(f"docker: '{self.docker}'" if self.docker else "docker: off")
        lines.append("sites:")
        lines += [f"  {host}: http://127.0.0.1:{port}" for host, port in self.targets.items()]
        if self.on_demand:
            on_demand = "{per_minute: 6000, most: 100000}"
            routes = f"routes: {{/: 'http://127.0.0.1:{self.own_port}'}}"
            lines.append(f"  {self.on_demand}: {{on_demand: {on_demand}, {routes}}}")
        if self.own:
            pair = "{certificate: own.pem, key: own.key}"
            lines.append(f"  {self.own}: {{tls: {pair}, routes: {{/: 'http://127.0.0.1:{self.own_port}'}}}}")
        return "\n".join(lines) + "\n"


def hosts(count: int) -> tuple[str, ...]:
    return tuple(f"site-{number:05}.test" for number in range(count))


class Estate:
    """folder: of daemun.yaml and the state. pid: of the daemon."""

    def __init__(self, folder: pathlib.Path, plots: Plots) -> None:
        self.folder = folder
        self.plots = plots
        self.http, self.https = ports.free_port(), ports.free_port()
        self.visitor = visits.Visitor(self.https)
        self.pid = 0
        self._state = folder / "s"

    def write(self) -> None:
        """Replace daemun.yaml at once, as editors do."""
        new = self.folder / "daemun.yaml.new"
        new.write_text(self.plots.write(self.http, self.https))
        new.rename(self.folder / "daemun.yaml")

    @contextlib.contextmanager
    def up(self, *, within_s: float) -> collections.abc.Iterator[float]:
        """`daemun up`; yields the seconds until the first and the last site answer. Raises: visits.NeverError."""
        self.write()
        command = [sys.executable, "-m", "daemun", "up", "-c", str(self.folder / "daemun.yaml")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")}
        environment["DAEMUN_NGINX"] = str(binaries.nginx_path())
        began_s = time.monotonic()
        with (
            self._without_orphans(),
            processes.running(
                [*command, "--state", str(self._state)], self.folder / "said.log", lambda: True, environment=environment
            ) as self.pid,
        ):
            for host in dict.fromkeys((next(iter(self.plots.targets)), next(reversed(self.plots.targets)))):
                left_s = within_s - (time.monotonic() - began_s)
                self.until(host, str(self.plots.targets[host]), within_s=left_s)
            yield time.monotonic() - began_s

    @contextlib.contextmanager
    def _without_orphans(self) -> collections.abc.Iterator[None]:
        """nginx outlives a daemun that had to be killed, as one that was given up in the middle of its start."""
        try:
            yield
        finally:
            self._end_nginx()

    def _end_nginx(self) -> None:
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            family = [psutil.Process(pid) for pid in self.nginx_pids]
            if str(self._state) not in " ".join(family[0].cmdline()):
                return  # the number is another's by now
            family[0].terminate()
            psutil.wait_procs(family, timeout=10)

    def until(self, host: str, answer: str, *, within_s: float) -> float:
        """Seconds until the site answers so. Raises: visits.NeverError."""
        return visits.wait(lambda: self.visitor.ask(host), answer, within_s=within_s)

    def live_certificate(self, host: str) -> str:
        """Which generation of a site's certificate is where nginx looks."""
        return str((self._state / "live" / host).readlink())

    def command(self, *arguments: str) -> list[str]:
        """One command of daemun's, to the one that runs here."""
        config = str(self.folder / "daemun.yaml")
        return [sys.executable, "-m", "daemun", "-c", config, "--state", str(self._state), *arguments]

    @property
    def control_socket(self) -> pathlib.Path:
        return self._state / "run" / "control.sock"

    # --- what it costs ---

    @property
    def nginx_pids(self) -> tuple[int, ...]:
        return processes.family(int((self._state / "run" / "nginx.pid").read_text()))

    @property
    def daemon_mb(self) -> float:
        """Resident memory."""
        return psutil.Process(self.pid).memory_info().rss / 1e6

    @property
    def daemon_peak_mb(self) -> float:
        """The most it ever was (proc(5), VmHWM)."""
        words = pathlib.Path(f"/proc/{self.pid}/status").read_text().split()
        return int(words[words.index("VmHWM:") + 1]) * 1.024e-3

    @property
    def nginx_mb(self) -> float:
        """Proportional set sizes."""
        return processes.memory_kb(self.nginx_pids) * 1.024e-3

    def settle(self, *, within_s: float = 30.0) -> None:
        """Until the workers of earlier generations have ended. Raises: visits.NeverError."""
        workers = os.cpu_count() or 1
        visits.wait(lambda: len(self.nginx_pids), 1 + workers, within_s=within_s)

    def reloads(self) -> int:
        """How many generations there were so far: each is one start or reload of nginx."""
        return int((self._state / "nginx" / "current").readlink().name)


def cpu_ns(pids: collections.abc.Iterable[int]) -> int:
    """On a CPU so far, to the nanosecond (proc(5), schedstat), with all threads that are there."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
    return total
